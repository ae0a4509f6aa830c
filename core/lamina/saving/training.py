"""What `compile` was told and what training has come to, in a file and back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina import backend as K
from lamina import optimizers
from lamina.saving import dialect, gate
from lamina.saving.config import dumps
from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina.saving.reader import Folder
from lamina.saving.weights import stored_arrays, write_weights
from lamina.training.progress import Progress, progress_of
from lamina_registry import CustomObjectScope, get_custom_objects, registered_name

if TYPE_CHECKING:
    from lamina.engine.model import Model


def training_config(model: Model) -> str | None:
    """What `compile` was told, as Keras 2 writes it; None for a model that was not compiled."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    if not can_be_saved(optimizer):
        warnings.warn(
            f"{type(optimizer).__name__} cannot be saved: it has no get_config. The file holds the model "
            "without its training configuration, so compile it again after loading",
            stacklevel=3,
        )
        return None
    config = {
        "optimizer_config": {
            "class_name": registered_name("optimizers", optimizer),
            "config": optimizer.get_config(),
        },
        "loss": _named("losses", model.loss),
        "metrics": _named("metrics", model.metrics),
        "sample_weight_mode": model.sample_weight_mode,
        "loss_weights": model.loss_weights,
    }
    if model.weighted_metrics:  # which Keras 2 forgets
        config["weighted_metrics"] = _named("metrics", model.weighted_metrics)
    return dumps(config, f"the training configuration of {model.name}")


def can_be_saved(optimizer: Any) -> bool:
    """Whether an optimizer can say what it is."""
    return hasattr(optimizer, "get_config") and hasattr(optimizer, "weights")


def _named(kind: str, value: Any) -> Any:
    """Losses or metrics with functions by the names they are registered under."""
    if isinstance(value, Mapping):
        return {key: _named(kind, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(kind, item) for item in value]
    return registered_name(kind, value) if callable(value) and hasattr(value, "__name__") else value


def write_optimizer(root: h5py.Group, optimizer: Any) -> None:
    """The optimizer's weights, as Keras 2 keeps them, and the rest of its state."""
    if optimizer.weights:
        write_weights(root.create_group("optimizer_weights"), optimizer.weights)
    state = _state(optimizer)
    if state:
        group = root.create_group("optimizer_state")
        for name, value in zip(state, K.batch_get_value(list(state.values())), strict=True):
            group.create_dataset(name, data=np.asarray(value))


def _state(optimizer: Any) -> dict[str, Any]:
    """The variables of an optimizer that its `weights` leave out, by attribute.

    Keras 2 forgets them: the step count of RMSprop and Adagrad under decay, the schedule of Nadam.
    """
    listed = {id(weight) for weight in optimizer.weights}
    return {
        name: value
        for name, value in sorted(vars(optimizer).items())
        if id(value) not in listed and hasattr(value, "assign") and "/" not in name
    }


def compile_as_stored(
    model: Any, root: Folder, version: str | None, custom_objects: Mapping[str, Any] | None
) -> None:
    """Compile as the file says, and give the optimizer its state back."""
    text = root.text("training_config")
    if text is None:
        warnings.warn(
            "No training configuration found in save file: the model was *not* compiled. Compile it "
            f"manually ({root.where})",
            stacklevel=3,
        )
        return
    config = gate.parse_json(text, f"training_config of {root.where}")
    if not isinstance(config, dict) or not isinstance(config.get("optimizer_config"), dict):
        raise DamagedFile(
            f"training_config of {root.where} has no 'optimizer_config'; compile=False leaves it alone"
        )
    ours = dialect.is_keras_2(version)
    if not ours:
        config = dialect.translated_training(config, model.output_names)
    where = f"{root.where}; compile=False loads it without its training configuration"
    with gate.rebuilding(where), CustomObjectScope(dict(custom_objects or {})):
        optimizer = optimizers.deserialize(config["optimizer_config"], dict(custom_objects or {}))
        settings = {name: _resolved(config.get(name)) for name in ("loss", "metrics", "weighted_metrics")}
        for name in ("loss_weights", "sample_weight_mode"):
            if config.get(name) is not None:
                settings[name] = config[name]
        model.compile(optimizer=optimizer, **settings)
    _restore(model, root, ours)


def _resolved(value: Any) -> Any:
    """Losses or metrics with the names of custom objects replaced by what they stand for."""
    if isinstance(value, dict):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return get_custom_objects().get(value, value) if isinstance(value, str) else value


def _restore(model: Any, root: Folder, ours: bool) -> None:
    """The optimizer's weights, in the order of a training function just made, and the rest of its state."""
    weights, state = root.folder("optimizer_weights"), root.folder("optimizer_state")
    try:
        if weights is not None:
            model._make_train_function()
            if not ours:
                raise ValueError("another Keras keeps other things in another order")
            arrays = [array.read() for array in stored_arrays(weights)]
        pairs = [] if state is None else _stored_state(model.optimizer, state)
        if weights is not None:
            model.optimizer.set_weights(arrays)
        K.batch_set_value(pairs)
    except (UnsafeFile, DamagedFile):
        raise
    except ValueError as error:
        warnings.warn(
            "Error in loading the saved optimizer state. As a result, your model is starting with a freshly "
            f"initialized optimizer ({root.where}: {error})",
            stacklevel=4,
        )


def _stored_state(optimizer: Any, folder: Folder) -> list[tuple[Any, np.ndarray[Any, Any]]]:
    """The variables that `_state` finds with the values stored for them."""
    pairs = []
    for name, variable in _state(optimizer).items():
        array = folder.array(name)
        if array is not None:
            if array.shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {tuple(variable.shape)}, and the saved one {array.shape}")
            pairs.append((variable, array.read()))
    return pairs


# --- progress ---------------------------------------------------------------------------------------------------------


PROGRESS = "training_progress"  # where files keep it


def written_progress(model: Any, whole: bool) -> dict[str, str]:
    """How far training has come, as text under its name; nothing for a model that has not been trained.

    whole: with the random numbers that come next; else only what callbacks keep.
    """
    progress = getattr(model, "_progress", None)
    if progress is None or not (progress.best or (whole and progress.epoch is not None)):
        return {}
    return {PROGRESS: json.dumps(progress.plain(random=whole))}


def stored_progress(text: str | None, where: str) -> Progress | None:
    """How far training had come, from the text of a file if it has any."""
    if text is None:
        return None
    try:
        return Progress.of_plain(gate.parse_json(text, f"{PROGRESS} of {where}"))
    except (UnsafeFile, DamagedFile):
        raise
    except ValueError as error:
        raise DamagedFile(f"{PROGRESS} of {where} cannot be understood: {error}") from error


def restore_progress(model: Any, found: Progress | None, whole: bool) -> None:
    """Go on from there; `whole` as in `written_progress`."""
    if found is None:
        return
    if whole:
        model._progress = found
    else:
        progress_of(model).best.update(found.best)
