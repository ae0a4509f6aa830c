"""NumPy's kernels for pooling: slices of images against each other, as many images at a time as fit in the cache.

What position (0, 1) of every window sees is one slice of the images, with steps in it; so a pooling is a handful of
array operations.  Memory is taken when a kernel is bound to its arrays, and none when it runs.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.ops.kernels import Call, Memory, combined, in_turn, is_blas
from lamina_conv.windows import Slide
from lamina_pooling.pooling import (
    average_pool,
    average_pool_grad,
    axes_of,
    lowest,
    max_pool,
    max_pool_grad,
    shares,
)

BLOCK = 1 << 20  # bytes of images worked on at a time
BAND = 1 << 17  # bytes of outputs worked on at a time, where their maxima are counted out


@max_pool.kernel("numpy")
def _(x, **attrs):
    axes = axes_of(x.shape[1:-1], **attrs)

    def calls(out, images):
        memory = Memory()
        for block in _blocks(images):
            yield from _reduce(np.maximum, lowest(out.dtype), out[block], images[block], axes, memory)

    return in_turn(calls)


@average_pool.kernel("numpy")
def _(x, **attrs):
    if not is_blas(x.dtype):
        return None
    axes = axes_of(x.shape[1:-1], **attrs)

    def calls(out, images):
        memory = Memory()
        for block in _blocks(images):
            yield from _reduce(np.add, 0, out[block], images[block], axes, memory)
            yield _divided(out[block], axes, memory)

    return in_turn(calls)


@max_pool_grad.kernel("numpy")
def _(g, x, y, **attrs):
    if not is_blas(x.dtype):
        return None
    axes = axes_of(x.shape[1:-1], **attrs)

    def calls(out, outputs, images, largest):
        memory = Memory()
        if _overlap(axes) and out.flags.c_contiguous and math.prod(attrs["pool_size"]) < 256:
            yield from _counted(out, outputs, images, largest, axes, memory)
            return
        for block in _blocks(images):
            yield from _to_first(out[block], outputs[block], images[block], largest[block], axes, memory)

    return in_turn(calls)


@average_pool_grad.kernel("numpy")
def _(g, shape, **attrs):
    if not is_blas(g.dtype) or shape.value is None:
        return None
    axes = axes_of(shape.value[1:-1], **attrs)

    def calls(out, outputs, _):
        memory = Memory()
        for block in _blocks(out):
            part = memory("part", outputs[block].shape, g.dtype)
            yield partial(np.copyto, part, outputs[block])
            yield _divided(part, axes, memory)
            if not _tiled(axes):
                yield partial(out[block].fill, 0)
            for placed, pixels in _positions(axes):
                yield from _give(out[block][pixels], part[placed], axes, memory)

    return in_turn(calls)


# ---- forward


def _reduce(
    ufunc: np.ufunc, start: float, out: np.ndarray, x: np.ndarray, axes: Sequence[Slide], memory: Memory
) -> Iterator[Call]:
    """The windows of x reduced along one axis after the other, the first one first: its slices are the longest."""
    for axis, slide in enumerate(axes, start=1):
        shape = (*x.shape[:axis], slide.count, *x.shape[axis + 1 :])
        y = out if axis == len(axes) else memory(f"axis {axis}", shape, x.dtype)
        # A position that every window sees comes first: with it there is nothing to start from.
        everything = slice(0, slide.count)
        seen = sorted(map(slide.seen, range(slide.window)), key=lambda pair: pair[0] != everything)
        if seen[0][0] == everything:
            yield partial(np.copyto, y, x[_along(axis, seen.pop(0)[1])])
        else:
            yield partial(y.fill, start)
        for placed, pixels in seen:
            if placed != slice(0, 0):
                yield from combined(ufunc, y[_along(axis, placed)], x[_along(axis, pixels)], memory)
        x = y


def _along(axis: int, piece: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, piece)


# ---- backward


def _to_first(
    out: np.ndarray, g: np.ndarray, x: np.ndarray, y: np.ndarray, axes: Sequence[Slide], memory: Memory
) -> Iterator[Call]:
    """g to the first position of each window that holds its maximum y.

    No branch, no mask of bytes: x - y is +0 at the maximum and negative elsewhere, so its sign, drawn through all the
    bits, keeps of the numbers in g those that the position does not get.  What is left in the end is the last one's.
    """
    if not _tiled(axes):
        yield partial(out.fill, 0)
    minus = memory("minus", y.shape, y.dtype)
    yield partial(np.copyto, minus, y)
    # Not x - y, which is -0 where x = -0 and y = +0: x + (0 - y) never is.
    yield partial(np.subtract, np.zeros((), y.dtype), minus, out=minus)
    rest, spare = memory("rest", g.shape, g.dtype), memory("spare", g.shape, g.dtype)
    yield partial(np.copyto, rest, g)
    sign = np.array(8 * g.itemsize - 1, _bits(rest).dtype)
    *before, (last, corner) = _positions(axes)
    for placed, pixels in before:
        low, left, kept = minus[placed], rest[placed], spare
        clipped = left.shape != rest.shape  # some windows have this position in the padding
        if clipped:
            low, left, kept = (memory(name, left.shape, g.dtype) for name in ("low", "given", "kept"))
            yield partial(np.copyto, low, minus[placed])
            yield partial(np.copyto, left, rest[placed])
        yield partial(np.copyto, kept, x[pixels])
        yield partial(np.add, kept, low, out=kept)
        yield partial(np.right_shift, _bits(kept), sign, out=_bits(kept))
        yield partial(np.bitwise_and, _bits(left), _bits(kept), out=_bits(kept))
        yield partial(np.bitwise_xor, _bits(left), _bits(kept), out=_bits(left))
        yield from _give(out[pixels], left, axes, memory)
        if clipped:
            yield partial(np.copyto, rest[placed], kept)
        else:
            rest, spare = kept, left
    yield from _give(out[corner], rest[last], axes, memory)


def _counted(
    out: np.ndarray, g: np.ndarray, x: np.ndarray, y: np.ndarray, axes: Sequence[Slide], memory: Memory
) -> Iterator[Call]:
    """The same for windows that overlap, a band of windows at a time: one addition at an address for each.

    How many positions of a window come before its maximum is counted in bytes, and a table makes an address of it.
    """
    positions = list(itertools.product(*(range(slide.window) for slide in axes)))
    steps = [step // out.itemsize for step in out.strides]
    offsets = [sum(map(operator.mul, position, steps[1:])) for position in positions]
    images, rows = _band(y)
    most = (images, rows, *y.shape[2:])
    origins = memory("origins", most, np.intp)  # of windows in the first band, and the same in each
    origins[...] = _origins(most, steps, axes)
    first, *others = axes
    filled = 0
    for image, row in itertools.product(range(0, len(y), images), range(0, first.count, rows)):
        stop = min(row + rows, first.count)
        some = slice(image, image + images)
        within = (some, slice(row, stop))
        shape = y[within].shape
        # Rows of the image are set to 0 just before the first window that sees them gives to them.
        last = stop == first.count
        upto = first.size if last else (stop - 1) * first.stride - first.before + first.window
        if upto > filled:
            yield partial(out[some, filled:upto].fill, 0)
        filled = 0 if last else upto

        highest, low = memory("highest", shape, y.dtype), memory("low", shape, "bool")
        before, count = memory("before", shape, "bool"), memory("count", shape, "uint8")
        yield partial(np.copyto, highest, y[within])
        yield partial(before.fill, True)
        yield partial(count.fill, 0)
        for position in positions[:-1]:
            pairs = [first.seen(position[0], row, stop), *map(Slide.seen, others, position[1:])]
            placed, pixels = ((slice(None), *(pair[i] for pair in pairs)) for i in (0, 1))
            yield from _lower(low, highest, x[some], placed, pixels, memory)
            yield partial(np.logical_and, before, low, out=before)
            yield partial(np.add, count, before.view("uint8"), out=count)

        which, where = memory("which", shape, np.intp), memory("where", shape, np.intp)
        given = memory("given", shape, g.dtype)
        start = image * steps[0] + row * first.stride * steps[1]
        yield partial(np.copyto, which, count)
        # Clipped, and nothing ever is: the other modes allocate.
        yield partial(np.take, np.array(offsets, np.intp) + start, which, out=where, mode="clip")
        yield partial(np.add, where, origins[: shape[0], : shape[1]], out=where)
        yield partial(np.copyto, given, g[within])
        yield partial(np.add.at, out.reshape(-1), where.reshape(-1), given.reshape(-1))


def _band(y: np.ndarray) -> tuple[int, int]:
    """How many images, and how many rows of windows of each, are worked on at a time."""
    row = max(y[:1, :1].nbytes, 1)
    rows = min(max(BAND // row, 1), y.shape[1])
    return (max(BAND // (row * rows), 1) if rows == y.shape[1] else 1), rows


def _origins(shape: Sequence[int], steps: Sequence[int], axes: Sequence[Slide]) -> Any:
    """The address of the first position of each window, which may lie in the padding."""
    strides = [1, *(slide.stride for slide in axes), 1]
    paddings = [0, *(slide.before for slide in axes), 0]
    places = [
        (np.arange(size) * stride - padding) * step
        for size, stride, padding, step in zip(shape, strides, paddings, steps, strict=True)
    ]
    return sum(np.ix_(*places))


def _lower(
    low: np.ndarray, highest: np.ndarray, x: np.ndarray, placed: Any, pixels: Any, memory: Memory
) -> Iterator[Call]:
    """Whether what each window sees at one position is lower than its maximum; what it does not see is."""
    seen, answer = x[pixels], low
    if seen.shape != low.shape:
        yield partial(low.fill, True)
        if not seen.size:
            return
        part = memory("part of highest", seen.shape, x.dtype)
        yield partial(np.copyto, part, highest[placed])
        highest, answer = part, memory("part of low", seen.shape, "bool")
    room = memory("seen", seen.shape, x.dtype)
    yield partial(np.copyto, room, seen)
    yield partial(np.less, room, highest, out=answer)
    if answer is not low:
        yield partial(np.copyto, low[placed], answer)


def _bits(array: np.ndarray) -> np.ndarray:
    """The same memory as whole numbers."""
    return array.view(f"int{8 * array.itemsize}")


def _give(target: np.ndarray, part: np.ndarray, axes: Sequence[Slide], memory: Memory) -> Iterator[Call]:
    """The part to pixels that other windows may give to, too."""
    if _overlap(axes):
        yield from combined(np.add, target, part, memory)
    else:
        yield partial(np.copyto, target, part)


def _positions(axes: Sequence[Slide]) -> Iterator[tuple[Any, Any]]:
    """For each position of the windows, row by row: those that see something there, and the pixels they see."""
    for position in itertools.product(*(range(slide.window) for slide in axes)):
        seen = [slide.seen(at) for slide, at in zip(axes, position, strict=True)]
        yield (slice(None), *(placed for placed, _ in seen)), (slice(None), *(pixels for _, pixels in seen))


def _overlap(axes: Sequence[Slide]) -> bool:
    """Whether some pixels are seen by several windows."""
    return any(slide.stride < slide.window for slide in axes)


def _tiled(axes: Sequence[Slide]) -> bool:
    """Whether every pixel is seen by exactly one window."""
    return all(slide.stride == slide.window and slide.size == slide.count * slide.window for slide in axes)


# ---- both


def _blocks(x: np.ndarray) -> Iterator[slice]:
    """Some images at a time."""
    images = max(1, BLOCK * len(x) // max(x.nbytes, 1))
    return (slice(start, start + images) for start in range(0, len(x), images))


def _divided(outputs: np.ndarray, axes: Sequence[Slide], memory: Memory) -> Call:
    """What makes means of sums: a division by how many cells of the image each window has."""
    share = shares(axes, outputs.dtype)
    if np.ptp(share) == 0:
        factor = share.reshape(-1)[:1].reshape(())
    else:
        factor = memory("share", outputs.shape, outputs.dtype)
        factor[...] = share  # now, and once for all: nothing else writes there
    return partial(np.multiply, outputs, factor, out=outputs)
