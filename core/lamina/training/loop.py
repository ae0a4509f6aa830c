"""The one loop behind fit, evaluate and predict, their generator forms included.

A source fills an executor's buffers batch by batch, the executor runs, a sink takes what came out.  What happens
besides (callbacks, progress) is decided before the loop starts, so that a step costs what the plan costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lamina.training.batches import Batch, reseed
from lamina.training.callbacks import CallbackList, History, ProgbarLogger
from lamina.training.progbar import Progbar
from lamina.training.progress import progress_of

if TYPE_CHECKING:
    from lamina.engine.model import Model
    from lamina.function import Function
    from lamina.training.compiled import Compiled


class Source(Protocol):
    """Where batches come from.  by_steps: an epoch is a number of batches, not of samples."""

    by_steps: bool

    def epoch(self, order: Any = None) -> Iterator[Batch]: ...


class Sink(Protocol):
    """What is done with the outputs of a batch."""

    def add(self, outputs: Sequence[Any], samples: int) -> None: ...


def run_batches(
    batches: Iterator[Batch],
    sink: Sink,
    began: Callable[[int, int], None] | None = None,
    ended: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> bool:
    """Run every batch.  Answers False when `stopped` ended it early.

    began, ended: called with the number of the batch and of its samples.
    """
    add = sink.add
    # Closed at once, so that the executor goes back to its plan also when a callback raises.
    with contextlib.closing(batches):  # type: ignore[type-var]
        for number, (run, samples) in enumerate(batches):
            if began is not None:
                began(number, samples)
            run()
            add(run.outputs, samples)
            if ended is not None:
                ended(number, samples)
            if stopped is not None and stopped():
                return False
    return True


class Averages:
    """Scalars of batches, averaged over samples.

    stateful: positions of metrics that keep count themselves: their last value is the result.
    """

    def __init__(self, count: int, stateful: Sequence[int] = ()) -> None:
        self.totals = [0.0] * count
        self.stateful = tuple(stateful)
        self.samples = 0
        self.last: list[float] = []

    def add(self, outputs: Sequence[Any], samples: int) -> None:
        self.samples += samples
        self.last = last = [output.item() for output in outputs]
        totals = self.totals
        for at, value in enumerate(last):
            totals[at] += value * samples

    def results(self) -> list[float]:
        """One number for each scalar."""
        found = [total / self.samples for total in self.totals] if self.samples else []
        for at in self.stateful if found else ():
            found[at] = self.last[at]
        return found


class Rows:
    """Outputs of batches, one below the other: written into arrays of `samples` rows, or collected when unknown."""

    def __init__(self, model: Any, samples: int | None) -> None:
        self.model = model
        self.samples = samples
        self.arrays: list[np.ndarray] = []
        self.parts: list[list[np.ndarray]] = []
        self.at = 0

    def add(self, outputs: Sequence[Any], samples: int) -> None:
        if self.samples is None:
            self.parts.append([np.array(output) for output in outputs])
            return
        stop = self.at + samples
        if not self.arrays:
            self.arrays = [np.empty((self.samples, *output.shape[1:]), output.dtype) for output in outputs]
        for array, output in zip(self.arrays, outputs, strict=True):
            if output.shape[:1] != (samples,):
                self._refuse(outputs, samples)
            array[self.at : stop] = output
        self.at = stop

    def _refuse(self, outputs: Sequence[Any], samples: int) -> None:
        name, output = next(
            (name, output)
            for name, output in zip(self.model.output_names, outputs, strict=True)
            if output.shape[:1] != (samples,)
        )
        raise ValueError(
            f"{self.model.name}: the output {name} has shape {output.shape} for a batch of {samples} samples; its "
            "first axis must be the batch"
        )

    def results(self) -> list[np.ndarray]:
        """One array for each output."""
        if self.samples is None:
            return [np.concatenate(parts) for parts in zip(*self.parts, strict=True)]
        if not self.arrays:  # no samples, so no batch ran
            shapes = [tuple(size or 0 for size in tensor.shape[1:]) for tensor in self.model.outputs]
            return [np.empty((0, *s), t.dtype) for s, t in zip(shapes, self.model.outputs, strict=True)]
        return self.arrays


# ---- fit


def fit(
    model: Model,
    compiled: Compiled,
    function: Function,
    source: Source,
    *,
    epochs: int,
    initial_epoch: int,
    verbose: int,
    callbacks: Any,
    params: dict[str, Any],
    validate: Callable[[], list[float]] | None,
    validation_data: Any = None,
    order: Callable[[], np.ndarray | None] = lambda: None,
    validate_when_stopped: bool = False,
) -> History:
    """Run the epochs, tell the callbacks, answer the History.

    function: the train function, asked only whether it draws random numbers.
    params: what callbacks are told about the size of an epoch.  validate: evaluates on validation data.
    order: of the samples of an epoch.
    validate_when_stopped: also validate an epoch that a callback stopped, as Keras does where the data is tensors.
    """
    for argument, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
        if not hasattr(value, "__index__"):
            raise TypeError(f"{argument} is a whole number, met {value!r}")
    names = compiled.metrics_names
    history = History()
    told = callback_list(compiled, callbacks, history, verbose, source.by_steps)
    model.history = history
    told.set_model(model)
    # Where Keras takes batches from a stream, it names the values of validation even when there is none.
    named = validate is not None or "samples" not in params
    told.set_params(
        {
            **params,
            "epochs": epochs,
            "verbose": verbose,
            "do_validation": validate is not None,
            "metrics": names + [f"val_{name}" for name in names] if named else list(names),
        }
    )
    for callback in told:
        callback.validation_data = validation_data
    told.on_train_begin()
    model.stop_training = False
    progress = progress_of(model)
    progress.take_up(initial_epoch)
    for epoch in range(initial_epoch, epochs):
        progress.epoch = None
        reset_metrics(compiled)
        told.on_epoch_begin(epoch)
        reseed(function)
        averages = Averages(len(names), stateful_positions(compiled))
        began, ended = _watchers(told, names, averages)
        whole = run_batches(source.epoch(order()), averages, began, ended, lambda: model.stop_training)
        logs: dict[str, Any] = {}
        if validate is not None and (whole or validate_when_stopped):
            logs.update((f"val_{name}", value) for name, value in zip(names, validate(), strict=True))
        logs.update(zip(names, averages.results(), strict=False))
        progress.epoch = epoch + 1
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end()
    return history


def callback_list(
    compiled: Compiled, callbacks: Any, history: History, verbose: int, by_steps: bool
) -> CallbackList:
    """The progress bar, the user's callbacks, the History, in this order: each sees what those before it logged."""
    if isinstance(callbacks, CallbackList):
        callbacks = callbacks.callbacks
    if callbacks is not None and not isinstance(callbacks, list | tuple):
        raise TypeError(
            f"callbacks is a list of callbacks, met {callbacks!r}: write callbacks=[{callbacks!r}]"
        )
    for callback in callbacks or ():
        if isinstance(callback, type) or not hasattr(callback, "set_model"):
            if isinstance(callback, type):
                hint = f": make one, {callback.__name__}(...)"
            else:
                hint = ": wrap it, LambdaCallback(on_epoch_end=...)" if callable(callback) else ""
            raise TypeError(f"callbacks holds {callback!r}, which is no Callback{hint}")
    bar = ProgbarLogger("steps" if by_steps else "samples", stateful_metrics=compiled.stateful_metrics)
    return CallbackList([*([bar] if verbose else []), *(callbacks or []), history])


def _watchers(told: CallbackList, names: Sequence[str], averages: Averages) -> tuple[Any, Any]:
    """What `run_batches` calls before and after each batch; None where no callback wants to know."""
    watch_begin, watch_end = told.watching("on_batch_begin"), told.watching("on_batch_end")
    logs: dict[str, Any] = {}

    def began(number: int, samples: int) -> None:
        nonlocal logs
        logs = {"batch": number, "size": samples}
        for method in watch_begin:
            method(number, logs)

    def ended(number: int, samples: int) -> None:
        nonlocal logs
        if not watch_begin:
            logs = {"batch": number, "size": samples}
        logs.update(zip(names, averages.last, strict=True))
        for method in watch_end:
            method(number, logs)

    return began if watch_begin else None, ended if watch_end else None


def reset_metrics(compiled: Compiled) -> None:
    for metric in compiled.stateful_metrics.values():
        metric.reset_states()


def stateful_positions(compiled: Compiled) -> list[int]:
    return [compiled.metrics_names.index(name) for name in compiled.stateful_metrics]


# ---- evaluate and predict


def evaluate(compiled: Compiled, source: Source, total: int | None = None) -> list[float]:
    """The averages of loss and metrics.  total: what a progress bar counts up to, or None for none."""
    reset_metrics(compiled)
    averages = Averages(len(compiled.metrics_names), stateful_positions(compiled))
    run_batches(source.epoch(), averages, ended=_progress(source, total))
    return averages.results()


def predict(model: Model, source: Source, samples: int | None, total: int | None = None) -> list[np.ndarray]:
    """The outputs for all samples.

    samples: how many there are, or None when unknown.  total: what a progress bar counts up to, or None for none.
    """
    rows = Rows(model, samples)
    run_batches(source.epoch(), rows, ended=_progress(source, total))
    return rows.results()


def _progress(source: Source, total: int | None) -> Callable[[int, int], None] | None:
    if not total:
        return None
    bar = Progbar(total)
    return lambda number, samples: bar.add(1 if source.by_steps else samples)
