"""DepthwiseConv2D, SeparableConv1D and SeparableConv2D: the promises of layers, and the facts of these."""

import json

import numpy as np

from lamina import backend as K
from lamina.layers import DepthwiseConv2D, Input, SeparableConv1D, SeparableConv2D, SeparableConvolution2D
from lamina.models import Sequential
from lamina.testing import Case, parametrize_layers, predict

EVERYTHING = {
    "depthwise_initializer": "he_normal",
    "depthwise_regularizer": "l2",
    "depthwise_constraint": "max_norm",
    "bias_initializer": "ones",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "bias_constraint": "non_neg",
}


@parametrize_layers(
    Case(DepthwiseConv2D, {"kernel_size": 3}, shape=(5, 4, 3)),
    Case(
        DepthwiseConv2D,
        {
            "kernel_size": (2, 3),
            "strides": (2, 1),
            "padding": "same",
            "depth_multiplier": 2,
            "activation": "tanh",
        },
        shape=(None, None, 2),
    ),
    Case(DepthwiseConv2D, {"kernel_size": 2, "dilation_rate": 2, "use_bias": False}, shape=(5, 4, 2)),
    Case(
        DepthwiseConv2D,
        {"kernel_size": 2, **EVERYTHING},
        shape=(4, 4, 2),
        id="DepthwiseConv2D with everything",
    ),
    Case(SeparableConv1D, {"filters": 3, "kernel_size": 3}, shape=(5, 2)),
    Case(
        SeparableConv1D,
        {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same", "depth_multiplier": 2},
        shape=(None, 2),
    ),
    Case(SeparableConv2D, {"filters": 3, "kernel_size": 3, "padding": "same"}, shape=(5, 4, 2)),
    Case(
        SeparableConv2D,
        {
            "filters": 2,
            "kernel_size": (2, 1),
            "dilation_rate": (2, 1),
            "depth_multiplier": 2,
            "activation": "tanh",
        },
        shape=(None, None, 2),
    ),
    Case(
        SeparableConv2D,
        {
            "filters": 2,
            "kernel_size": 2,
            "pointwise_initializer": "he_normal",
            "pointwise_regularizer": "l1",
            "pointwise_constraint": "unit_norm",
            **EVERYTHING,
        },
        shape=(4, 4, 2),
        id="SeparableConv2D with everything",
    ),
)
def test_conforms(case, check):
    check(case)


def test_weights_have_the_names_and_shapes_of_keras():
    for first in (False, True):
        given = {"name": "c", "data_format": "channels_first" if first else "channels_last"}
        x = Input((3, 6, 7) if first else (6, 7, 3))
        layer = SeparableConv2D(5, (2, 3), depth_multiplier=4, **given)
        assert layer(x).shape == ((None, 5, 5, 5))
        assert [(weight.name, weight.shape) for weight in layer.weights] == [
            ("c/depthwise_kernel:0", (2, 3, 3, 4)),
            ("c/pointwise_kernel:0", (1, 1, 12, 5)),
            ("c/bias:0", (5,)),
        ]
        layer = DepthwiseConv2D((2, 3), depth_multiplier=4, **given)
        layer(x)
        assert [(weight.name, weight.shape) for weight in layer.weights] == [
            ("c/depthwise_kernel:0", (2, 3, 3, 4)),
            ("c/bias:0", (12,)),
        ]


def test_channels_make_channels_side_by_side():
    layer = DepthwiseConv2D(1, depth_multiplier=2, use_bias=False)
    layer(Input((1, 1, 2)))
    layer.set_weights([np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 1, 2, 2)])
    assert predict(layer, np.ones((1, 1, 1, 2))).ravel().tolist() == [1, 10, 100, 1000]


def test_the_data_format_of_sequences_is_channels_last_whatever_the_backends():
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    try:
        found = [
            SeparableConv1D(1, 1).data_format,
            SeparableConv2D(1, 1).data_format,
            DepthwiseConv2D(1).data_format,
        ]
    finally:
        K.set_image_data_format(before)
    assert found == ["channels_last", "channels_first", "channels_first"]


COMMON = [
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    "bias_initializer",
    "bias_regularizer",
    "activity_regularizer",
    "bias_constraint",
    "depth_multiplier",
]


def test_configs_are_those_of_keras():
    config = json.loads(json.dumps(SeparableConv2D(3, 2).get_config()))
    parts = ["initializer", "regularizer", "constraint"]
    own = [f"{kernel}_{part}" for part in parts for kernel in ("depthwise", "pointwise")]
    assert list(config) == ["name", "trainable", "filters", *COMMON, *own]
    config = json.loads(json.dumps(DepthwiseConv2D(2, depth_multiplier=3).get_config()))
    assert list(config) == ["name", "trainable", *COMMON, *[f"depthwise_{part}" for part in parts]]
    assert config["depth_multiplier"] == 3
    assert config["depthwise_initializer"]["class_name"] == "VarianceScaling"


def test_arguments_go_by_position_as_in_keras():
    layer = SeparableConv2D(3, 2, 1, "same", "channels_first", 2, 4, "relu", False)
    assert (layer.padding, layer.dilation_rate, layer.depth_multiplier) == ("same", (2, 2), 4)
    layer = DepthwiseConv2D(2, (1, 1), "same", 3, "channels_first", "relu", False)
    assert (layer.depth_multiplier, layer.data_format, layer.use_bias) == (3, "channels_first", False)


def test_the_other_name_of_keras_is_saved_as_the_layer():
    model = Sequential([SeparableConvolution2D(1, 1, input_shape=(2, 2, 1))])
    assert json.loads(model.to_json())["config"]["layers"][0]["class_name"] == "SeparableConv2D"
