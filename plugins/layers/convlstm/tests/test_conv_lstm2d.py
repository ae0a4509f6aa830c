import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import LSTM, ConvLSTM2D, ConvLSTM2DCell, Input, Masking
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
        ({"filters": 0}, ValueError, "c: filters is the number of channels of the output.* met 0"),
        ({"filters": 2.5}, ValueError, "c: filters .* met 2.5"),
        ({"kernel_size": (3, 3, 3)}, ValueError, "c: kernel_size .* a tuple of 2"),
        (
            {"strides": 2, "dilation_rate": 2},
            ValueError,
            "c: .* cannot both be more than 1: leave one of them out",
        ),
        ({"padding": "causal"}, ValueError, "c: padding is one of 'valid', 'same'; met 'causal'"),
        (
            {"data_format": "last"},
            ValueError,
            "c: Unknown data_format 'last': it is neither 'channels_last' nor",
        ),
        (
            {"dropout": 2},
            ValueError,
            "c: dropout is a fraction of the inputs, at least 0 and at most 1; met 2",
        ),
        ({"recurrent_dropout": "half"}, TypeError, "c: recurrent_dropout .* met 'half'"),
        ({"unroll": True}, TypeError, "Unrolling"),
    ],
)
def test_impossible_arguments_are_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        ConvLSTM2D(**{"filters": 2, "kernel_size": 3, "name": "c", **arguments})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda layer: layer(Input((5, 5, 2))), "layer c: expected ndim=5, found ndim=4"),
        (lambda layer: layer(Input((4, 5, 5, None))), "c needs weights for each channel.* no fixed number"),
        (lambda layer: layer(Input((4, 2, 5, 1))), "c: .*a window that spans 3 .* axis 0, which has 2"),
        (lambda layer: layer(Input((4, 0, 5, 1))), "c: .* axis 0, which has 0 positions"),
        (
            lambda layer: layer(Masking()(Input((4, 5, 5, 1)))),
            r"c: the mask .* \(batch, time\); met .*5, 5\)",
        ),
        (lambda layer: layer(Input((4, 5, 5, 1)), constants=Input((3,))), "c: .* does not support constants"),
        (
            lambda layer: layer(Input((4, 5, 5, 1)), initial_state=[Input((3, 3, 2))]),
            "c: Layer has 2 states .* 1",
        ),
        (
            lambda layer: layer(Input((4, 5, 5, 1)), initial_state=[Input((4, 4, 2)), Input((4, 4, 2))]),
            "c: An `initial_state` was passed that is not compatible",
        ),
    ],
)
def test_a_wrong_call_is_named(make, told):
    with pytest.raises(ValueError, match=told):
        make(ConvLSTM2D(2, 3, name="c"))


def test_a_stateful_layer_needs_all_sizes():
    layer = ConvLSTM2D(2, 3, stateful=True, name="c")
    with pytest.raises(ValueError, match="c: .* needs to know its batch size"):
        layer(Input((4, 5, 5, 1)))
    with pytest.raises(ValueError, match="c: .* the size of its images"):
        layer(Input(batch_shape=(2, 4, None, 5, 1)))


def test_whole_numbers_are_images_too():
    array = np.random.default_rng(0).integers(0, 3, (2, 4, 5, 5, 1))
    pixels, layer = Input((4, 5, 5, 1), dtype="uint8"), ConvLSTM2D(2, 3)
    model = Model(pixels, layer(pixels))
    assert_allclose(model.predict(array.astype("uint8")), predict(layer, array.astype("float32")), rtol=1e-5)


def test_dropout_draws_once_a_sequence():
    inputs = Input((6, 2, 2, 1))
    y = ConvLSTM2D(2, 1, dropout=0.5, return_sequences=True, recurrent_initializer="zeros")(inputs)
    f = K.function([inputs, K.learning_phase()], [y])
    a, b = f([np.ones((4, 6, 2, 2, 1)), 1])[0], f([np.ones((4, 6, 2, 2, 1)), 1])[0]
    assert not np.array_equal(a, b)


# ---- files


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_weights_of_keras_1_and_of_theano_are_brought_into_the_layers_own_form(data_format):
    layer = ConvLSTM2D(2, 3, data_format=data_format)
    layer.build((None, 4, 6, 6, 6))
    draw = np.random.default_rng(0)
    kernel, recurrent, bias = wanted = [draw.normal(size=w.shape) for w in layer.get_weights()]

    def of_gate(array, at):
        block = array[..., 2 * at : 2 * at + 2]
        return block.transpose(3, 2, 0, 1) if data_format == "channels_first" and array.ndim == 4 else block

    # Keras 1 wrote the gates i, c, f, o one by one.
    gates = [of_gate(array, at) for at in (0, 2, 1, 3) for array in wanted]
    theano = [kernel[::-1, ::-1], recurrent[::-1, ::-1], bias]
    for arrays, backend, version in (
        (wanted, "tensorflow", "2.2.4"),
        (gates, None, "1"),
        (theano, "theano", "2.2.4"),
    ):
        for array, given in zip(layer.weights_from_file(arrays, backend, version), wanted, strict=True):
            assert_array_equal(array, given)
