"""Callbacks: the base, the list that training talks to, and the few that training itself needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lamina.training.progbar import Progbar

Logs = dict[str, Any]


class Callback:
    """Base of all callbacks: something that is told how training goes, and may look at and change the model.

    params: {'epochs', 'steps', 'verbose', 'do_validation', 'metrics'} and, for arrays, 'batch_size' and 'samples'.
    model: the model being trained.
    validation_data: the list of validation inputs, targets and weights, if any.

    `logs` of on_batch_begin have 'batch' and 'size', those of on_batch_end also the values of the batch; those of
    on_epoch_end have the epoch's averages and the validation's values under 'val_...'. What a callback writes into
    them the callbacks after it, and the History, see.
    """

    def __init__(self) -> None:
        self.validation_data: Any = None
        self.model: Any = None
        self.params: Logs = {}

    def set_params(self, params: Logs) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """epoch: counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """epoch: counted from 0."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """batch: counted from 0 in each epoch."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """batch: counted from 0 in each epoch."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        pass

    def on_train_end(self, logs: Logs | None = None) -> None:
        pass


class CallbackList:
    """Several callbacks as one, told in order.  Methods that a callback does not override are not called."""

    def __init__(self, callbacks: Iterable[Any] | None = None) -> None:
        self.callbacks: list[Any] = list(callbacks or [])
        self._watching: dict[str, list[Callable[..., Any]]] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter(self.callbacks)

    def append(self, callback: Any) -> None:
        self.callbacks.append(callback)
        self._watching.clear()

    def set_params(self, params: Logs) -> None:
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        for callback in self.callbacks:
            callback.set_model(model)

    def watching(self, event: str) -> list[Callable[..., Any]]:
        """The methods to call at `event`.  Decided once, after on_train_begin, which may still set them."""
        methods = self._watching.get(event)
        if methods is None:
            methods = self._watching[event] = [
                getattr(c, event) for c in self.callbacks if overrides(c, event)
            ]
        return methods

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for method in self.watching("on_epoch_begin"):
            method(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for method in self.watching("on_epoch_end"):
            method(epoch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for method in self.watching("on_batch_begin"):
            method(batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for method in self.watching("on_batch_end"):
            method(batch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_begin({} if logs is None else logs)
        self._watching.clear()

    def on_train_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_end({} if logs is None else logs)


def overrides(callback: Any, event: str) -> bool:
    """Whether `callback` has an answer of its own to `event`, from its class or set on the instance."""
    method = getattr(callback, event, None)
    return method is not None and getattr(method, "__func__", method) is not getattr(Callback, event)


class BaseLogger(Callback):
    """Averages the values of batches over an epoch, weighted by 'size', into the logs of on_epoch_end.

    Training does this by itself, before all callbacks; this is for loops of one's own.

    stateful_metrics: names of values whose last one counts.
    """

    def __init__(self, stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen = 0
        self.totals: dict[str, float] = {}

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        size = logs.get("size", 0)
        self.seen += size
        for name, value in logs.items():
            if name in self.stateful_metrics:
                self.totals[name] = value
            else:
                self.totals[name] = self.totals.get(name, 0.0) + value * size

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            for name in self.params["metrics"]:
                if name in self.totals:
                    stateful = name in self.stateful_metrics
                    logs[name] = self.totals[name] if stateful else self.totals[name] / self.seen


class History(Callback):
    """Keeps the logs of every epoch: `history` from key to one value an epoch, `epoch` the epochs run."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class ProgbarLogger(Callback):
    """Prints how far an epoch is, and its values.

    count_mode: 'samples' or 'steps', what the bar counts.
    stateful_metrics: names of values that are shown as they are, not averaged.

    Raises ValueError for another count_mode.
    """

    def __init__(self, count_mode: str = "samples", stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        if count_mode not in ("samples", "steps"):
            raise ValueError(f"Unknown count_mode: {count_mode!r}; it is 'samples' or 'steps'")
        self.use_steps = count_mode == "steps"
        self.stateful_metrics = set(stateful_metrics or ())

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.verbose = self.params["verbose"]
        self.epochs = self.params["epochs"]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen = 0
        self.target = self.params["steps" if self.use_steps else "samples"]
        if self.verbose:
            print(f"Epoch {epoch + 1}/{self.epochs}")
        self.progbar = Progbar(self.target, verbose=self.verbose, stateful_metrics=self.stateful_metrics)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self.seen += 1 if self.use_steps else logs.get("size", 0)
        # The last batch is shown together with the validation, at the end of the epoch.
        if self.target is None or self.seen < self.target:
            self.progbar.update(
                self.seen, [(name, logs[name]) for name in self.params["metrics"] if name in logs]
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self.progbar.seen = self.seen
        self.progbar.finish([(name, logs[name]) for name in self.params["metrics"] if name in logs])
