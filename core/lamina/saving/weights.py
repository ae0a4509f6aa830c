"""The weights of layers in an HDF5 group, as Keras 2 lays them out, and which of them go where."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina import backend as K
from lamina.saving import gate
from lamina.saving.config import BACKEND, KERAS_VERSION
from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina.saving.reader import Array, Folder
from lamina_registry import shown

if TYPE_CHECKING:
    from lamina.engine.layer import Layer

LONGEST_ATTRIBUTE = 64512  # bytes: HDF5 keeps attributes in an object's header, which ends at 64 KiB


# --- writing ----------------------------------------------------------------------------------------------------------


def stamp(group: h5py.Group) -> None:
    """Say whose format this is, in bytes, as Keras 2 under h5py 2 wants them."""
    group.attrs["keras_version"] = KERAS_VERSION.encode()
    group.attrs["backend"] = BACKEND.encode()


def write_layers(group: h5py.Group, layers: Sequence[Layer]) -> None:
    """A group for each layer, and the list of them."""
    stamp(group)
    _write_names(group, "layer_names", [layer.name for layer in layers])
    for layer in layers:
        if not layer.name.strip("/.") or "\0" in layer.name:
            raise ValueError(
                f"The name {shown(layer.name)} cannot be that of a group in HDF5; rename the layer"
            )
        write_weights(group.require_group(layer.name), layer.weights)


def write_weights(group: h5py.Group, weights: Sequence[Any]) -> None:
    """Datasets under the weights' names, made unique, and the list of these names."""
    names: dict[str, None] = {}
    for index, weight in enumerate(weights):
        wanted = name = str(getattr(weight, "name", None) or f"param_{index}")
        count = 0
        while name in names:
            count += 1
            name = f"{wanted}_{count}"
        names[name] = None
    _write_names(group, "weight_names", list(names))
    for name, value in zip(names, K.batch_get_value(list(weights)), strict=True):
        group.create_dataset(name, data=np.asarray(value))


def _write_names(group: h5py.Group, name: str, names: Sequence[str]) -> None:
    """A list of names as fixed-length bytes, in as many attributes as it takes."""
    encoded = [item.encode("utf-8") for item in names]
    too_long = [item for item in encoded if len(item) > LONGEST_ATTRIBUTE]
    if too_long:
        raise ValueError(
            f"The name {shown(too_long[0])} is longer than {LONGEST_ATTRIBUTE} bytes, all that HDF5 keeps"
        )
    array = np.asarray(encoded)
    pieces = 1
    while any(piece.nbytes > LONGEST_ATTRIBUTE for piece in np.array_split(array, pieces)):
        pieces += 1
    if pieces == 1:
        group.attrs[name] = array
        return
    for index, piece in enumerate(np.array_split(array, pieces)):
        group.attrs[f"{name}{index}"] = piece


# --- reading ----------------------------------------------------------------------------------------------------------


def load_in_order(folder: Folder, layers: Sequence[Layer], reshape: bool = False) -> None:
    """Weights by the order of the layers that have any, set when all of them fit."""
    bare = [layer.name for layer in layers if not layer.built]
    layers = [layer for layer in layers if layer.weights]
    stored = [(name, arrays) for name, arrays in _stored_layers(folder) if arrays]
    if len(stored) != len(layers):
        raise ValueError(
            f"You are trying to load a weight file containing {len(stored)} layers into a model with "
            f"{len(layers)} layers ({folder.where}); "
            + (
                f"layers not built yet: {', '.join(bare[:8])}. Give the first layer an input_shape, or build the model"
                if bare
                else "by_name=True loads those that have a namesake"
            )
        )
    pairs: list[tuple[Any, np.ndarray[Any, Any]]] = []
    for index, (layer, (name, arrays)) in enumerate(zip(layers, stored, strict=True)):
        if len(arrays) != len(layer.weights):
            raise ValueError(
                f"Layer #{index} (named {layer.name!r} in the current model) was found to correspond to "
                f"layer {shown(name)} in the save file. However the new layer {layer.name!r} expects "
                f"{len(layer.weights)} weights, but the saved weights have {len(arrays)} elements "
                f"({folder.where})"
            )
        values = _fitted(folder, layer, [array.read() for array in arrays], reshape)
        _check_shapes(folder, layer, values)
        pairs += zip(layer.weights, values, strict=True)
    K.batch_set_value(pairs)


def load_by_name(folder: Folder, layers: Sequence[Layer], skip_mismatch: bool, reshape: bool) -> None:
    """Weights for the layers that have a namesake in the file, set when all of these fit."""
    pairs: list[tuple[Any, np.ndarray[Any, Any]]] = []
    stored = dict(_stored_layers(folder))
    for layer in layers:
        arrays = stored.get(layer.name)
        if arrays is None or not (arrays or layer.weights):
            continue
        try:
            if len(arrays) != len(layer.weights):
                raise ValueError(
                    f"Layer {layer.name!r} expects {len(layer.weights)} weights, and the file has "
                    f"{len(arrays)} for it ({folder.where})"
                )
            values = _fitted(folder, layer, [array.read() for array in arrays], reshape)
            _check_shapes(folder, layer, values)
        except ValueError as error:
            if not skip_mismatch or isinstance(error, UnsafeFile | DamagedFile):
                raise
            warnings.warn(
                f"Skipping loading of weights for layer {layer.name} due to mismatch: {error}", stacklevel=4
            )
            continue
        pairs += zip(layer.weights, values, strict=True)
    if not any(layer.name in stored for layer in layers):
        warnings.warn(
            f"No layer has a namesake in {folder.where}, so no weights were loaded: the file has {shown([*stored])}, "
            f"the model {shown([layer.name for layer in layers])}",
            stacklevel=4,
        )
    K.batch_set_value(pairs)


def _stored_layers(folder: Folder) -> Iterator[tuple[str, list[Array]]]:
    """Name and arrays, not yet read, of each layer in the file."""
    names = folder.names("layer_names")
    if names is None:
        raise DamagedFile(f"{folder.where} has no list 'layer_names'; it may be cut short")
    for name in names:
        layer = folder.folder(name)
        if layer is None:
            raise DamagedFile(f"{folder.where} lists the layer {shown(name)} and does not hold it")
        yield name, list(stored_arrays(layer))


def stored_arrays(folder: Folder) -> Iterable[Array]:
    """The arrays, not yet read, that a group lists as its weights."""
    for name in folder.names("weight_names") or ():
        array = folder.array(name)
        if array is None:
            raise DamagedFile(f"{folder.where} lists the weight {shown(name)} and does not hold it")
        yield array


def _fitted(
    folder: Folder, layer: Any, arrays: list[np.ndarray[Any, Any]], reshape: bool
) -> list[np.ndarray[Any, Any]]:
    """The arrays of a file as this layer keeps them.

    A layer whose weights other writers keep in another form (convolution kernels flipped by Keras on Theano, the
    biases of a CuDNN layer) has a method `weights_from_file(arrays, backend=..., keras_version=...)` that returns
    them in its own; a model asks its layers.
    """
    written = {"backend": folder.text("backend"), "keras_version": folder.text("keras_version")}
    with gate.rebuilding(folder.where):
        arrays = _converted(layer, arrays, written)
    if reshape:
        arrays = [
            array.reshape(_shape(weight)) if array.size == np.prod(_shape(weight)) else array
            for array, weight in zip(arrays, layer.weights, strict=True)
        ]
    return arrays


def _converted(
    layer: Any, arrays: list[np.ndarray[Any, Any]], written: Mapping[str, Any]
) -> list[np.ndarray[Any, Any]]:
    convert = getattr(layer, "weights_from_file", None)
    if convert is not None:
        return list(convert(arrays, **written))
    inner = getattr(layer, "layers", None)
    if not isinstance(inner, list | tuple):
        return arrays
    by_weight = {id(weight): array for weight, array in zip(layer.weights, arrays, strict=True)}
    for part in inner:
        if part.weights:
            converted = _converted(part, [by_weight[id(weight)] for weight in part.weights], written)
            by_weight.update(zip(map(id, part.weights), converted, strict=True))
    return [by_weight[id(weight)] for weight in layer.weights]


def _check_shapes(folder: Folder, layer: Layer, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    for weight, array in zip(layer.weights, arrays, strict=True):
        if _shape(weight) != array.shape:
            raise ValueError(
                f"The weight {weight.name!r} of layer {layer.name!r} has shape {_shape(weight)}, and the "
                f"saved one has shape {array.shape} ({folder.where})"
            )


def _shape(weight: Any) -> tuple[int, ...]:
    return tuple(weight.shape)
