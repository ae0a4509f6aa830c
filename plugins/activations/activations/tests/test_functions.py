import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import activations
from lamina import backend as K
from lamina.activations import (
    elu,
    exponential,
    hard_sigmoid,
    linear,
    relu,
    selu,
    sigmoid,
    softmax,
    softplus,
    softsign,
    tanh,
)
from lamina.testing import Case, parametrize_activations


def e_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@parametrize_activations(
    Case(elu, reference=lambda x: np.where(x > 0, x, np.expm1(x))),
    Case(exponential, reference=np.exp, fails={"check_extremes": "e^10000 is more than a float holds"}),
    Case(hard_sigmoid, low=-4, high=4, reference=lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    Case(linear, reference=lambda x: x),
    Case(relu, reference=lambda x: np.maximum(x, 0)),
    Case(selu, reference=lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    Case(sigmoid, reference=lambda x: 1 / (1 + np.exp(-x))),
    Case(softmax, reference=e_softmax),
    Case(softmax, shape=(3, 4), reference=e_softmax),
    Case(softplus, reference=lambda x: np.log1p(np.exp(x))),
    Case(softsign, reference=lambda x: x / (1 + abs(x))),
    Case(tanh, reference=np.tanh),
)
def test_conforms(case, check):
    check(case)


def test_none_is_linear():
    assert activations.get(None) is linear


def test_relu_has_a_slope_a_ceiling_and_a_threshold():
    x = K.constant([-4.0, 0.5, 1.0, 2.0, 9.0])
    found = K.eval(relu(x, alpha=0.5, max_value=6.0, threshold=1.0))
    # Up to the threshold of 1 it is 0.5 * (x - 1).
    assert_allclose(found, [-2.5, -0.25, 0.0, 2.0, 6.0])


def test_softmax_along_another_axis_adds_up_there():
    x = K.constant(np.arange(6.0).reshape(2, 3))
    # Columns differ by 3: e^3 / (1 + e^3) = 0.952574.
    assert_allclose(K.eval(softmax(x, axis=0)), [[0.047426] * 3, [0.952574] * 3], atol=1e-6)


def test_softmax_of_a_vector_is_refused():
    with pytest.raises(ValueError, match="1D"):
        softmax(K.constant([1.0, 2.0]))
