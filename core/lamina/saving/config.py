"""Architectures as text: JSON and YAML, in the words of Keras 2.2.

The text is the envelope {"class_name", "config", "keras_version", "backend"} around `get_config()`, without weights
and without the training configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import layers
from lamina.saving import dialect, gate
from lamina.saving.errors import DamagedFile
from lamina_registry import CustomObjectScope, note_named, registered_name, shown

if TYPE_CHECKING:
    from lamina.engine.model import Model

# What files say of their writer.  The version is the one whose format this is.  The backend tells Keras how
# convolution kernels lie: "tensorflow" is (rows, columns, in, out), not flipped, which is how they lie here; a name
# that Keras does not know would make Keras on Theano read them unflipped, and Keras on TensorFlow not care.
KERAS_VERSION = "2.2.4"
BACKEND = "tensorflow"


def to_json(model: Model, **kwargs: Any) -> str:
    """The model's architecture as JSON.  kwargs go to json.dumps, as indent=2."""
    return dumps(envelope(model), f"the config of {model.name}", **kwargs)


def to_yaml(model: Model, **kwargs: Any) -> str:
    """The model's architecture as YAML, of plain scalars, lists and maps.  kwargs go to yaml.safe_dump.

    Raises ImportError naming the package to install when PyYAML is absent.
    """
    from lamina.saving.yaml import dump

    return dump(json.loads(to_json(model)), **kwargs)


def model_from_json(
    json_string: str, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = True
) -> Model:
    """A model with fresh weights, not compiled, from the text that `to_json` gives.

    custom_objects: name -> class or function, for what no plugin registers.
    safe_mode: False runs the bytecode of Lambda layers in the text.

    Raises UnsafeFile or DamagedFile for a text that no model has, UnknownName for a name nobody registered.
    """
    _check_text(json_string, "JSON")
    return _from_text(
        gate.parse_json(json_string, "this JSON text"), "this JSON text", custom_objects, safe_mode
    )


def model_from_yaml(
    yaml_string: str, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = True
) -> Model:
    """A model with fresh weights, not compiled, from the text that `to_yaml` gives; as `model_from_json`.

    Raises ImportError naming the package to install when PyYAML is absent.
    """
    from lamina.saving.yaml import load

    _check_text(yaml_string, "YAML")
    return _from_text(load(yaml_string, "this YAML text"), "this YAML text", custom_objects, safe_mode)


def model_from_config(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = True
) -> Model:
    """A model with fresh weights from {"class_name": ..., "config": ...}; as `model_from_json`.

    Raises TypeError for a list, which is a Sequential's own config: give it to Sequential.from_config.
    """
    if isinstance(config, list):
        raise TypeError(
            "model_from_config expects a dictionary, not a list: "
            "maybe you meant to use Sequential.from_config(config)"
        )
    gate.check_config(config, "this config")
    return _from_text(config, "this config", custom_objects, safe_mode)


def _check_text(text: Any, what: str) -> None:
    if not isinstance(text, str):
        hint = (
            ": for a config use Model.from_config, or model_from_config" if isinstance(text, Mapping) else ""
        )
        raise TypeError(f"a model is made from {what} as text, and this is {shown(text)}{hint}")


def _from_text(
    config: Any, where: str, custom_objects: Mapping[str, Any] | None, safe_mode: bool | None
) -> Model:
    version = config.get("keras_version") if isinstance(config, Mapping) else None
    with gate.passing(safe_mode):
        return rebuilt(config, where, version, custom_objects)


def envelope(model: Model) -> dict[str, Any]:
    """What identifies an architecture in a file: class name, config, and what wrote it."""
    return {**described(model), "keras_version": KERAS_VERSION, "backend": BACKEND}


def described(model: Model) -> dict[str, Any]:
    """{"class_name", "config"} of a model."""
    return {"class_name": registered_name("layers", model), "config": model.get_config()}


def rebuilt(config: Any, where: str, version: str | None, custom_objects: Mapping[str, Any] | None) -> Model:
    """The model that {"class_name", "config"} describes, as a Keras of that version wrote it.

    The caller has let the config through the gate, and holds `gate.passing`.
    """
    if (
        not isinstance(config, Mapping)
        or not isinstance(config.get("class_name"), str)
        or "config" not in config
    ):
        raise DamagedFile(f"{where} describes no model: it should have the keys 'class_name' and 'config'")
    config = dialect.in_keras_2(config, version)
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(f"custom_objects is a dict from names to objects, met {shown(custom_objects)}")
    config = _with_arrays({"class_name": config["class_name"], "config": config["config"]})
    with gate.rebuilding(where), CustomObjectScope(dict(custom_objects or {})):
        model = layers.deserialize(config, dict(custom_objects or {}))
    if not hasattr(model, "layers"):
        raise DamagedFile(f"{where} describes a single {shown(config['class_name'])}, not a model")
    return model


def dumps(value: Any, what: str, **kwargs: Any) -> str:
    """JSON of configs, which may hold NumPy numbers and arrays, types and functions.

    Raises TypeError naming `what` for an object that no config may hold.
    """
    try:
        return json.dumps(value, default=plain, **kwargs)
    except TypeError as error:
        name = _holder(value)
        raise TypeError(
            f"{what} cannot be written as JSON: {f'{name}: ' if name else ''}{error}; let get_config return plain data"
        ) from error


def _holder(value: Any) -> Any:
    """The name of the innermost config in which something has no form in JSON, if it has one."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    found = next(filter(None, map(_holder, inner)), None)
    if found is None and isinstance(value, Mapping) and "name" in value:
        try:
            json.dumps(value, default=plain)
        except TypeError:
            return value["name"]
    return found


def plain(value: Any) -> Any:
    """What JSON says for an object of a config: the rule of Keras 2.2, which Keras 2.2 can read back."""
    if hasattr(value, "get_config") and not isinstance(value, type):
        note_named(type(value).__name__, type(value))
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, np.ndarray):
        return {"type": "ndarray", "value": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype):
        return value.name
    if callable(value) and hasattr(value, "__name__"):
        note_named(value.__name__, value)
        return value.__name__
    raise TypeError(f"it holds {value!r}, of type {type(value).__name__}")


def _with_arrays(value: Any) -> Any:
    """The config with its arrays, which JSON keeps as {"type": "ndarray", "value": ...}, made arrays again."""
    if isinstance(value, Mapping):
        if value.keys() == {"type", "value"} and value["type"] == "ndarray":
            return gate.array_of(value["value"])
        return {key: _with_arrays(item) for key, item in value.items()}
    if type(value) in (list, tuple):  # and not Code, which must stay itself
        return type(value)(_with_arrays(item) for item in value)
    return value
