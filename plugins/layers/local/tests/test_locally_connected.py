import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import layers
from lamina.layers import Input, LocallyConnected1D, LocallyConnected2D, Masking
from lamina.models import Sequential
from lamina.testing import Case, parametrize_layers, predict

FOLLOWS = {
    "check_data_format": "the features of a window meet the kernel in the order of the data, as in Keras"
}

EVERYTHING = {
    "activation": "tanh",
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l1",
    "activity_regularizer": "l1_l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}


@parametrize_layers(
    Case(LocallyConnected1D, {"filters": 3, "kernel_size": 1}, shape=(4, 2)),
    Case(
        LocallyConnected1D, {"filters": 3, "kernel_size": (3,), "strides": [2]}, shape=(7, 2), fails=FOLLOWS
    ),
    Case(
        LocallyConnected1D,
        {"filters": 2, "kernel_size": 2, "use_bias": False, "data_format": "channels_first"},
        shape=(3, 5),
        fails=FOLLOWS,
    ),
    Case(
        LocallyConnected1D,
        {"filters": 2, "kernel_size": 2, **EVERYTHING},
        shape=(5, 3),
        id="LocallyConnected1D with everything",
        fails=FOLLOWS,
    ),
    Case(LocallyConnected2D, {"filters": 3, "kernel_size": 2}, shape=(3, 4, 2), fails=FOLLOWS),
    Case(
        LocallyConnected2D,
        {"filters": 2, "kernel_size": (2, 3), "strides": (2, 1), "use_bias": False},
        shape=(5, 4, 2),
        fails=FOLLOWS,
    ),
    Case(
        LocallyConnected2D,
        {"filters": 2, "kernel_size": [1, 2], "data_format": "channels_first"},
        shape=(2, 3, 4),
        fails=FOLLOWS,
    ),
    Case(
        LocallyConnected2D,
        {"filters": 2, "kernel_size": 2, **EVERYTHING},
        shape=(3, 3, 2),
        id="LocallyConnected2D with everything",
        fails=FOLLOWS,
    ),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    ("layer", "shape", "out", "params"),
    [
        (LocallyConnected1D(64, 3), (10, 32), (None, 8, 64), 8 * (3 * 32 * 64 + 64)),
        (LocallyConnected1D(32, 3), (8, 64), (None, 6, 32), 6 * (3 * 64 * 32 + 32)),
        (LocallyConnected2D(64, (3, 3)), (32, 32, 3), (None, 30, 30, 64), 30 * 30 * (3 * 3 * 3 * 64 + 64)),
        (
            LocallyConnected2D(2, 3, data_format="channels_first"),
            (3, 8, 9),
            (None, 2, 6, 7),
            42 * (27 * 2 + 2),
        ),
    ],
)
def test_shapes_and_sizes_are_those_of_the_manual(layer, shape, out, params):
    assert layer.compute_output_shape((None, *shape)) == out
    assert layer(Input(shape)).shape == out
    assert layer.count_params() == params


def test_every_position_has_weights_and_a_bias_of_its_own():
    layer = LocallyConnected1D(1, 2, input_shape=(3, 1))
    model = Sequential([layer])
    # Windows (1, 2) and (2, 5): 10 * 1 + 20 * 2 + 3, and 30 * 2 + 40 * 5 + 4.
    model.set_weights([np.array([[[10], [20]], [[30], [40]]]), np.array([[3], [4]])])
    assert_array_equal(model.predict(np.array([[[1], [2], [5]]])), [[[53], [264]]])


@pytest.mark.parametrize(
    ("make", "shape", "axes"),
    [
        (lambda **kw: LocallyConnected1D(3, 2, **kw), (4, 2), (0, 2, 1, 3)),
        (lambda **kw: LocallyConnected2D(3, (2, 3), **kw), (4, 5, 2), (0, 3, 1, 2, 4)),
    ],
)
def test_channels_first_meets_the_kernel_channels_first(make, shape, axes):
    rng = np.random.default_rng(0)
    last, first = make(use_bias=False), make(use_bias=False, data_format="channels_first")
    x = rng.standard_normal((2, *shape)).astype("float32")
    y = predict(last, x)
    positions, features, filters = last.kernel_shape
    first(Input((shape[-1], *shape[:-1])))
    kernel = last.get_weights()[0].reshape(positions, *last.kernel_size, shape[-1], filters).transpose(axes)
    first.set_weights([kernel.reshape(positions, features, filters)])
    assert_allclose(np.moveaxis(predict(first, np.moveaxis(x, -1, 1)), 1, -1), y, rtol=1e-5, atol=1e-6)


def test_the_config_is_that_of_keras():
    config = json.loads(
        json.dumps(LocallyConnected2D(3, 2, name="l", data_format="channels_first").get_config())
    )
    assert list(config) == [
        "name", "trainable", "filters", "kernel_size", "strides", "padding", "data_format", "activation", "use_bias",
        "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
        "kernel_constraint", "bias_constraint",
    ]  # fmt: skip
    assert config["kernel_size"] == [2, 2] and config["strides"] == [1, 1]
    assert (config["padding"], config["data_format"]) == ("valid", "channels_first")


def test_the_weights_are_named_as_in_keras():
    layer = LocallyConnected1D(3, 2, name="l")
    layer(Input((4, 2)))
    assert [(w.name, w.shape) for w in layer.weights] == [("l/kernel:0", (3, 4, 3)), ("l/bias:0", (3, 3))]


def test_the_data_format_is_the_configured_one():
    K.set_image_data_format("channels_first")
    try:
        assert LocallyConnected1D(3, 2).data_format == "channels_first"
    finally:
        K.set_image_data_format("channels_last")


def test_penalties_are_losses_of_the_layer():
    layer, x = LocallyConnected1D(2, 2, **EVERYTHING), Input((3, 2))
    layer(x)
    assert len(layer.get_losses_for(None)) == 2
    assert len(layer.get_losses_for(x)) == 1
    assert layer.kernel.constraint is layer.kernel_constraint
    assert layer.bias.constraint is layer.bias_constraint


def test_a_model_with_it_trains():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 6, 2))
    y = np.stack([x[:, 0, 0] * 2, -x[:, 5, 1]], 1)
    model = Sequential([LocallyConnected1D(1, 3, strides=3, input_shape=(6, 2)), layers.Flatten()])
    model.compile("adam", "mse")
    model.optimizer.lr = 0.05
    assert model.fit(x, y, epochs=40, batch_size=16, verbose=0).history["loss"][-1] < 0.1


BOTH = pytest.mark.parametrize(("layer", "rank"), [(LocallyConnected1D, 1), (LocallyConnected2D, 2)])


@BOTH
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"padding": "same"},
            "c: .*only \"valid\" is supported.*: 'same'. Put a ZeroPadding.D layer before it",
        ),
        ({"data_format": "middle"}, "c: Unknown data_format 'middle': it is neither 'channels_last' nor"),
        ({"filters": 0}, "c: filters is a whole number above 0, .* met 0"),
        ({"filters": None}, "c: filters .* met None"),
        (
            {"kernel_size": (2, 2, 2)},
            r"c: kernel_size is a whole number above 0, or a tuple of .* met \(2, 2, 2\)",
        ),
        ({"strides": 0}, "c: strides .* met 0"),
    ],
)
def test_a_wrong_argument_is_named(layer, rank, arguments, words):
    with pytest.raises(ValueError, match=words):
        layer(**{"filters": 3, "kernel_size": 2, "name": "c", **arguments})


@BOTH
@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((None, 2), "c: .*should be fully-defined.* inputs shape is .*None, 2"),
        ((4, None), "c: .*should be fully-defined"),
        ((1, 2), "c: .*do not fit"),
        ((0, 2), "c: .*do not fit"),
        ((4, 4, 2, 2), "layer c: expected ndim=., found ndim=."),
    ],
)
def test_a_wrong_input_is_named(layer, rank, sizes, words):
    with pytest.raises(ValueError, match=words):
        layer(3, 2, name="c")(Input((*[4] * (rank - 1), *sizes)))


@BOTH
def test_a_mask_is_refused(layer, rank):
    with pytest.raises(TypeError, match="Layer c does not support masking"):
        layer(3, 2, name="c")(Masking()(Input((*[4] * rank, 2))))


def test_another_length_is_refused():
    layer = LocallyConnected1D(3, 2)
    layer(Input((4, 2)))
    with pytest.raises(ValueError, match=r"expected shape=\(None, 4, 2\)"):
        layer(Input((5, 2)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((4, 6, 3)), (3,), (1,)), "take 6 positions .* which has 5"),
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((2, 5, 3)), (3,), (1,)), "for 5 features .* there are 6"),
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((2, 6)), (3,), (1,)), r"\(positions, features, filters\)"),
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((2, 6, 3)), (3,), (1,), "last"), "data_format 'last'"),
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((None, 6, 3)), (3,), (1,)), "must be known"),
        (lambda x: K.local_conv1d(x((2, 5, 2)), x((0, 6, 3)), (3,), (1,)), "above 0"),
        (lambda x: K.local_conv2d(x((2, 5, 2)), x((2, 6, 3)), (3, 3), (1, 1), (1, 1)), "input of 4 axes"),
        (
            lambda x: K.local_conv2d(x((2, 3, 3, 1)), x((4, 4, 3)), (2, 2), (1, 1), (2, 2), "last"),
            "data_format 'last'",
        ),
        (lambda x: K.local_conv2d(x((2, 3, 3, 1)), x((2, 4, 3)), (2, 2), (1, 1), (2, 2)), "for 2 positions"),
    ],
)
def test_the_functions_name_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call(K.placeholder)
