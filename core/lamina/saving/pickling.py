"""Pickles and copies of models: the file that `save` writes, in memory, with the custom objects it needs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lamina.saving import gate
from lamina.saving.hdf5 import load_model, model_config, write_model
from lamina.saving.training import can_be_saved, training_config
from lamina_registry import note_named, objects_named

if TYPE_CHECKING:
    from lamina.engine.model import Model


def pickled(model: Model) -> tuple[Callable[..., Model], tuple[Any, ...]]:
    """What pickle and copy make a model of: a function, and the bytes and custom objects that it makes it from.

    Classes and functions that no plugin registers go along, which pickle writes as their places in modules.

    Raises NotImplementedError for a model written as code, TypeError for an optimizer without a config, and ValueError
    for two custom objects of one name.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not can_be_saved(optimizer):
        raise TypeError(
            f"{model.name} cannot be pickled or copied: its optimizer, {type(optimizer).__name__}, has no get_config. "
            "Compile the model with another, or pickle its get_weights()"
        )
    with objects_named() as objects:
        for name, function in _functions_in(model.get_config()):
            note_named(name, function)
        config, training = model_config(model), training_config(model)
    file = io.BytesIO()
    write_model(file, model, config, training)
    return unpickled, (file.getvalue(), objects, training is not None)


def unpickled(data: bytes, objects: Mapping[str, Any], compiled: bool) -> Model:
    """The model that `pickled` took apart."""
    return load_model(_Pickle(data), objects, compile=compiled)


class _Pickle(io.BytesIO):
    name = "the pickle of a model"  # in messages


def _functions_in(config: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of Lambda layers at any depth of a config, by the names of these layers."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if isinstance(value, gate.Code) and key == "function":
                yield str(config.get("name")), value.function
            else:
                yield from _functions_in(value)
    elif isinstance(config, list | tuple):
        for item in config:
            yield from _functions_in(item)
