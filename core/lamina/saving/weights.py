"""The weights of layers in an HDF5 group, as Keras 2 lays them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina import backend as K
from lamina.saving.config import BACKEND, KERAS_VERSION
from lamina.saving.errors import DamagedFile
from lamina.saving.matching import StoredArray, StoredWeights
from lamina.saving.reader import Folder
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


def stored_weights(folder: Folder) -> StoredWeights:
    """The weights in a group.  Raises DamagedFile for a list that names what is not there, or for no list."""
    names = folder.names("layer_names")
    if names is None:
        raise DamagedFile(f"{folder.where} has no list 'layer_names'; it may be cut short")
    layers = []
    for name in _each_once(names, folder):
        layer = folder.folder(name)
        if layer is None:
            raise DamagedFile(f"{folder.where} lists the layer {shown(name)} and does not hold it")
        layers.append((name, stored_arrays(layer)))
    return StoredWeights(layers, folder.where, folder.text("backend"), folder.text("keras_version"))


def _each_once(names: list[str], folder: Folder) -> list[str]:
    """The names, of which none may be there twice: no Keras can write that, and it would be read again and again."""
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise DamagedFile(f"{folder.where} lists {shown(twice)} twice")
    return names


def stored_arrays(folder: Folder) -> list[StoredArray]:
    """The arrays, not yet read, that a group lists as its weights."""
    arrays: list[StoredArray] = []
    for name in _each_once(folder.names("weight_names") or [], folder):
        array = folder.array(name)
        if array is None:
            raise DamagedFile(f"{folder.where} lists the weight {shown(name)} and does not hold it")
        arrays.append(array)
    return arrays
