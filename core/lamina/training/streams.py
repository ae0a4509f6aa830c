"""fit, evaluate and predict on streams: batches that a generator or a Sequence makes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.function import Function
from lamina.training import loop
from lamina.training.arrays import evaluation, for_callbacks, given, validation_arrays
from lamina.training.batches import Batch, filled
from lamina.training.callbacks import History
from lamina.training.compiled import Compiled, training_phase
from lamina.training.data import Data, check_steps, inputs_of, training_data
from lamina.training.feeds import Feed
from lamina.training.forms import shown
from lamina.training.sequence import Sequence, is_stream

if TYPE_CHECKING:
    from lamina.engine.model import Model


def fit_generator(
    model: Model,
    generator: Any,
    *,
    steps_per_epoch: int | None,
    epochs: int,
    verbose: int,
    callbacks: Any,
    validation_data: Any,
    validation_steps: int | None,
    class_weight: Any,
    shuffle: bool,
    initial_epoch: int,
    **workers: Any,
) -> History:
    """`Model.fit_generator`.  workers: how batches are made, as `Feed` takes it."""
    compiled = model._ready(None, train=True)
    steps = _steps_of(generator, steps_per_epoch, "fit_generator", "steps_per_epoch")
    validation: Data | None = None
    validate: Callable[[], list[float]] | None = None
    with contextlib.ExitStack() as stack:
        feed = stack.enter_context(Feed(generator, shuffle=shuffle, **workers))
        source = _labelled(model, compiled, feed, steps, True, class_weight)
        if is_stream(validation_data):
            count = _steps_of(validation_data, validation_steps, "fit_generator", "validation_steps")
            judged = _labelled(
                model, compiled, stack.enter_context(Feed(validation_data, **workers)), count, False
            )
            validate = functools.partial(loop.evaluate, compiled, judged)
        elif given(validation_data):
            validation = validation_arrays(model, compiled, validation_data)
            # In batches of the size of those trained on, as in Keras.
            validate = evaluation(model, compiled, validation, lambda: source.samples)
        return loop.fit(
            model,
            compiled,
            compiled.function(True),
            source,
            epochs=epochs,
            initial_epoch=initial_epoch,
            verbose=verbose,
            callbacks=callbacks,
            params={"steps": steps},
            validate=validate,
            validation_data=for_callbacks(model, compiled, validation),
        )


def evaluate_generator(
    model: Model, generator: Any, steps: int | None, verbose: int, **workers: Any
) -> list[float]:
    """`Model.evaluate_generator`, always as a list."""
    compiled = model._ready(None)
    count = _steps_of(generator, steps, "evaluate_generator")
    with Feed(generator, **workers) as feed:
        source = _labelled(model, compiled, feed, count, False)
        return loop.evaluate(compiled, source, count if verbose == 1 else None)


def predict_generator(
    model: Model, generator: Any, steps: int | None, verbose: int, **workers: Any
) -> list[np.ndarray]:
    """`Model.predict_generator`, always as a list."""

    def prepare(item: Any) -> tuple[Function, Data]:
        x = item[0] if isinstance(item, tuple) and len(item) in (2, 3) else item
        return model._predict_function_for(x), inputs_of(model, x)

    count = _steps_of(generator, steps, "predict_generator")
    with Feed(generator, **workers) as feed:
        source = StreamBatches(feed, count, 0, prepare)
        return loop.predict(model, source, None, count if verbose == 1 else None)


class StreamBatches:
    """`steps` batches of a feed an epoch, as a source of the loop.

    prepare: makes of what the feed gives the function and the data for it.
    samples: in the last batch.
    """

    by_steps = True
    samples: int | None = None

    def __init__(
        self, feed: Feed, steps: int, phase: int, prepare: Callable[[Any], tuple[Function, Data]]
    ) -> None:
        self.feed, self.steps, self.phase, self.prepare = feed, steps, phase, prepare

    def epoch(self, order: None = None) -> Iterator[Batch]:
        done = 0
        with contextlib.closing(self.feed.take(self.steps)) as items:  # type: ignore[type-var]
            for item in items:
                function, data = self.prepare(item)
                with filled(function, self.phase, data) as run:
                    self.samples = data.samples
                    yield run, data.samples or 1
                done += 1
        if done < self.steps:
            raise ValueError(
                f"the generator ended after {done} of {self.steps} batches. Let it go on for ever (`while True:` "
                "around its body), or ask for fewer steps"
            )


def _labelled(
    model: Model, compiled: Compiled, feed: Feed, steps: int, train: bool, class_weight: Any = None
) -> StreamBatches:
    """Batches of (x, y) or (x, y, weights) for the train or test function."""

    def prepare(item: Any) -> tuple[Function, Data]:
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            raise ValueError(
                f"Output of generator should be a tuple (x, y, sample_weight) or (x, y). Found: {shown(item)}"
            )
        x, y, *weights = item
        data = training_data(model, compiled, x, y, weights[0] if weights else None, class_weight)
        return compiled.function(train, data.weighted), data

    return StreamBatches(feed, steps, training_phase(model) if train else 0, prepare)


def _steps_of(source: Any, steps: Any, method: str, argument: str = "steps") -> int:
    if not is_stream(source):
        hint = (
            "call it, and pass what it gives"
            if inspect.isgeneratorfunction(source)
            else (f"for arrays call {method.removesuffix('_generator')}()")
        )
        raise TypeError(
            f"{method}() takes a generator or a Sequence of batches, met {type(source).__name__}: {hint}"
        )
    count = check_steps(argument, steps)
    if count is not None:
        return count
    if not isinstance(source, Sequence):
        raise ValueError(
            f"`{argument}=None` is only valid for a generator based on the Sequence class: specify `{argument}`, "
            "or make it a Sequence, which knows how many batches it has"
        )
    if not len(source):
        raise ValueError(f"{type(source).__name__} has no batches: its len() is 0")
    return len(source)
