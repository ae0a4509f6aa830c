"""Windows laid out as a matrix, one row for each, a block of them at a time.

A block holds about a megabyte, so that it is still in the cache when a product reads it.  Windows that already lie in
memory as a matrix (1 x 1 with stride 1, say) are left where they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from lamina.ops.kernels import Call
from lamina_conv.windows import Slide, view

BLOCK = 1 << 20  # bytes
RUN = (
    16  # elements: where windows can only be copied in shorter runs, their transpose is copied in longer ones
)


@dataclass
class Block:
    """Some of the windows of a batch of images.

    images, first: which images these are, and which windows along their first axis.
    rows: which windows these are, when all are counted through.
    matrix: (windows, positions * channels); in memory it may be transposed.
    windows: the same numbers, (images, *counts, *window, channels).
    fill: the calls that put them there.
    """

    images: slice
    first: slice
    rows: slice
    matrix: np.ndarray
    windows: np.ndarray
    fill: list[Call] = field(default_factory=list)


def gathered(x: np.ndarray, axes: Sequence[Slide], least: int) -> list[Block]:
    """All windows of x, in blocks of `least` or more, to be filled one after another."""
    whole = in_place(x, axes)
    if whole is not None:
        return [whole]
    blocks = laid_out(x, axes, _short(x, axes), least)
    look = Padded(x, axes, blocks) if any(slide.before or slide.after for slide in axes) else _Bare(x, axes)
    for block in blocks:
        source, block.fill = look.at(block)
        block.fill.append(partial(np.copyto, block.windows, source))
    return blocks


def in_place(x: np.ndarray, axes: Sequence[Slide]) -> Block | None:
    """All windows of x as a matrix that is x's own memory, if they lie there as one."""
    if any(slide.before or slide.after for slide in axes):
        return None
    windows = view(np, x, axes, [slide.count for slide in axes])
    rows = math.prod(windows.shape[: x.ndim - 1])
    try:
        matrix = windows.reshape(rows, math.prod(windows.shape[x.ndim - 1 :]), copy=False)
    except ValueError:
        return None
    if not matrix.flags.c_contiguous:  # windows that overlap: BLAS cannot read these
        return None
    return Block(slice(0, len(x)), slice(0, axes[0].count), slice(0, rows), matrix, windows)


def laid_out(x: np.ndarray, axes: Sequence[Slide], across: bool, least: int) -> list[Block]:
    """Blocks for all windows of x, each in the memory of the one before.  across: a window is a column there."""
    batch, channels = x.shape[0], x.shape[-1]
    if batch == 0:
        return []
    window, count = [slide.window for slide in axes], [slide.count for slide in axes]
    width, rest = math.prod(window) * channels, math.prod(count[1:])
    # Whole images where several fit into a block, else some rows of one.
    most = max(least, BLOCK // (width * x.itemsize))
    images = part(batch, most // (count[0] * rest))
    band = count[0] if images > 1 else part(count[0], most // rest)
    memory = np.empty(images * band * rest * width, x.dtype)
    blocks = []
    for image, row in itertools.product(range(0, batch, images), range(0, count[0], band)):
        shape = (min(images, batch - image), min(band, count[0] - row), *count[1:])
        size = math.prod(shape)
        start = (image * count[0] + row) * rest
        used = memory[: size * width]
        if across:
            matrix = used.reshape(width, size).T
            turned = used.reshape(*window, channels, *shape)
            windows = np.moveaxis(turned, range(x.ndim - 1), range(x.ndim - 1, 2 * x.ndim - 2))
        else:
            matrix, windows = used.reshape(size, width), used.reshape(*shape, *window, channels)
        places = slice(image, image + shape[0]), slice(row, row + shape[1]), slice(start, start + size)
        blocks.append(Block(*places, matrix, windows))
    return blocks


def part(total: int, most: int) -> int:
    """The size of equal parts, `most` at the most, that `total` is cut into."""
    return -(-total // -(-total // max(most, 1)))


def _short(x: np.ndarray, axes: Sequence[Slide]) -> bool:
    """Whether windows of x can only be copied in short runs."""
    *_, step, channel = x.strides
    run = 1
    for length, stride in ((x.shape[-1], channel), (axes[-1].window, step * axes[-1].dilation)):
        if length > 1 and stride != run * x.itemsize:
            break
        run *= length
    return run < RUN


# ---- what windows look at


class _Bare:
    """The images themselves."""

    def __init__(self, x: np.ndarray, axes: Sequence[Slide]) -> None:
        self.windows = view(np, x, axes, [slide.count for slide in axes])

    def at(self, block: Block) -> tuple[np.ndarray, list[Call]]:
        """What the windows of a block see, and the calls that come before."""
        return self.windows[block.images, block.first], []


class Padded:
    """The rows of the images that a block looks at, in the middle of zeros."""

    def __init__(self, x: np.ndarray, axes: Sequence[Slide], blocks: Sequence[Block]) -> None:
        self.x, self.axes = x, axes
        if blocks:
            count = blocks[0].windows.shape[1 : x.ndim - 1]
            extents = [(n - 1) * slide.stride + slide.span for n, slide in zip(count, axes, strict=True)]
            shape = (blocks[0].windows.shape[0], *extents, x.shape[-1])
            # In x's own order of axes, so that copying is fast whatever the data format.
            order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
            self.array = np.zeros([shape[axis] for axis in order], x.dtype).transpose(np.argsort(order))

    def at(self, block: Block) -> tuple[np.ndarray, list[Call]]:
        """What the windows of a block see, and the calls that come before."""
        images, *count = block.windows.shape[: self.x.ndim - 1]
        first = self.axes[0]
        rows = (count[0] - 1) * first.stride + first.span
        array = self.array[:images, :rows]
        starts = [
            block.first.start * first.stride - first.before,
            *[-slide.before for slide in self.axes[1:]],
        ]
        common = [
            _common(slide.size, start, extent)
            for slide, start, extent in zip(self.axes, starts, array.shape[1:-1], strict=True)
        ]
        source = self.x[(block.images, *(pixels for pixels, _ in common))]
        target = array[(slice(None), *(middle for _, middle in common))]
        # Above and below the image there may still be what an earlier block had there.
        middle = common[0][1]
        outside = (array[:, : middle.start], array[:, middle.stop :])
        calls: list[Call] = [partial(zeros.fill, 0) for zeros in outside if zeros.size]
        return view(np, array, self.axes, count), [*calls, partial(np.copyto, target, source)]


def _common(size: int, start: int, extent: int) -> tuple[slice, slice]:
    """Of `extent` positions from `start` on, those on an axis of this size; and where they are among the positions."""
    first = min(max(start, 0), size)
    last = max(first, min(start + extent, size))
    place = min(max(-start, 0), extent)
    return slice(first, last), slice(place, place + last - first)
