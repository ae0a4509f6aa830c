import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina.initializers import Constant
from lamina.layers import Dense, Input
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(Dense, {"units": 3}, shape=(4,), reference=lambda x, kernel, bias: x @ kernel + bias),
    Case(Dense, {"units": 3, "activation": "tanh"}, shape=(4,), reference=lambda x, k, b: np.tanh(x @ k + b)),
    Case(Dense, {"units": 3, "use_bias": False}, shape=(2, 4), reference=lambda x, kernel: x @ kernel),
    Case(Dense, {"units": 3, "activation": "softmax"}, shape=(None, 4)),
    Case(
        Dense,
        {
            "units": 2,
            "activation": "relu",
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l1_l2",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
        },
        shape=(4,),
        id="Dense with everything",
    ),
)
def test_conforms(case, check):
    check(case)


def test_the_config_is_that_of_keras():
    config = json.loads(json.dumps(Dense(3, name="d").get_config()))
    zeros = {"class_name": "Zeros", "config": {}}
    uniform = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    assert list(config.items()) == [
        ("name", "d"),
        ("trainable", True),
        ("units", 3),
        ("activation", "linear"),
        ("use_bias", True),
        ("kernel_initializer", {"class_name": "VarianceScaling", "config": uniform}),
        ("bias_initializer", zeros),
        ("kernel_regularizer", None),
        ("bias_regularizer", None),
        ("activity_regularizer", None),
        ("kernel_constraint", None),
        ("bias_constraint", None),
    ]


def test_input_dim_is_short_for_input_shape():
    assert Dense(3, input_dim=5).get_config()["batch_input_shape"] == (None, 5)


def test_the_last_axis_is_the_one_that_changes():
    layer = Dense(2, kernel_initializer=Constant([[1, 0], [0, 2]]), bias_initializer="ones")
    assert_allclose(predict(layer, [[[1.0, 2.0], [3.0, 4.0]]]), [[[2.0, 5.0], [4.0, 9.0]]])
    assert [w.name for w in layer.weights] == [f"{layer.name}/kernel:0", f"{layer.name}/bias:0"]


def test_penalties_are_losses_of_the_layer():
    layer = Dense(1, kernel_regularizer="l2", bias_regularizer="l2", activity_regularizer="l2")
    x = Input((3,))
    layer(x)
    assert len(layer.get_losses_for(None)) == 2
    assert len(layer.get_losses_for(x)) == 1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Dense(0, name="d"), ValueError, "d: units is the size of the output, a whole .* met 0"),
        (lambda: Dense(2.5, name="d"), ValueError, "d: units .* met 2.5"),
        (lambda: Dense("3", name="d"), TypeError, "d: units .* met '3'"),
        (
            lambda: Dense(3, name="d")(Input((4, None))),
            ValueError,
            r"^d needs .* the last axis of .*no fixed size",
        ),
        (lambda: Dense(3, name="d")(Input(())), ValueError, "layer d: expected min_ndim=2, found ndim=1"),
        (lambda: Dense(3, batch_size="8", input_shape=(2,), name="d"), TypeError, "d: batch_size .* met '8'"),
        (lambda: Dense(3, activation="rellu"), ValueError, "rellu"),
        (lambda: Dense(3, kernel_initializer="glorot"), ValueError, "glorot"),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_another_number_of_inputs_is_refused():
    layer = Dense(2)
    layer(Input((3,)))
    with pytest.raises(ValueError, match=r"expected axis -1 .* to have value 3"):
        layer(Input((4,)))
