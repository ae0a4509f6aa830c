"""NumPy kernels written as generators of calls, and the memory that these work in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.ops.kernels import Call, bound

SHORTEST = 16  # elements of the smallest buffer that NumPy knows


def in_turn(calls: Callable[..., Iterable[Call]], *, by_row: bool = False) -> Callable[..., None]:
    """The kernel that does what calls(out, *arrays) yields, one after the other, each time it runs.

    The generator runs once, when the kernel is bound to its arrays; what it allocates is there for every run.

    by_row: the ufuncs among the calls read and write long rows that do not follow each other in memory.  NumPy copies
        those that are shorter than its buffers into these, which it allocates each time, and takes up to twice as
        long; it is told not to.
    """

    def bind(out: Any, *arrays: Any) -> Call:
        found = tuple(calls(out, *arrays))

        def run() -> None:
            for call in found:
                call()

        def run_by_row() -> None:
            before = np.setbufsize(SHORTEST)  # of this thread
            try:
                run()
            finally:
                np.setbufsize(before)

        if by_row:
            return run_by_row
        return found[0] if len(found) == 1 else run

    return bound(bind)


class Memory:
    """Arrays that the calls of one kernel work in; the same name stands for the same memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def __call__(self, name: str, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """An array of this shape; what it holds is anybody's guess."""
        size = math.prod(shape)
        if name not in self.arrays or self.arrays[name].size < size:
            self.arrays[name] = np.empty(size, dtype)
        return self.arrays[name][:size].reshape(shape)


def combined(ufunc: np.ufunc, target: np.ndarray, part: np.ndarray, memory: Memory) -> Iterator[Call]:
    """target = ufunc(target, part), where either may be a slice with steps in it.

    Such slices are copied to where they are contiguous: a ufunc would do it too, more slowly and into buffers that it
    allocates each time.
    """
    left, right = target, part
    if not target.flags.c_contiguous:
        left = memory("left", target.shape, target.dtype)
        yield partial(np.copyto, left, target)
    if not part.flags.c_contiguous:
        right = memory("right", part.shape, part.dtype)
        yield partial(np.copyto, right, part)
    yield partial(ufunc, left, right, out=left)
    if left is not target:
        yield partial(np.copyto, target, left)
