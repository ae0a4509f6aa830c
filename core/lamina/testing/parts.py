"""What the parts of layers promise besides: initializers, regularizers, constraints."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.evaluate import evaluate
from lamina.op import as_tensor
from lamina.testing.case import Case
from lamina.testing.common import through_json
from lamina.testing.failures import assert_close, assert_equal, assert_finite
from lamina.testing.graph import fresh, graph_of
from lamina_registry import deserialize, serialize


def check_config(case: Case) -> None:
    """The config goes through JSON and makes a thing with the same config, that computes the same."""
    with fresh():
        thing = case.make()
        config = through_json(case, serialize(case.kind, thing))
        again = deserialize(case.kind, config, case.custom_objects or {type(thing).__name__: type(thing)})
        assert_equal(case, "type made from the config", type(again), type(thing))
        assert_equal(
            case,
            "config of what was made from the config",
            through_json(case, serialize(case.kind, again)),
            config,
        )


# ---- initializers


def check_values(case: Case) -> None:
    """The values have the shape and the float type that were asked for, and are finite."""
    for floatx in ("float32", "float64"):
        with fresh(floatx):
            for values in (_values(case), _values(case, dtype=floatx)):
                assert_equal(case, f"dtype in {floatx}", values.dtype.name, floatx)
                assert_equal(case, "shape", values.shape, case.shapes[0])
                assert_finite(case, "values", values)


def check_seed(case: Case) -> None:
    """The same state of np.random gives the same values; and so does the same seed, if the initializer takes one."""
    with fresh():
        first = _values(case)
    with fresh():
        assert_equal(case, "values after np.random.seed(0), once more", _values(case), first)
    if case.takes("seed"):
        with fresh():
            first, second = (_values(case, make={"seed": 7}) for _ in range(2))
            assert_equal(case, "values with seed=7, once more", second, first)


def _values(case: Case, make: dict[str, Any] | None = None, **more: Any) -> np.ndarray:
    return evaluate([as_tensor(case.make(**(make or {}))(case.shapes[0], **more))])[0]


# ---- regularizers


def check_scalar(case: Case) -> None:
    """The penalty is one finite number, also for weights of zero."""
    with fresh():
        graph = graph_of(case)
        for arrays in (graph.draw(), [np.zeros_like(array) for array in graph.draw()]):
            penalty = graph.run(arrays)[0]
            assert_equal(case, "shape of the penalty", penalty.shape, ())
            assert_finite(case, "penalty", penalty)


# ---- constraints


def check_projection(case: Case) -> None:
    """What satisfies the constraint stays as it is: applied twice it gives what it gives once."""
    with fresh("float64"):
        graph = graph_of(case)
        (once,) = graph.run(graph.draw())
        (twice,) = graph.run([once])
        assert_equal(case, "shape", once.shape, graph.draw()[0].shape)
        # The norms that constraints divide by have K.epsilon(), 1e-7, added.
        assert_close(case, "the constraint applied twice", twice, once, 1e-6, 1e-9)


def check_zeros(case: Case) -> None:
    """Weights of zero stay finite."""
    with fresh():
        graph = graph_of(case)
        assert_finite(
            case, "constraint of zeros", graph.run([np.zeros_like(array) for array in graph.draw()])[0]
        )
