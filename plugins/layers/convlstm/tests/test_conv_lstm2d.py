import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.layers import LSTM, ConvLSTM2D, ConvLSTM2DCell, Input
from lamina.models import Model, Sequential
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(ConvLSTM2D, {"filters": 2, "kernel_size": 2}, shape=(3, 4, 4, 2), channels=2),
    Case(
        ConvLSTM2D,
        {"filters": 2, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same", "return_sequences": True},
        shape=(3, 4, 3, 2),
        channels=2,
    ),
    Case(
        ConvLSTM2D,
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "go_backwards": True, "unit_forget_bias": False},
        shape=(2, 5, 4, 1),
        channels=2,
    ),
    Case(
        ConvLSTM2D,
        {
            "filters": 2,
            "kernel_size": 2,
            "activation": "relu",
            "recurrent_activation": "sigmoid",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "recurrent_regularizer": "l1",
            "bias_regularizer": "l2",
            "activity_regularizer": "l2",
            "kernel_constraint": "max_norm",
            "recurrent_constraint": "max_norm",
            "bias_constraint": "non_neg",
            "dropout": 0.2,
            "recurrent_dropout": 0.3,
        },
        shape=(2, 3, 3, 2),
        channels=2,
        id="ConvLSTM2D with everything",
    ),
    Case(
        ConvLSTM2D,
        {"filters": 2, "kernel_size": 2, "stateful": True},
        shape=(2, 3, 3, 1),
        batch=2,
        channels=2,
        fails={"check_data_format": "the check does not fix the batch size"},
    ),
    Case(
        ConvLSTM2DCell,
        {"filters": 2, "kernel_size": 3, "padding": "same"},
        shape=[(3, 4, 2), (3, 4, 2), (3, 4, 2)],
    ),
)
def test_conforms(case, check):
    check(case)


def test_on_images_of_one_pixel_it_is_an_lstm():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    dense, images = LSTM(4, return_sequences=True), ConvLSTM2D(4, 1, return_sequences=True)
    expected = predict(dense, x)
    images.build((None, 5, 1, 1, 3))
    kernel, recurrent, bias = dense.get_weights()
    images.set_weights([kernel[None, None], recurrent[None, None], bias])
    assert_allclose(predict(images, x[:, :, None, None]), expected[:, :, None, None], atol=1e-6)


def test_channels_first_is_the_same_layer():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4, 2)).astype("float32")
    last = ConvLSTM2D(3, 2, return_sequences=True, data_format="channels_last")
    first = ConvLSTM2D(3, 2, return_sequences=True, data_format="channels_first")
    expected = predict(last, x)
    first.build((None, 3, 2, 5, 4))
    first.set_weights(last.get_weights())
    found = predict(first, x.transpose(0, 1, 4, 2, 3))
    assert_allclose(found.transpose(0, 1, 3, 4, 2), expected, atol=1e-6)


def test_the_forget_gate_starts_open():
    layer = ConvLSTM2D(2, 3)
    layer.build((None, 4, 5, 5, 1))
    assert_allclose(layer.get_weights()[2], [0, 0, 1, 1, 0, 0, 0, 0])


def test_a_stateful_layer_goes_on_where_it_stopped():
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3, 1))
    whole = Sequential([ConvLSTM2D(2, 2, batch_input_shape=(1, 4, 3, 3, 1))])
    halves = Sequential([ConvLSTM2D(2, 2, stateful=True, batch_input_shape=(1, 2, 3, 3, 1))])
    halves.set_weights(whole.get_weights())
    halves.predict(x[:, :2])
    assert_allclose(halves.predict(x[:, 2:]), whole.predict(x), atol=1e-6)
    halves.reset_states()
    assert_allclose(halves.predict(x[:, :2]), first_half(whole, x), atol=1e-6)


def first_half(model, x):
    inputs = Input((2, 3, 3, 1))
    layer = ConvLSTM2D(2, 2)
    half = Model(inputs, layer(inputs))
    half.set_weights(model.get_weights())
    return half.predict(x[:, :2])


def test_sizes_unknown_before_the_call_are_fine():
    inputs = Input((None, None, None, 1))
    model = Model(inputs, ConvLSTM2D(2, 3)(inputs))
    assert model.output_shape == (None, None, None, 2)
    assert model.predict(np.zeros((1, 2, 5, 6, 1))).shape == (1, 3, 4, 2)


def test_the_config_is_that_of_keras():
    config = ConvLSTM2D(2, 3, name="c").get_config()
    assert list(config)[:7] == [
        "name",
        "trainable",
        "return_sequences",
        "return_state",
        "go_backwards",
        "stateful",
        "unroll",
    ]
    assert list(config)[7:13] == [
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
    ]
    assert config["kernel_size"] == (3, 3) and config["recurrent_activation"] == "hard_sigmoid"


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"filters": 0, "kernel_size": 3}, ValueError, "filters is a number of channels"),
        (
            {"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2},
            ValueError,
            "cannot both be more",
        ),
        ({"filters": 2, "kernel_size": 3, "padding": "causal"}, ValueError, "padding"),
        ({"filters": 2, "kernel_size": 3, "data_format": "last"}, ValueError, "data_format"),
        ({"filters": 2, "kernel_size": 3, "dropout": 2}, ValueError, "dropout is a fraction"),
        ({"filters": 2, "kernel_size": 3, "unroll": True}, TypeError, "Unrolling"),
    ],
)
def test_impossible_arguments_are_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        ConvLSTM2D(**arguments)


def test_channels_without_a_number_are_refused():
    with pytest.raises(ValueError, match="no fixed number"):
        ConvLSTM2D(2, 3)(Input((4, 5, 5, None)))


def test_dropout_draws_once_a_sequence():
    inputs = Input((6, 2, 2, 1))
    y = ConvLSTM2D(2, 1, dropout=0.5, return_sequences=True, recurrent_initializer="zeros")(inputs)
    f = K.function([inputs, K.learning_phase()], [y])
    a, b = f([np.ones((4, 6, 2, 2, 1)), 1])[0], f([np.ones((4, 6, 2, 2, 1)), 1])[0]
    assert not np.array_equal(a, b)
