"""Enqueuers: the workers of fit_generator for loops of one's own, under Keras 2's names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from lamina.training.feeds import Feed
from lamina.utils import Sequence


class SequenceEnqueuer:
    """Base: batches made ahead by workers, from `start` to `stop`."""

    def __init__(self, source: Any, use_multiprocessing: bool = False, shuffle: bool = False) -> None:
        self._source, self._processes, self._shuffle = source, use_multiprocessing, shuffle
        self._feed: Feed | None = None

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Start workers, which make at most max_queue_size batches ahead."""
        self.stop()
        self._feed = Feed(
            self._source,
            shuffle=self._shuffle,
            workers=workers,
            use_multiprocessing=self._processes,
            max_queue_size=max_queue_size,
        )

    def is_running(self) -> bool:
        return self._feed is not None

    def get(self) -> Iterator[Any]:
        """The batches, in order, until `stop`."""
        feed = self._feed
        while feed is not None and feed is self._feed:
            count = 0
            for item in feed.take(self._count()):
                yield item
                count += 1
                if feed is not self._feed:
                    return
            if count < self._count():
                return

    def stop(self, timeout: float | None = None) -> None:
        """End the workers.  timeout is Keras's; this takes seconds at most."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _count(self) -> int:
        """How many batches to ask for at a time."""
        return sys.maxsize


class OrderedEnqueuer(SequenceEnqueuer):
    """Batches of a Sequence, for ever: `get` gives them in order, whichever worker made them.

    sequence: a Sequence.  use_multiprocessing: processes in place of threads.
    shuffle: another order each time around.
    """

    def __init__(self, sequence: Sequence, use_multiprocessing: bool = False, shuffle: bool = False) -> None:
        super().__init__(sequence, use_multiprocessing, shuffle)
        self.sequence = sequence

    def _count(self) -> int:
        return len(self.sequence)


class GeneratorEnqueuer(SequenceEnqueuer):
    """What a generator yields, until it ends.

    generator: any iterator.  use_multiprocessing: a process in place of a thread, if it can be pickled.
    wait_time, random_seed: Keras's, without effect: nothing is polled, and np.random decides what processes draw.
    """

    def __init__(
        self,
        generator: Iterator[Any],
        use_multiprocessing: bool = False,
        wait_time: float = 0.05,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(generator, use_multiprocessing)
