"""Configs: between things and the names and dicts that stand for them, with the meaning Keras 2 gives them.

    serialize("layers", Dense(3))              {"class_name": "Dense", "config": {...}}
    serialize("losses", mean_squared_error)    "mean_squared_error"
    get("initializers", "zeros")               a Zeros()

This is the only way from a file to code: what a config names is a custom object or in the catalogue, or it is
an error.  Nothing else is imported, opened or called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lamina_registry.catalogue import lookup, registered_name
from lamina_registry.custom_objects import CustomObjectScope, get_custom_objects
from lamina_registry.errors import UnknownName, shown, tidy
from lamina_registry.known import noun

FACTORIES = ("initializers", "regularizers", "constraints")
"""Kinds of which a name may also stand for a function that makes one, such as l2 or he_normal."""

KINDS_IN_CONFIGS = ("layers", "activations", *FACTORIES, "losses", "metrics", "optimizers")

_OPTIONAL = ("regularizers", "constraints", "losses")


def serialize(kind: str, obj: Any) -> Any:
    """The config of `obj`: a dict with class_name and config, or the name of a function; None for None."""
    if obj is None:
        return None
    if hasattr(obj, "get_config") and not isinstance(obj, type):
        return {"class_name": registered_name(kind, obj), "config": obj.get_config()}
    if hasattr(obj, "__name__") and not isinstance(obj, type):
        return registered_name(kind, obj)
    raise ValueError(f"Cannot serialize {shown(obj)}: it is no function and has no get_config()")


def deserialize(kind: str, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The thing a config stands for.

    config: what `serialize` gives.  A name stands for a function, or for what a class, or a function that
        makes one (l2), gives without arguments.
    custom_objects: names that hold while this config is read, ahead of all others and at every depth.

    Raises UnknownName for a name that nobody offers, and ValueError for anything that is no config.
    """
    if kind not in KINDS_IN_CONFIGS:
        raise ValueError(f"{shown(kind)} are not kept in configs; {', '.join(KINDS_IN_CONFIGS)} are")
    bare = isinstance(config, str) and kind != "layers"
    name = config if bare else config.get("class_name") if isinstance(config, Mapping) else None
    if not isinstance(name, str) or not (bare or "config" in config):
        raise ValueError(
            f"Improper config format: {shown(config)}; the config of a {noun(kind)} is a dict with the keys "
            "'class_name' and 'config'" + (" or a name" if kind != "layers" else "")
        )
    try:
        found = lookup(kind, name, custom_objects)
    except UnknownName as error:
        own = f"custom_objects={{{shown(name.rpartition('>')[2])}: ...}}"
        raise UnknownName(f"{error}\nIf it is your own, pass {own} or use a CustomObjectScope.") from None
    with CustomObjectScope(custom_objects or {}):
        try:
            return _default(kind, found) if bare else _made(kind, found, config["config"])
        except RecursionError:
            raise ValueError(f"the config of {noun(kind)} {shown(name)} is nested too deeply") from None
        except Exception as error:
            tidy(error)
            if not hasattr(error, "__notes__"):  # the innermost config is the one at fault
                error.add_note(f"while making {noun(kind)} {shown(name)} from its config")
            raise


def get(kind: str, identifier: Any) -> Any:
    """The thing that an argument such as `kernel_initializer` stands for.

    identifier: a name, a config, or the thing itself; a class stands for its instance without arguments.
        None is none where a layer can do without (regularizers, constraints, losses), and linear activation.

    Raises UnknownName for an unknown name, ValueError for anything else that is not of this kind.
    """
    if identifier is None and kind in _OPTIONAL:
        return None
    if identifier is None and kind == "activations":
        identifier = "linear"
    if isinstance(identifier, str | Mapping):
        return deserialize(kind, identifier)
    if isinstance(identifier, type):
        return _default(kind, identifier)
    if hasattr(identifier, "get_updates") if kind == "optimizers" else callable(identifier):
        return identifier
    raise ValueError(
        f"Could not interpret {noun(kind)} identifier: {shown(identifier)}; it is a name, a config or the thing itself"
    )


def _default(kind: str, found: Any) -> Any:
    """What a bare name stands for."""
    makes = isinstance(found, type) or (kind in FACTORIES and callable(found) and _needs_nothing(found))
    return found() if makes else found


def _made(kind: str, found: Any, settings: Any) -> Any:
    """What a class_name with its config stands for."""
    settings = dict(settings) if isinstance(settings, Mapping) else settings  # from_config may take it apart
    if hasattr(found, "from_config"):
        if "custom_objects" in inspect.signature(found.from_config).parameters:
            return found.from_config(settings, custom_objects=dict(get_custom_objects()))
        return found.from_config(settings)
    if kind in FACTORIES and callable(found) and isinstance(settings, dict):
        return found(**settings)
    raise ValueError(f"a {noun(kind)} made from a config has from_config(), and {shown(found)} has not")


def _needs_nothing(function: Callable[..., Any]) -> bool:
    """Whether it can be called without arguments: l2() makes a regularizer, my_penalty(weights) is one."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True
