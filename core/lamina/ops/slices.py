"""Slices: views of some positions along each axis, and where their gradients go."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from lamina.op import as_tensor, op
from lamina.ops.positions import arange, gather
from lamina.ops.rules import axis_of, same
from lamina.ops.shape import (
    known,
    shape_of,
)
from lamina.tensor import Spec, Tensor


def _key(x: Tensor | Spec, index: Any) -> tuple[Any, ...]:
    """An index as a hashable tuple of ints, (start, stop, step) triples, None; Ellipsis written out."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(item is Ellipsis for item in items):
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        used = sum(item is not None and item is not Ellipsis for item in items)
        items[at : at + 1] = [slice(None)] * (x.ndim - used)
    return tuple(("slice", i.start, i.stop, i.step) if isinstance(i, slice) else i for i in items)


def _index(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(slice(*item[1:]) if isinstance(item, tuple) else item for item in key)


def _infer_slice(x, *, key):
    shape: list[int | None] = []
    axis = 0
    for item in key:
        if item is None:
            shape.append(1)
            continue
        if axis >= x.ndim:
            raise ValueError(f"too many indices for {x}")
        size = x.shape[axis]
        if isinstance(item, tuple):
            cut = slice(*item[1:])
            if size is None:
                shape.append(None)
            else:
                shape.append(len(range(*cut.indices(size))))
        elif size is not None and not -size <= item < size:
            raise ValueError(f"index {item} is out of range for axis {axis} of size {size}")
        axis += 1
    shape += x.shape[axis:]
    value = None
    if x.value is not None and x.ndim == 1 and len(key) == 1:
        picked = x.value[_index(key)[0]]
        value = tuple(picked) if isinstance(picked, tuple | list) else picked
    return Spec(tuple(shape), x.dtype, value)


@op(infer=_infer_slice, view=True, name="slice")
def slice_(xp, x, *, key):
    """x[index] for an index of integers, slices and None."""
    return x[(*_index(key), ...)]  # with the Ellipsis a single element is a view too, not a number


@slice_.vjp
def _(g, y, x, *, key):
    return (slice_grad(g, x, key=key),)


def _infer_slice_grad(g, x, *, key):
    return Spec(x.shape, g.dtype)


@op(infer=_infer_slice_grad)
def slice_grad(xp, g, x, *, key):
    """Zeros in the shape of x, with g at x[index]."""
    out = xp.zeros(x.shape, g.dtype)
    out[_index(key)] = g
    return out


@slice_grad.kernel("numpy")
def _(g, x, *, key):
    index = _index(key)

    def run(out, array, _):
        out.fill(0)
        out[index] = array

    return run


@slice_grad.vjp
def _(g, y, inner, x, *, key):
    return slice_(g, key=key), None


@slice_.simplify
def _(x, *, key):
    whole = all(isinstance(item, tuple) and item[1:] in ((None, None, None), (0, None, None)) for item in key)
    return x if whole else None


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: integers, slices, None and Ellipsis; an integer tensor or list selects rows like K.gather."""
    if isinstance(index, Tensor | list | np.ndarray):
        return gather(x, as_tensor(index, None if isinstance(index, Tensor) else "int32"))
    items = index if isinstance(index, tuple) else (index,)
    for at, item in enumerate(items):
        item = known(item)
        if isinstance(item, int):
            items = (*items[:at], item, *items[at + 1 :])
        elif isinstance(item, Tensor):
            if item.ndim == 0 and all(_is_whole(other) for other in items[:at]):
                # A position known only when running: take it along its axis, then go on with the rest.
                moved = gather(x, item, axis=at)
                return getitem(moved, (*items[:at], *items[at + 1 :])) if len(items) > 1 else moved
            raise TypeError(
                f"the index {index!r} mixes tensors with other items: use K.gather for the tensor part"
            )
        elif isinstance(item, slice):
            bounds = [known(bound) for bound in (item.start, item.stop, item.step)]
            if any(isinstance(bound, Tensor) for bound in bounds):
                return _slice_tensor(x, items, at, bounds)
            items = (*items[:at], slice(*bounds), *items[at + 1 :])
        elif not isinstance(item, int | np.integer | type(None) | EllipsisType):
            raise TypeError(f"a tensor cannot be indexed with {item!r}")
    items = tuple(int(item) if isinstance(item, np.integer) else item for item in items)
    return slice_(x, key=_key(x, items))


def _is_whole(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)


def _slice_tensor(x: Tensor, items: tuple[Any, ...], at: int, bounds: list[Any]) -> Tensor:
    """A slice whose bounds are tensors: rows start, start + step, ... of one axis, gathered."""
    if Ellipsis in [item for item in items if not isinstance(item, Tensor)] or None in items[:at]:
        raise TypeError("a slice with tensors as bounds cannot follow an Ellipsis or None")
    start, stop, step = bounds
    size = shape_of(x)[at]
    rows = arange(
        as_tensor(0 if start is None else start, "int32"),
        as_tensor(size if stop is None else stop, "int32"),
        as_tensor(1 if step is None else step, "int32"),
    )
    return getitem(gather(x, rows, axis=at), (*items[:at], slice(None), *items[at + 1 :]))


def _infer_reverse(x, *, axes):
    for axis in axes:
        axis_of(axis, x.ndim)
    return same(x)


def reverse(x: Tensor, axes: Sequence[int]) -> Tensor:
    """x backwards along `axes`."""
    _infer_reverse(x.spec, axes=axes)
    turned = {axis % x.ndim for axis in axes}
    return getitem(x, tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(x.ndim)))
