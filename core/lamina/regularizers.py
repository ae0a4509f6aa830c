"""Regularizers of the installed plugins, and the base class of one's own."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("regularizers", {"Regularizer": "lamina.engine.parts:Regularizer"})
get, serialize, deserialize = verbs("regularizers")
