"""Watching layers being called: for the shapes they make, and for the calls that their calls consist of.

While a trace runs, weights are placeholders (nothing is initialised, no random number is drawn for them), and
losses and updates that layers add are not recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from lamina import config
from lamina.engine.structure import as_list, as_shapes, is_shape, unpacked
from lamina.tensor import Placeholder, Tensor, scope

if TYPE_CHECKING:
    from lamina.engine.layer import Layer

_tracing: ContextVar[bool] = ContextVar("lamina_tracing", default=False)


def is_tracing() -> bool:
    """Whether layers are being called for their shapes only."""
    return _tracing.get()


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Layers are called for their shapes only inside the block."""
    token = _tracing.set(True)
    try:
        yield
    finally:
        _tracing.reset(token)


def traced_output_shape(layer: Layer, input_shape: Any) -> Any:
    """The shape, or list of shapes, of what `layer` makes of inputs of `input_shape`, built or not."""
    shapes = as_shapes(input_shape)
    own = [tensor.dtype for tensor in getattr(layer, "inputs", None) or ()]
    dtypes = own if len(own) == len(shapes) else [layer.__dict__.get("dtype", config.floatx())] * len(shapes)
    tensors: list[Tensor] = [Placeholder(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    inputs = tensors[0] if is_shape(input_shape) else tensors
    with tracing(), scope(layer.name):
        double = stand_in(layer)
        double.assert_input_compatibility(inputs)
        if not double.built:
            double.build(shapes[0] if is_shape(input_shape) else shapes)
            double.built = True
        outputs = double.call(inputs)
    return unpacked([output._keras_shape for output in as_list(outputs)])


def stand_in(layer: Layer) -> Layer:
    """A double of a layer that can be built and called without the layer noticing.

    It has attributes of its own, and doubles of the layers among them; weights and all else are the layer's.  A
    network that is built stands for itself: its layers are built, and its calls leave no trace while tracing.
    """
    double: Layer = _double(layer, {})
    return double


def _double(thing: Any, made: dict[int, Any]) -> Any:
    from lamina.engine.layer import Layer
    from lamina.engine.network import Network

    if isinstance(thing, Network) and thing._is_graph_network:
        return thing
    if isinstance(thing, Layer):
        if id(thing) not in made:
            made[id(thing)] = double = object.__new__(type(thing))
            double.__dict__.update({name: _double(value, made) for name, value in vars(thing).items()})
            double._forget_calls()
            double._is_double = True
        return made[id(thing)]
    if type(thing) in (list, tuple):
        return type(thing)([_double(item, made) for item in thing])
    if type(thing) is dict:
        return {key: _double(item, made) for key, item in thing.items()}
    return thing


# ---- the calls inside a call

Calls = list[tuple["Layer", list[Tensor]]]

_calls: ContextVar[Calls | None] = ContextVar("lamina_calls", default=None)


@contextlib.contextmanager
def recorded_calls() -> Iterator[Calls]:
    """A list that each call of a layer inside the block is entered in, with its input tensors."""
    calls: Calls = []
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


def record_call(layer: Layer, tensors: list[Tensor]) -> None:
    calls = _calls.get()
    if calls is not None:
        calls.append((layer, list(tensors)))
