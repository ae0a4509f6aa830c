"""Activation functions of the installed plugins."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("activations")
get, serialize, deserialize = verbs("activations")
