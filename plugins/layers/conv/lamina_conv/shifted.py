"""NumPy's kernels for depthwise convolution: a multiplication and an addition for each position of the window.

What one position of every window sees is the image, shifted.  Blocks of rows are copied to where all shifts of a row
are contiguous runs, zeros around them included, and stay in the cache for all positions.  The kernel is repeated along
a row beforehand, so that one inner loop takes in a whole row with all its channels.  A run allocates nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lamina.ops.kernels import Call, Memory, in_turn, is_blas, ones
from lamina_conv.depthwise import depthwise, depthwise_input_grad, depthwise_kernel_grad
from lamina_conv.patches import part
from lamina_conv.windows import Slide, slides

BLOCK = (
    1 << 18
)  # bytes of outputs made at a time: they, what they are made of and the products share the cache


@depthwise.kernel("numpy")
def _(x, kernel, *, strides, padding, dilation_rate):
    if not is_blas(x.dtype):
        return None
    axes = slides(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)

    def calls(out, images, weights):
        looks = [_forward(slide) for slide in axes]
        yield from _combine(_apart(out, weights), [images], weights, looks)

    return in_turn(calls, by_row=True)


@depthwise_input_grad.kernel("numpy")
def _(g, kernel, shape, *, strides, padding, dilation_rate):
    if not is_blas(g.dtype) or shape.value is None:
        return None
    axes = slides(shape.value[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)

    def calls(out, outputs, weights, _):
        # Pixels a stride apart see the same positions of the kernel: they are made together.
        for phases in itertools.product(*(range(min(slide.stride, slide.size)) for slide in axes)):
            pixels = [slice(phase, None, slide.stride) for phase, slide in zip(phases, axes, strict=True)]
            looks = [_backward(slide, phase) for slide, phase in zip(axes, phases, strict=True)]
            yield from _combine([out[(slice(None), *pixels)]], _apart(outputs, weights), weights, looks)

    return in_turn(calls, by_row=True)


@depthwise_kernel_grad.kernel("numpy")
def _(x, g, shape, *, strides, padding, dilation_rate):
    if not is_blas(x.dtype) or shape.value is None:
        return None
    axes = slides(x.shape[1:-1], shape.value[:-2], strides, dilation_rate, padding)

    def calls(out, images, outputs, _):
        return _compare(out, images, _apart(outputs, out), [_forward(slide) for slide in axes])

    return in_turn(calls, by_row=True)


def _apart(y: np.ndarray, kernel: np.ndarray) -> list[np.ndarray]:
    """The outputs that each of a channel's filters makes: (batch, *counts, channels) each."""
    split = y.reshape(*y.shape[:-1], *kernel.shape[-2:])  # of one axis: always a view
    return [split[..., m] for m in range(kernel.shape[-1])]


# ---- where outputs look


@dataclass(frozen=True)
class Look:
    """Along one axis: output j, of `count`, is made from sources j * stride + offset.

    size: of the source; what lies beyond is 0.  offsets: of each position of the kernel that takes part.
    """

    count: int
    size: int
    stride: int
    offsets: dict[int, int]

    @property
    def low(self) -> int:
        """The least of the offsets."""
        return min(self.offsets.values())

    def reach(self, count: int) -> int:
        """From the first source that `count` outputs are made from to the last, both counted."""
        return (count - 1) * self.stride + max(self.offsets.values()) - self.low + 1


def _forward(slide: Slide) -> Look:
    """How windows look at the image."""
    offsets = {position: position * slide.dilation - slide.before for position in range(slide.window)}
    return Look(slide.count, slide.size, slide.stride, offsets)


def _backward(slide: Slide, phase: int) -> Look:
    """How every stride-th pixel from `phase` on looks at the windows that saw it."""
    reach = ((position, phase + slide.before - position * slide.dilation) for position in range(slide.window))
    offsets = {position: way // slide.stride for position, way in reach if way % slide.stride == 0}
    return Look(len(range(phase, slide.size, slide.stride)), slide.count, 1, offsets)


# ---- products


def _combine(
    targets: Sequence[np.ndarray], sources: Sequence[np.ndarray], kernel: np.ndarray, looks: Sequence[Look]
) -> Iterator[Call]:
    """Each target from the one source, or the one target from all sources, each by its filter of the kernel."""
    if not all(look.offsets for look in looks):  # pixels that no window sees
        yield from (partial(target.fill, 0) for target in targets)
        return
    targets, sources, kernel, looks = _with_rows(targets, sources, kernel, looks)
    blocks = _blocks(targets[0])
    if not blocks:
        return
    repeated = np.empty(
        (kernel.shape[-1], *kernel.shape[:-2], looks[-1].count, kernel.shape[-2]), kernel.dtype
    )
    yield partial(np.copyto, repeated, np.moveaxis(kernel, -1, 0)[..., None, :])
    weights = repeated.reshape(*repeated.shape[:-2], -1)
    shifts, memory = _Shifts(sources[0], looks, targets[0][blocks[0]].shape), Memory()
    for block in blocks:
        for number, source in enumerate(sources):
            seen, copy = shifts.of(source, block, targets[0][block].shape)
            yield from copy
            for m, target in enumerate(targets, start=number):
                place = target[block]
                in_place = len(sources) == 1 and target.flags.c_contiguous
                total = _lines(place) if in_place else memory("total", _lines_shape(place), place.dtype)
                product = memory("product", total.shape, total.dtype)
                for position, shifted in seen:
                    factors = shifted, weights[(m, *position)]
                    if number == 0 and position == seen[0][0]:
                        yield partial(np.multiply, *factors, out=total)
                    else:
                        yield partial(np.multiply, *factors, out=product)
                        yield partial(np.add, total, product, out=total)
                if number == len(sources) - 1 and not in_place:
                    yield partial(np.copyto, place, total.reshape(place.shape))


def _compare(
    out: np.ndarray, x: np.ndarray, outputs: Sequence[np.ndarray], looks: Sequence[Look]
) -> Iterator[Call]:
    """For each position, each filter's outputs times what the position saw: added up over windows and blocks."""
    outputs, (x,), kernel, looks = _with_rows(outputs, [x], out, looks)
    totals = np.empty((len(outputs), *kernel.shape[:-1]), out.dtype)
    result = partial(np.copyto, kernel, np.moveaxis(totals, 0, -1))
    blocks = _blocks(outputs[0])
    if not blocks:
        yield partial(out.fill, 0)
        return
    shifts, memory = _Shifts(x, looks, outputs[0][blocks[0]].shape), Memory()
    more = np.empty(x.shape[-1], out.dtype)
    for block in blocks:
        shape = outputs[0][block].shape
        seen, copy = shifts.of(x, block, shape)
        yield from copy
        windows = ones(math.prod(shape[:-1]), out.dtype.name)
        for m, g in enumerate(outputs):
            lines = g[block]
            if g.flags.c_contiguous:
                lines = _lines(lines)
            else:
                lines, source = memory("lines", _lines_shape(lines), g.dtype), lines
                yield partial(np.copyto, lines.reshape(shape), source)
            product = memory("product", lines.shape, out.dtype)
            for position, shifted in seen:
                yield partial(np.multiply, shifted, lines, out=product)
                total = totals[(m, *position)]
                sums = total if block is blocks[0] else more
                yield partial(np.dot, windows, product.reshape(-1, shape[-1]), out=sums)
                if sums is more:
                    yield partial(np.add, total, more, out=total)
    yield result


def _with_rows(
    targets: Sequence[np.ndarray], sources: Sequence[np.ndarray], kernel: np.ndarray, looks: Sequence[Look]
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, list[Look]]:
    """The same, with one row for sequences, which have none."""
    if len(looks) > 1:
        return list(targets), list(sources), kernel, list(looks)
    rows = Look(1, 1, 1, {0: 0})
    return [y[:, None] for y in targets], [x[:, None] for x in sources], kernel[None], [rows, *looks]


# ---- blocks


def _blocks(y: np.ndarray) -> list[tuple[slice, slice]]:
    """Some images, or some rows of one, at a time."""
    batch, rows = y.shape[:2]
    if y.size == 0:
        return []
    most = BLOCK * batch * rows // y.nbytes
    images = part(batch, most // rows)
    band = rows if images > 1 else part(rows, most)
    return [
        (slice(image, min(image + images, batch)), slice(row, min(row + band, rows)))
        for image, row in itertools.product(range(0, batch, images), range(0, rows, band))
    ]


def _lines_shape(y: np.ndarray) -> tuple[int, ...]:
    return (*y.shape[:-2], y.shape[-2] * y.shape[-1])


def _lines(y: np.ndarray) -> np.ndarray:
    """A view of y in which the channels of all columns are one axis."""
    return y.reshape(_lines_shape(y), copy=False)


class _Shifts:
    """What each position of the kernel sees of a block, in the middle of zeros.

    array: (images, rows, ..., phases, columns, channels).  Columns a stride apart lie side by side, so that what a
    position sees of a row is one contiguous run.
    """

    def __init__(self, x: np.ndarray, looks: Sequence[Look], shape: Sequence[int]) -> None:
        self.looks = looks
        *across, along = looks
        self.phases = sorted({(offset - along.low) % along.stride for offset in along.offsets.values()})
        self.columns = (
            max(offset - along.low for offset in along.offsets.values()) // along.stride + along.count
        )
        extents = [look.reach(count) for look, count in zip(across, shape[1:-2], strict=True)]
        self.array = np.zeros((shape[0], *extents, len(self.phases), self.columns, x.shape[-1]), x.dtype)

    def of(
        self, x: np.ndarray, block: tuple[slice, slice], shape: Sequence[int]
    ) -> tuple[list[tuple[tuple[int, ...], np.ndarray]], list[Call]]:
        """Each position with what it sees for a block of outputs of this shape; and the calls that come before."""
        images, rows = block
        *across, along = self.looks
        array = self.array[: shape[0], : across[0].reach(shape[1])]
        placed: list[Any] = [slice(None)]
        pixels: list[Any] = [images]
        starts = [rows.start * across[0].stride, *[0] * (len(across) - 1)]
        for look, start, extent in zip(across, starts, array.shape[1:-3], strict=True):
            where, what = _inside(look.size, start + look.low, extent)
            placed.append(where)
            pixels.append(what)
        # Above and below the image there may still be what an earlier block had there.
        outside = (array[:, : placed[1].start], array[:, placed[1].stop :])
        calls: list[Call] = [partial(zeros.fill, 0) for zeros in outside if zeros.size]
        for index, phase in enumerate(self.phases):
            where, what = _inside(along.size, along.low + phase, self.columns, along.stride)
            target, source = array[(*placed, index, where)], x[(*pixels, what)]
            if target.size:
                calls.append(partial(np.copyto, target, source))
        return [(position, self._seen(array, position, shape)) for position in self._positions()], calls

    def _positions(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(look.offsets for look in self.looks))

    def _seen(self, array: np.ndarray, position: tuple[int, ...], shape: Sequence[int]) -> np.ndarray:
        *across, along = self.looks
        index: list[Any] = [slice(None)]
        for look, at, count in zip(across, position[:-1], shape[1:-2], strict=True):
            first = look.offsets[at] - look.low
            index.append(slice(first, first + (count - 1) * look.stride + 1, look.stride))
        column, phase = divmod(along.offsets[position[-1]] - along.low, along.stride)
        index += [self.phases.index(phase), slice(column, column + along.count)]
        return _lines(array[tuple(index)])


def _inside(size: int, start: int, count: int, step: int = 1) -> tuple[slice, slice]:
    """Of `count` positions, `step` apart from `start` on, those on an axis of this size; and what they are there."""
    return Slide(size, 1, step, before=-start).seen(0, 0, count)
