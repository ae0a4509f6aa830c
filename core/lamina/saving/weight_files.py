"""Files of weights alone, HDF5 or safetensors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import h5py

from lamina.saving import safetensors
from lamina.saving.atomic import replacing
from lamina.saving.errors import DamagedFile
from lamina.saving.matching import load_by_name, load_in_order
from lamina.saving.reader import Folder, Source, opened, reading
from lamina.saving.training import PROGRESS, restore_progress, stored_progress, written_progress
from lamina.saving.weights import stored_weights, write_layers
from lamina.saving.writer import Target, may_write, write_texts, writing

if TYPE_CHECKING:
    from lamina.engine.model import Model


def save_weights(model: Model, filepath: Target, overwrite: bool = True) -> None:
    """Write the weights of all layers to a file, whole or not at all; arguments and errors as `save_model`.

    A path that ends in .safetensors makes a file of that format, all else HDF5.
    """
    if not may_write(filepath, overwrite):
        return
    progress = written_progress(model, whole=False)
    if safetensors.is_named(filepath):
        with replacing(filepath) as file:
            safetensors.write(file, model.layers, progress)
        return
    with writing(filepath) as root:
        write_layers(root, model.layers)
        write_texts(root, progress)


def load_weights(
    model: Model, filepath: Source, by_name: bool = False, skip_mismatch: bool = False, reshape: bool = False
) -> None:
    """Give the model's layers the weights of a file: all of them, or, when anything does not fit, none.

    filepath: a file of weights, HDF5 or safetensors, or of a whole model, in any form that `load_model` takes.
    by_name: False matches the layers that have weights by their order, whatever they are called; True gives each
        layer those of its name and leaves the others as they are.
    skip_mismatch: with by_name, leave out layers whose weights do not fit, with a warning, rather than fail.
    reshape: take weights of the right size and another shape.

    Raises ValueError naming the layer that does not fit, UnsafeFile or DamagedFile naming the file.
    """
    if skip_mismatch and not by_name:
        raise ValueError(
            "skip_mismatch=True needs by_name=True: by order, one layer skipped would shift all others"
        )
    place = (
        partial(load_by_name, skip_mismatch=skip_mismatch, reshape=reshape)
        if by_name
        else partial(load_in_order, reshape=reshape)
    )
    with opened(filepath) as source:
        if not isinstance(source, h5py.Group) and (
            safetensors.is_named(filepath) or safetensors.is_in(source)
        ):
            tensors = safetensors.Tensors(source)
            progress = stored_progress(tensors.metadata.get(PROGRESS), tensors.where)
            place(tensors.weights(model.layers), model.layers)
        else:
            with reading(source) as root:
                progress = stored_progress(root.text(PROGRESS), root.where)
                place(stored_weights(_weights_group(root)), model.layers)
        restore_progress(model, progress, whole=False)


def _weights_group(root: Folder) -> Folder:
    """Where the weights are in a file of weights, or in one of a whole model."""
    if root.names("layer_names") is not None:
        return root
    inner = root.folder("model_weights")
    if inner is None:
        of_keras_3 = any(root.folder(name) for name in ("layers", "_layer_checkpoint_dependencies"))
        raise DamagedFile(
            f"{root.where} has neither the attribute 'layer_names' nor a group 'model_weights': "
            + (
                "it looks like a .weights.h5 of Keras 3, which lays these out in its own way. Save the whole model "
                "there, under a name that ends in .h5, and load that"
                if of_keras_3
                else "it is no weight file of Keras"
            )
        )
    return inner
