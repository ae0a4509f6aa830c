"""Transposed convolution: Conv2DTranspose, Conv3DTranspose, K.conv2d_transpose and K.conv3d_transpose."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.function import Function
from lamina.layers import Conv2DTranspose, Conv3DTranspose, Convolution2DTranspose, Deconvolution3D, Input
from lamina.models import Sequential
from lamina.tensor import Constant, Placeholder
from lamina.testing import Case, parametrize_layers, parametrize_ops, predict
from lamina_conv.transposed import conv2d_transpose, conv3d_transpose


@parametrize_layers(
    Case(Conv2DTranspose, {"filters": 3, "kernel_size": 3}, shape=(4, 3, 2)),
    Case(
        Conv2DTranspose,
        {"filters": 2, "kernel_size": (2, 3), "strides": 2, "padding": "same", "activation": "tanh"},
        shape=(None, None, 3),
    ),
    Case(
        Conv2DTranspose,
        {"filters": 2, "kernel_size": 3, "strides": (2, 3), "output_padding": (1, 2), "use_bias": False},
        shape=(None, 3, 2),
    ),
    Case(
        Conv2DTranspose,
        {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1), "kernel_constraint": "max_norm"},
        shape=(3, 4, 2),
    ),
    Case(Conv3DTranspose, {"filters": 2, "kernel_size": 2, "strides": 2}, shape=(2, 3, 2, 2)),
    Case(
        Conv3DTranspose,
        {
            "filters": 1,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "output_padding": 1,
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
        },
        shape=(None, 2, 1, 2),
    ),
)
def test_conforms(case, check):
    check(case)


@parametrize_ops(
    Case(conv2d_transpose, {"output_shape": (None, 5, 6, 3)}, shape=[(None, 3, 4, 2), (3, 3, 3, 2)]),
    Case(
        conv2d_transpose,
        {"output_shape": (None, 3, 6, 5), "strides": 2, "padding": "same", "data_format": "channels_first"},
        shape=[(None, 2, 3, 3), (2, 3, 3, 2)],
    ),
    Case(
        conv2d_transpose,
        {"output_shape": (None, 6, 5, 1), "dilation_rate": (2, 1)},
        shape=[(None, 4, 4, 2), (2, 2, 1, 2)],
    ),
    Case(
        conv3d_transpose,
        {"output_shape": (None, 4, 5, 4, 1), "strides": (2, 2, 1)},
        shape=[(None, 2, 2, 3, 2), (2, 2, 2, 1, 2)],
    ),
)
def test_functions_conform(case, check):
    check(case)


# ---- numbers


def naive(x, kernel, size, stride):
    """The formula, number by number, along one axis."""
    y = np.zeros((len(x), size, kernel.shape[1]))
    for b, i, c in np.ndindex(x.shape):
        for q, f in np.ndindex(kernel.shape[:2]):
            y[b, i * stride + q, f] += x[b, i, c] * kernel[q, f, c]
    return y


def test_it_is_the_sum_written_out():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 4, 3)), rng.standard_normal((3, 2, 3))
    found = K.eval(conv2d_transpose(Constant(x[:, None]), Constant(kernel[None]), (2, 1, 10, 2), (1, 2)))
    assert_allclose(found[:, 0], naive(x, kernel, 10, 2), rtol=1e-12)


def test_each_number_is_spread_over_a_window():
    layer = Conv2DTranspose(1, (1, 3), strides=(1, 2), kernel_initializer="ones")
    found = predict(layer, np.array([[[[1.0], [10.0], [100.0]]]]))
    assert found.ravel().tolist() == [1, 1, 11, 10, 110, 100, 100]


def test_the_output_shape_may_be_known_only_when_running():
    x, like = Placeholder((None, None, None, 2)), Placeholder((None, None, None, 1))
    kernel = Constant(np.ones((3, 3, 1, 2), "float32"))
    y = conv2d_transpose(x, kernel, K.shape(like), 2, "same")
    assert y.shape[1:3] == (None, None)
    for size in (5, 6):
        found = Function([x, like], [y])([np.ones((1, 3, 3, 2)), np.ones((1, size, size, 1))])[0]
        assert found.shape == (1, size, size, 1)


# ---- the layers


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({}, (6, 7)),
        ({"strides": 2}, (9, 11)),
        ({"strides": 4}, (16, 20)),
        ({"padding": "same", "strides": 2}, (8, 10)),
        ({"padding": "same", "strides": 2, "output_padding": 0}, (7, 9)),
        ({"padding": "same", "strides": 2, "output_padding": 1}, (8, 10)),
        ({"strides": (2, 3), "output_padding": (1, 2)}, (10, 17)),
        ({"dilation_rate": 2}, (8, 9)),
    ],
)
def test_sizes_are_those_of_keras(arguments, sizes):
    assert Conv2DTranspose(1, 3, **arguments)(Input((4, 5, 2))).shape == (None, *sizes, 1)


def test_the_kernel_has_filters_before_channels():
    layer = Conv2DTranspose(4, (2, 3), data_format="channels_first")
    assert layer(Input((3, 5, 6))).shape == (None, 4, 6, 8)
    assert layer.kernel.shape == (2, 3, 4, 3)
    assert [weight.name for weight in layer.weights] == [f"{layer.name}/kernel:0", f"{layer.name}/bias:0"]


def test_configs_end_with_the_output_padding_as_those_of_keras():
    two, three = (
        json.loads(json.dumps(layer(1, 2, strides=2, output_padding=1).get_config()))
        for layer in (Conv2DTranspose, Conv3DTranspose)
    )
    assert list(two)[-2:] == list(three)[-2:] == ["bias_constraint", "output_padding"]
    assert (two["output_padding"], three["output_padding"]) == ([1, 1], [1, 1, 1])
    assert "dilation_rate" in two
    assert "dilation_rate" not in three
    assert Conv3DTranspose(1, 2, dilation_rate=2).get_config()["dilation_rate"] == (2, 2, 2)


def test_other_names_of_keras_are_the_same_layers():
    assert Convolution2DTranspose is Conv2DTranspose
    assert Deconvolution3D is Conv3DTranspose
    assert Sequential([Conv2DTranspose(1, 1, input_shape=(2, 2, 1))]).get_config()


def test_an_autoencoder_learns():
    rng = np.random.default_rng(0)
    np.random.seed(0)
    x = rng.standard_normal((32, 3, 3, 1)).astype("float32")
    model = Sequential([Conv2DTranspose(1, 2, strides=2, input_shape=(3, 3, 1))])
    model.compile(optimizer="adam", loss="mse")
    K.set_value(model.optimizer.lr, 0.05)
    y = x.repeat(2, 1).repeat(2, 2)
    model.fit(x, y, epochs=80, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 1e-2


# ---- bad input


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((None, 9, 6, 3), "an image axis of 9 makes 7 outputs, not 3"),
        ((None, 5, 6), "conv2d_transpose: output_shape has 4 sizes"),
    ],
)
def test_an_impossible_output_shape_is_refused(shape, told):
    with pytest.raises(ValueError, match=told):
        conv2d_transpose(Placeholder((1, 3, 4, 2)), Placeholder((3, 3, 3, 2)), shape)


def test_wrong_numbers_of_axes_are_named():
    with pytest.raises(ValueError, match="conv3d_transpose takes images of 5 axes"):
        conv3d_transpose(Placeholder((1, 3, 4, 2)), Placeholder((3, 3, 3, 2)), (1, 5, 6, 3))
