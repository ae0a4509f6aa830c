"""Custom objects: names that one program gives to its own classes and functions, ahead of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

CustomObjects = dict[str, Any]


class CustomObjectScope:
    """Names that hold inside a `with` block, as in Keras.

        with CustomObjectScope({"MyRegularizer": MyRegularizer}):
            layer = Dense(3, kernel_regularizer="MyRegularizer")

    args: dicts from names to objects; later ones win, and names of outer scopes stay visible.

    A scope belongs to the thread that entered it, so models can be loaded in several threads at once.
    """

    def __init__(self, *args: Mapping[str, Any]) -> None:
        for objects in args:
            if not isinstance(objects, Mapping):
                raise TypeError(f"custom objects are a dict from names to objects, not {objects!r}")
        self._objects = args

    def __enter__(self) -> CustomObjectScope:
        inner = dict(get_custom_objects())
        for objects in self._objects:
            inner.update(objects)
        _scopes.set((*_scopes.get(), inner))
        return self

    def __exit__(self, *exception: object) -> None:
        _scopes.set(_scopes.get()[:-1])


def custom_object_scope(*args: Mapping[str, Any]) -> CustomObjectScope:
    """`CustomObjectScope(*args)`, by its other Keras name."""
    return CustomObjectScope(*args)


def get_custom_objects() -> CustomObjects:
    """The custom objects in force, to read or to change.

    Outside every scope it is the program's own dict; a change made inside a scope ends with it.
    """
    return _scopes.get()[-1]


_scopes: ContextVar[tuple[CustomObjects, ...]] = ContextVar("lamina_custom_objects", default=({},))
