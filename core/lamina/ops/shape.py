"""Ops that move, repeat and select elements, and those that speak about shapes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from types import EllipsisType
from typing import Any

import numpy as np

from lamina.op import as_tensor, broadcast, op, promote
from lamina.ops.elementwise import cast
from lamina.ops.kernels import bound
from lamina.ops.rules import axis_of, outside, same, within
from lamina.tensor import Constant, Spec, Tensor

# ---- shapes as values


def _infer_shape(x):
    return Spec((x.ndim,), "int32", x.shape)


@op(infer=_infer_shape)
def shape_of(xp, x):
    """The sizes of x, as an int32 vector."""
    return xp.asarray(x.shape, dtype="int32")


@shape_of.vjp
def _(g, y, x):
    return (None,)


# ---- reshape and its relatives: views, where memory order allows


def _infer_reshape(x, *, shape):
    if sum(size == -1 for size in shape) > 1:
        raise ValueError(f"the new shape {shape} leaves more than one size open")
    fixed = math.prod(size for size in shape if size != -1)
    if not x.known:
        return Spec(tuple(None if size == -1 else size for size in shape), x.dtype)
    if -1 in shape:
        if fixed == 0 or x.size % fixed:
            raise ValueError(f"{x.size} elements do not fill the shape {shape}")
        return Spec(tuple(x.size // fixed if size == -1 else size for size in shape), x.dtype, x.value)
    if fixed != x.size:
        raise ValueError(f"{x.size} elements do not fill the shape {shape}")
    return Spec(shape, x.dtype)


@op(infer=_infer_reshape, view=True)
def reshape(xp, x, *, shape):
    """x in another shape with as many elements; one size may be -1."""
    return x.reshape(shape)


@reshape.vjp
def _(g, y, x, *, shape):
    return (reshape_like(g, x),)


@reshape.simplify
def _(x, *, shape):
    if x.spec.known and reshape.specs((x,), {"shape": shape})[0].shape == x.shape:
        return x
    if x.apply is not None and x.apply.op is reshape and x.apply.inputs[0].spec.known:
        return reshape(x.apply.inputs[0], shape=shape)
    return None


def _infer_reshape_to(x, shape):
    if shape.value is None:
        return Spec((None,) * (shape.shape[0] or 0), x.dtype)
    if None not in shape.value:
        return _infer_reshape(x, shape=shape.value)
    return Spec(tuple(None if size in (None, -1) else size for size in shape.value), x.dtype)


@op(infer=_infer_reshape_to, view=True)
def reshape_to(xp, x, shape):
    """x in the shape that an integer tensor holds."""
    return x.reshape(tuple(int(size) for size in shape))


@reshape_to.vjp
def _(g, y, x, shape):
    return reshape_like(g, x), None


@reshape_to.simplify
def _(x, shape):
    return reshape(x, shape=tuple(shape.value.tolist())) if isinstance(shape, Constant) else None


def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    """x in the shape of `like`, which has as many elements."""
    if x.spec.known and like.spec.known:
        return reshape(x, shape=like.shape) if x.shape != like.shape else x
    return reshape_to(x, shape_of(like))


def _infer_expand_axes(x, *, axes):
    ndim = x.ndim + len(axes)
    sizes = iter(x.shape)
    return Spec(tuple(1 if axis in axes else next(sizes) for axis in range(ndim)), x.dtype)


@op(infer=_infer_expand_axes, view=True)
def expand_axes(xp, x, *, axes):
    """x with axes of size 1 at the positions `axes` of the result."""
    return xp.expand_dims(x, axes)


@expand_axes.vjp
def _(g, y, x, *, axes):
    return (drop_axes(g, axes=axes),)


@expand_axes.simplify
def _(x, *, axes):
    return reshape(x, shape=_infer_expand_axes(x.spec, axes=axes).shape) if x.spec.known else None


def _infer_drop_axes(x, *, axes):
    for axis in axes:
        if x.shape[axis] not in (1, None):
            raise ValueError(
                f"axis {axis} has size {x.shape[axis]}, and only an axis of size 1 can be dropped"
            )
    return Spec(tuple(size for axis, size in enumerate(x.shape) if axis not in axes), x.dtype)


@op(infer=_infer_drop_axes, view=True)
def drop_axes(xp, x, *, axes):
    """x without the axes `axes`, which have size 1."""
    return xp.squeeze(x, axis=axes)


@drop_axes.vjp
def _(g, y, x, *, axes):
    return (expand_axes(g, axes=axes),)


@drop_axes.simplify
def _(x, *, axes):
    return reshape(x, shape=_infer_drop_axes(x.spec, axes=axes).shape) if x.spec.known else None


def sizes_of(x: Tensor) -> list[Any]:
    """The sizes of x: numbers where they are known, tensors where not."""
    return [shape_of(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


def with_sizes(x: Tensor, sizes: Sequence[Any]) -> Tensor:
    """x in another shape.  sizes: numbers, of which one may be -1, and integer tensors."""
    found = [_known(size) for size in sizes]
    unknown = [at for at, size in enumerate(found) if isinstance(size, Tensor)]
    if len(unknown) == 1 and not any(found[at] in (-1, 0) for at in range(len(found)) if at not in unknown):
        found[unknown[0]] = -1
        unknown = []
    if unknown:
        return reshape_to(x, stack(*[as_tensor(size, "int32") for size in found], axis=0))
    return reshape(x, shape=tuple(int(size) for size in found))


def merge(x: Tensor, start: int, stop: int) -> Tensor:
    """The axes start, ..., stop - 1 as one; a new axis of size 1 where there is none."""
    if stop - start == 1:
        return x
    sizes = sizes_of(x)
    return with_sizes(x, [*sizes[:start], math.prod(sizes[start:stop], start=1), *sizes[stop:]])


def collapse(x: Tensor, start: int) -> Tensor:
    """All axes from `start` on as one."""
    return merge(x, start, x.ndim)


def _infer_transpose(x, *, axes):
    if sorted(axes) != list(range(x.ndim)):
        raise ValueError(f"the pattern {axes} is not a permutation of {x.ndim} axes")
    return Spec(tuple(x.shape[axis] for axis in axes), x.dtype)


@op(infer=_infer_transpose, view=True)
def transpose(xp, x, *, axes):
    """x with its axes in the order `axes`."""
    return xp.transpose(x, axes)


@transpose.vjp
def _(g, y, x, *, axes):
    return (transpose(g, axes=tuple(int(axis) for axis in np.argsort(axes))),)


@transpose.simplify
def _(x, *, axes):
    if axes == tuple(range(len(axes))):
        return x
    if x.apply is not None and x.apply.op is transpose:
        inner = x.apply.attrs["axes"]
        return transpose(x.apply.inputs[0], axes=tuple(inner[axis] for axis in axes))
    return None


# ---- broadcasting and its inverse


def _infer_broadcast_to(x, shape):
    if shape.value is None:
        return Spec((None,) * (shape.shape[0] or 0), x.dtype)
    target = tuple(shape.value)
    fits = broadcast(x.shape, target)
    if any(size not in (None, want) for size, want in zip(fits, target, strict=False) if want is not None):
        raise ValueError(f"shape {x.shape} does not broadcast to {target}")
    return Spec(target, x.dtype)


@op(infer=_infer_broadcast_to, view=True)
def broadcast_to(xp, x, shape):
    """x repeated to the shape that an integer tensor holds; nothing is copied."""
    return xp.broadcast_to(x, tuple(int(size) for size in shape))


@broadcast_to.vjp
def _(g, y, x, shape):
    return g, None


@broadcast_to.simplify
def _(x, shape):
    return x if isinstance(shape, Constant) and tuple(shape.value.tolist()) == x.shape else None


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """x repeated to the shape of `like`."""
    if x.shape == like.shape and x.spec.known:
        return x
    return broadcast_to(x, shape_of(like))


def _infer_sum_to_like(g, x):
    return Spec(x.shape, g.dtype)


def _repeated(g: Any, x: Any) -> tuple[int, ...]:
    """The axes of g that x does not have, or has with size 1."""
    extra = g.ndim - x.ndim
    return (*range(extra), *(extra + a for a, n in enumerate(x.shape) if n == 1 and g.shape[extra + a] != 1))


@op(infer=_infer_sum_to_like)
def sum_to_like(xp, g, x):
    """g summed over the axes along which x was repeated: where broadcasting is undone."""
    axes = _repeated(g, x)
    total = xp.sum(g, axis=axes, dtype=g.dtype) if axes else g
    # A cotangent that was itself left un-repeated is repeated here.
    return xp.broadcast_to(total.reshape(x.shape) if total.size == x.size else total, x.shape)


@sum_to_like.vjp
def _(g, y, x, like):
    return sum_to_like(g, x), None


@sum_to_like.simplify
def _(g, x):
    if not (g.spec.known and x.spec.known):
        return None
    if g.shape == x.shape:
        return g
    if g.ndim <= x.ndim and broadcast(g.shape, x.shape) == x.shape:
        return broadcast_like(g, x)
    from lamina.ops.reduction import sum_

    axes = _repeated(g, x)
    return broadcast_like(reshape_like(sum_(g, axis=axes, keepdims=False), x), x) if axes else None


def zeros_like(x: Tensor, dtype: str | None = None) -> Tensor:
    """Zeros in the shape of x."""
    return _full_like(x, 0, dtype)


def ones_like(x: Tensor, dtype: str | None = None) -> Tensor:
    """Ones in the shape of x."""
    return _full_like(x, 1, dtype)


def _full_like(x: Tensor, value: int, dtype: str | None) -> Tensor:
    number = Constant(value, dtype or x.dtype)
    return broadcast_like(number, x) if x.ndim else number


# ---- slices


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
        item = _known(item)
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
            bounds = [_known(bound) for bound in (item.start, item.stop, item.step)]
            if any(isinstance(bound, Tensor) for bound in bounds):
                return _slice_tensor(x, items, at, bounds)
            items = (*items[:at], slice(*bounds), *items[at + 1 :])
        elif not isinstance(item, int | np.integer | type(None) | EllipsisType):
            raise TypeError(f"a tensor cannot be indexed with {item!r}")
    items = tuple(int(item) if isinstance(item, np.integer) else item for item in items)
    return slice_(x, key=_key(x, items))


def _is_whole(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)


def _known(size: Any) -> Any:
    """A number where `size` is one, or is a tensor of known value."""
    if isinstance(size, Tensor) and isinstance(size.spec.value, int):
        return size.spec.value
    return int(size) if isinstance(size, np.integer) else size


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


# ---- joining, repeating, padding


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


# ---- selecting by position


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
    from lamina.ops.elementwise import equal

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


def _infer_reverse(x, *, axes):
    for axis in axes:
        axis_of(axis, x.ndim)
    return same(x)


def reverse(x: Tensor, axes: Sequence[int]) -> Tensor:
    """x backwards along `axes`."""
    _infer_reverse(x.spec, axes=axes)
    turned = {axis % x.ndim for axis in axes}
    return getitem(x, tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(x.ndim)))
