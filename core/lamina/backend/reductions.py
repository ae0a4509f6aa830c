"""Functions that take axes together: sums, means, extremes, positions, running sums.

axis: an int, several, or None for all of them; keepdims leaves reduced axes with size 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.op import as_float, as_tensor
from lamina.ops import elementwise as e
from lamina.ops import reduction as r
from lamina.tensor import Tensor

__all__ = [
    "all", "any", "argmax", "argmin", "cumprod", "cumsum", "logsumexp", "max", "mean", "min", "prod", "std", "sum",
    "var",
]  # fmt: skip

Axis = Any


def _axis(axis: Axis) -> Any:
    """Axes in the hashable form ops keep."""
    return tuple(axis) if np.iterable(axis) and not isinstance(axis, str) else axis


def _number(x: Any) -> Tensor:
    """x as numbers: booleans count as the integers 0 and 1."""
    x = as_tensor(x)
    return e.cast(x, dtype="int32") if x.dtype == "bool" else x


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element along `axis`."""
    return r.max_(_number(x), axis=_axis(axis), keepdims=keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element along `axis`."""
    return r.min_(_number(x), axis=_axis(axis), keepdims=keepdims)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum along `axis`."""
    return r.sum_(_number(x), axis=_axis(axis), keepdims=keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product along `axis`."""
    return r.prod(_number(x), axis=_axis(axis), keepdims=keepdims)


def cumsum(x: Any, axis: int = 0) -> Tensor:
    """Running sums along `axis`, in the shape of x."""
    return r.cumsum(_number(x), axis=axis)


def cumprod(x: Any, axis: int = 0) -> Tensor:
    """Running products along `axis`, in the shape of x."""
    return r.cumprod(_number(x), axis=axis)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean along `axis`; of integers and booleans in floatx."""
    return r.mean(as_float(x), axis=_axis(axis), keepdims=keepdims)


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance along `axis`: the mean of squared distances from the mean (divided by n, not n - 1)."""
    x = as_float(x)
    return r.mean(
        e.square(x - r.mean(x, axis=_axis(axis), keepdims=True)), axis=_axis(axis), keepdims=keepdims
    )


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The standard deviation along `axis`: the square root of `var`."""
    return e.sqrt(var(x, axis, keepdims))


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether some element along `axis` is true (not 0), as bool."""
    return r.any_(as_tensor(x), axis=_axis(axis), keepdims=keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every element along `axis` is true (not 0), as bool."""
    return r.all_(as_tensor(x), axis=_axis(axis), keepdims=keepdims)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """The position of the largest element along `axis`, as int64."""
    return r.argmax(as_tensor(x), axis=axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """The position of the smallest element along `axis`, as int64."""
    return r.argmin(as_tensor(x), axis=axis)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(e^x)) along `axis`, without overflow for large x or underflow for small."""
    return r.logsumexp(as_float(x), axis=_axis(axis), keepdims=keepdims)
