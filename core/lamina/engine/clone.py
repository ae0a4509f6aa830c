"""Clones: the same architecture once more, with weights of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lamina import layers as registered
from lamina.engine import network_config
from lamina.engine.input_layer import Input, InputLayer
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.network import Network
from lamina.engine.sequential import Sequential
from lamina.engine.signature import kind_of
from lamina.tensor import Tensor
from lamina_registry import CustomObjectScope, registered_name, shown


def clone_model(model: Model, input_tensors: Any = None) -> Model:
    """A new model of the same layers, with new weights, not compiled.

    input_tensors: tensor or list of tensors to build it on, instead of new inputs.

    Raises NotImplementedError for a model or layer that has no config, ValueError for a wrong number of tensors.
    """
    if not isinstance(model, Model):
        raise TypeError(f"clone_model makes a Model again, and this is {shown(model)}")
    inputs = None if input_tensors is None else _input_layers(model, input_tensors)
    with CustomObjectScope(_at_hand(model)):
        if isinstance(model, Sequential):
            return _stack(model, inputs or [])
        names = list(model.input_names)
        given = dict(zip(names, inputs, strict=True)) if inputs else {}
        ends = network_config.tensors_of(model.get_config(), None, given)
        return Model(inputs=ends[0], outputs=ends[1], name=ends[2])


def _stack(model: Sequential, inputs: Sequence[InputLayer]) -> Sequential:
    config = model.get_config()
    if not inputs:
        return Sequential.from_config(config)
    return Sequential(
        [*inputs, *(registered.deserialize(each) for each in config["layers"])], name=model.name
    )


def _input_layers(model: Model, tensors: Any) -> list[InputLayer]:
    listed: list[Tensor] = list(tensors) if isinstance(tensors, list | tuple) else [tensors]
    if len(listed) != len(model.inputs or ()):
        raise ValueError(
            f"{model.name} has {len(model.inputs or ())} inputs; {len(listed)} input_tensors were given"
        )
    histories = [getattr(tensor, "_keras_history", (None,)) for tensor in listed]
    return [
        history[0] if isinstance(history[0], InputLayer) else Input(tensor=tensor)._keras_history[0]  # type: ignore[attr-defined]
        for tensor, history in zip(listed, histories, strict=True)
    ]


def _at_hand(model: Model) -> dict[str, Any]:
    """The classes and functions that the model is made of, by the names its config gives them.

    A clone needs no registration for what its model has.
    """
    found: dict[str, Any] = {}
    for layer in _every(model):
        for kind, part in _parts(layer):
            thing = part if hasattr(part, "__name__") else type(part)
            name = registered_name(kind, part)
            if found.setdefault(name, thing) is not thing:
                raise ValueError(
                    f"{model.name} cannot be cloned: {layer.name} has {thing!r}, and another layer {found[name]!r}, "
                    f"and a config calls both {name!r}. Rename one"
                )
    return found


def _parts(layer: Layer) -> Iterator[tuple[str, Any]]:
    """(kind, thing) for the layer itself and what its config names."""
    yield "layers", layer
    for name, value in vars(layer).items():
        kind = kind_of(name)
        if kind is not None and callable(value):
            yield kind, value


def _every(layer: Layer) -> Iterator[Layer]:
    """The layer, and those it is made of."""
    yield layer
    for inner in layer.layers if isinstance(layer, Network) else [getattr(layer, "layer", None)]:
        if isinstance(inner, Layer):
            yield from _every(inner)
