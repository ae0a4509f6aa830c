"""Which of the weights in a file go where: by order or by name, all that fit or none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lamina import backend as K
from lamina.saving import gate
from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina_registry import shown

if TYPE_CHECKING:
    from lamina.engine.layer import Layer


class StoredArray(Protocol):
    """An array of a file, which is known to be there."""

    def read(self) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True)
class StoredWeights:
    """What a file has for layers, in the order they were written in, the arrays not yet read.

    layers: name and arrays of each.  where: the file's name.  backend, keras_version: what it says of its writer.
    """

    layers: list[tuple[str, list[StoredArray]]]
    where: str
    backend: str | None = None
    keras_version: str | None = None


def load_in_order(stored: StoredWeights, layers: Sequence[Layer], reshape: bool = False) -> None:
    """Weights by the order of the layers that have any, set when all of them fit."""
    bare = [layer.name for layer in layers if not layer.built]
    layers = [layer for layer in layers if layer.weights]
    found = [(name, arrays) for name, arrays in stored.layers if arrays]
    if len(found) != len(layers):
        raise ValueError(
            f"You are trying to load a weight file containing {len(found)} layers into a model with "
            f"{len(layers)} layers ({stored.where}); "
            + (
                f"layers not built yet: {', '.join(bare[:8])}. Give the first layer an input_shape, or build the model"
                if bare
                else "by_name=True loads those that have a namesake"
            )
        )
    pairs: list[tuple[Any, np.ndarray[Any, Any]]] = []
    for index, (layer, (name, arrays)) in enumerate(zip(layers, found, strict=True)):
        values = _converted(stored, layer, arrays)
        if len(values) != len(layer.weights):
            raise ValueError(
                f"Layer #{index} (named {layer.name!r} in the current model) was found to correspond to "
                f"layer {shown(name)} in the save file. However the new layer {layer.name!r} expects "
                f"{len(layer.weights)} weights, but the saved weights have {len(values)} elements "
                f"({stored.where})"
            )
        pairs += _fitted(stored, layer, values, reshape)
    K.batch_set_value(pairs)


def load_by_name(
    stored: StoredWeights, layers: Sequence[Layer], skip_mismatch: bool = False, reshape: bool = False
) -> None:
    """Weights for the layers that have a namesake in the file, set when all of these fit."""
    pairs: list[tuple[Any, np.ndarray[Any, Any]]] = []
    found = dict(stored.layers)
    for layer in layers:
        arrays = found.get(layer.name)
        if arrays is None or not (arrays or layer.weights):
            continue
        try:
            values = _converted(stored, layer, arrays)
            if len(values) != len(layer.weights):
                raise ValueError(
                    f"Layer {layer.name!r} expects {len(layer.weights)} weights, and the file has "
                    f"{len(values)} for it ({stored.where})"
                )
            pairs += _fitted(stored, layer, values, reshape)
        except ValueError as error:
            if not skip_mismatch or isinstance(error, UnsafeFile | DamagedFile):
                raise
            warnings.warn(
                f"Skipping loading of weights for layer {layer.name} due to mismatch: {error}", stacklevel=4
            )
    if not any(layer.name in found for layer in layers):
        warnings.warn(
            f"No layer has a namesake in {stored.where}, so no weights were loaded: the file has {shown([*found])}, "
            f"the model {shown([layer.name for layer in layers])}",
            stacklevel=4,
        )
    K.batch_set_value(pairs)


def _converted(
    stored: StoredWeights, layer: Layer, arrays: Sequence[StoredArray]
) -> list[np.ndarray[Any, Any]]:
    """The arrays of a file in the form that this layer keeps them in."""
    values = [array.read() for array in arrays]
    version = stored.keras_version or "1"  # Keras 1 did not say
    with gate.rebuilding(stored.where):
        return layer.weights_from_file(values, backend=stored.backend, keras_version=version)


def _fitted(
    stored: StoredWeights, layer: Layer, arrays: Sequence[np.ndarray[Any, Any]], reshape: bool
) -> list[tuple[Any, np.ndarray[Any, Any]]]:
    """Each weight of the layer with its array.  reshape: whether the right size is enough."""
    pairs = []
    for weight, array in zip(layer.weights, arrays, strict=True):
        shape = tuple(weight.shape)
        if reshape and array.size == np.prod(shape):
            array = array.reshape(shape)
        if shape != array.shape:
            raise ValueError(
                f"The weight {weight.name!r} of layer {layer.name!r} has shape {shape}, and the "
                f"saved one has shape {array.shape} ({stored.where})"
            )
        pairs.append((weight, array))
    return pairs
