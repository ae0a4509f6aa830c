"""Conv1D: the promises of a layer, and the facts of this one."""

import json

import numpy as np
import pytest

from lamina import backend as K
from lamina.layers import Conv1D
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(Conv1D, {"filters": 3, "kernel_size": 3}, shape=(6, 2)),
    Case(Conv1D, {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same"}, shape=(None, 3)),
    Case(
        Conv1D,
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "causal", "activation": "tanh"},
        shape=(None, 2),
        fails={"check_data_format": "causal is for channels_last"},
    ),
    Case(
        Conv1D,
        {
            "filters": 2,
            "kernel_size": 2,
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
        },
        shape=(4, 2),
        id="Conv1D with everything",
    ),
)
def test_conforms(case, check):
    check(case)


def test_causal_outputs_see_the_past_alone():
    layer = Conv1D(1, 2, padding="causal", kernel_initializer="ones")
    found = predict(layer, np.array([[[1.0], [10.0], [100.0]]]))
    assert found[0, :, 0].tolist() == [1, 11, 110]


def test_causal_strides_start_at_the_first_step():
    layer = Conv1D(1, 3, padding="causal", strides=2, kernel_initializer="ones")
    found = predict(layer, np.array([[[1.0], [10.0], [100.0], [1000.0]]]))
    assert found[0, :, 0].tolist() == [1, 111]


def test_the_data_format_of_the_backend_is_not_asked():
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    try:
        layer = Conv1D(4, 3)
    finally:
        K.set_image_data_format(before)
    assert layer.data_format == "channels_last"


def test_the_config_is_that_of_keras():
    config = json.loads(json.dumps(Conv1D(3, 2, name="c").get_config()))
    assert list(config)[:8] == [
        "name",
        "trainable",
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
    ]
    assert (config["kernel_size"], config["strides"], config["dilation_rate"]) == ([2], [1], [1])
    assert config["data_format"] == "channels_last"


def test_causal_padding_is_for_channels_last():
    with pytest.raises(ValueError, match="c: padding='causal' .*Permute"):
        Conv1D(2, 3, padding="causal", data_format="channels_first", name="c")
