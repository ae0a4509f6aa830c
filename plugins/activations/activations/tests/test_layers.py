import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina.constraints import NonNeg
from lamina.initializers import Constant
from lamina.layers import ELU, Input, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(ELU, {"alpha": 0.7}, shape=(5,), reference=lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    Case(LeakyReLU, shape=(3, 5), reference=lambda x: np.where(x > 0, x, 0.3 * x)),
    Case(LeakyReLU, {"alpha": 0.0}, shape=(5,), reference=lambda x: np.maximum(x, 0)),
    Case(PReLU, shape=(5,), reference=lambda x, alpha: np.where(x > 0, x, alpha * x)),
    Case(PReLU, {"shared_axes": [1, 2]}, shape=(4, 4, 3)),
    Case(PReLU, {"shared_axes": 1, "alpha_regularizer": "l2"}, shape=(None, 3)),
    Case(PReLU, {"alpha_initializer": "ones", "alpha_constraint": "non_neg"}, shape=(2, 3)),
    Case(ReLU, shape=(5,), reference=lambda x: np.maximum(x, 0)),
    Case(
        ReLU,
        {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2},
        shape=(3, 5),
        reference=lambda x: np.where(x >= 0.5, 0.5, np.where(x > 0.2, x, 0.1 * (x - 0.2))),
    ),
    Case(Softmax, shape=(5,)),
    Case(Softmax, {"axis": 1}, shape=(3, 5)),
    Case(ThresholdedReLU, {"theta": 0.5}, shape=(3, 5), reference=lambda x: np.where(x > 0.5, x, 0)),
)
def test_conforms(case, check):
    check(case)


def test_negative_inputs_are_scaled_by_alpha():
    layer = PReLU(alpha_initializer=Constant(0.25))
    assert_allclose(predict(layer, [[-4.0, 0.0, 2.0]]), [[-1.0, 0.0, 2.0]])


def test_alpha_is_shared_along_shared_axes():
    layer = PReLU(shared_axes=[1, 2], alpha_constraint="non_neg")
    layer(Input((4, 4, 3)))
    assert layer.alpha.shape == (1, 1, 3)
    assert isinstance(layer.alpha.constraint, NonNeg)


def test_an_unknown_axis_names_the_remedy():
    with pytest.raises(ValueError, match="axis 1 of .* add it to shared_axes"):
        PReLU()(Input((None, 3)))


def test_the_threshold_itself_gives_zero():
    assert_allclose(predict(ThresholdedReLU(1.0), [[1.0, 1.5]]), [[0.0, 1.5]])


@pytest.mark.parametrize("argument", ["max_value", "negative_slope"])
def test_a_negative_argument_of_relu_is_refused(argument):
    with pytest.raises(ValueError, match=argument):
        ReLU(**{argument: -1.0})


def test_softmax_needs_more_than_the_batch():
    with pytest.raises(ValueError, match="1D"):
        Softmax()(Input(()))
