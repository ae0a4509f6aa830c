"""Optimizers of the installed plugins, and the base class of one's own."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("optimizers", {"Optimizer": "lamina.engine.optimizer:Optimizer"})
get, serialize, deserialize = verbs("optimizers")
