"""ReduceLROnPlateau: shorter steps where longer ones lead nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina_callbacks.shared import larger_is_better, learning_rate, set_learning_rate, watched


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` when a value has not improved for some epochs.

    monitor: key of the logs.  Where it is missing, a warning is given and the rate stays.
    factor: 0 <= factor < 1.
    patience: epochs without improvement after which the rate is reduced.
    verbose: 1 tells of each reduction.
    mode: "min" or "max", what is better; "auto" is "max" for names with "acc" in them, else "min".
    epsilon, or min_delta: >= 0, in units of the value: smaller changes are no improvement.
    cooldown: epochs after a reduction in which none is counted.
    min_lr: the rate is never set below it.

    Adds the rate of the epoch to the logs as "lr".  Raises ValueError for a factor that does not reduce.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        epsilon: float = 0.0001,
        cooldown: int = 0,
        min_lr: float = 0,
        min_delta: float | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= factor < 1.0:
            raise ValueError(
                "ReduceLROnPlateau does not support a factor >= 1.0 or below 0, for the learning rate is multiplied by "
                f"it: met {factor}"
            )
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.mode = mode
        self.min_delta = epsilon if min_delta is None else min_delta
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        if larger_is_better(self.monitor, self.mode, "Learning Rate Plateau Reducing"):
            self.monitor_op: Any = lambda value, best: np.greater(value, best + self.min_delta)
            self.best: Any = -np.inf
        else:
            self.monitor_op = lambda value, best: np.less(value, best - self.min_delta)
            self.best = np.inf
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        rate = logs["lr"] = learning_rate(self.model)
        current = watched(self.monitor, logs, "Reduce LR on plateau")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.monitor_op(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                reduced = max(float(rate) * self.factor, self.min_lr)
                set_learning_rate(self.model, reduced)
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to {reduced}.")
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether the last reduction is too recent for another."""
        return self.cooldown_counter > 0
