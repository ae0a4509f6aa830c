"""The base of optimizers: gradients, clipping, state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.engine.optimizer import Optimizer


def clipped(**kwargs):
    """Gradients 3 and (4, 12), whose norm is 13."""
    a, b = K.variable(0.0), K.variable([0.0, 0.0])
    loss = 3 * a + K.sum(b * K.constant([4.0, 12.0]))
    return [K.eval(g).tolist() for g in Optimizer(**kwargs).get_gradients(loss, [a, b])]


def test_gradients_are_those_of_the_loss():
    assert clipped() == [3.0, [4.0, 12.0]]


def test_clipnorm_scales_all_gradients_by_one_norm():
    assert_allclose(np.hstack(clipped(clipnorm=6.5)), [1.5, 2, 6])
    assert clipped(clipnorm=13.5) == [3.0, [4.0, 12.0]]


def test_clipvalue_comes_after_clipnorm():
    assert_allclose(np.hstack(clipped(clipnorm=6.5, clipvalue=2.5)), [1.5, 2, 2.5])
    assert clipped(clipvalue=3.5) == [3.0, [3.5, 3.5]]


def test_clipping_by_zero_is_none():
    assert clipped(clipnorm=0, clipvalue=0) == [3.0, [4.0, 12.0]]


def test_no_variables_have_no_gradients():
    assert Optimizer(clipnorm=1.0).get_gradients(K.variable(1.0), []) == []


def test_a_variable_without_gradient_is_named():
    a, b = K.variable(1.0, name="a"), K.variable(1.0, name="lonely")
    with pytest.raises(ValueError, match="lonely"):
        Optimizer().get_gradients(K.square(a), [a, b])


def test_get_updates_takes_keras_1s_order_of_arguments():
    class Step(Optimizer):
        def get_updates(self, loss, params):
            return [K.update_sub(p, g) for p, g in zip(params, self.get_gradients(loss, params), strict=True)]

    a = K.variable(5.0)
    K.function([], [], updates=Step().get_updates([a], [], 2 * a))([])
    assert K.get_value(a) == 3
    K.function([], [], updates=Step().get_updates(2 * a, [a]))([])
    assert K.get_value(a) == 1


def test_other_keywords_are_refused():
    with pytest.raises(TypeError, match="not understood: learning_rate"):
        Optimizer(learning_rate=1)


def test_the_config_holds_what_was_given():
    assert Optimizer().get_config() == {}
    assert Optimizer.from_config({"clipnorm": 1.0}).get_config() == {"clipnorm": 1.0}


def test_state_goes_out_and_in():
    optimizer = Optimizer()
    optimizer.weights = [K.variable(1.0), K.variable([2.0, 3.0])]
    optimizer.set_weights([np.array(4.0), np.array([5.0, 6.0])])
    assert [w.tolist() for w in optimizer.get_weights()] == [4.0, [5.0, 6.0]]
    with pytest.raises(ValueError, match="2 arrays"):
        optimizer.set_weights([])
    with pytest.raises(ValueError, match="shape"):
        optimizer.set_weights([np.array(9.0), np.zeros(3)])
    assert optimizer.get_weights()[0] == 4.0


def test_the_base_names_what_is_missing():
    with pytest.raises(NotImplementedError, match="get_updates"):
        Optimizer().get_updates(K.variable(1.0), [])
