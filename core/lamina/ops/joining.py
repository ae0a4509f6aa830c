"""Ops that join, repeat and pad."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.op import as_tensor, op, promote
from lamina.ops.kernels import bound
from lamina.ops.rules import axis_of
from lamina.ops.shape import (
    reshape_like,
    shape_of,
    sizes_of,
    with_sizes,
)
from lamina.ops.slices import getitem
from lamina.tensor import Spec, Tensor


def _infer_concatenate(*xs, axis):
    axis = axis_of(axis, xs[0].ndim)
    if len({x.ndim for x in xs}) > 1:
        raise ValueError("all parts of a concatenation need the same number of dimensions")
    shape: list[int | None] = []
    for a in range(xs[0].ndim):
        sizes = {x.shape[a] for x in xs}
        if a == axis:
            shape.append(None if None in sizes else sum(x.shape[a] for x in xs))
        elif len(sizes - {None}) > 1:
            raise ValueError(f"sizes {sorted(sizes - {None})} of axis {a} differ; only axis {axis} may")
        else:
            shape.append(next(iter(sizes - {None}), None))
    values = [x.value for x in xs]
    known = xs[0].ndim == 1 and None not in values
    return Spec(tuple(shape), xs[0].dtype, tuple(v for value in values for v in value) if known else None)


@op(infer=_infer_concatenate)
def _concatenate(xp, *xs, axis):
    """The parts one after another along `axis`."""
    return xp.concatenate(xs, axis=axis)


_concatenate.name = "concatenate"


def concatenate(*xs: Any, axis: int = -1) -> Tensor:
    """The parts one after another along `axis`, in their common dtype."""
    tensors = _common(xs)
    return tensors[0] if len(tensors) == 1 else _concatenate(*tensors, axis=axis_of(axis, tensors[0].ndim))


def _common(xs: Sequence[Any]) -> list[Tensor]:
    dtypes = [x.dtype for x in xs if isinstance(x, Tensor)] or [as_tensor(x).dtype for x in xs]
    return [as_tensor(x, promote(dtypes)) for x in xs]


@_concatenate.vjp
def _(g, y, *xs, axis):
    parts = []
    start: Any = 0
    for x in xs:
        size = x.shape[axis] if x.shape[axis] is not None else shape_of(x)[axis]
        stop = start + size
        parts.append(getitem(g, (*[slice(None)] * axis, slice(start, stop))))
        start = stop
    return tuple(parts)


@_concatenate.kernel("numpy")
def _(*xs, axis):
    sizes = np.cumsum([0, *(x.shape[axis] for x in xs)])
    cuts = [(*[slice(None)] * axis, slice(a, b)) for a, b in itertools.pairwise(sizes)]

    def run(out, *arrays):
        for cut, array in zip(cuts, arrays, strict=True):
            out[cut] = array

    return run


def _infer_stack(*xs, axis):
    shape = _infer_concatenate(*[Spec((1, *x.shape), x.dtype) for x in xs], axis=0).shape
    axis = axis_of(axis, len(shape))
    rest = shape[1:]
    scalar = xs[0].ndim == 0
    return Spec(
        (*rest[:axis], len(xs), *rest[axis:]), xs[0].dtype, tuple(x.value for x in xs) if scalar else None
    )


@op(infer=_infer_stack, name="stack")
def _stack(xp, *xs, axis):
    """The parts side by side along a new axis."""
    return xp.stack(xs, axis=axis)


def stack(*xs: Any, axis: int = 0) -> Tensor:
    """The parts side by side along the new axis `axis`, in their common dtype."""
    return _stack(*_common(xs), axis=axis)


@_stack.kernel("numpy")
def _(*xs, axis):
    axis = axis_of(axis, xs[0].ndim + 1)
    cuts = [(*[slice(None)] * axis, index) for index in range(len(xs))]

    def run(out, *arrays):
        for cut, array in zip(cuts, arrays, strict=True):
            out[cut] = array

    return run


@_stack.vjp
def _(g, y, *xs, axis):
    axis = axis_of(axis, y.ndim)
    return tuple(getitem(g, (*[slice(None)] * axis, index)) for index in range(len(xs)))


def _infer_repeat(x, *, repeats, axis):
    axis = axis_of(axis, x.ndim)
    size = x.shape[axis]
    return Spec((*x.shape[:axis], None if size is None else size * repeats, *x.shape[axis + 1 :]), x.dtype)


@op(infer=_infer_repeat)
def repeat_elements(xp, x, *, repeats, axis):
    """Each element `repeats` times in a row along `axis`."""
    return xp.repeat(x, repeats, axis=axis)


@repeat_elements.vjp
def _(g, y, x, *, repeats, axis):
    from lamina.ops.reduction import sum_

    axis = axis_of(axis, x.ndim)
    sizes = sizes_of(x)
    split = with_sizes(g, [*sizes[: axis + 1], repeats, *sizes[axis + 1 :]])
    return (sum_(split, axis=axis + 1, keepdims=False),)


@repeat_elements.kernel("numpy")
def _(x, *, repeats, axis):
    axis = axis_of(axis, x.ndim)
    shape = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])

    def bind(out, array):
        return partial(np.copyto, out.reshape(shape), np.expand_dims(array, axis + 1))

    return bound(bind)


def _infer_tile(x, n):
    if n.value is None or None in n.value:
        return Spec((None,) * max(x.ndim, n.shape[0] or 0), x.dtype)
    ndim = max(x.ndim, len(n.value))
    shape = (1,) * (ndim - x.ndim) + x.shape
    times = (1,) * (ndim - len(n.value)) + tuple(n.value)
    return Spec(tuple(None if s is None else s * t for s, t in zip(shape, times, strict=True)), x.dtype)


@op(infer=_infer_tile)
def tile(xp, x, n):
    """x repeated as a whole, n[i] times along axis i."""
    return xp.tile(x, tuple(int(times) for times in n))


@tile.vjp
def _(g, y, x, n):
    from lamina.ops.reduction import sum_

    ndim, given = y.ndim, n.shape[0]
    sizes = [1] * (ndim - x.ndim) + sizes_of(x)
    times = [1] * (ndim - given) + [n[i] for i in range(given)]
    split = with_sizes(g, [size for pair in zip(times, sizes, strict=True) for size in pair])
    return reshape_like(sum_(split, axis=tuple(range(0, 2 * ndim, 2)), keepdims=False), x), None


@tile.kernel("numpy")
def _(x, n):
    if n.value is None:
        return None
    ndim = max(x.ndim, len(n.value))
    sizes = (1,) * (ndim - x.ndim) + x.shape
    times = (1,) * (ndim - len(n.value)) + tuple(n.value)

    def bind(out, array, _):
        split = out.reshape([size for pair in zip(times, sizes, strict=True) for size in pair])
        return partial(np.copyto, split, array.reshape([size for pair in sizes for size in (1, pair)]))

    return bound(bind)


def _infer_pad(x, *, padding, value):
    sizes = zip(x.shape, padding, strict=True)
    return Spec(tuple(None if size is None else size + a + b for size, (a, b) in sizes), x.dtype)


@op(infer=_infer_pad)
def pad(xp, x, *, padding, value=0):
    """x with `value` around it: padding[i] = (before, after) elements along axis i."""
    return xp.pad(x, padding, constant_values=value)


@pad.vjp
def _(g, y, x, *, padding, value):
    return (getitem(g, tuple(slice(a, -b if b else None) for a, b in padding)),)


@pad.kernel("numpy")
def _(x, *, padding, value):
    inside = tuple(slice(a, a + size) for (a, _), size in zip(padding, x.shape, strict=True))

    def run(out, array):
        out.fill(value)
        out[inside] = array

    return run
