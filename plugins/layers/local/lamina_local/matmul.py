"""NumPy's kernels for local convolution: the patches of each position as a matrix, and one product for each position.

Patches are multiplied where they lie in x when BLAS can read them there, as those of channels_last sequences;
otherwise they are copied, about a megabyte at a time, so that they are still in the cache when the product reads
them.  Memory is taken when a kernel is bound to its arrays; a run copies and multiplies in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from lamina.ops.kernels import Call, in_turn, is_blas
from lamina_local.local_conv import (
    by_position,
    local_conv,
    local_conv_input_grad,
    local_conv_kernel_grad,
    patches,
    places,
)

BLOCK = 1 << 20  # bytes of patches worked on at a time


@local_conv.kernel("numpy")
def _(x, kernel, *, data_format, **windows):
    if not is_blas(x.dtype):
        return None
    counts = windows["counts"]

    def calls(out, images, weights):
        seen = patches(np, images, **windows, data_format=data_format)
        read, write = _Stack(seen, counts), _Stack(by_position(out, data_format), counts)
        for rows, positions in _blocks(counts, seen, whole=read.in_place):
            matrices, gather = read.of(rows)
            result, _ = write.of(rows)
            yield from gather
            yield partial(np.matmul, matrices, weights[positions], out=result)
            yield from write.back(rows)

    return in_turn(calls)


@local_conv_input_grad.kernel("numpy")
def _(g, kernel, shape, *, data_format, **windows):
    if not is_blas(g.dtype) or shape.value is None:
        return None
    window, counts = windows["window"], windows["counts"]

    def calls(out, outputs, weights, _):
        seen = patches(np, out, **windows, data_format=data_format)
        read = _Stack(by_position(outputs, data_format), counts)
        spread = _Stack(seen, counts, in_place=False)
        yield partial(out.fill, 0)
        for rows, positions in _blocks(counts, seen):
            matrices, gather = read.of(rows)
            result, _ = spread.of(rows)
            yield from gather
            yield partial(np.matmul, matrices, weights[positions].swapaxes(1, 2), out=result)
            parts = result.reshape(seen[rows].shape)
            for here in places(window, data_format):
                total = seen[rows][here]
                yield partial(np.add, total, parts[here], out=total)

    return in_turn(calls)


@local_conv_kernel_grad.kernel("numpy")
def _(x, g, *, data_format, **windows):
    if not is_blas(x.dtype):
        return None
    counts = windows["counts"]

    def calls(out, images, outputs):
        seen = patches(np, images, **windows, data_format=data_format)
        read, told = _Stack(seen, counts), _Stack(by_position(outputs, data_format), counts)
        for rows, positions in _blocks(counts, seen, whole=read.in_place):
            matrices, gather = read.of(rows)
            results, gather_results = told.of(rows)
            yield from [*gather, *gather_results]
            yield partial(np.matmul, matrices.swapaxes(1, 2), results, out=out[positions])

    return in_turn(calls)


def _blocks(counts: Sequence[int], seen: np.ndarray, whole: bool = False) -> Iterator[tuple[slice, slice]]:
    """Windows by their place along the first axis, and the same counted through; about BLOCK bytes of patches."""
    rest = math.prod(counts[1:])
    size = seen.itemsize * math.prod(seen.shape[1:])
    step = counts[0] if whole else max(1, BLOCK // max(size, 1))
    for start in range(0, counts[0], step):
        stop = min(start + step, counts[0])
        yield slice(start, stop), slice(start * rest, stop * rest)


class _Stack:
    """An array (*counts, batch, ...) as matrices (positions, batch, the rest), a block of positions at a time.

    in_place: whether BLAS reads and writes them where they lie; else they pass through memory that blocks share.
    """

    def __init__(self, array: np.ndarray, counts: Sequence[int], in_place: bool = True) -> None:
        self.array = array
        self.rank = len(counts)
        self.in_place = in_place and self._lies_in_rows()
        self.memory: np.ndarray | None = None

    def of(self, rows: slice) -> tuple[np.ndarray, list[Call]]:
        """The matrices of a block, and what has to be done before they can be read."""
        part = self.array[rows]
        if self.in_place:
            return part.reshape(self._shape(part), copy=False), []
        if self.memory is None:  # the first block is the largest
            self.memory = np.empty(part.size, part.dtype)
        room = self.memory[: part.size]
        return room.reshape(self._shape(part)), [partial(np.copyto, room.reshape(part.shape), part)]

    def back(self, rows: slice) -> list[Call]:
        """What has to be done after the matrices of a block were written."""
        if self.in_place:
            return []
        part = self.array[rows]
        return [partial(np.copyto, part, self.memory[: part.size].reshape(part.shape))]  # type: ignore[index]

    def _shape(self, part: np.ndarray) -> tuple[int, int, int]:
        sizes = part.shape
        return math.prod(sizes[: self.rank]), sizes[self.rank], math.prod(sizes[self.rank + 1 :])

    def _lies_in_rows(self) -> bool:
        """Whether the matrices are a view, with rows that lie in one piece."""
        try:
            matrices = self.array.reshape(self._shape(self.array), copy=False)
        except ValueError:
            return False
        return matrices.strides[-1] == matrices.itemsize or matrices.shape[-1] == 1
