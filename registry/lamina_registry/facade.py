"""Facades: modules whose names are those of the catalogue.

    __getattr__, __dir__ = facade("layers")

in lamina/layers.py makes `from lamina.layers import Dense` work, whoever offers Dense.
"""

from __future__ import annotations

import opcode
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import FrameType, MappingProxyType
from typing import Any

from lamina_registry import serial
from lamina_registry.catalogue import catalog, load
from lamina_registry.errors import UnknownName


class Facade:
    """What one module offers beyond its own names: those of a kind, and a few homes of its own."""

    def __init__(self, kind: str, own: Mapping[str, str], module: dict[str, Any]) -> None:
        self.kind = kind
        self.own = own
        self.module = module

    def attribute(self, name: str) -> Any:
        """The module's __getattr__."""
        if name == "__all__":
            return self.names()
        if name in self.own:
            found = self.module[name] = load(self.own[name])
            return found
        if name.startswith("__") or (name[0] == "_" and name not in catalog().names(self.kind)):
            raise AttributeError(f"module {self.module['__name__']!r} has no attribute {name!r}")
        try:
            return catalog().find(self.kind, name)
        except UnknownName as error:
            # In `from module import name` Python puts its own words in place of an AttributeError's.
            missing = UnknownImport if _importing(sys._getframe(1)) else UnknownAttribute
            raise missing(str(error)) from None

    def names(self) -> list[str]:
        """The module's __dir__: every public name that leads somewhere."""
        mine = {name for name, value in self.module.items() if name[0] != "_" and not _machinery(value)}
        clear = {
            name
            for name in catalog().names(self.kind)
            if name[0] != "_" and len(catalog().offers(self.kind, name)) == 1
        }
        return sorted(mine | clear | self.own.keys())


class UnknownAttribute(UnknownName, AttributeError):
    """So that hasattr() and getattr() with a default work."""


class UnknownImport(UnknownName, ImportError):
    """So that `from lamina.layers import Conv2D` says what to install."""


def facade(
    kind: str, own: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The __getattr__ and __dir__ of the calling module, over the names of one kind.

    own: names the module has besides, with their homes "module:attribute", imported on first use.
    """
    made = Facade(kind, own, sys._getframe(1).f_globals)
    return made.attribute, made.names


def places(names: Iterable[str]) -> None:
    """Make modules below the calling one that offer what it offers.

        places(["core", "convolutional"])

    in lamina/layers.py makes `from lamina.layers.core import Dense` work, as programs for Keras 2 write it.
    """
    here = sys._getframe(1).f_globals
    here.setdefault("__path__", [])  # what makes it a package, in which nothing else is looked for
    for name in names:
        spec = ModuleSpec(f"{here['__name__']}.{name}", None)
        module = here[name] = sys.modules[spec.name] = module_from_spec(spec)
        module.__doc__ = here["__doc__"]
        module.__dict__.update((hook, here[hook]) for hook in ("__getattr__", "__dir__"))


def verbs(kind: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[..., Any]]:
    """The get(identifier), serialize(obj) and deserialize(config, custom_objects=None) of one kind."""
    module = sys._getframe(1).f_globals["__name__"]

    def get(identifier: Any) -> Any:
        return serial.get(kind, identifier)

    def serialize(obj: Any) -> Any:
        return serial.serialize(kind, obj)

    def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        return serial.deserialize(kind, config, custom_objects)

    for function in (get, serialize, deserialize):
        function.__doc__ = getattr(serial, function.__name__).__doc__
        function.__module__, function.__qualname__ = module, function.__name__
    return get, serialize, deserialize


def _importing(frame: FrameType) -> bool:
    return opcode.opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_FROM"


def _machinery(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("lamina_registry") or isinstance(value, type(sys))
