"""ModelCheckpoint: saves the model as it trains."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina.training.progress import progress_of
from lamina_callbacks.shared import larger_is_better


class ModelCheckpoint(Callback):
    """Saves the model at the end of epochs.  Each file is written whole or not at all.

    filepath: may hold fields for `epoch`, counted from 1, and for the keys of the logs:
        "weights.{epoch:02d}-{val_loss:.2f}.h5".
    monitor: key of the logs, for save_best_only.  Where it is missing, a warning is given and nothing is saved.
    verbose: 1 tells of each decision.
    save_best_only: save when the value is better than in every epoch before.
    save_weights_only: write `model.save_weights`, not the whole model.
    mode: "min" or "max", what is better; "auto" is "max" for names with "acc" in them or "fmeasure" at their start.
    period: epochs from one save to the next.

    The best value goes into the file, as into every other that the model is saved to.  A model that is loaded, or
    given the weights of such a file, and trained with a checkpoint of the same file name and monitor, goes on from
    it: a restart does not replace the best model by a worse one.  A model that was made anew starts anew.

    Raises FileNotFoundError before training where there is no folder for the file, ValueError for a filepath whose
    fields cannot be filled in, and KeyError for one that asks for what the logs have not.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        period: int = 1,
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.period = period
        self.epochs_since_last_save = 0
        grows = larger_is_better(monitor, mode, "ModelCheckpoint", prefixes=["fmeasure"])
        self.monitor_op: Any = np.greater if grows else np.less
        self.best: Any = -np.inf if grows else np.inf

    @property
    def _name(self) -> str:
        """What the best value is called in the model's progress."""
        direction = "max" if self.monitor_op is np.greater else "min"
        return f"{os.path.basename(self.filepath)}: {direction} {self.monitor}"

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        folder = os.path.dirname(self.filepath)
        if folder and "{" not in folder and not os.path.isdir(folder):
            raise FileNotFoundError(
                errno.ENOENT, "ModelCheckpoint has no directory to save in; create it first", folder
            )
        with contextlib.suppress(KeyError):  # which callbacks may add to the logs
            self._path(0, dict.fromkeys(self.params.get("metrics", ()), 0.0))
        known = progress_of(self.model).best.get(self._name)
        # A file that somebody has moved away since is to be written again.
        there = "{" in self.filepath or os.path.exists(self.filepath)
        if self.save_best_only and known is not None and there and self.monitor_op(known, self.best):
            self.best = known

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        self.epochs_since_last_save += 1
        if self.epochs_since_last_save < self.period:
            return
        self.epochs_since_last_save = 0
        filepath = self._path(epoch, logs)
        if not self.save_best_only:
            self._tell(f"Epoch {epoch + 1:05d}: saving model to {filepath}")
            self._save(filepath)
            return
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"Can save best model only with {self.monitor} available, skipping.",
                RuntimeWarning,
                stacklevel=2,
            )
        elif self.monitor_op(current, self.best):
            self._tell(
                f"Epoch {epoch + 1:05d}: {self.monitor} improved from {self.best:0.5f} to {current:0.5f}, "
                f"saving model to {filepath}"
            )
            self._save_best(filepath, current)
        else:
            self._tell(f"Epoch {epoch + 1:05d}: {self.monitor} did not improve from {self.best:0.5f}")

    def _path(self, epoch: int, logs: dict[str, Any]) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint cannot fill in {self.filepath!r}: the logs have no {error}, only "
                f"{', '.join(['epoch', *logs])}"
            ) from error
        except (IndexError, ValueError) as error:
            raise ValueError(
                f"ModelCheckpoint cannot fill in {self.filepath!r} ({error}): fields look like {{epoch:02d}} and "
                "{val_loss:.2f}"
            ) from error

    def _save_best(self, filepath: str, current: Any) -> None:
        before, bests = self.best, progress_of(self.model).best
        self.best = current
        bests[self._name] = float(current)
        try:
            self._save(filepath)
        except BaseException:
            self.best = before
            bests[self._name] = float(before)
            raise

    def _save(self, filepath: str) -> None:
        if self.save_weights_only:
            self.model.save_weights(filepath, overwrite=True)
        else:
            self.model.save(filepath, overwrite=True)

    def _tell(self, message: str) -> None:
        if self.verbose > 0:
            print(f"\n{message}")
