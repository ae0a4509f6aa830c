"""Reductions: sum, product, extremes, any, all, positions, running sums."""

from __future__ import annotations

import numpy as np

from lamina import config
from lamina.op import op
from lamina.ops.elementwise import cast, equal, exp, isfinite, log, multiply, stop_gradient, subtract, where
from lamina.ops.joining import concatenate
from lamina.ops.kernels import bound, extreme_call, sum_call
from lamina.ops.rules import axes_of, axis_of, reduced, same
from lamina.ops.shape import broadcast_like, drop_axes, expand_axes, merge, ones_like, reshape_like, transpose
from lamina.tensor import Constant, Spec


def _infer(x, *, axis, keepdims):
    return Spec(reduced(x.shape, axes_of(axis, x.ndim), keepdims), x.dtype)


def _infer_bool(x, *, axis, keepdims):
    return Spec(reduced(x.shape, axes_of(axis, x.ndim), keepdims), "bool")


def _spread(g, x, axis, keepdims):
    """A reduction's cotangent (or output) back at the input's rank, with size 1 on the reduced axes."""
    return g if keepdims else expand_axes(g, axes=axes_of(axis, x.ndim))


@op(infer=_infer, name="sum")
def sum_(xp, x, *, axis=None, keepdims=False):
    return xp.sum(x, axis=axes_of(axis, x.ndim), keepdims=keepdims, dtype=x.dtype)


@sum_.vjp
def _(g, y, x, *, axis, keepdims):
    return (broadcast_like(_spread(g, x, axis, keepdims), x),)


@sum_.kernel("numpy")
def _(x, *, axis, keepdims):
    axes = axes_of(axis, x.ndim)
    return bound(lambda out, array: sum_call(out, array, axes, keepdims))


@op(infer=_infer, name="prod")
def prod(xp, x, *, axis=None, keepdims=False):
    return xp.prod(x, axis=axes_of(axis, x.ndim), keepdims=keepdims, dtype=x.dtype)


@prod.vjp
def _(g, y, x, *, axis, keepdims):
    # The product of the others, from running products on both sides: right where an element is 0 too.
    axes = axes_of(axis, x.ndim)
    order = (*(a for a in range(x.ndim) if a not in axes), *axes)
    moved = transpose(x, axes=order)
    flat = merge(moved, x.ndim - len(axes), x.ndim)
    one = ones_like(flat[..., :1])
    backwards = (..., slice(None, None, -1))
    before = cumprod(concatenate(one, flat[..., :-1], axis=-1), axis=-1)
    after = cumprod(concatenate(one, flat[backwards][..., :-1], axis=-1), axis=-1)[backwards]
    others = transpose(reshape_like(before * after, moved), axes=tuple(int(a) for a in np.argsort(order)))
    return (multiply(_spread(g, x, axis, keepdims), others),)


@prod.kernel("numpy")
def _(x, *, axis, keepdims):
    axes = axes_of(axis, x.ndim)
    return lambda out, array: np.multiply.reduce(array, axis=axes, out=out, keepdims=keepdims)


def _extreme(name):
    @op(infer=_infer, name=name)
    def extreme(xp, x, *, axis=None, keepdims=False):
        return getattr(xp, name)(x, axis=axes_of(axis, x.ndim), keepdims=keepdims)

    @extreme.vjp
    def _(g, y, x, *, axis, keepdims):
        # Elements that share the extreme share its gradient equally, as in TensorFlow.
        chosen = cast(equal(x, _spread(y, x, axis, keepdims)), dtype=x.dtype)
        share = chosen / sum_(chosen, axis=axis, keepdims=True)
        return (_spread(g, x, axis, keepdims) * share,)

    reduce = {"max": np.maximum, "min": np.minimum}[name].reduce

    @extreme.kernel("numpy")
    def _(x, *, axis, keepdims):
        axes = axes_of(axis, x.ndim)
        return bound(lambda out, array: extreme_call(reduce, out, array, axes, keepdims))

    return extreme


max_ = _extreme("max")
min_ = _extreme("min")


@op(infer=_infer_bool, name="any")
def any_(xp, x, *, axis=None, keepdims=False):
    return xp.any(x.astype(bool), axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(infer=_infer_bool, name="all")
def all_(xp, x, *, axis=None, keepdims=False):
    return xp.all(x.astype(bool), axis=axes_of(axis, x.ndim), keepdims=keepdims)


def _infer_position(x, *, axis):
    return Spec(reduced(x.shape, (axis_of(axis, x.ndim),), False), "int64")


@op(infer=_infer_position)
def argmax(xp, x, *, axis=-1):
    return xp.argmax(x, axis=axis)


@op(infer=_infer_position)
def argmin(xp, x, *, axis=-1):
    return xp.argmin(x, axis=axis)


for _flat, _call in ((argmax, np.argmax), (argmin, np.argmin)):
    _flat.vjp(lambda g, y, x, **_: (None,))

    @_flat.kernel("numpy")
    def _(x, *, axis, _call=_call):
        return lambda out, array: _call(array, axis=axis, out=out)


for _flat, _reduce in ((any_, np.logical_or.reduce), (all_, np.logical_and.reduce)):
    _flat.vjp(lambda g, y, x, **_: (None,))

    @_flat.kernel("numpy")
    def _(x, *, axis, keepdims, _reduce=_reduce):
        axes = axes_of(axis, x.ndim)
        return lambda out, array: _reduce(array, axis=axes, out=out, keepdims=keepdims)


def _turn(axis: int, ndim: int, reverse: bool) -> tuple[slice, ...]:
    """The index that turns `axis` round, if asked to."""
    return tuple(slice(None, None, -1) if reverse and a == axis % ndim else slice(None) for a in range(ndim))


def _infer_running(x, *, axis, **_):
    axis_of(axis, x.ndim)
    return same(x)


@op(infer=_infer_running)
def cumsum(xp, x, *, axis=0, reverse=False):
    """Running sums along `axis`; from the end with reverse=True."""
    step = _turn(axis, x.ndim, reverse)
    return xp.cumsum(x[step], axis=axis, dtype=x.dtype)[step]


@cumsum.vjp
def _(g, y, x, *, axis, reverse):
    return (cumsum(g, axis=axis, reverse=not reverse),)


@cumsum.kernel("numpy")
def _(x, *, axis, reverse):
    step = _turn(axis, x.ndim, reverse)
    return lambda out, array: np.cumsum(array[step], axis=axis, out=out[step])


@op(infer=_infer_running)
def cumprod(xp, x, *, axis=0):
    """Running products along `axis`."""
    return xp.cumprod(x, axis=axis, dtype=x.dtype)


@cumprod.vjp
def _(g, y, x, *, axis):
    # Sum over the later products divided by x; x = 0 has no such quotient and gives NaN, as in TensorFlow.
    return (cumsum(g * y, axis=axis, reverse=True) / x,)


@cumprod.kernel("numpy")
def _(x, *, axis):
    return lambda out, array: np.cumprod(array, axis=axis, out=out)


def mean(x, axis=None, keepdims=False):
    """The mean over `axis`; of integers and booleans in floatx."""
    if np.dtype(x.dtype).kind != "f":
        x = cast(x, dtype=config.floatx())
    total = sum_(x, axis=axis, keepdims=keepdims)
    return total / count(x, axis=axis, dtype=x.dtype)


def _infer_count(x, *, axis, dtype):
    return Spec((), dtype)


@op(infer=_infer_count)
def count(xp, x, *, axis, dtype):
    """How many elements a reduction over `axis` adds up, as a number of `dtype`."""
    return xp.asarray(np.prod([x.shape[a] for a in axes_of(axis, x.ndim)], dtype="int64"), dtype=dtype)


@count.vjp
def _(g, y, x, *, axis, dtype):
    return (None,)


@count.simplify
def _(x, *, axis, dtype):
    sizes = [x.shape[a] for a in axes_of(axis, x.ndim)]
    return None if None in sizes else Constant(np.asarray(np.prod(sizes, dtype="int64"), dtype))


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(e^x)), shifted by the largest x so that nothing overflows."""
    peak = stop_gradient(max_(x, axis=axis, keepdims=True))
    peak = where(isfinite(peak), peak, 0)
    total = log(sum_(exp(subtract(x, peak)), axis=axis, keepdims=True)) + peak
    return total if keepdims else drop_axes(total, axes=axes_of(axis, x.ndim))
