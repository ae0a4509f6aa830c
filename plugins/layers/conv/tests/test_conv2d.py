"""Conv2D: the promises of a layer, and the facts of this one."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.initializers import Constant
from lamina.layers import Conv2D, Input
from lamina.models import Sequential
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(Conv2D, {"filters": 3, "kernel_size": 3}, shape=(6, 5, 2)),
    Case(
        Conv2D,
        {"filters": 2, "kernel_size": (2, 3), "padding": "same", "strides": (2, 1)},
        shape=(None, None, 3),
    ),
    Case(Conv2D, {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "activation": "tanh"}, shape=(7, 6, 1)),
    Case(Conv2D, {"filters": 4, "kernel_size": 1, "use_bias": False}, shape=(3, 4, 2)),
    Case(
        Conv2D,
        {"filters": 2, "kernel_size": 1},
        shape=(3, 4, 2),
        reference=lambda x, kernel, bias: x @ kernel[0, 0] + bias,
        id="Conv2D is Dense when its windows are of one pixel",
    ),
    Case(
        Conv2D,
        {
            "filters": 2,
            "kernel_size": (2, 2),
            "activation": "relu",
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l1_l2",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
        },
        shape=(4, 4, 2),
        id="Conv2D with everything",
    ),
)
def test_conforms(case, check):
    check(case)


def test_a_window_of_ones_adds_up_its_neighbours():
    layer = Conv2D(1, 3, padding="same", kernel_initializer="ones", bias_initializer=Constant(0.5))
    found = predict(layer, np.ones((1, 3, 4, 1), "float32"))
    assert found[0, ..., 0].tolist() == [[4.5, 6.5, 6.5, 4.5], [6.5, 9.5, 9.5, 6.5], [4.5, 6.5, 6.5, 4.5]]


def test_the_kernel_has_one_layout_for_both_data_formats():
    last, first = (Conv2D(4, (2, 3), data_format=f"channels_{end}") for end in ("last", "first"))
    assert last(Input((5, 6, 3))).shape == (None, 4, 4, 4)
    assert first(Input((3, 5, 7))).shape == (None, 4, 4, 5)
    assert last.kernel.shape == first.kernel.shape == (2, 3, 3, 4)
    assert last.bias.shape == first.bias.shape == (4,)


def test_the_data_format_is_that_of_the_backend_at_the_time():
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    try:
        layer = Conv2D(1, 1)
    finally:
        K.set_image_data_format(before)
    assert layer.data_format == "channels_first"


@pytest.mark.parametrize(("stride", "sizes"), [(1, (11, 12)), (2, (6, 6)), (3, (4, 4)), (20, (1, 1))])
def test_same_padding_gives_the_size_over_the_stride_rounded_up(stride, sizes):
    assert Conv2D(1, 5, strides=stride, padding="same")(Input((11, 12, 1))).shape == (None, *sizes, 1)


def test_the_config_is_that_of_keras():
    config = json.loads(json.dumps(Conv2D(3, 2, name="c", activation="relu").get_config()))
    uniform = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    assert list(config.items()) == [
        ("name", "c"),
        ("trainable", True),
        ("filters", 3),
        ("kernel_size", [2, 2]),
        ("strides", [1, 1]),
        ("padding", "valid"),
        ("data_format", "channels_last"),
        ("dilation_rate", [1, 1]),
        ("activation", "relu"),
        ("use_bias", True),
        ("kernel_initializer", {"class_name": "VarianceScaling", "config": uniform}),
        ("bias_initializer", {"class_name": "Zeros", "config": {}}),
        ("kernel_regularizer", None),
        ("bias_regularizer", None),
        ("activity_regularizer", None),
        ("kernel_constraint", None),
        ("bias_constraint", None),
    ]


def test_arguments_go_by_position_as_in_keras():
    layer = Conv2D(3, (2, 2), (1, 2), "same", "channels_first", 1, "relu", False)
    assert (layer.strides, layer.padding, layer.data_format) == ((1, 2), "same", "channels_first")
    assert not layer.use_bias


def test_training_learns_an_edge_detector():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 6, 6, 1)).astype("float32")
    y = x[:, :, 1:] - x[:, :, :-1]
    np.random.seed(0)
    model = Sequential([Conv2D(1, (1, 2), input_shape=(6, 6, 1))])
    model.compile(optimizer="adam", loss="mse")
    K.set_value(model.optimizer.lr, 0.05)
    model.fit(x, y, epochs=60, verbose=0)
    assert_allclose(model.get_weights()[0].ravel(), [-1, 1], atol=0.01)
