"""Models and weights in HDF5, in the layout of Keras 2.2.

    /                    keras_version, backend, model_config, training_config      (attributes, text)
                         training_progress, where there was training                (Lamina's own)
    /model_weights       keras_version, backend, layer_names
    /model_weights/L     weight_names                                               (one group a layer)
    /model_weights/L/W   the numbers                                                (one dataset a weight)
    /optimizer_weights   weight_names, and a dataset each
    /optimizer_state     a dataset for each variable of the optimizer outside its weights (Lamina's own; Keras
                         neither writes it nor looks for it)

A file of weights alone has what is in /model_weights at its root.  Names are fixed-length bytes; a list too long
for one attribute is cut into name0, name1, ...  Keras 2, tf.keras and Keras 3 read these files, and theirs are
read here.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lamina.saving import dialect, gate, safetensors
from lamina.saving.config import described, dumps, rebuilt
from lamina.saving.errors import DamagedFile
from lamina.saving.matching import load_in_order
from lamina.saving.reader import Source, reading
from lamina.saving.training import (
    PROGRESS,
    compile_as_stored,
    restore_progress,
    stored_progress,
    training_config,
    write_optimizer,
    written_progress,
)
from lamina.saving.weights import stamp, stored_weights, write_layers
from lamina.saving.writer import Target, may_write, write_texts, writing

if TYPE_CHECKING:
    from lamina.engine.model import Model


def save_model(
    model: Model,
    filepath: Target,
    overwrite: bool = True,
    include_optimizer: bool = True,
) -> None:
    """Write architecture, weights, training configuration and optimizer state to one file, whole or not at all.

    filepath: a path; or an open binary file, or h5py.File or Group, which are written to as they are, in place of the
        model that they may hold.
    overwrite: False asks on a terminal before a model is replaced, and raises FileExistsError elsewhere.
    include_optimizer: False leaves the training configuration and the optimizer's state out.

    Raises OSError naming the file when it cannot be written; what was at the path before is then untouched.
    """
    if safetensors.is_named(filepath):
        raise ValueError(
            f"{os.fspath(filepath)}: a safetensors file holds weights alone. Write them with save_weights, or save the "
            "model under a name that ends in .h5"
        )
    config = model_config(model)
    training = training_config(model) if include_optimizer else None
    _warn_of_code(model, config)
    if may_write(filepath, overwrite):
        write_model(filepath, model, config, training)


def model_config(model: Model) -> str:
    """What the file says of the architecture, which Keras 3 reads, too."""
    return json.dumps(dialect.widened(json.loads(dumps(described(model), f"the config of {model.name}"))))


def write_model(filepath: Target, model: Model, config: str, training: str | None) -> None:
    """Write a model with these texts for its architecture and for what `compile` was told, if it was."""
    with writing(filepath) as root:
        stamp(root)
        write_texts(root, {"model_config": config})
        write_layers(root.create_group("model_weights"), model.layers)
        if training is not None:
            write_texts(root, {"training_config": training})
            write_optimizer(root, model.optimizer)
        write_texts(root, written_progress(model, whole=training is not None))


def load_model(
    filepath: Source,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool | None = True,
) -> Model:
    """The model that `save_model` wrote, or a Keras: architecture, weights, and, compiled, its optimizer's state.

    filepath: a path, an open h5py.File or Group, or a binary file.
    custom_objects: name -> class or function, for what no plugin registers, and layer name -> function for Lambda
        layers that hold bytecode.
    compile: False leaves the training configuration alone.
    safe_mode: False runs the bytecode of Lambda layers; it can do anything that you can.

    Of a model that was saved between two epochs of fit, training goes on as if it had not stopped, bit for bit, with
    fit(..., initial_epoch=the epochs done): np.random then takes up the state it had.  It also does with the first fit
    in a process that has not called np.random.seed; a seed of one's own is otherwise left alone.

    Warns when the file has no training configuration, and when the optimizer's state does not fit.

    Raises UnsafeFile or DamagedFile naming the file, UnknownName for a name that nobody registered.
    """
    with (
        reading(filepath) as root,
        gate.passing(safe_mode, gate.Allowance(root.allowance.stored, root.where)),
    ):
        text = root.text("model_config")
        if text is None:
            raise DamagedFile(
                f"No model found in {root.where}: it has no model_config. If it holds weights alone, "
                "build the model and call its load_weights"
            )
        version = root.text("keras_version")
        config = gate.parse_json(text, f"model_config of {root.where}")
        model = rebuilt(config, root.where, version, custom_objects)
        weights = root.folder("model_weights")
        if weights is None:
            raise DamagedFile(f"{root.where} has no group 'model_weights'; it may be cut short")
        load_in_order(stored_weights(weights), model.layers)
        if compile:
            compile_as_stored(model, root, version, custom_objects)
        restore_progress(model, stored_progress(root.text(PROGRESS), root.where), whole=compile)
    return model


def _warn_of_code(model: Model, config: str) -> None:
    if '"function_type": "lambda"' in config:
        warnings.warn(
            f"{model.name} has Lambda layers of functions without a name: the file will hold their bytecode, "
            "which only this version of Python reads and load_model refuses unless told safe_mode=False or "
            "given the functions, custom_objects={'lambda_1': fn}. A layer class of your own saves as itself",
            stacklevel=3,
        )
