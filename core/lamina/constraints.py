"""Constraints of the installed plugins, and the base class of one's own."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("constraints", {"Constraint": "lamina.engine.parts:Constraint"})
get, serialize, deserialize = verbs("constraints")
