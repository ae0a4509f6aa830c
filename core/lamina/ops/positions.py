"""Ops that select and count by position: gather, scatter, one-hot, ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.op import as_tensor, op
from lamina.ops.elementwise import cast, equal
from lamina.ops.rules import axis_of, outside, within
from lamina.ops.shape import (
    expand_axes,
    shape_of,
)
from lamina.tensor import Constant, Spec, Tensor


def _infer_gather(x, indices, *, axis):
    if x.ndim == 0:
        raise ValueError("a scalar has no rows to select")
    axis = axis_of(axis, x.ndim)
    value = None
    if x.value is not None and isinstance(indices.value, int):
        value = x.value[indices.value]
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype, value)


@op(infer=_infer_gather, name="gather")
def _gather(xp, x, indices, *, axis=0):
    """The rows `indices` of x along `axis`.  Raises IndexError for a position outside 0 <= i < size."""
    check_positions(indices, x.shape[axis])
    return xp.take(x, indices, axis=axis)


def check_positions(indices: Any, size: int) -> None:
    """Raise IndexError for an index that is not the position of one of `size` rows."""
    if not within(indices, size):
        raise IndexError(_out_of_range(outside(indices, size), size))


def gather(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """The rows `indices` of x along `axis`.  Of floats, what is behind the point is cut off."""
    x, where = as_tensor(x), as_tensor(indices)
    axis = axis_of(axis, x.ndim) if x.ndim else 0
    kind = np.dtype(where.dtype).kind
    if kind == "b":
        where = cast(where, dtype="int32")
    elif kind == "f" and x.ndim:
        where = whole_positions(where, size=x.shape[axis])
    return _gather(x, where, axis=axis)


def _infer_positions(indices, *, size):
    return Spec(indices.shape, "int64")


@op(infer=_infer_positions)
def whole_positions(xp, indices, *, size):
    """Floats as positions, towards 0.  Raises IndexError for what is none, NaN among it, as `check_positions` does.

    size: how many positions there are; None where that is not known here, but no more than an int64 counts.
    """
    if indices.size:
        for index in (indices.min(), indices.max()):  # a NaN is both
            if not -1 < index < (2.0**63 if size is None else size):
                raise IndexError(_out_of_range(index, size))
    return indices.astype("int64")


@whole_positions.vjp
def _(g, y, indices, *, size):
    return (None,)


def _out_of_range(index: Any, size: int | None) -> str:
    return (
        f"index {index} is out of range: {'' if size is None else f'there are {size} '}rows, counted from 0"
    )


@_gather.vjp
def _(g, y, x, indices, *, axis):
    return scatter_add(g, indices, x, axis=axis), None


@_gather.kernel("numpy")
def _(x, indices, *, axis):
    size = x.shape[axis]

    def run(out, array, where):
        check_positions(where, size)
        # Checked above: "raise" would check again and copy through a buffer.
        np.take(array, where, axis=axis, out=out, mode="clip")

    return run


def _infer_scatter_add(g, indices, x, *, axis):
    return Spec(x.shape, g.dtype)


@op(infer=_infer_scatter_add)
def scatter_add(xp, g, indices, x, *, axis=0):
    """Zeros in the shape of x, with the rows of g added at the positions `indices` of `axis`."""
    out = xp.zeros(x.shape, g.dtype)
    flat = g.reshape(*x.shape[:axis], indices.size, *x.shape[axis + 1 :])
    xp.add.at(out, (*[slice(None)] * axis, indices.reshape(-1)), flat)
    return out


@scatter_add.kernel("numpy")
def _(g: Spec, indices: Spec, x: Spec, *, axis: int) -> Callable[..., None] | None:
    """Rows are added in rounds, the first use of every index, then the second, ...: each round is one plain sum of
    rows, several times as fast as adding element by element.  An index with very many uses has its rows summed first.
    """
    n = indices.size
    if axis_of(axis, x.ndim) != 0:
        shape, head = (*x.shape[:axis], n, *x.shape[axis + 1 :]), (slice(None),) * axis

        def add(out: Any, rows: Any, where: Any, _: Any) -> None:
            out.fill(0)
            np.add.at(out, (*head, where.reshape(-1)), rows.reshape(shape))

        return add
    ranks, sorted_rows = np.arange(n), np.empty((n, *x.shape[1:]), g.dtype)  # type: ignore[arg-type, type-var]

    def run(out: Any, rows: Any, where: Any, _: Any) -> None:
        out.fill(0)
        if n == 0:
            return
        rows = rows.reshape(sorted_rows.shape)
        flat = where.reshape(-1)
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
        uses = np.diff(starts, append=n)
        if uses.max() > MOST_ROUNDS:
            np.take(rows, order, axis=0, out=sorted_rows, mode="clip")
            out[ordered[starts]] = np.add.reduceat(sorted_rows, starts, axis=0)
            return
        use = ranks - np.repeat(starts, uses)
        first = order[starts]
        out[flat[first]] = rows[first]
        for number in range(1, int(uses.max())):
            chosen = order[use == number]
            out[flat[chosen]] += rows[chosen]

    return run


MOST_ROUNDS = 64  # uses of one index up to which rounds are faster than sorting all rows


@scatter_add.vjp
def _(g, y, inner, indices, x, *, axis):
    return _gather(g, indices, axis=axis), None, None


def _infer_one_hot(indices, *, size, dtype):
    return Spec((*indices.shape, size), dtype)


@op(infer=_infer_one_hot)
def one_hot(xp, indices, *, size, dtype):
    """1 at the position each index names along a new last axis, 0 elsewhere and for indices out of range."""
    return (indices[..., None] == xp.arange(size, dtype=indices.dtype)).astype(dtype)


@one_hot.kernel("numpy")
def _(indices, *, size, dtype):
    positions = np.arange(size, dtype=indices.dtype)
    hot = np.empty((*indices.shape, size), bool)

    def run(out, where):
        np.equal(where[..., None], positions, out=hot)
        np.copyto(out, hot)

    return run


@one_hot.vjp
def _(g, y, indices, *, size, dtype):
    return (None,)


def one_hot_like(indices: Tensor, like: Tensor, dtype: str) -> Tensor:
    """`one_hot` with as many positions as the last axis of `like` has."""
    size = like.shape[-1]
    if size is not None:
        return one_hot(indices, size=size, dtype=dtype)
    positions = arange(0, shape_of(like)[-1], 1, indices.dtype)
    return cast(equal(expand_axes(indices, axes=(indices.ndim,)), positions), dtype=dtype)


# ---- making


def _infer_arange(start, stop, step, *, dtype):
    values = (start.value, stop.value, step.value)
    if any(value is None for value in values):
        return Spec((None,), dtype)
    found = range(*(int(value) for value in values))
    return Spec(
        (len(found),), dtype, tuple(found) if len(found) <= 64 and np.dtype(dtype).kind in "iu" else None
    )


@op(infer=_infer_arange, name="arange")
def _arange(xp, start, stop, step, *, dtype):
    return xp.arange(start.item(), stop.item(), step.item(), dtype=dtype)


def arange(start: Any, stop: Any, step: Any = 1, dtype: str = "int32") -> Tensor:
    """start, start + step, ... below stop, as a vector."""
    if not any(isinstance(value, Tensor) for value in (start, stop, step)):
        return Constant(np.arange(start, stop, step, dtype=dtype))
    return _arange(*(as_tensor(value) for value in (start, stop, step)), dtype=dtype)


@_arange.vjp
def _(g, y, start, stop, step, *, dtype):
    return None, None, None
