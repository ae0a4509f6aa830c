"""NumPy's kernels for convolution: windows as rows of a matrix, and products by BLAS.

A run copies and multiplies, and allocates nothing: memory is taken when a kernel is bound to its arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lamina.ops.kernels import Call, Memory, Prepares, combined, in_turn, is_blas
from lamina_conv import winograd
from lamina_conv.convolution import conv, conv_input_grad, conv_kernel_grad
from lamina_conv.patches import Block, gathered, in_place, laid_out
from lamina_conv.windows import Slide, slides

ROWS = 256  # windows in a block at least: for every product BLAS packs the other factor again
FEW = 4  # channels: adding images up is faster from columns for these


@conv.kernel("numpy")
def _(x, kernel, *, strides, padding, dilation_rate):
    if not is_blas(x.dtype):
        return None
    axes = slides(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    m = winograd.tile_for(x, kernel.shape[-2], kernel.shape[-1], axes)
    if m is not None:
        return in_turn(lambda out, images, weights: winograd.convolve(out, images, weights, axes, m))
    return in_turn(lambda out, images, weights: _correlate(out, images, weights, axes))


@conv_input_grad.kernel("numpy")
def _(g, kernel, shape, *, strides, padding, dilation_rate):
    if not is_blas(g.dtype) or shape.value is None:
        return None
    axes = slides(shape.value[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    turned = _turned(axes)
    # Turning the kernel round pays where it is small beside the images, and BLAS wants more than one column.
    worth = shape.value[-1] > 1 and math.prod(g.shape[:-1]) > g.shape[-1]

    def calls(out, outputs, weights, _):
        if turned is None or not worth or in_place(out, axes) is not None:
            return _spread(out, outputs, weights, axes)
        backwards = weights[(slice(None, None, -1),) * len(axes)].swapaxes(-1, -2)
        m = winograd.tile_for(g, kernel.shape[-1], kernel.shape[-2], turned)
        if m is not None:
            return winograd.convolve(out, outputs, backwards, turned, m)
        return _correlate(out, outputs, backwards, turned)

    return in_turn(calls)


@conv_kernel_grad.kernel("numpy")
def _(x, g, shape, *, strides, padding, dilation_rate):
    if not is_blas(x.dtype) or shape.value is None:
        return None
    axes = slides(x.shape[1:-1], shape.value[:-2], strides, dilation_rate, padding)
    return in_turn(lambda out, images, outputs, _: _compare(out, images, outputs, axes))


# ---- the three products


def _correlate(
    out: np.ndarray, x: np.ndarray, kernel: np.ndarray, axes: Sequence[Slide]
) -> Iterator[Call | Prepares]:
    """Every window of x times the kernel."""
    weights, copy = _matrix(kernel)
    yield from (Prepares(call, winograd.KERNEL) for call in copy)
    result, _ = _matrix(out)
    for block in gathered(x, axes, ROWS):
        yield from block.fill
        yield partial(np.dot, block.matrix, weights, out=result[block.rows])


def _compare(out: np.ndarray, x: np.ndarray, g: np.ndarray, axes: Sequence[Slide]) -> Iterator[Call]:
    """The windows of x, transposed, times g: added up over blocks."""
    total, _ = _matrix(out)
    # The product of a block is as large as the kernel, and should be small beside the windows it is made from.
    blocks = gathered(x, axes, max(ROWS, 2 * out.shape[-1]))
    if not blocks:
        yield partial(out.fill, 0)
    part = np.empty_like(total) if len(blocks) > 1 else total
    outputs = _Rows(g, blocks)
    for number, block in enumerate(blocks):
        yield from block.fill
        rows, copy = outputs.of(block)
        yield from copy
        yield partial(np.dot, block.matrix.T, rows, out=part if number else total)
        if number:
            yield partial(np.add, total, part, out=total)


def _spread(out: np.ndarray, g: np.ndarray, kernel: np.ndarray, axes: Sequence[Slide]) -> Iterator[Call]:
    """Every row of g times the kernel, transposed: windows, to be added up where they overlap."""
    weights, copy = _matrix(kernel)
    yield from copy
    whole = in_place(out, axes)
    if whole is None or whole.matrix.size < out.size:
        yield partial(out.fill, 0)
    blocks = laid_out(out, axes, out.shape[-1] <= FEW, ROWS) if whole is None else [whole]
    outputs, memory = _Rows(g, blocks), Memory()
    for block in blocks:
        rows, copy = outputs.of(block)
        yield from copy
        if block.matrix.flags.c_contiguous:
            yield partial(np.dot, rows, weights.T, out=block.matrix)
        else:
            yield partial(np.dot, weights, rows.T, out=block.matrix.T)
        if whole is None:
            yield from _add(out, block, axes, memory)


def _add(out: np.ndarray, block: Block, axes: Sequence[Slide], memory: Memory) -> Iterator[Call]:
    """Each position of the windows of a block, added to the pixels it lies on."""
    for position in itertools.product(*(range(slide.window) for slide in axes)):
        seen = [axes[0].seen(position[0], block.first.start, block.first.stop)]
        seen += [slide.seen(at) for slide, at in zip(axes[1:], position[1:], strict=True)]
        target = out[(block.images, *(pixels for _, pixels in seen))]
        place: tuple[Any, ...] = (slice(None), *(placed for placed, _ in seen), *position)
        if target.size:
            yield from combined(np.add, target, block.windows[place], memory)


# ---- their factors


def _turned(axes: Sequence[Slide]) -> tuple[Slide, ...] | None:
    """How the kernel, turned round, slides over the outputs to give the images: for stride 1, else None."""
    found = []
    for slide in axes:
        before, after = slide.span - 1 - slide.before, slide.span - 1 - slide.after
        if slide.stride != 1 or before < 0 or after < 0:
            return None
        found.append(replace(slide, size=slide.count, before=before, after=after))
    return tuple(found)


def _matrix(array: np.ndarray) -> tuple[np.ndarray, list[Call]]:
    """The array as a matrix with its last axis as columns, and the calls that come before each use."""
    shape = (math.prod(array.shape[:-1]), array.shape[-1])
    if array.flags.c_contiguous:
        return array.reshape(shape), []
    copy = np.empty(array.shape, array.dtype)
    return copy.reshape(shape), [partial(np.copyto, copy, array)]


class _Rows:
    """A row of g for each window: g itself as a matrix, or a copy for each block where its memory is in other order."""

    def __init__(self, g: np.ndarray, blocks: Sequence[Block]) -> None:
        self.g = g
        most = 0 if g.flags.c_contiguous else max((len(block.matrix) for block in blocks), default=0)
        self.memory = np.empty((most, g.shape[-1]), g.dtype)

    def of(self, block: Block) -> tuple[np.ndarray, list[Call]]:
        """The rows of a block, and the calls that come before each use."""
        if self.g.flags.c_contiguous:
            return _matrix(self.g)[0][block.rows], []
        rows = self.memory[: len(block.matrix)]
        source = self.g[block.images, block.first]
        return rows, [partial(np.copyto, rows.reshape(source.shape), source)]
