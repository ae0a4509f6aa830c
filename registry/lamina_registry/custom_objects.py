"""Custom objects: names that one program gives to its own classes and functions, ahead of the catalogue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
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


@contextlib.contextmanager
def objects_named() -> Iterator[CustomObjects]:
    """Collects, by name, the things that configs written in this block name and no plugin offers.

    They are the custom objects without which these configs cannot be read.
    """
    objects: CustomObjects = {}
    outer = _named.set(objects)
    try:
        yield objects
    finally:
        _named.reset(outer)


def note_named(name: str, thing: Any) -> None:
    """Says that a config names a thing that no plugin offers.

    Raises ValueError inside `objects_named` where the name stands for another thing already.
    """
    objects = _named.get()
    if objects is not None and objects.setdefault(name, thing) is not thing:
        raise ValueError(
            f"{objects[name]!r} and {thing!r} are both called {name!r}, and a config could mean either: rename one"
        )


_named: ContextVar[CustomObjects | None] = ContextVar("lamina_objects_named", default=None)
_scopes: ContextVar[tuple[CustomObjects, ...]] = ContextVar("lamina_custom_objects", default=({},))
