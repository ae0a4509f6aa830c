"""What the optimizers here have in common: learning rates that decay, state beside each parameter, constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.tensor import Tensor, Variable


def counter() -> Variable:
    """How many updates were made, from 0."""
    return K.variable(0, dtype="int64", name="iterations")


def hyperparameter(optimizer: Any, name: str, value: Any) -> Variable:
    """A number of the optimizer's that may be changed while it trains.  Raises TypeError or ValueError for another."""
    if not isinstance(value, Tensor):
        array = np.asarray(value)
        if array.ndim or array.dtype.kind not in "biuf":
            raise TypeError(f"{type(optimizer).__name__}: {name} is a number, met {value!r}")
        if not np.isfinite(array):
            raise ValueError(f"{type(optimizer).__name__}: {name} is a finite number, met {value!r}")
    return K.variable(value, name=name)


def decayed(optimizer: Any) -> Tensor:
    """lr / (1 + decay * iterations); lr itself for an optimizer that was made without decay."""
    if not optimizer.initial_decay > 0:
        return optimizer.lr
    return optimizer.lr * (1 / (1 + optimizer.decay * K.cast(optimizer.iterations, K.dtype(optimizer.decay))))


def step(optimizer: Any) -> Tensor:
    """The number of the update being made, from 1, as a float."""
    return K.cast(optimizer.iterations, K.floatx()) + 1


def slots(name: str, params: Sequence[Variable]) -> list[Any]:
    """A variable of zeros for each parameter, of its shape and type: dense_1/kernel/m beside dense_1/kernel."""
    return [K.zeros(p.shape, K.dtype(p), name=f"{p.name.removesuffix(':0')}/{name}") for p in params]


def constrained(p: Variable, new: Tensor) -> Tensor:
    """The new value of a parameter, brought back to what its constraint allows."""
    constraint = getattr(p, "constraint", None)
    return new if constraint is None else constraint(new)


def number(variable: Variable) -> float:
    """The value of a hyperparameter as it now is."""
    return float(K.get_value(variable))
