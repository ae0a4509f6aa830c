"""Rules that many ops share: for shapes, for axes, for gradients, for positions in range."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from lamina.tensor import Spec, Tensor


def same(x: Spec, *_: Spec, **__: object) -> Spec:
    """The output is like the first input."""
    return Spec(x.shape, x.dtype)


def axis_of(axis: int, ndim: int, what: str = "axis") -> int:
    """`axis` counted from the front.  Raises ValueError outside -ndim <= axis < ndim, TypeError for no whole number."""
    if not isinstance(axis, Integral):
        raise TypeError(
            f"{what}={axis!r} is no axis: a whole number is wanted, negative to count from the end"
        )
    if not -ndim <= axis < ndim:
        raise ValueError(f"{what}={axis} is out of range for a tensor of {ndim} dimensions")
    return int(axis) % ndim


def axes_of(axis: int | Iterable[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes a reduction runs over, sorted and counted from the front; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, str) or not isinstance(axis, Iterable) else tuple(axis)
    return tuple(sorted({axis_of(a, ndim) for a in axes}))


def reduced(shape: Sequence[int | None], axes: Sequence[int], keepdims: bool) -> tuple[int | None, ...]:
    """The shape left when `axes` are reduced."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def by_formula(formula: Callable[..., Any]) -> Callable[..., tuple[Tensor | None, ...]]:
    """A gradient rule: that of `formula`, which says with ops what a coarse op computes.

    formula(*inputs, **attrs) -> the op's output, or a tuple of its outputs.
    """

    def rule(g: Any, y: Any, *inputs: Tensor, **attrs: Any) -> tuple[Tensor | None, ...]:
        from lamina.gradient import gradients
        from lamina.ops.elementwise import identity
        from lamina.ops.reduction import sum_

        # Fresh names for the inputs, so that one that was made from another counts as independent of it.
        fresh = [identity(x) for x in inputs]
        outputs = formula(*fresh, **attrs)
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        given = g if isinstance(g, tuple) else (g,)
        pairs = zip(given, several, strict=True)
        loss = total([sum_(cotangent * output) for cotangent, output in pairs if cotangent is not None])
        return tuple(gradients(loss, fresh))

    return rule


def total(parts: Iterable[Any]) -> Any:
    """The sum of those parts that are not None."""
    given = [part for part in parts if part is not None]
    return functools.reduce(operator.add, given) if given else None


_UNSIGNED = {np.dtype(f"i{size}"): np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def within(positions: Any, size: int) -> bool:
    """Whether 0 <= p < size for every element of an integer array."""
    if not positions.size:
        return True
    # One pass instead of two: a negative number, read as unsigned, is a large one.
    return int(positions.view(_UNSIGNED.get(positions.dtype, positions.dtype)).max()) < size


def outside(positions: Any, size: int) -> int:
    """An element that is not `within` the range."""
    highest = int(positions.max())
    return highest if highest >= size else int(positions.min())
