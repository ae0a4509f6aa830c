"""Data on its way in: what users pass as x, y and weights, checked, in the order a function takes it.

Arrays keep their type and memory here; what is cast is cast on its way into the plan's own buffers
(see `lamina.training.batches`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import backend as K
from lamina.tensor import Shape
from lamina.training.compiled import Compiled, feed_inputs
from lamina.training.forms import Rows, check_shape, is_lazy, len_of, standardize
from lamina.training.objective import Objective, is_loss
from lamina.training.weights import per_output, sample_weights

if TYPE_CHECKING:
    from lamina.engine.model import Model


@dataclass
class Data:
    """Inputs, targets and sample weights: one array for each input, fed target and fed target.

    weights: None where a target is not weighted.
    """

    x: list[Any]
    y: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    @property
    def weighted(self) -> list[bool]:
        return [weights is not None for weights in self.weights]

    @property
    def arrays(self) -> list[Any]:
        """What a function takes, in its order."""
        return [*self.x, *self.y, *[weights for weights in self.weights if weights is not None]]

    @property
    def samples(self) -> int | None:
        """How many samples there are; None where nothing is fed."""
        arrays = self.arrays
        return len_of(arrays[0]) if arrays else None

    def split(self, at: int) -> tuple[Data, Data]:
        """The samples before `at`, and the others."""

        def cut(first: int, last: int) -> Data:
            def part(array: Any) -> Any:
                stored = is_lazy(array) and not hasattr(array, "tocsr")
                return Rows(array, first, last) if stored else array[first:last]

            weights = [None if each is None else part(each) for each in self.weights]
            return Data([part(array) for array in self.x], [part(array) for array in self.y], weights)

        return cut(0, at), cut(at, self.samples or 0)


def inputs_of(model: Model, x: Any) -> Data:
    """x as the arrays of the model's inputs.  Raises ValueError or TypeError naming the input that does not fit."""
    where = f"{model.name}: input"
    tensors = feed_inputs(model)
    pairs = zip(model.input_names, model.inputs or (), strict=True)
    names = [name for name, tensor in pairs if tensor in tensors]
    data = Data(standardize(x, names, [tensor.ndim for tensor in tensors], where))
    for array, name, tensor in zip(data.x, names, tensors, strict=True):
        check_shape(array, name, tensor._keras_shape, where, hint=_alone(array, tensor._keras_shape))
        _check_range(array, f"{where}: {name}", tensor.dtype)
    _check_lengths(model, data)
    return data


def _alone(array: Any, shape: Shape) -> str:
    """What to do with an array that looks like a single sample without its batch."""
    met = tuple(array.shape)
    if len(met) == 2 and met[1] == 1 and len(shape) == 2:  # a flat array, which was made a column
        met = met[:1]
    fits = len(met) == len(shape) - 1 and all(a in (None, b) for a, b in zip(shape[1:], met, strict=True))
    return ". If this is a single sample, make it a batch of one: x[np.newaxis]" if fits else ""


def training_data(
    model: Model, compiled: Compiled, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None
) -> Data:
    """x, y and weights as arrays for the train and test functions.

    class_weight counts only where no sample_weight is given.  Raises ValueError or TypeError naming what does not fit.
    """
    data = inputs_of(model, x)
    names = [objective.name for objective in compiled.fed]
    if y is None and names:
        raise ValueError(
            f"{model.name}: no targets were given (y=None), and its outputs {names} are trained on some: pass them as y"
        )
    ranks = [len(objective.target_shape) for objective in compiled.fed]
    data.y = standardize(y, names, ranks, f"{model.name}: target")
    for objective, target in zip(compiled.fed, data.y, strict=True):
        check_target(objective, target, f"{model.name}: target")
    samples = per_output("sample_weight", sample_weight, names)
    classes = per_output("class_weight", class_weight, names)
    data.weights = [
        sample_weights(objective, target, weights, by_class)
        for objective, target, weights, by_class in zip(compiled.fed, data.y, samples, classes, strict=True)
    ]
    _check_lengths(model, data)
    if data.samples == 0:  # their mean loss would be 0 / 0
        raise ValueError(f"{model.name}: there are no samples: the arrays have 0 rows")
    return data


def check_target(objective: Objective, target: Any, where: str) -> None:
    """Raises ValueError when the loss cannot compare `target` with its output, and says what would help."""
    name, shape, met = objective.name, objective.target_shape, tuple(target.shape)
    if objective.one_hot and met[-1] == 1:
        if shape[-1] == 1:
            raise ValueError(
                f"{where}: {name} has a single unit and the loss categorical_crossentropy, which compares several "
                "classes: use binary_crossentropy with a sigmoid"
            )
        raise ValueError(
            f"{where}: {name} is trained with categorical_crossentropy, which needs one-hot targets of shape {shape}, "
            f"but got array with shape {met}. Turn class numbers into rows with to_categorical(y), or use the loss "
            "sparse_categorical_crossentropy, which takes them as they are"
        )
    if is_loss(objective.loss, "sparse_categorical_crossentropy") and len(met) == len(shape) and met[-1] > 1:
        raise ValueError(
            f"{where}: {name} is trained with sparse_categorical_crossentropy, which needs class numbers of shape "
            f"{shape}, but got array with shape {met}. For one-hot rows use the loss categorical_crossentropy, or turn "
            "them into class numbers with y.argmax(axis=-1)"
        )
    check_shape(target, name, shape, where)


def _check_range(array: Any, name: str, dtype: str) -> None:
    """A number beyond the integer type of an input would become another one without a word."""
    kind = np.dtype(dtype).kind
    if (
        kind not in "iu"
        or not isinstance(array, np.ndarray)
        or not array.size
        or np.can_cast(array.dtype, dtype)
    ):
        return
    least, most, limits = array.min(), array.max(), np.iinfo(dtype)
    if not (limits.min <= least and most <= limits.max):  # nor is NaN
        raise ValueError(
            f"{name} takes {dtype}, from {limits.min} to {limits.max}, and met numbers from {least} to {most}"
        )


def _check_lengths(model: Model, data: Data) -> None:
    """All arrays must have as many samples."""
    if len({len_of(array) for array in data.arrays}) > 1:
        groups = {"x": data.x, "y": data.y, "weights": [w for w in data.weights if w is not None]}
        found = [f"{[len_of(a) for a in arrays]} in {name}" for name, arrays in groups.items() if arrays]
        raise ValueError(
            f"{model.name}: All arrays must have the same number of samples. Found {', '.join(found)}"
        )


def check_steps(argument: str, steps: Any) -> int | None:
    """How many batches `steps` asks for; None when it is None.

    A part of a batch counts as one, as in Keras: steps_per_epoch=len(x) / 32.  Raises for what is no number above 0.
    """
    if steps is None:
        return None
    if isinstance(steps, bool) or not isinstance(steps, Real):
        raise TypeError(f"{argument} is a number of batches, met {steps!r}")
    if not 0 < (count := float(steps)) < math.inf:
        raise ValueError(f"{argument} must be at least 1, met {steps}")
    return math.ceil(count)


def check_batch_size(model: Model, batch_size: Any, samples: int | None) -> int:
    """`batch_size` as an int; None is the size the model's inputs are fixed to, else 32.

    Raises for sizes that the model cannot take: one whose input was given a fixed batch size takes only batches of
    that size, one that keeps state between batches only whole ones.
    """
    if batch_size is None:
        batch_size = next((size for size, *_ in map(K.int_shape, feed_inputs(model)) if size is not None), 32)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
        raise TypeError(f"batch_size is a whole number of samples, met {batch_size!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, met {batch_size}")
    if samples is None:
        return int(batch_size)
    rest = samples % batch_size
    if model.stateful and rest and samples > batch_size:
        raise ValueError(
            f"{model.name} keeps state from batch to batch: the number of samples must be a multiple of the batch "
            f"size. Found {samples} samples and batch_size={batch_size}"
        )
    for tensor in feed_inputs(model):
        fixed = tensor.shape[0]
        met = {batch_size if samples >= batch_size else samples, *([rest] if rest else [])}
        if fixed is not None and met - {fixed}:
            raise ValueError(
                f"{model.name}: {tensor.name} has the fixed batch size {fixed}; {samples} samples with "
                f"batch_size={batch_size} make a batch of {max(met - {fixed})}. Pass batch_size={fixed} and a multiple "
                "of that many samples"
            )
    return int(batch_size)
