"""Batch normalization: statistics and scaling of a batch in one op, its gradient in another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina.op import op
from lamina.ops.elementwise import sqrt
from lamina.ops.kernels import bound, fallback, is_blas, ones
from lamina.ops.reduction import count, sum_
from lamina.ops.rules import by_formula, reduced, total
from lamina.ops.shape import drop_axes, expand_axes
from lamina.tensor import Spec


def _infer(x, gamma, beta, *, axes, epsilon):
    shape = reduced(x.shape, axes, False)
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        sizes = zip(parameter.shape, shape, strict=False)
        if parameter.ndim != len(shape) or any(None not in pair and pair[0] != pair[1] for pair in sizes):
            raise ValueError(
                f"{name} of shape {parameter.shape} needs the sizes of the axes that are kept, {shape}"
            )
    return Spec(x.shape, x.dtype), Spec(shape, x.dtype), Spec(shape, x.dtype)


@op(infer=_infer)
def batch_normalization(xp, x, gamma, beta, *, axes, epsilon):
    """((x - mean) / sqrt(var + epsilon) * gamma + beta, mean, var), with statistics over `axes`.

    gamma, beta, mean and var have the other axes of x.  var divides by the number of elements, n, not by n - 1.
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """
    n = math.prod(x.shape[axis] for axis in axes)
    mean = xp.sum(x, axis=axes, keepdims=True) / n
    centred = x - mean
    var = xp.sum(xp.square(centred), axis=axes, keepdims=True) / n
    scale = gamma.reshape(mean.shape) / xp.sqrt(var + xp.asarray(epsilon, x.dtype))
    return centred * scale + beta.reshape(mean.shape), mean.reshape(gamma.shape), var.reshape(gamma.shape)


@batch_normalization.vjp
def _(g, y, x, gamma, beta, *, axes, epsilon):
    (to_y, to_mean, to_var), (_, mean, var) = g, y
    to_x = to_gamma = to_beta = None
    if to_y is not None:
        to_x, to_gamma, to_beta = batch_normalization_grad(
            to_y, x, gamma, mean, var, axes=axes, epsilon=epsilon
        )
    parts = [to_x]
    if to_mean is not None:
        parts.append(expand_axes(to_mean, axes=axes) / count(x, axis=axes, dtype=x.dtype))
    if to_var is not None:
        share = expand_axes(to_var, axes=axes) * 2 / count(x, axis=axes, dtype=x.dtype)
        parts.append(share * (x - expand_axes(mean, axes=axes)))
    return total(parts), to_gamma, to_beta


@batch_normalization.kernel("numpy")
def _(x, gamma, beta, *, axes, epsilon):
    if not _Blocks.fit(x, axes):
        return None
    attrs = {"axes": axes, "epsilon": epsilon}
    epsilon = np.asarray(epsilon, x.dtype)

    def bind(outs, array, scale, offset):
        out, mean, var = outs
        if not array.flags.c_contiguous:
            return fallback(batch_normalization, attrs, outs, array, scale, offset)
        blocks = _Blocks(x, axes)
        pairs = list(zip(blocks.of(array), blocks.of(out), strict=True))
        row, other, deviation = blocks.row(), blocks.row(), np.empty_like(mean)

        def run():
            blocks.start()
            for a, _ in pairs:
                blocks.add(a)
            blocks.mean(mean)
            blocks.spread(mean, row)
            blocks.start()
            for a, o in pairs:
                square = blocks.scratch[: len(a)]
                np.subtract(a, row, out=o)
                np.multiply(o, o, out=square)
                blocks.add(square)
            blocks.mean(var)
            np.add(var, epsilon, out=deviation)
            np.sqrt(deviation, out=deviation)
            np.divide(scale, deviation, out=deviation)
            blocks.spread(deviation, row)
            blocks.spread(offset, other)
            for _, o in pairs:
                np.multiply(o, row, out=o)
                np.add(o, other, out=o)

        return run

    return bound(bind)


def _infer_grad(g, x, gamma, mean, var, **_):
    return Spec(x.shape, x.dtype), Spec(mean.shape, x.dtype), Spec(mean.shape, x.dtype)


@op(infer=_infer_grad)
def batch_normalization_grad(xp, g, x, gamma, mean, var, *, axes, epsilon):
    """What reaches x, gamma and beta of a batch normalization from the cotangent g of its normalized output."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    n = math.prod(x.shape[axis] for axis in axes)
    scale = 1 / xp.sqrt(var.reshape(kept) + xp.asarray(epsilon, x.dtype))
    normal = (x - mean.reshape(kept)) * scale
    to_beta = xp.sum(g, axis=axes, keepdims=True)
    to_gamma = xp.sum(g * normal, axis=axes, keepdims=True)
    to_x = gamma.reshape(kept) * scale * (g - (to_beta + normal * to_gamma) / n)
    return to_x, to_gamma.reshape(mean.shape), to_beta.reshape(mean.shape)


@batch_normalization_grad.vjp
@by_formula
def _(g, x, gamma, mean, var, *, axes, epsilon):
    scale = 1 / sqrt(expand_axes(var, axes=axes) + epsilon)
    normal = (x - expand_axes(mean, axes=axes)) * scale
    to_beta = sum_(g, axis=axes, keepdims=True)
    to_gamma = sum_(g * normal, axis=axes, keepdims=True)
    share = (to_beta + normal * to_gamma) / count(x, axis=axes, dtype=x.dtype)
    to_x = expand_axes(gamma, axes=axes) * scale * (g - share)
    return to_x, drop_axes(to_gamma, axes=axes), drop_axes(to_beta, axes=axes)


@batch_normalization_grad.kernel("numpy")
def _(g, x, gamma, mean, var, *, axes, epsilon):
    if not _Blocks.fit(x, axes):
        return None
    attrs = {"axes": axes, "epsilon": epsilon}
    epsilon = np.asarray(epsilon, x.dtype)

    def bind(outs, cotangent, array, scale, centre, variance):
        to_x, to_gamma, to_beta = outs
        if not (array.flags.c_contiguous and cotangent.flags.c_contiguous):
            return fallback(batch_normalization_grad, attrs, outs, cotangent, array, scale, centre, variance)
        blocks = _Blocks(x, axes)
        parts = list(zip(blocks.of(cotangent), blocks.of(array), blocks.of(to_x), strict=True))
        middle, slope, offset = blocks.row(), blocks.row(), blocks.row()
        deviation, factor, work = np.empty_like(to_beta), np.empty_like(to_beta), np.empty_like(to_beta)

        def run():
            blocks.spread(centre, middle)
            blocks.start()
            for c, _, _ in parts:
                blocks.add(c)
            blocks.total(to_beta)
            blocks.start()
            for c, a, _ in parts:
                product = blocks.scratch[: len(a)]
                np.subtract(a, middle, out=product)
                np.multiply(product, c, out=product)
                blocks.add(product)
            blocks.total(to_gamma)
            np.add(variance, epsilon, out=deviation)
            np.sqrt(deviation, out=deviation)
            np.divide(to_gamma, deviation, out=to_gamma)
            np.divide(scale, deviation, out=factor)
            # to_x = factor * g - (x - mean) * (factor * to_gamma / deviation / n) - factor * to_beta / n
            np.multiply(factor, to_gamma, out=work)
            np.divide(work, deviation, out=work)
            np.divide(work, blocks.count, out=work)
            blocks.spread(work, slope)
            np.multiply(factor, to_beta, out=work)
            np.divide(work, blocks.count, out=work)
            blocks.spread(work, offset)
            blocks.spread(factor, blocks.other)
            for c, a, o in parts:
                product = blocks.scratch[: len(a)]
                np.subtract(a, middle, out=product)
                np.multiply(product, slope, out=product)
                np.multiply(c, blocks.other, out=o)
                np.subtract(o, product, out=o)
                np.subtract(o, offset, out=o)

        return run

    return bound(bind)


class _Blocks:
    """A tensor cut into blocks that stay in cache, and the sums over its reduced axes, added up block by block.

    Channels last: blocks are rows (samples, channels), several samples side by side where there are few channels,
    since NumPy's inner loop runs along a row.  Channels first: a block is one sample, (channels, positions).
    """

    BYTES = 1 << 17
    WIDTH = 1024  # elements of a row worth having

    @staticmethod
    def fit(x: Spec, axes: tuple[int, ...]) -> bool:
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        together = bool(kept) and kept == list(range(kept[0], kept[-1] + 1))
        return is_blas(x.dtype) and together and 0 not in x.shape

    def __init__(self, x: Any, axes: tuple[int, ...]) -> None:
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        self.shape = tuple(x.shape[axis] for axis in kept)
        channels = math.prod(self.shape)
        before, after = math.prod(x.shape[: kept[0]]), math.prod(x.shape[kept[-1] + 1 :])
        self.dtype = x.dtype
        self.count = np.asarray(before * after, x.dtype)
        self.columns = after > 1
        self.beside = 1
        if self.columns:
            self.view: tuple[int, ...] = (before, channels, after)
            self.step = 1
            self.scratch = np.empty((channels, after), x.dtype)
        else:
            while before % (2 * self.beside) == 0 and 2 * self.beside * channels <= self.WIDTH:
                self.beside *= 2
            self.view = (before // self.beside, self.beside * channels)
            row = self.view[1] * np.dtype(x.dtype).itemsize
            self.step = max(1, min(self.BYTES // row, self.view[0]))
            self.scratch = np.empty((self.step, self.view[1]), x.dtype)
        self.sums = np.empty(self.beside * channels, x.dtype)
        self.part = np.empty_like(self.sums)
        self.other = self.row()

    def of(self, array: np.ndarray) -> list[np.ndarray]:
        """The blocks of a contiguous array."""
        view = array.reshape(self.view)
        return (
            list(view) if self.columns else [view[i : i + self.step] for i in range(0, len(view), self.step)]
        )

    def row(self) -> np.ndarray:
        """Room for one number a channel, in the shape that broadcasts against a block."""
        return np.empty((self.view[1], 1) if self.columns else self.view[1], self.dtype)

    def spread(self, values: np.ndarray, row: np.ndarray) -> None:
        """Write one number a channel into a row."""
        np.copyto(row.reshape(self.beside, *self.shape), values)

    def start(self) -> None:
        self.sums.fill(0)

    def add(self, block: np.ndarray) -> None:
        """Add the sums of one block."""
        if self.columns:
            np.dot(block, ones(block.shape[1], self.dtype), out=self.part)
        else:
            np.dot(ones(len(block), self.dtype), block, out=self.part)
        np.add(self.sums, self.part, out=self.sums)

    def total(self, out: np.ndarray) -> None:
        """Write the sums, one a channel."""
        np.add.reduce(self.sums.reshape(self.beside, *self.shape), axis=0, out=out)

    def mean(self, out: np.ndarray) -> None:
        """Write the sums divided by the number of elements."""
        self.total(out)
        np.divide(out, self.count, out=out)
