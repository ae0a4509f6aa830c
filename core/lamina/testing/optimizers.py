"""What an optimizer promises."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina import config
from lamina.ops import elementwise as e
from lamina.tensor import Placeholder, Variable
from lamina.testing.case import Case
from lamina.testing.common import promise, through_json
from lamina.testing.failures import assert_all_equal, assert_close, assert_equal, assert_finite, fail
from lamina.testing.graph import fresh, function
from lamina_registry import deserialize, serialize

SHAPES = ((3, 4), (4,), ())


class Training:
    """An optimizer on parameters whose gradients are given with each step."""

    def __init__(self, optimizer: Any, values: Sequence[np.ndarray], constraint: Any = None) -> None:
        self.optimizer = optimizer
        self.params = [Variable(value, config.floatx(), constraint=constraint) for value in values]
        places = [Placeholder(param.shape, param.dtype) for param in self.params]
        # The gradient of sum(p * g) with respect to p is g.
        terms = [K.sum(e.multiply(param, place)) for param, place in zip(self.params, places, strict=True)]
        loss = functools.reduce(e.add, terms)
        self.updates = optimizer.get_updates(loss, self.params)
        self.function = function(places, [], self.updates)

    def step(self, gradients: Sequence[np.ndarray]) -> None:
        self.function([*gradients, 1])

    @property
    def values(self) -> list[np.ndarray]:
        return [param.value for param in self.params]


def check_config(case: Case) -> None:
    """The config goes through JSON and makes an optimizer with the same config that takes the same steps."""
    with fresh():
        optimizer = case.make()
        config = through_json(case, serialize("optimizers", optimizer))
        again = deserialize("optimizers", config, case.custom_objects)
        assert_equal(case, "type made from the config", type(again), type(optimizer))
        made = through_json(case, serialize("optimizers", again))
        assert_equal(case, "config of what was made from the config", made, config)
        one, other = Training(optimizer, _arrays(0)), Training(again, _arrays(0))
        for seed in (1, 2):
            one.step(_arrays(seed))
            other.step(_arrays(seed))
        assert_all_equal(case, "parameters after two steps", other.values, one.values)


def check_state(case: Case) -> None:
    """An optimizer given the weights of another goes on as that one does: resumed training is the same training."""
    with fresh():
        first = Training(case.make(), _arrays(0))
        for seed in (1, 2, 3):
            first.step(_arrays(seed))
        second = Training(case.make(), first.values)
        state = first.optimizer.get_weights()
        second.optimizer.set_weights(state)
        assert_all_equal(case, "get_weights() after set_weights()", second.optimizer.get_weights(), state)
        for seed in (4, 5):
            first.step(_arrays(seed))
            second.step(_arrays(seed))
        assert_all_equal(case, "parameters of the resumed training", second.values, first.values)
        try:
            second.optimizer.set_weights([*state, np.zeros(3)])
        except ValueError:
            pass
        else:
            fail(case, "set_weights() with one array too many", "no error", "a ValueError")


def check_descent(case: Case) -> None:
    """It goes down the parabola sum((p - 1)^2) / 2 from 0."""
    with fresh():
        training = Training(case.make(), [np.zeros((3,))])
        for _ in range(case.steps):
            training.step([training.values[0] - 1])
        loss = float(np.sum((training.values[0] - 1) ** 2) / 2)
        if not loss < 1.5 * 0.99:
            fail(case, f"loss after {case.steps} steps", loss, "less than 99 % of the 1.5 at the start")


def check_dtype(case: Case) -> None:
    """Parameters and state keep their float type, and parameters of several shapes are each updated."""
    for floatx in ("float32", "float64"):
        with fresh(floatx):
            training = Training(case.make(), _arrays(0))
            before = training.values
            training.step(_arrays(1))
            for old, new in zip(before, training.values, strict=True):
                assert_equal(case, f"dtype of a parameter in {floatx}", new.dtype.name, floatx)
                assert_equal(case, "shape of a parameter", new.shape, old.shape)
                if np.array_equal(old, new):
                    fail(case, f"parameter of shape {old.shape} after a step", "as before", "an update")
            for variable in training.optimizer.weights:
                if np.dtype(variable.dtype).kind == "f":
                    assert_equal(
                        case, f"dtype of the state {variable.name} in {floatx}", variable.dtype, floatx
                    )


def check_constraint(case: Case) -> None:
    """After each step, a parameter satisfies its constraint."""
    with fresh():
        training = Training(case.make(), _arrays(0), constraint=lambda p: K.clip(p, 0.25, 0.5))
        training.step(_arrays(1))
        for value in training.values:
            if value.min() < 0.25 or value.max() > 0.5:
                fail(
                    case,
                    "range of a parameter constrained to 0.25 to 0.5",
                    (value.min(), value.max()),
                    "within it",
                )


def check_zero_gradient(case: Case) -> None:
    """Gradients of zero leave everything finite."""
    with fresh():
        training = Training(case.make(), _arrays(0))
        for _ in range(2):
            training.step([np.zeros(shape) for shape in SHAPES])
        for array in [*training.values, *training.optimizer.get_weights()]:
            assert_finite(case, "parameters and state after gradients of zero", array)


@promise(lambda case: case.reference is not None)
def check_reference(case: Case) -> None:
    """Three steps give what the reference gives, in float64."""
    with fresh("float64"):
        start = _arrays(0)
        steps = [_arrays(seed) for seed in (1, 2, 3)]
        training = Training(case.make(), start)
        for gradients in steps:
            training.step(gradients)
        for at, met in enumerate(training.values):
            expected = case.reference(start[at], [gradients[at] for gradients in steps])  # type: ignore[misc]
            assert_close(case, "parameter after three steps", met, expected, case.rtol, case.rtol / 100)


def _arrays(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape).astype(config.floatx()) for shape in SHAPES]
