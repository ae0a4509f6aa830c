"""The engine: layers, the graph that their calls make, and models.

Its names, also those of Keras's `keras.engine`, are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Input": "input_layer",
    "InputLayer": "input_layer",
    "InputSpec": "layer",
    "Layer": "layer",
    "Model": "model",
    "Network": "network",
    "Node": "node",
    "Sequential": "sequential",
    "get_source_inputs": "graph",
}

_PLACES = ("base_layer", "topology", "training")

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"lamina.engine.{_HOMES[name]}"), name)
    if name in _PLACES:  # programs write keras.engine.topology.Layer with no import but keras
        return importlib.import_module(f"lamina.engine.{name}")
    raise AttributeError(f"module 'lamina.engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
