"""LearningRateScheduler: a learning rate for each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina_callbacks.shared import learning_rate, set_learning_rate


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch, and adds it to the logs as "lr".

    schedule: schedule(epoch, lr) or schedule(epoch) answers the rate, a float; epoch is counted from 0, lr is the
        rate so far.
    verbose: 1 tells of each rate.

    Raises TypeError for a schedule that is no function, ValueError for an optimizer without `lr` and for a rate that is
    no float.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                f"LearningRateScheduler needs a function of the epoch, met schedule={schedule!r}: for a rate that "
                f"never changes write lambda epoch: {schedule!r}, or set it in the optimizer"
            )
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rate = self._rate(epoch, float(learning_rate(self.model)))
        if not isinstance(rate, float | np.floating):
            raise ValueError(f'The output of the "schedule" function should be float, not {rate!r}.')
        set_learning_rate(self.model, float(rate))
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: LearningRateScheduler setting learning rate to {rate}.")

    def _rate(self, epoch: int, rate: float) -> Any:
        try:
            inspect.signature(self.schedule).bind(epoch, rate)
        except TypeError:
            return self.schedule(epoch)
        except ValueError:  # written in C, without a signature
            try:
                return self.schedule(epoch, rate)
            except TypeError:
                return self.schedule(epoch)
        return self.schedule(epoch, rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["lr"] = learning_rate(self.model)
