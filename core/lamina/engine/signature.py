"""What a layer's own signatures say: the keywords its `call` takes, and the config its constructor implies.

The constructor's arguments, each kept under its own name, are the config:

    class Scale(Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

    Scale(2.0).get_config()     # {"name": "scale_1", "trainable": True, "factor": 2.0}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from lamina import layers
from lamina_registry import close_to, serialize, shown

if TYPE_CHECKING:
    from lamina.engine.layer import Layer

BASE = (
    "name",
    "trainable",
    "batch_input_shape",
    "dtype",
    "input_shape",
    "batch_size",
    "weights",
    "input_dtype",
)
"""Arguments of every layer, which the base part of a config speaks for."""

_PARTS = {
    "activation": "activations",
    "constraint": "constraints",
    "initializer": "initializers",
    "regularizer": "regularizers",
}


# ---- call


@dataclass(frozen=True)
class Keywords:
    """The keyword arguments a function declares.  open: it takes any others too, as **kwargs."""

    names: tuple[str, ...]
    open: bool

    def __contains__(self, name: str) -> bool:
        return name in self.names


def keywords(function: Callable[..., Any]) -> Keywords:
    """What `function`, plain or bound to its object, can be given by keyword; read once and remembered."""
    plain = getattr(function, "__func__", function)
    try:
        return _keywords[plain]
    except KeyError:
        _keywords[plain] = found = _read(plain)
        return found
    except TypeError:  # a callable that cannot be referred to weakly
        return _read(plain)


def _read(function: Callable[..., Any]) -> Keywords:
    parameters = inspect.signature(function).parameters.values()
    named = (p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return Keywords(tuple(named), any(p.kind is p.VAR_KEYWORD for p in parameters))


_keywords: WeakKeyDictionary[Callable[..., Any], Keywords] = WeakKeyDictionary()


def unexpected(cls: type, keyword: str, also: Iterable[str]) -> str:
    """What to say of a keyword that the constructors of `cls` do not take.  also: what they take besides."""
    names: dict[str, None] = {}
    for each in cls.__mro__:
        if "__init__" in vars(each) and each is not object:
            names |= dict.fromkeys(_read(each.__init__).names[1:])  # type: ignore[misc]
    names |= dict.fromkeys(also)
    return f"{keyword}.{_meant(keyword, names)} {cls.__name__} takes {', '.join(names)}"


def meant(function: Callable[..., Any], keyword: str) -> str:
    """The question whether one of the function's own keywords was meant; nothing where none is close."""
    return _meant(keyword, _read(function).names)


def _meant(keyword: str, names: Iterable[str]) -> str:
    close = close_to(keyword, names)
    return f" Did you mean {close[0]}?" if close else ""


# ---- config


def config_of(layer: Layer) -> dict[str, Any]:
    """The constructor's arguments that `Layer.get_config` answers for, read from the attributes of their names.

    Raises NotImplementedError, naming the argument and the remedy, for one that no attribute keeps or that has no
    form in JSON.
    """
    return {name: _written(layer, name) for name in _arguments(type(layer))}


def revived(config: Mapping[str, Any]) -> dict[str, Any]:
    """A derived config with the layers among its values made."""
    if not isinstance(config, Mapping):
        raise TypeError(f"a config is a dict of the constructor's arguments, met {shown(config)}")
    return {name: value if kind_of(name) else _revived(value) for name, value in config.items()}


def _arguments(cls: type) -> tuple[str, ...]:
    if cls not in _remembered:
        _remembered[cls] = tuple(_collect(cls))
    return _remembered[cls]


_remembered: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def _collect(cls: type) -> list[str]:
    """Names of the arguments, those of the most derived class first.

    A class with a get_config of its own answers for its own arguments; the classes above it are read here.  A
    constructor with **kwargs hands them on to the next one.
    """
    from lamina.engine.layer import Layer

    line = cls.__mro__[: cls.__mro__.index(Layer)]
    own = [place for place, each in enumerate(line) if "get_config" in vars(each)]
    found: list[str] = []
    for each in line[own[-1] + 1 if own else 0 :]:
        if "__init__" not in vars(each):
            continue
        parameters = list(inspect.signature(each.__init__).parameters.values())[1:]  # type: ignore[misc]
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
                raise NotImplementedError(
                    f"{each.__name__}.__init__ takes {parameter} by position, and a config names its arguments: "
                    f"make it a named argument, or give {each.__name__} its own get_config and from_config"
                )
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in (*BASE, *found):
                found.append(parameter.name)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            missing = {"name", "trainable"} - {parameter.name for parameter in parameters}
            if missing and not own:
                raise NotImplementedError(
                    f"{each.__name__}.__init__ does not take {' and '.join(sorted(missing))}, which every layer's "
                    "config has: add **kwargs to it and pass them on with super().__init__(**kwargs)"
                )
            break
    return found


def kind_of(name: str) -> str | None:
    """The kind of part that an argument of this name takes: initializers for kernel_initializer."""
    return _PARTS.get(name.rpartition("_")[2])


def _written(layer: Layer, name: str) -> Any:
    cls = type(layer).__name__
    try:
        value = getattr(layer, name)
    except AttributeError:
        raise NotImplementedError(
            f"{layer.name} ({cls}) cannot be written as a config: its constructor takes {name!r}, and it has no "
            f"attribute of that name. Keep the argument as `self.{name} = {name}`, or give {cls} its own get_config"
        ) from None
    kind = kind_of(name)
    if kind is not None and value is not None and not isinstance(value, str | Mapping):
        return serialize(kind, value)
    try:
        return plain(value)
    except TypeError as error:
        raise NotImplementedError(
            f"{layer.name} ({cls}) cannot be written as a config: {name}={value!r} has no form in JSON "
            f"({error}). Give {cls} its own get_config and from_config"
        ) from None


def plain(value: Any) -> Any:
    """`value` as plain data of its own: numbers, text, lists, tuples and dicts, and layers as their configs.

    Raises TypeError for anything else.
    """
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (
            type(value)([plain(item) for item in value]) if type(value) is list else tuple(map(plain, value))
        )
    if hasattr(value, "_inbound_nodes"):
        return layers.serialize(value)
    raise TypeError(f"it is of type {type(value).__name__}")


def _revived(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() == {"class_name", "config"}:
        return layers.deserialize(value)
    if isinstance(value, list | tuple):
        return [_revived(item) for item in value] if isinstance(value, list) else tuple(map(_revived, value))
    return value
