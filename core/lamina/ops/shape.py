"""Ops that speak about shapes and give values other ones: reshape and its relatives, broadcasting and its inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.op import as_tensor, broadcast, op
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


def known(size: Any) -> Any:
    """A number where `size` is one, or is a tensor of known value."""
    if isinstance(size, Tensor) and isinstance(size.spec.value, int):
        return size.spec.value
    return int(size) if isinstance(size, np.integer) else size


def with_sizes(x: Tensor, sizes: Sequence[Any]) -> Tensor:
    """x in another shape.  sizes: numbers, of which one may be -1, and integer tensors."""
    found = [known(size) for size in sizes]
    unknown = [at for at, size in enumerate(found) if isinstance(size, Tensor)]
    if len(unknown) == 1 and not any(found[at] in (-1, 0) for at in range(len(found)) if at not in unknown):
        found[unknown[0]] = -1
        unknown = []
    if unknown:
        from lamina.ops.joining import stack

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
