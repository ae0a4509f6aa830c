"""Pooling over any number of spatial axes: the largest number of each window, or the mean.

Written for channels_last, x (batch, *sizes, channels) -> (batch, *counts, channels).  Padding takes no part: it is
never the largest, and a mean divides by the cells of the image alone.

pool_size, strides: one number for each spatial axis.  padding: "valid" or "same".
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from lamina.op import op
from lamina.ops.shape import shape_of
from lamina.tensor import Spec
from lamina_conv.windows import counts, slides, windows


def _infer_pool(x, *_, pool_size, strides, padding):
    if x.ndim != len(pool_size) + 2:
        raise ValueError(f"windows {pool_size} slide over images of {len(pool_size) + 2} axes, met {x.ndim}")
    placed = counts(x.shape[1:-1], pool_size, strides, _plain(pool_size), padding)
    return Spec((x.shape[0], *placed, x.shape[-1]), x.dtype)


def _plain(pool_size):
    """The dilation rate of windows that leave nothing out."""
    return (1,) * len(pool_size)


def axes_of(sizes, pool_size, strides, padding):
    """How the windows slide along each spatial axis."""
    return slides(sizes, pool_size, strides, _plain(pool_size), padding)


# ---- the largest


@op(infer=_infer_pool)
def max_pool(xp, x, *, pool_size, strides, padding):
    """The largest number of each window."""
    axes = axes_of(x.shape[1:-1], pool_size, strides, padding)
    seen = windows(xp, x, axes, lowest(x.dtype))
    return seen.max(axis=tuple(range(x.ndim - 1, seen.ndim - 1)))


def lowest(dtype):
    """A number that no number of this dtype is below."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


@max_pool.vjp
def _(g, y, x, **attrs):
    return (max_pool_grad(g, x, y, **attrs),)


def _infer_max_pool_grad(g, x, y, **_):
    return Spec(x.shape, g.dtype)


@op(infer=_infer_max_pool_grad)
def max_pool_grad(xp, g, x, y, *, pool_size, strides, padding):
    """g, each number where its window of x has its maximum y for the first time, row by row; 0 elsewhere.

    The first of several equal ones, as in TensorFlow.
    """
    axes = axes_of(x.shape[1:-1], pool_size, strides, padding)
    where = _first(xp, x, axes)
    out = xp.zeros(x.shape, g.dtype)
    for number, position in enumerate(itertools.product(*map(range, pool_size))):
        seen = [slide.seen(at) for slide, at in zip(axes, position, strict=True)]
        placed, pixels = ((slice(None), *(pair[i] for pair in seen)) for i in (0, 1))
        out[pixels] += xp.where(where[placed] == number, g[placed], xp.zeros_like(g[placed]))
    return out


def _first(xp, x, axes):
    """Which position of each window holds the maximum first, counted row by row."""
    return xp.argmax(_flat(xp, windows(xp, x, axes, lowest(x.dtype)), x.ndim), axis=-1)


def _flat(xp, seen, ndim):
    """What windows see, (batch, *counts, channels, positions)."""
    seen = xp.moveaxis(seen, -1, ndim - 1)
    return seen.reshape(*seen.shape[:ndim], math.prod(seen.shape[ndim:]))


@max_pool_grad.vjp
def _(g, y, cotangent, x, largest, **attrs):
    return max_pool_at(g, x, **attrs), None, None


@op(infer=_infer_pool)
def max_pool_at(xp, h, x, *, pool_size, strides, padding):
    """What h holds where each window of x has its maximum for the first time."""
    axes = axes_of(x.shape[1:-1], pool_size, strides, padding)
    where = _first(xp, x, axes)
    return xp.take_along_axis(_flat(xp, windows(xp, h, axes), x.ndim), where[..., None], axis=-1)[..., 0]


@max_pool_at.vjp
def _(g, y, h, x, **attrs):
    return max_pool_grad(g, x, max_pool(x, **attrs), **attrs), None


# ---- the mean


@op(infer=_infer_pool)
def average_pool(xp, x, *, pool_size, strides, padding):
    """The mean of each window."""
    axes = axes_of(x.shape[1:-1], pool_size, strides, padding)
    seen = windows(xp, x, axes)
    return seen.sum(axis=tuple(range(x.ndim - 1, seen.ndim - 1))) * xp.asarray(shares(axes, x.dtype))


def shares(axes, dtype):
    """1 / (cells of the image in each window): (*counts, 1)."""
    cells = np.ones((1,), "int64")
    for slide in reversed(axes):
        along = np.zeros(slide.count, "int64")
        for position in range(slide.window):
            along[slide.seen(position)[0]] += 1
        cells = np.multiply.outer(along, cells)
    return (1 / cells).astype(dtype)


@average_pool.vjp
def _(g, y, x, **attrs):
    return (average_pool_grad(g, shape_of(x), **attrs),)


def _infer_average_pool_grad(g, shape, **_):
    return Spec(tuple(shape.value or (None,) * g.ndim), g.dtype)


@op(infer=_infer_average_pool_grad)
def average_pool_grad(xp, g, shape, *, pool_size, strides, padding):
    """g, each number shared out over its window: images of the given shape."""
    batch, *sizes, channels = (int(size) for size in shape)
    axes = axes_of(sizes, pool_size, strides, padding)
    share = g * xp.asarray(shares(axes, g.dtype))
    out = xp.zeros((batch, *sizes, channels), g.dtype)
    for position in itertools.product(*map(range, pool_size)):
        seen = [slide.seen(at) for slide, at in zip(axes, position, strict=True)]
        placed, pixels = ((slice(None), *(pair[i] for pair in seen)) for i in (0, 1))
        out[pixels] += share[placed]
    return out


@average_pool_grad.vjp
def _(g, y, outputs, shape, **attrs):
    return average_pool(g, **attrs), None


# ---- everything at once


def _infer_whole(x, *, axes):
    for axis in axes:
        if x.shape[axis] == 0:
            raise ValueError(
                f"nothing can be pooled along axis {axis}, which has size 0: every input needs at least one position"
            )
    return x


@op(infer=_infer_whole, view=True)
def whole(xp, x, *, axes):
    """x, of which no axis among `axes` is empty."""
    return x


@whole.vjp
def _(g, y, x, **_):
    return (g,)


from lamina_pooling import blocks  # noqa: E402, F401  NumPy's kernels of these ops
