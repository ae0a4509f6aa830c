"""EarlyStopping: stops a training that gets no better."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina_callbacks.shared import larger_is_better, watched


class EarlyStopping(Callback):
    """Stops training when a value has not improved for some epochs.

    monitor: key of the logs.  Where it is missing, a warning is given and training goes on.
    min_delta: >= 0, in units of the value: smaller changes are no improvement.
    patience: epochs without improvement after which training stops; 0 stops at the first, as 1 does.
    verbose: 1 tells when training was stopped.
    mode: "min" or "max", what is better; "auto" is "max" for names with "acc" in them, else "min".
    baseline: a value that the first improvement must exceed.
    restore_best_weights: give the model the weights of its best epoch when training is stopped.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.baseline = baseline
        self.patience = patience
        self.verbose = verbose
        self.restore_best_weights = restore_best_weights
        grows = larger_is_better(monitor, mode, "EarlyStopping")
        self.monitor_op: Any = np.greater if grows else np.less
        self.min_delta = (
            abs(min_delta) if grows else -abs(min_delta)
        )  # signed: what is taken off before comparing
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best_weights: list[np.ndarray] | None = None
        worst = -np.inf if self.monitor_op is np.greater else np.inf
        self.best: Any = worst if self.baseline is None else self.baseline

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        current = self.get_monitor_value(logs)
        if current is None:
            return
        if self.monitor_op(current - self.min_delta, self.best):
            self.best = current
            self.wait = 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.best_weights is not None:
                if self.verbose > 0:
                    print("Restoring model weights from the end of the best epoch")
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")

    def get_monitor_value(self, logs: dict[str, Any] | None) -> Any:
        """The watched value of an epoch, or None, with a warning."""
        return watched(self.monitor, logs or {}, "Early stopping")
