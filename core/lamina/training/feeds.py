"""Feeds: the batches of a generator or a Sequence, in order and as many as are asked for, made here or by workers.

What is made ahead never goes beyond what was asked for: a generator is not read past the last batch that is used,
and np.random, where batches draw from it, is at the same point each time an epoch begins.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from lamina.training.sequence import Sequence
from lamina.training.workers import Ended, Workers, limit_for


class Feed:
    """The batches of `source`, which must be an iterator or a Sequence.

    shuffle: take the batches of a Sequence in another order each time around, by np.random.
    workers: how many make batches; 0 makes them in the thread that takes them.  An iterator has one at most: it
        cannot run in two threads at a time, and in two processes it would give everything twice.
    use_multiprocessing: workers are processes, if the source can be pickled; it warns where it cannot.
    max_queue_size: how many batches may be made ahead.
    """

    def __init__(
        self,
        source: Any,
        *,
        shuffle: bool = False,
        workers: int | None = 0,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> None:
        self.source, self.shuffle = source, shuffle
        self.workers = max(0, 1 if workers is None else int(workers))
        if not isinstance(source, Sequence):
            self.workers = min(self.workers, 1)
        self.max_queue_size = max_queue_size
        self._cargo: Any = self._packed() if use_multiprocessing and self.workers else None
        self._team: Workers | None = None
        self._order: list[int] = []  # what is left of this time around a Sequence
        self._seed: list[int] = []

    def take(self, count: int) -> Iterator[Any]:
        """The next `count` batches; fewer when an iterator ends."""
        if isinstance(self.source, Sequence):
            return self._around(count)
        return self._along(count)

    def close(self) -> None:
        """End the workers."""
        if self._team is not None:
            self._team.close()
            self._team = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- in order

    def _along(self, count: int) -> Iterator[Any]:
        if self._cargo is not None:
            self._sow()
        for item in self._made(range(count)):
            if isinstance(item, Ended):
                return
            yield item

    def _around(self, count: int) -> Iterator[Any]:
        while count:
            if not self._order:
                self._begin()
            some, self._order = self._order[:count], self._order[count:]
            count -= len(some)
            for made, item in enumerate(self._made(some), start=1):
                if made == len(some) and not self._order:
                    self.source.on_epoch_end()
                yield item

    def _begin(self) -> None:
        """Start another time around."""
        order = np.arange(len(self.source))
        if not len(order):
            raise ValueError(f"{type(self.source).__name__} has no batches: its len() is 0")
        if self.shuffle:
            np.random.shuffle(order)
        self._order = order.tolist()
        if self._cargo is not None:
            self._cargo.refresh()
            self._sow()

    def _sow(self) -> None:
        """Draw what the random numbers in worker processes come from."""
        self._seed = [int(np.random.randint(2**31 - 1))]

    # ---- by whom

    def _made(self, indices: Iterable[int]) -> Iterator[Any]:
        if not self.workers:
            return map(self._make, indices)
        if self._team is None:
            self._team = self._hired()
        if self._cargo is None:
            return self._team.map(indices)
        return self._team.map((index, [*self._seed, index]) for index in indices)

    def _make(self, index: int) -> Any:
        if isinstance(self.source, Sequence):
            return self.source[index]
        return next(self.source, Ended())

    def _hired(self) -> Workers:
        limit = limit_for(self.source)
        if self._cargo is None:
            return Workers([self._make] * self.workers, self.max_queue_size, limit)
        from lamina.training.workers_process import START, Remote

        remotes: list[Any] = []
        try:
            for _ in range(self.workers):
                remotes.append(Remote(self._cargo, limit))
        except BaseException:
            for remote in remotes:
                remote.stop()
                remote.close()
            raise
        # Each looks after its own process; this is for one that hangs half way through an answer.
        return Workers(remotes, self.max_queue_size, START + limit)

    def _packed(self) -> Any:
        """The source on its way to processes; None, with a warning, where it cannot go there."""
        from lamina.training.workers_process import Cargo

        try:
            return Cargo(self.source, self.workers)
        except Exception as error:
            warnings.warn(
                f"use_multiprocessing=True has no effect: this {type(self.source).__name__} cannot be sent to a worker "
                f"process ({error}). Threads make its batches; a Sequence of plain data could be sent",
                stacklevel=5,
            )
            return None
