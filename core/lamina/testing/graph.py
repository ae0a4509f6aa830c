"""Graphs: a case as symbolic inputs and outputs that can be run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lamina import config
from lamina.backend import phase
from lamina.devices import current_device
from lamina.function import Function
from lamina.op import as_tensor
from lamina.tensor import Placeholder, Tensor, Variable
from lamina.testing.case import Case

BATCH = 3  # samples where any number will do
SIZE = 5  # of an axis whose size is not known beforehand


class Graph:
    """One use of a case: `outputs` made of `inputs`, and the weights between them."""

    def __init__(self, case: Case, inputs: Sequence[Tensor], outputs: Any, layer: Any = None) -> None:
        self.case = case
        self.inputs = list(inputs)
        self.outputs: list[Tensor] = list(_flat(outputs))
        self.layer = layer

    @property
    def weights(self) -> list[Variable]:
        """The trainable weights."""
        return list(self.layer.trainable_weights) if self.layer is not None else []

    @property
    def phases(self) -> tuple[int, ...]:
        """The learning phases in which the outputs differ."""
        return (0, 1) if any(output._uses_learning_phase for output in self.outputs) else (0,)

    def draw(self, seed: int = 0, batch: int = BATCH) -> list[np.ndarray]:
        """Arrays for the inputs."""
        shapes = [concrete(tensor.shape, batch) for tensor in self.inputs]
        return self.case.draw(shapes, [tensor.dtype for tensor in self.inputs], seed)

    def run(self, arrays: Sequence[np.ndarray], phase: int = 0) -> list[np.ndarray]:
        """The outputs for these inputs.  Random draws are the same each time."""
        current_device().reseed(0)
        return self.function([*arrays, phase])

    @functools.cached_property
    def function(self) -> Callable[[Sequence[Any]], list[np.ndarray]]:
        return function(self.inputs, self.outputs)


def function(inputs: Sequence[Tensor], outputs: Sequence[Tensor], updates: Sequence[Any] = ()) -> Function:
    """A function of arrays for `inputs` and of the learning phase."""
    return Function([*inputs, Placeholder((), "int32", static=True)], outputs, updates)


def graph_of(case: Case, **more: Any) -> Graph:
    """The case, called on inputs.  more: arguments of the constructor, over those of the case."""
    if case.kind == "layers":
        return _layer_graph(case, more)
    batch = () if case.kind in ("ops", "regularizers", "constraints") else (None,)
    inputs = [
        Placeholder((*batch, *shape), dtype) for shape, dtype in zip(case.shapes, case.dtypes, strict=True)
    ]
    if case.kind in ("regularizers", "constraints"):
        return Graph(case, inputs, as_tensor(case.make()(*inputs)))
    return Graph(case, inputs, case.target(*inputs, **case.arguments))


def _layer_graph(case: Case, more: Mapping[str, Any]) -> Graph:
    from lamina.layers import Input

    inputs = [
        Input(batch_shape=(case.batch, *shape), dtype=dtype)
        for shape, dtype in zip(case.shapes, case.dtypes, strict=True)
    ]
    layer = case.make(**more)
    return Graph(case, inputs, call(layer, inputs), layer)


def call(layer: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a layer on inputs: a list of several is handed over as a list."""
    outputs = layer(list(inputs) if len(inputs) > 1 else inputs[0])
    return outputs if isinstance(outputs, list) else [outputs]


def predict(layer: Any, inputs: Any, training: bool = False) -> Any:
    """What a layer makes of an array, or of a list of arrays if it takes several: an array, or a list of them.

    Python lists of numbers count as one array, in the float type.
    """
    from lamina.layers import Input

    several = isinstance(inputs, list) and any(isinstance(item, np.ndarray) for item in inputs)
    arrays = [
        item if isinstance(item, np.ndarray) else np.asarray(item, config.floatx())
        for item in (inputs if several else [inputs])
    ]
    places = [Input(batch_shape=(None, *array.shape[1:]), dtype=array.dtype.name) for array in arrays]
    found = function(places, call(layer, places))([*arrays, int(training)])
    return found if len(found) > 1 else found[0]


def concrete(shape: Sequence[int | None], batch: int = BATCH) -> tuple[int, ...]:
    """The shape with `batch` for an unknown first size, and one of its own for every other."""
    return tuple(
        size if size is not None else batch if axis == 0 else SIZE for axis, size in enumerate(shape)
    )


@contextlib.contextmanager
def fresh(floatx: str = "float32") -> Iterator[None]:
    """Inside, the float type is `floatx`, the learning phase is open and np.random starts from 0; afterwards all are
    as before."""
    before, fixed, state = config.floatx(), phase.fixed(), np.random.get_state()
    config.set_floatx(floatx)
    phase.reset()
    np.random.seed(0)
    try:
        yield
    finally:
        config.set_floatx(before)
        if fixed is not None:
            phase.set_learning_phase(fixed)
        np.random.set_state(state)


def _flat(outputs: Any) -> Iterator[Tensor]:
    """The tensors in what a function answered, one or several, in lists or not."""
    if isinstance(outputs, list | tuple):
        for output in outputs:
            yield from _flat(output)
    else:
        yield outputs
