"""Sequence: data as numbered batches, which workers may make in any order and training gets in the right one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Sequence:
    """Base of data sets that make batch number `index` on demand.

        class Files(Sequence):
            def __len__(self):
                return math.ceil(len(self.names) / 32)

            def __getitem__(self, index):
                names = self.names[index * 32 : (index + 1) * 32]
                return np.stack([read(name) for name in names]), self.labels[index * 32 : (index + 1) * 32]

    A batch is what train_on_batch takes: (inputs, targets) or (inputs, targets, sample_weights).

    Several workers may make batches at a time.  Threads share the Sequence and np.random, from which two of them draw
    in an order of their own each time; processes have a copy of the Sequence each, which follows the one here at the
    beginning of every epoch, and seed np.random and random for every batch, so that np.random.seed(0) repeats those.

    worker_timeout: seconds that a worker may take for one batch; None is LAMINA_WORKER_TIMEOUT in the environment,
        else 8.  A worker that takes longer is given up, with a WorkerError that says where it was.
    """

    worker_timeout: float | None = None

    def __getitem__(self, index: int) -> Any:
        """Batch `index`, 0 <= index < len(self)."""
        raise NotImplementedError(f"{type(self).__name__} must make its batches: __getitem__(self, index)")

    def __len__(self) -> int:
        """How many batches make an epoch."""
        raise NotImplementedError(f"{type(self).__name__} must say how many batches it has: __len__(self)")

    def on_epoch_end(self) -> None:
        """Called when the last batch of an epoch was made."""

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


def is_stream(value: Any) -> bool:
    """Whether it gives batches one after another: a generator, anything else with next(), or a Sequence."""
    return isinstance(value, Sequence) or hasattr(value, "__next__")
