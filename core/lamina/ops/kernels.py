"""What NumPy kernels share: kernels that look at their arrays once, memory to work in, and sums that BLAS makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from lamina.ops.rules import reduced

Call = Callable[[], Any]


def bound(bind: Callable[..., Call]) -> Callable[..., None]:
    """The kernel run(out, *arrays) whose `bind(out, *arrays)` looks at the arrays and answers the work to repeat."""

    def run(out: Any, *arrays: Any) -> None:
        bind(out, *arrays)()

    run.bind = bind  # type: ignore[attr-defined]
    return run


SHORTEST = 16  # elements of the smallest buffer that NumPy knows


@dataclass(frozen=True)
class Prepares:
    """A call that makes something of one input alone, for the calls after it: again only where that has changed."""

    call: Call
    input: int


def in_turn(calls: Callable[..., Iterable[Call | Prepares]], *, by_row: bool = False) -> Callable[..., None]:
    """The kernel that does what calls(out, *arrays) yields, one after the other, each time it runs.

    The generator runs once, when the kernel is bound to its arrays; what it allocates is there for every run.

    by_row: the ufuncs among the calls read and write long rows that do not follow each other in memory.  NumPy copies
        those that are shorter than its buffers into these, which it allocates each time, and takes up to twice as
        long; it is told not to.
    """

    def split(still: set[int], out: Any, *arrays: Any) -> tuple[list[Call], Call]:
        """What prepares inputs whose numbers are in `still`, and the rest of the work."""
        first: list[Call] = []
        rest: list[Call] = []
        for call in calls(out, *arrays):
            if isinstance(call, Prepares):
                (first if call.input in still else rest).append(call.call)
            else:
                rest.append(call)
        return first, together(tuple(rest))

    def together(found: tuple[Call, ...]) -> Call:
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

    kernel = bound(lambda out, *arrays: split(set(), out, *arrays)[1])
    kernel.split = split  # type: ignore[attr-defined]
    return kernel


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


def is_blas(dtype: str) -> bool:
    """Whether NumPy leaves products of this dtype to BLAS."""
    return dtype in ("float32", "float64")


@lru_cache(maxsize=64)
def ones(size: int, dtype: str) -> np.ndarray:
    """A vector of ones, shared and never written to."""
    vector = np.ones(size, dtype)
    vector.flags.writeable = False
    return vector


def row_room(x: Any, axes: tuple[int, ...]) -> np.ndarray:
    """Room for one number for each row along `axes` of an array like the Spec x, in the shape that broadcasts."""
    return np.empty(reduced(x.shape, axes, True), x.dtype)  # type: ignore[arg-type]


PART = 4096  # elements of a long sum that are added up in one go: rounding errors grow with it


def sum_call(out: np.ndarray, array: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Call:
    """The call that writes the sum of `array` over `axes` into `out`.

    Sums over leading, trailing or all axes of floats in memory order are products with ones: BLAS adds two to twenty
    times as fast as the reduction, with rounding errors no larger.
    """
    plain = partial(np.add.reduce, array, axis=axes, out=out, keepdims=keepdims, dtype=array.dtype)
    if not (is_blas(array.dtype.name) and _straight(array, out) and array.size and axes):
        return plain
    kept = [axis for axis in range(array.ndim) if axis not in axes and array.shape[axis] != 1]
    dtype = array.dtype.name
    if not kept:
        return _sum_of_all(out.reshape(()), array.reshape(-1))
    if kept != list(range(kept[0], kept[-1] + 1)):
        return plain
    before = math.prod(array.shape[: kept[0]])
    after = math.prod(array.shape[kept[-1] + 1 :])
    middle = array.size // (before * after)
    total = out.reshape(middle)
    if after == 1:
        return partial(np.dot, ones(before, dtype), array.reshape(before, middle), out=total)
    if before == 1:
        return partial(np.dot, array.reshape(middle, after), ones(after, dtype), out=total)
    rows = np.empty(before * middle, dtype)
    inner = partial(np.dot, array.reshape(before * middle, after), ones(after, dtype), out=rows)
    outer = partial(np.dot, ones(before, dtype), rows.reshape(before, middle), out=total)

    def both() -> None:
        inner()
        outer()

    return both


def _straight(*arrays: np.ndarray) -> bool:
    """Whether every array lies in memory in the order of its elements, so that any reshape is a view."""
    return all(array.flags.c_contiguous for array in arrays)


def _sum_of_all(out: np.ndarray, flat: np.ndarray) -> Call:
    size, dtype = flat.size, flat.dtype.name
    if size <= 8 * PART:
        return partial(np.dot, flat, ones(size, dtype), out=out)
    count = size // PART
    parts = np.empty(count + 1, dtype)
    whole, rest = flat[: count * PART].reshape(count, PART), flat[count * PART :]
    weights, head, tail = ones(PART, dtype), parts[:count], parts[count:].reshape(())

    def run() -> None:
        np.dot(whole, weights, out=head)
        np.add.reduce(rest, out=tail)
        np.add.reduce(parts, out=out)

    return run


SHORT = 32  # a row of fewer elements is reduced faster across than along


def extreme_call(
    reduce: Any, out: np.ndarray, array: np.ndarray, axes: tuple[int, ...], keepdims: bool
) -> Call:
    """The call that writes the extreme of `array` over `axes` into `out`.  reduce: of np.maximum or np.minimum.

    NumPy starts its inner loop anew for each row: short rows are turned into columns first, which takes a third of
    the time at 128 x 10.
    """
    last = array.ndim - 1
    if axes != (last,) or not 0 < array.shape[-1] <= SHORT or not _straight(array, out):
        return partial(reduce, array, axis=axes, out=out, keepdims=keepdims)
    turned = array.reshape(-1, array.shape[-1]).T
    columns = np.empty(turned.shape, array.dtype)
    flat = out.reshape(-1)

    def run() -> None:
        np.copyto(columns, turned)
        reduce(columns, axis=0, out=flat)

    return run


def fallback(op: Any, attrs: dict[str, Any], out: Any, *arrays: Any) -> Call:
    """The definition as a call, for arrays a kernel cannot read as it wants."""

    def run() -> None:
        found = op.define(np, *arrays, **attrs)
        if isinstance(out, tuple):
            for one, value in zip(out, found, strict=True):
                one[...] = value
        else:
            out[...] = found

    return run
