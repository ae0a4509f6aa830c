"""Functions of each element alone, and comparisons."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from lamina.op import as_float, as_tensor
from lamina.ops import elementwise as e
from lamina.tensor import Tensor

__all__ = [
    "abs", "clip", "cos", "equal", "exp", "greater", "greater_equal", "less", "less_equal", "log", "maximum",
    "minimum", "not_equal", "pow", "round", "sign", "sin", "sqrt", "square",
]  # fmt: skip


def square(x: Any) -> Tensor:
    """x * x."""
    return e.square(x)


def abs(x: Any) -> Tensor:
    """|x|."""
    return e.absolute(x)


def sqrt(x: Any) -> Tensor:
    """The square root; 0 where x is negative."""
    return e.sqrt(x)


def exp(x: Any) -> Tensor:
    """e to the power x."""
    return e.exp(x)


def log(x: Any) -> Tensor:
    """The natural logarithm."""
    return e.log(x)


def round(x: Any) -> Tensor:
    """The nearest integer; halves go to the even neighbour: 0.5 -> 0, 1.5 -> 2."""
    return e.rint(x)


def sign(x: Any) -> Tensor:
    """-1, 0 or 1."""
    return e.sign(x)


def pow(x: Any, a: Any) -> Tensor:
    """x to the power a."""
    return e.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """x brought into min_value <= y <= max_value; None is no bound, and a max_value below min_value counts as it."""
    x = as_tensor(x)
    if isinstance(min_value, Tensor) or isinstance(max_value, Tensor):
        capped = x if max_value is None else e.minimum(x, max_value)
        return capped if min_value is None else e.maximum(capped, min_value)
    bounds = [None if bound is None else np.asarray(bound).item() for bound in (min_value, max_value)]
    if not all(isinstance(bound, Real | None) for bound in bounds):
        raise TypeError(f"the bounds of clip are numbers or None; met {min_value!r} and {max_value!r}")
    if any(isinstance(bound, float) for bound in bounds):
        x = as_float(x)
    return e.clip(x, low=bounds[0], high=bounds[1])


def equal(x: Any, y: Any) -> Tensor:
    """x == y for each element, as bool.  (The operator == asks whether two tensors are the same object.)"""
    return e.equal(x, y)


def not_equal(x: Any, y: Any) -> Tensor:
    """x != y for each element, as bool."""
    return e.not_equal(x, y)


def greater(x: Any, y: Any) -> Tensor:
    """x > y for each element, as bool."""
    return e.greater(x, y)


def greater_equal(x: Any, y: Any) -> Tensor:
    """x >= y for each element, as bool."""
    return e.greater_equal(x, y)


def less(x: Any, y: Any) -> Tensor:
    """x < y for each element, as bool."""
    return e.less(x, y)


def less_equal(x: Any, y: Any) -> Tensor:
    """x <= y for each element, as bool."""
    return e.less_equal(x, y)


def maximum(x: Any, y: Any) -> Tensor:
    """The larger of x and y for each element."""
    return e.maximum(x, y)


def minimum(x: Any, y: Any) -> Tensor:
    """The smaller of x and y for each element."""
    return e.minimum(x, y)


def sin(x: Any) -> Tensor:
    """The sine of x in radians."""
    return e.sin(x)


def cos(x: Any) -> Tensor:
    """The cosine of x in radians."""
    return e.cos(x)
