"""Initializers of the installed plugins, and the base class of one's own."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("initializers", {"Initializer": "lamina.engine.parts:Initializer"})
get, serialize, deserialize = verbs("initializers")
