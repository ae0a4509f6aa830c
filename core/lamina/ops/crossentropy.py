"""Softmax, and cross-entropy from probabilities, class numbers and logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina.op import op
from lamina.ops.elementwise import clip, equal, log, where
from lamina.ops.kernels import bound, extreme_call, row_room, sum_call
from lamina.ops.positions import one_hot_like
from lamina.ops.reduction import logsumexp, sum_
from lamina.ops.rules import axis_of, by_formula, outside, same, within
from lamina.ops.shape import expand_axes
from lamina.tensor import Spec

# ---- softmax and what follows it


@op(infer=same)
def softmax(xp, x, *, axis=-1):
    """e^x / sum(e^x) along `axis`, shifted by the largest x so that nothing overflows."""
    if not x.size:
        return x
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


@softmax.vjp
def _(g, y, x, *, axis):
    return (y * (g - sum_(g * y, axis=axis, keepdims=True)),)


@softmax.kernel("numpy")
def _(x, *, axis):
    if 0 in x.shape:
        return None
    axes = (axis_of(axis, x.ndim),)
    per_row = row_room(x, axes)

    def bind(out, array):
        take_peak = extreme_call(np.maximum.reduce, per_row, array, axes, True)
        add_up = sum_call(per_row, out, axes, True)

        def run():
            take_peak()
            np.subtract(array, per_row, out=out)
            np.exp(out, out=out)
            add_up()
            np.divide(out, per_row, out=out)

        return run

    return bound(bind)


def _infer_crossentropy(output, target, *, epsilon, axis=-1):
    axis = axis_of(axis, output.ndim)
    if output.ndim != target.ndim:
        raise ValueError("target and output need the same number of dimensions")
    if None not in (output.shape[axis], target.shape[axis]) and output.shape[axis] != target.shape[axis]:
        raise ValueError(f"the output has {output.shape[axis]} classes and the target {target.shape[axis]}")
    return Spec((*output.shape[:axis], *output.shape[axis + 1 :]), output.dtype)


@op(infer=_infer_crossentropy)
def categorical_crossentropy(xp, output, target, *, epsilon, axis=-1):
    """-sum(target * log(p)) along `axis`, with p = output / sum(output) clipped to epsilon <= p <= 1 - epsilon.

    Where the sum is 0, as after a relu that is dead, p is the output itself rather than 0 / 0.
    """
    total = xp.sum(output, axis=axis, keepdims=True)
    p = xp.clip(output / xp.where(total == 0, 1, total), epsilon, 1 - epsilon)
    return -xp.sum(target * xp.log(p), axis=axis)


def _clipped(p, epsilon):
    return clip(p, low=epsilon, high=1 - epsilon)


def _inside(p, target, epsilon):
    """target where p is not clipped, 0 elsewhere: clipping stops the gradient."""
    return where(equal(p, _clipped(p, epsilon)), target, 0)


@categorical_crossentropy.vjp
def _(g, y, output, target, *, epsilon, axis):
    g = expand_axes(g, axes=(axis_of(axis, output.ndim),))
    total = sum_(output, axis=axis, keepdims=True)
    total = where(equal(total, 0), 1, total)
    p = output / total
    d = -g * _inside(p, target, epsilon) / _clipped(p, epsilon)
    to_output = (d - sum_(d * p, axis=axis, keepdims=True)) / total
    return to_output, -g * log(_clipped(p, epsilon))


@categorical_crossentropy.vjp_through(softmax)
def _(g, y, inner, output, target, *, epsilon, axis):
    # Straight to the logits: no quotient t / p whose p the softmax gradient multiplies away again.
    if axis_of(inner.attrs["axis"], output.ndim) != axis_of(axis, output.ndim):
        return None
    return (crossentropy_to_logits(g, output, target, epsilon=epsilon, axis=axis),)


def _infer_to_logits(g, output, target, **_):
    return same(output)


@op(infer=_infer_to_logits)
def crossentropy_to_logits(xp, g, output, target, *, epsilon, axis):
    """The gradient of `categorical_crossentropy` with respect to what the softmax `output` was made from."""
    kept = xp.where((output >= epsilon) & (output <= 1 - epsilon), target, xp.zeros_like(target))
    return xp.expand_dims(g, axis) * (output * xp.sum(kept, axis=axis, keepdims=True) - kept)


@crossentropy_to_logits.vjp
@by_formula
def _(g, output, target, *, epsilon, axis):
    kept = _inside(output, target, epsilon)
    return expand_axes(g, axes=(axis_of(axis, output.ndim),)) * (
        output * sum_(kept, axis=axis, keepdims=True) - kept
    )


@crossentropy_to_logits.kernel("numpy")
def _(g, output, target, *, epsilon, axis):
    axes = (axis_of(axis, output.ndim),)
    clipper = _Clip(output, epsilon)
    kept, per_row = (
        np.empty(output.shape, output.dtype),
        row_room(output, axes),
    )
    add_up = sum_call(per_row, kept, axes, True)

    def bind(out, cotangent, p, t):
        share = np.expand_dims(cotangent, axis)

        def run():
            np.multiply(t, clipper.inside(p, kept), out=kept)
            add_up()
            np.multiply(p, per_row, out=out)
            np.subtract(out, kept, out=out)
            np.multiply(out, share, out=out)

        return run

    return bound(bind)


class _Clip:
    """Clipping to epsilon <= p <= 1 - epsilon against whole arrays, which NumPy compares five times as fast."""

    def __init__(self, x: Any, epsilon: float) -> None:
        self.low = np.full(x.shape, epsilon, x.dtype)
        self.high = np.full(x.shape, 1 - epsilon, x.dtype)
        self.mask = np.empty(x.shape, bool)

    def __call__(self, p: np.ndarray, out: np.ndarray) -> np.ndarray:
        np.minimum(p, self.high, out=out)
        return np.maximum(out, self.low, out=out)

    def inside(self, p: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Where p is left as it is, as bool; clipped p in `out`."""
        return np.equal(self(p, out), p, out=self.mask)


@categorical_crossentropy.kernel("numpy")
def _(output, target, *, epsilon, axis):
    axes = (axis_of(axis, output.ndim),)
    clip_to = _Clip(output, epsilon)
    p, per_row = (
        np.empty(output.shape, output.dtype),
        row_room(output, axes),
    )
    empty = np.empty(per_row.shape, bool)

    def bind(out, probabilities, t):
        add_up = sum_call(per_row, probabilities, axes, True)
        add_logs = sum_call(out, p, axes, False)

        def run():
            add_up()
            np.add(per_row, np.equal(per_row, 0, out=empty), out=per_row)
            np.divide(probabilities, per_row, out=p)
            clip_to(p, p)
            np.log(p, out=p)
            np.multiply(p, t, out=p)
            add_logs()
            np.negative(out, out=out)

        return run

    return bound(bind)


# ---- cross-entropy with class numbers, and from logits


def _infer_sparse(output, target, **_):
    if output.ndim != target.ndim + 1:
        raise ValueError("the target needs one axis less than the output: class numbers instead of shares")
    return Spec(target.shape, output.dtype)


def _picked(xp, x, target):
    """x[..., target], the element that each class number names."""
    _check_classes(target, x.shape[-1])
    return xp.take_along_axis(x, target[..., None], axis=-1)[..., 0]


def _check_classes(target, classes):
    """Raises ValueError for a class number out of range."""
    if not within(target, classes):
        bad = outside(target, classes)
        raise ValueError(f"class number {bad} is out of range: there are {classes} classes, counted from 0")


@op(infer=_infer_sparse)
def sparse_categorical_crossentropy(xp, output, target, *, epsilon):
    """-log(p[target] / sum(p)) along the last axis, with p = output clipped to epsilon <= p <= 1 - epsilon."""
    p = xp.clip(output, epsilon, 1 - epsilon)
    return xp.log(xp.sum(p, axis=-1)) - xp.log(_picked(xp, p, target))


@sparse_categorical_crossentropy.vjp
def _(g, y, output, target, *, epsilon):
    p = _clipped(output, epsilon)
    hot = one_hot_like(target, output, output.dtype)
    d = 1 / sum_(p, axis=-1, keepdims=True) - hot / p
    return where(equal(output, p), expand_axes(g, axes=(y.ndim,)) * d, 0), None


@sparse_categorical_crossentropy.vjp_through(softmax)
def _(g, y, inner, output, target, *, epsilon):
    if axis_of(inner.attrs["axis"], output.ndim) != output.ndim - 1:
        return None
    return (sparse_crossentropy_to_logits(g, output, target, epsilon=epsilon),)


@sparse_categorical_crossentropy.kernel("numpy")
def _(output, target, *, epsilon):
    clip_to, places = _Clip(output, epsilon), _Places(target.shape, output.shape[-1])
    p, total = np.empty(output.shape, output.dtype), np.empty(target.shape, output.dtype)
    add_up = sum_call(total, p, (output.ndim - 1,), False)

    def run(out, probabilities, t):
        clip_to(probabilities, p)
        add_up()
        np.take(p.reshape(-1), places(t), out=out, mode="clip")
        np.divide(total, out, out=out)
        np.log(out, out=out)

    return run


class _Places:
    """Where the elements that class numbers name lie in the flat array of scores, one buffer for all calls."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        self.classes = classes
        self.starts = np.arange(math.prod(shape), dtype="int64").reshape(shape) * classes
        self.buffer = np.empty_like(self.starts)

    def __call__(self, target: np.ndarray) -> np.ndarray:
        _check_classes(target, self.classes)
        return np.add(self.starts, target, out=self.buffer)


def _infer_sparse_to_logits(g, output, target, **_):
    return same(output)


@op(infer=_infer_sparse_to_logits)
def sparse_crossentropy_to_logits(xp, g, output, target, *, epsilon):
    """The gradient of `sparse_categorical_crossentropy` with respect to what the softmax `output` was made from."""
    p = xp.clip(output, epsilon, 1 - epsilon)
    hot = target[..., None] == xp.arange(output.shape[-1], dtype=target.dtype)
    d = xp.where(p == output, output / xp.sum(p, axis=-1, keepdims=True) - hot, xp.zeros_like(output))
    return g[..., None] * (d - output * xp.sum(d, axis=-1, keepdims=True))


@sparse_crossentropy_to_logits.vjp
@by_formula
def _(g, output, target, *, epsilon):
    p = _clipped(output, epsilon)
    hot = one_hot_like(target, output, output.dtype)
    d = where(equal(output, p), output / sum_(p, axis=-1, keepdims=True) - hot, 0)
    return expand_axes(g, axes=(target.ndim,)) * (d - output * sum_(d, axis=-1, keepdims=True))


@sparse_crossentropy_to_logits.kernel("numpy")
def _(g, output, target, *, epsilon):
    clipper, last = _Clip(output, epsilon), (output.ndim - 1,)
    p, total = np.empty(output.shape, output.dtype), row_room(output, last)
    hot, classes = np.empty(output.shape, bool), np.arange(output.shape[-1], dtype=target.dtype)
    add_up = sum_call(total, p, last, True)

    def bind(out, cotangent, probabilities, t):
        add_rest = sum_call(total, out, last, True)
        share, number = cotangent[..., None], t[..., None]

        def run():
            inside = clipper.inside(probabilities, p)
            add_up()
            np.divide(probabilities, total, out=out)
            np.equal(number, classes, out=hot)
            np.subtract(out, hot, out=out)
            np.multiply(out, inside, out=out)
            add_rest()
            np.multiply(probabilities, total, out=p)
            np.subtract(out, p, out=out)
            np.multiply(out, share, out=out)

        return run

    return bound(bind)


@op(infer=_infer_sparse)
def sparse_softmax_crossentropy(xp, x, target):
    """-log(softmax(x)[target]) along the last axis."""
    x = x - xp.max(x, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(x), axis=-1)) - _picked(xp, x, target)


@sparse_softmax_crossentropy.vjp
def _(g, y, x, target):
    d = softmax(x, axis=-1) - one_hot_like(target, x, x.dtype)
    return expand_axes(g, axes=(y.ndim,)) * d, None


@sparse_softmax_crossentropy.kernel("numpy")
def _(x, target):
    last = (x.ndim - 1,)
    places = _Places(target.shape, x.shape[-1])
    shifted, per_row = np.empty(x.shape, x.dtype), np.empty((*target.shape, 1), x.dtype)
    mine = np.empty(target.shape, x.dtype)

    def bind(out, logits, t):
        take_peak = extreme_call(np.maximum.reduce, per_row, logits, last, True)
        add_up = sum_call(out, shifted, last, False)

        def run():
            take_peak()
            np.subtract(logits, per_row, out=shifted)
            np.take(shifted.reshape(-1), places(t), out=mine, mode="clip")
            np.exp(shifted, out=shifted)
            add_up()
            np.log(out, out=out)
            np.subtract(out, mine, out=out)

        return run

    return bound(bind)


def _infer_from_logits(x, target, *, axis):
    return _infer_crossentropy(x, target, epsilon=0, axis=axis)


@op(infer=_infer_from_logits)
def softmax_crossentropy(xp, x, target, *, axis=-1):
    """-sum(target * log(softmax(x))) along `axis`."""
    x = x - xp.max(x, axis=axis, keepdims=True)
    return xp.sum(target * (xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True)) - x), axis=axis)


@softmax_crossentropy.vjp
def _(g, y, x, target, *, axis):
    g = expand_axes(g, axes=(axis_of(axis, x.ndim),))
    to_x = softmax(x, axis=axis) * sum_(target, axis=axis, keepdims=True) - target
    return g * to_x, g * (logsumexp(x, axis=axis, keepdims=True) - x)


@softmax_crossentropy.kernel("numpy")
def _(x, target, *, axis):
    axes = (axis_of(axis, x.ndim),)
    shifted, e = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    per_row = row_room(x, axes)
    add_up = sum_call(per_row, e, axes, True)

    def bind(out, logits, t):
        take_peak = extreme_call(np.maximum.reduce, per_row, logits, axes, True)
        add_losses = sum_call(out, shifted, axes, False)

        def run():
            take_peak()
            np.subtract(logits, per_row, out=shifted)
            np.exp(shifted, out=e)
            add_up()
            np.log(per_row, out=per_row)
            np.subtract(per_row, shifted, out=shifted)
            np.multiply(shifted, t, out=shifted)
            add_losses()

        return run

    return bound(bind)
