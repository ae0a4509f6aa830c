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
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lamina.saving import dialect, gate
from lamina.saving.config import described, dumps, rebuilt
from lamina.saving.errors import DamagedFile
from lamina.saving.reader import Source, reading
from lamina.saving.training import (
    compile_as_stored,
    restore_progress,
    training_config,
    write_optimizer,
    write_progress,
)
from lamina.saving.weights import load_by_name, load_in_order, stamp, write_layers
from lamina.saving.writer import Target, writing

if TYPE_CHECKING:
    from lamina.engine.model import Model


# --- whole models -----------------------------------------------------------------------------------------------------


def save_model(
    model: Model,
    filepath: Target,
    overwrite: bool = True,
    include_optimizer: bool = True,
) -> None:
    """Write architecture, weights, training configuration and optimizer state to one file, whole or not at all.

    filepath: a path, or an open h5py.File or Group, or a binary file, which are written to as they are.
    overwrite: False asks on a terminal before a file is replaced, and raises FileExistsError elsewhere.
    include_optimizer: False leaves the training configuration and the optimizer's state out.

    Raises OSError naming the file when it cannot be written; what was there before is then untouched.
    """
    config = json.dumps(dialect.widened(json.loads(dumps(described(model), f"the config of {model.name}"))))
    training = training_config(model) if include_optimizer else None
    _warn_of_code(model, config)
    if not _may_write(filepath, overwrite):
        return
    with writing(filepath) as root:
        stamp(root)
        root.attrs["model_config"] = config.encode("utf-8")
        write_layers(root.create_group("model_weights"), model.layers)
        if training is not None:
            root.attrs["training_config"] = training.encode("utf-8")
            write_optimizer(root, model.optimizer)
        write_progress(root, model, whole=training is not None)


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
        load_in_order(weights, model.layers)
        if compile:
            compile_as_stored(model, root, version, custom_objects)
        restore_progress(model, root, compile)
    return model


# --- weights alone ----------------------------------------------------------------------------------------------------


def save_weights(model: Model, filepath: Target, overwrite: bool = True) -> None:
    """Write the weights of all layers to a file, whole or not at all; arguments and errors as `save_model`."""
    if not _may_write(filepath, overwrite):
        return
    with writing(filepath) as root:
        write_layers(root, model.layers)
        write_progress(root, model, whole=False)


def load_weights(
    model: Model, filepath: Source, by_name: bool = False, skip_mismatch: bool = False, reshape: bool = False
) -> None:
    """Give the model's layers the weights of a file: all of them, or, when anything does not fit, none.

    filepath: a file of weights or of a whole model, in any form that `load_model` takes.
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
    with reading(filepath) as file:
        root = file
        if root.names("layer_names") is None:
            inner = root.folder("model_weights")
            if inner is None:
                raise DamagedFile(
                    f"{root.where} has neither the attribute 'layer_names' nor a group 'model_weights': "
                    "it is no weight file of Keras"
                )
            root = inner
        if by_name:
            load_by_name(root, model.layers, skip_mismatch, reshape)
        else:
            load_in_order(root, model.layers, reshape)
        restore_progress(model, file, whole=False)


def _may_write(filepath: Any, overwrite: bool) -> bool:
    """Whether to go on: a file that exists is replaced only when `overwrite`, or when the person there says so."""
    if overwrite or not isinstance(filepath, str | os.PathLike) or not os.path.exists(filepath):
        return True
    name = os.fspath(filepath)
    if not sys.stdin or not sys.stdin.isatty():
        raise FileExistsError(
            f"{name} already exists and overwrite is False; choose another name, or pass True"
        )
    answer = ""
    while answer not in ("y", "n"):
        answer = input(f"[WARNING] {name} already exists - overwrite? [y/n] ").strip().lower()[:1]
    if answer == "y":
        print("[TIP] Next time specify overwrite=True!")
    return answer == "y"


def _warn_of_code(model: Model, config: str) -> None:
    if '"function_type": "lambda"' in config:
        warnings.warn(
            f"{model.name} has Lambda layers of functions without a name: the file will hold their bytecode, "
            "which only this version of Python reads and load_model refuses unless told safe_mode=False or "
            "given the functions, custom_objects={'lambda_1': fn}. A layer class of your own saves as itself",
            stacklevel=3,
        )
