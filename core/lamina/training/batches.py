"""Batches: samples on their way into a plan's input buffers.

A source answers `epoch()`: an iterator that fills the buffers of an executor and yields (executor, samples).
The executor is held as long as the batch shape stays the same, and nothing is allocated from batch to batch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lamina.devices import Seed, current_device
from lamina.function import Function
from lamina.tensor import Apply, Placeholder
from lamina.training.data import Data
from lamina.training.forms import is_lazy, len_of

Batch = tuple[Any, int]


class ArrayBatches:
    """Batches of `batch_size` samples cut from arrays; the last may be smaller.

    phase: 1 in training, 0 in testing.  shuffled: batches will be taken in random order.
    """

    by_steps = False

    def __init__(
        self, function: Function, phase: int, data: Data, batch_size: int, shuffled: bool = False
    ) -> None:
        self.function, self.phase = function, phase
        self.samples = data.samples or 0
        self.batch_size = batch_size
        dtypes = [t.dtype for t in function.inputs if not (isinstance(t, Placeholder) and t.static)]
        self.arrays = [
            ready_to_take(array, dtype) if shuffled else rows(array)
            for array, dtype in zip(data.arrays, dtypes, strict=True)
        ]

    def epoch(self, order: np.ndarray | None = None) -> Iterator[Batch]:
        """All samples once: as they come, or in `order`."""
        whole, rest = divmod(self.samples, self.batch_size)
        yield from self._run(0, whole, self.batch_size, order)
        if rest:
            yield from self._run(whole * self.batch_size, 1, rest, order)

    def _run(self, first: int, count: int, size: int, order: np.ndarray | None) -> Iterator[Batch]:
        """`count` batches of one size."""
        if not count:
            return
        with self.function.bound([(size, *array.shape[1:]) for array in self.arrays], self.phase) as run:
            run = on_host(run)
            pairs = list(zip(self.arrays, run.inputs, strict=True))
            takes = [(array.take, buffer) for array, buffer in pairs]
            for start in range(first, first + count * size, size):
                stop = start + size
                if order is None:
                    for array, buffer in pairs:
                        buffer[...] = array[start:stop]
                else:
                    ids = order[start:stop]
                    for take, buffer in takes:
                        take(ids, 0, buffer, "clip")  # clipping lets NumPy write straight into the buffer
                yield run, size


class WholeBatches:
    """The same data in one piece, `steps` times: inputs and targets that are tensors give something new each time."""

    by_steps = True

    def __init__(self, function: Function, phase: int, data: Data, steps: int) -> None:
        self.function, self.phase, self.data, self.steps = function, phase, data, steps

    def epoch(self, order: None = None) -> Iterator[Batch]:
        with filled(self.function, self.phase, self.data) as run:
            for _ in range(self.steps):
                yield run, 1


# ---- arrays and buffers


@contextlib.contextmanager
def filled(function: Function, phase: int, data: Data) -> Iterator[Any]:
    """An executor of `function` with `data` in its inputs."""
    arrays = [rows(array) for array in data.arrays]
    with function.bound([tuple(array.shape) for array in arrays], phase) as run:
        run = on_host(run)
        for array, buffer in zip(arrays, run.inputs, strict=True):
            buffer[...] = array[0 : len_of(array)]
        yield run


def rows(array: Any) -> Any:
    """`array` as something whose slices are NumPy arrays."""
    return Lazy(array) if is_lazy(array) else array


def ready_to_take(array: Any, dtype: str) -> Any:
    """`array` as something with NumPy's take(ids, 0, out, mode) that writes to an `out` of `dtype`.

    Taking from an array of another type or memory order would convert all of it for every batch: it is converted
    once, or read batch by batch where it is too large to have twice.
    """
    if is_lazy(array) or (array.dtype == dtype and array.flags.c_contiguous):
        return rows(array)
    if array.size * np.dtype(dtype).itemsize <= _memory_share():
        return np.ascontiguousarray(array, dtype)
    return Lazy(array)


class Lazy:
    """Rows read when they are asked for.

    source: a dataset of h5py, an HDF5Matrix, a sparse matrix, an array too large to convert.
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        self.shape = tuple(source.shape)

    def __getitem__(self, where: slice) -> np.ndarray:
        return self._read(where)

    def take(self, ids: np.ndarray, axis: int, out: np.ndarray, mode: str) -> None:
        """Rows `ids` into `out`, as ndarray.take with axis 0."""
        if ids[-1] - ids[0] == len(ids) - 1 and (np.diff(ids) == 1).all():
            out[...] = self._read(slice(int(ids[0]), int(ids[-1]) + 1))
        else:  # HDF5 reads rows in rising order only
            order = np.argsort(ids)
            out[order] = self._read(ids[order].tolist())

    def _read(self, where: Any) -> np.ndarray:
        found = self.source[where]
        return found.toarray() if hasattr(found, "toarray") else np.asarray(found)


class Staged:
    """An executor on another device, as one with buffers on the host."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self.inputs = [np.zeros(buffer.shape, buffer.dtype) for buffer in run.inputs]
        self.outputs: list[np.ndarray] = []

    def __call__(self) -> None:
        device = self.run.device
        for buffer, array in zip(self.run.inputs, self.inputs, strict=True):
            buffer[...] = device.to_device(array)
        self.run()
        self.outputs = [device.to_host(output) for output in self.run.outputs]


def on_host(run: Any) -> Any:
    """`run` itself where its buffers are NumPy arrays, else a stand-in whose are."""
    return run if run.device.xp is np else Staged(run)


def shuffled_order(samples: int, batch_size: int, shuffle: Any) -> np.ndarray | None:
    """The order of one epoch: None as they come, True a random one, 'batch' batches in random order.

    It starts from the samples' own order each time, so that np.random's state alone decides it: a run that was
    saved and resumed goes on like one that was not.
    """
    if not shuffle:
        return None
    order = np.arange(samples)
    if shuffle != "batch":
        np.random.shuffle(order)
        return order
    # The short batch stays last.
    whole = samples // batch_size * batch_size
    np.random.shuffle(order[:whole].reshape(-1, batch_size))
    return order


def reseed(function: Function) -> None:
    """Start the device's random streams again from np.random, where the function draws any.

    Its ops go by their order in the function, so that the same model draws the same numbers in another process.
    """
    if function.is_random:
        current_device().reseed(seeds=dict.fromkeys(_seeds(function.order)))


def _seeds(order: Iterable[Apply]) -> Iterator[Seed]:
    """The seeds of ops, also of those inside loops."""
    for apply in order:
        for value in apply.attrs.values():
            if isinstance(value, Seed):
                yield value
            elif hasattr(value, "order"):  # the step of a loop: a graph of its own
                yield from _seeds(value.order)


def _memory_share() -> int:
    """Bytes that a converted copy of one array may take: an eighth of the machine's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return 1 << 30
