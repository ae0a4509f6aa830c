"""fit, evaluate and predict on arrays, and their forms for one batch: data brought in, the loop run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.function import Function
from lamina.training import loop
from lamina.training.batches import ArrayBatches, WholeBatches, filled, shuffled_order
from lamina.training.callbacks import History
from lamina.training.compiled import Compiled, training_phase
from lamina.training.data import Data, check_batch_size, check_steps, inputs_of, training_data
from lamina.training.forms import shown
from lamina.training.sequence import is_stream

if TYPE_CHECKING:
    from lamina.engine.model import Model


def fit(
    model: Model,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: int,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool | str,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
) -> History:
    """`Model.fit`."""
    _refuse_streams(x, "fit")
    _refuse_streams(validation_data, "fit")
    steps_per_epoch = _steps(model, "steps_per_epoch", steps_per_epoch, batch_size)
    validation_steps = check_steps("validation_steps", validation_steps)
    _check_both_steps(steps_per_epoch, validation_steps, given(validation_data) or bool(validation_split))
    if isinstance(shuffle, str) and shuffle != "batch":
        raise ValueError(f"shuffle is True, False or 'batch', met {shuffle!r}")
    compiled = model._ready(x, train=True)
    _need_data(model, "fit", x, y, steps_per_epoch)
    validation: Data | None = None
    if given(validation_data):
        validation = validation_arrays(model, compiled, validation_data)
        data = training_data(model, compiled, x, y, sample_weight, class_weight)
    elif validation_split:
        data, validation = _split(model, compiled, x, y, sample_weight, class_weight, validation_split)
    else:
        data = training_data(model, compiled, x, y, sample_weight, class_weight)
        validation = Data([]) if validation_steps else None
    function = compiled.function(True, data.weighted)
    if steps_per_epoch is None:
        samples = _counted(model, data, "train on")
        size = check_batch_size(model, batch_size, samples)
        source: Any = ArrayBatches(function, training_phase(model), data, size, shuffled=bool(shuffle))
        whole = {"batch_size": size, "steps": None, "samples": samples}
        if verbose and validation is not None:
            print(f"Train on {samples} samples, validate on {validation.samples} samples")
    else:
        samples = size = 0
        shuffle = False
        source = WholeBatches(function, training_phase(model), data, steps_per_epoch)
        whole = {"batch_size": batch_size, "steps": steps_per_epoch, "samples": None}
    validate = None
    if validation is not None:
        validate = evaluation(model, compiled, validation, lambda: batch_size, validation_steps)
    return loop.fit(
        model,
        compiled,
        function,
        source,
        epochs=epochs,
        initial_epoch=initial_epoch,
        verbose=verbose,
        callbacks=callbacks,
        params=whole,
        validate=validate,
        validation_data=for_callbacks(model, compiled, validation),
        order=lambda: shuffled_order(samples, size, shuffle),
        validate_when_stopped=steps_per_epoch is not None,
    )


def evaluate(
    model: Model, x: Any, y: Any, batch_size: int | None, verbose: int, sample_weight: Any, steps: int | None
) -> list[float]:
    """`Model.evaluate`, always as a list."""
    _refuse_streams(x, "evaluate")
    steps = _steps(model, "steps", steps, batch_size)
    compiled = model._ready(x)
    _need_data(model, "evaluate", x, y, steps)
    data = training_data(model, compiled, x, y, sample_weight)
    function = compiled.function(False, data.weighted)
    if steps is not None:
        source: Any = WholeBatches(function, 0, data, steps)
        return loop.evaluate(compiled, source, steps if verbose == 1 else None)
    samples = _counted(model, data, "evaluate")
    source = ArrayBatches(function, 0, data, check_batch_size(model, batch_size, samples))
    return loop.evaluate(compiled, source, samples if verbose == 1 else None)


def predict(
    model: Model, x: Any, batch_size: int | None, verbose: int, steps: int | None
) -> list[np.ndarray]:
    """`Model.predict`, always as a list."""
    _refuse_streams(x, "predict")
    steps = _steps(model, "steps", steps, batch_size)
    _need_data(model, "predict", x, None, steps)
    function = model._predict_function_for(x)
    data = inputs_of(model, x)
    if steps is not None:
        source: Any = WholeBatches(function, 0, data, steps)
        return loop.predict(model, source, None, steps if verbose == 1 else None)
    source = ArrayBatches(function, 0, data, check_batch_size(model, batch_size, data.samples))
    return loop.predict(model, source, data.samples, data.samples if verbose == 1 else None)


def on_batch(
    model: Model, train: bool, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
) -> list[float]:
    """`Model.train_on_batch` and `test_on_batch`, always as a list."""
    compiled = model._ready(x, train=train)
    data = training_data(model, compiled, x, y, sample_weight, class_weight)
    phase = training_phase(model) if train else 0
    with filled(compiled.function(train, data.weighted), phase, data) as run:
        run()
        return [output.item() for output in run.outputs]


def predict_on_batch(model: Model, x: Any) -> list[np.ndarray]:
    """`Model.predict_on_batch`, always as a list."""
    function: Function = model._predict_function_for(x)
    with filled(function, 0, inputs_of(model, x)) as run:
        run()
        return [np.array(output) for output in run.outputs]


# ---- validation


def given(validation_data: Any) -> bool:
    """Whether there is any: neither None nor empty."""
    return validation_data is not None and (
        not hasattr(validation_data, "__len__") or len(validation_data) > 0
    )


def validation_arrays(model: Model, compiled: Compiled, validation_data: Any) -> Data:
    """(x, y) or (x, y, weights) as arrays.  Raises ValueError for anything else."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise ValueError(
            "When passing validation_data, it must contain 2 (x_val, y_val) or 3 (x_val, y_val, val_sample_weights) "
            f"items, as a tuple; met {shown(validation_data)}"
        )
    return training_data(model, compiled, *validation_data)


def evaluation(
    model: Model,
    compiled: Compiled,
    data: Data,
    batch_size: Callable[[], int | None],
    steps: int | None = None,
) -> Callable[[], list[float]]:
    """What evaluates validation data.  batch_size: asked each time, when there are no steps."""
    function = compiled.function(False, data.weighted)
    if steps is not None:
        return lambda: loop.evaluate(compiled, WholeBatches(function, 0, data, steps))
    samples = _counted(model, data, "validate on")
    check_batch_size(model, batch_size(), samples)

    def evaluate() -> list[float]:
        size = check_batch_size(model, batch_size(), samples)
        return loop.evaluate(compiled, ArrayBatches(function, 0, data, size))

    return evaluate


def for_callbacks(model: Model, compiled: Compiled, data: Data | None) -> list[Any] | None:
    """Validation inputs, targets and weights as the callbacks of Keras find them in `validation_data`."""
    if data is None:
        return None
    weights = [
        np.ones(target.shape[: 2 if objective.temporal else 1], "float32") if weights is None else weights
        for objective, target, weights in zip(compiled.fed, data.y, data.weights, strict=True)
    ]
    return [*data.x, *data.y, *weights, *([0.0] if model.uses_learning_phase else [])]


def _split(
    model: Model, compiled: Compiled, x: Any, y: Any, sample_weight: Any, class_weight: Any, fraction: float
) -> tuple[Data, Data]:
    """Training and validation data; classes are weighted in training alone."""
    if not 0 <= fraction < 1:
        meant = f": write {fraction / 100} for {fraction} %" if 1 <= fraction < 100 else ""
        raise ValueError(f"validation_split is a fraction, 0 <= f < 1, of the samples; met {fraction}{meant}")
    whole = training_data(model, compiled, x, y, sample_weight)
    data, validation = whole.split(int((whole.samples or 0) * (1.0 - fraction)))
    if not data.samples or not validation.samples:
        raise ValueError(
            f"{model.name}: validation_split={fraction} of {whole.samples} samples leaves {data.samples} to train "
            f"on and {validation.samples} to validate on"
        )
    if class_weight is not None:
        weights = data.weights if any(data.weighted) else None
        data = training_data(model, compiled, data.x, data.y, weights, class_weight)
    return data, validation


# ---- checks


def _refuse_streams(value: Any, method: str) -> None:
    if is_stream(value):
        raise ValueError(f"{method}() takes arrays; for a generator or Sequence call {method}_generator()")


def _need_data(model: Model, method: str, x: Any, y: Any, steps: int | None) -> None:
    if x is None and y is None and steps is None:
        argument = "steps_per_epoch" if method == "fit" else "steps"
        raise ValueError(
            f"{model.name}: no data was given to {method}(); where all of it is tensors of the model, pass {argument}"
        )


def _counted(model: Model, data: Data, purpose: str) -> int:
    if not data.samples:
        raise ValueError(f"{model.name}: there are no samples to {purpose}")
    return data.samples


def _steps(model: Model, argument: str, steps: Any, batch_size: Any) -> int | None:
    """How often to run the whole of the data; with a batch size that would have no meaning."""
    steps = check_steps(argument, steps)
    if steps is not None and batch_size is not None:
        raise ValueError(
            f"{model.name}: {argument}={steps} takes the whole of the data for every step, so that "
            f"batch_size={batch_size} would not count: leave one of them out"
        )
    return steps


def _check_both_steps(steps_per_epoch: int | None, validation_steps: int | None, validated: bool) -> None:
    if validation_steps and steps_per_epoch is None:
        raise ValueError(
            "Can only use validation_steps when doing step-wise training, i.e. steps_per_epoch must be set"
        )
    if steps_per_epoch and validated and not validation_steps:
        raise ValueError("Must specify validation_steps to perform validation when doing step-wise training")
