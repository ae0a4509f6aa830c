"""TFOptimizer around objects written in the manner of TensorFlow 1."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import optimizers
from lamina.layers import Dense
from lamina.models import Sequential, load_model
from lamina.optimizers import SGD, TFOptimizer
from lamina.testing import Case, parametrize_optimizers


class Descent:
    """p - lr * g, with the answers of apply_gradients in several forms."""

    def __init__(self, lr=0.1, form=list):
        self.lr, self.form = lr, form

    def compute_gradients(self, loss, var_list=None):
        return list(zip(K.gradients(loss, var_list), var_list, strict=True))

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        return self.form([K.update_sub(p, self.lr * g) for g, p in grads_and_vars])


class Counting(Descent):
    """Counts its steps, and takes shorter ones each time."""

    def apply_gradients(self, grads_and_vars, global_step):
        lr = self.lr / (1 + K.cast(global_step, "float32"))
        return [(p, p - lr * g) for g, p in grads_and_vars] + [K.update_add(global_step, 1)]


class Plain(Descent):
    def apply_gradients(self, grads_and_vars):
        return [K.update_sub(p, self.lr * g) for g, p in grads_and_vars]


ITS_OWN = "what the wrapped object keeps is its own affair"


@parametrize_optimizers(
    Case(
        TFOptimizer,
        {"optimizer": Descent(0.1)},
        reference=lambda p, grads: p - 0.1 * sum(grads),
        fails={
            "check_config": ITS_OWN,
            "check_dtype": ITS_OWN,
            "check_state": ITS_OWN,
            "check_zero_gradient": ITS_OWN,
        },
    )
)
def test_conforms(case, check):
    check(case)


X = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
Y = np.array([[1.0], [0.0]], "float32")


def trained(optimizer, epochs=3):
    model = Sequential([Dense(1, input_shape=(2,), kernel_initializer="ones")])
    model.compile(optimizer, "mse")
    model.fit(X, Y, epochs=epochs, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("form", [list, tuple, lambda updates: [updates[:1], tuple(updates[1:])]])
def test_it_trains_like_the_optimizer_it_wraps(form):
    wrapped, own = trained(TFOptimizer(Descent(0.05, form))), trained(SGD(0.05))
    for one, other in zip(wrapped.get_weights(), own.get_weights(), strict=True):
        assert_allclose(one, other, rtol=1e-6)
    assert K.get_value(wrapped.optimizer.iterations) == 3


def test_the_object_may_count_the_steps_itself_or_not_at_all():
    assert K.get_value(trained(TFOptimizer(Counting(0.01))).optimizer.iterations) == 3
    assert K.get_value(trained(TFOptimizer(Plain(0.01))).optimizer.iterations) == 3


def test_what_does_not_compute_gradients_is_refused():
    with pytest.raises(TypeError, match="SGD has no compute_gradients"):
        TFOptimizer(SGD())


@pytest.mark.parametrize("form", [lambda updates: None, lambda updates: [1, 2]])
def test_other_answers_than_updates_are_refused(form):
    with pytest.raises(TypeError, match="Descent.apply_gradients answered"):
        trained(TFOptimizer(Descent(0.1, form)))


def test_it_has_neither_config_nor_weights(tmp_path):
    optimizer = TFOptimizer(Descent())
    for ask in (optimizer.get_config, optimizer.get_weights, lambda: optimizer.weights):
        with pytest.raises(NotImplementedError):
            ask()
    with pytest.raises(NotImplementedError, match="anew"):
        optimizers.deserialize({"class_name": "TFOptimizer", "config": {}})


def test_a_model_is_saved_without_it(tmp_path):
    model = trained(TFOptimizer(Descent()))
    with pytest.warns(UserWarning, match="TFOptimizer cannot be saved"):
        model.save(tmp_path / "model.h5")
    with pytest.warns(UserWarning, match="not\\* compiled"):
        again = load_model(tmp_path / "model.h5")
    assert_allclose(again.predict(X), model.predict(X))
