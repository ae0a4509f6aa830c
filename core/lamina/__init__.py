"""Lamina: the model-level API of Keras 2 on NumPy and CuPy, put together from plugins.

Importing this package imports no plugin and no submodule: each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "activations", "applications", "backend", "callbacks", "constraints", "datasets", "devices", "engine",
    "initializers", "layers", "legacy", "losses", "metrics", "models", "objectives", "optimizers", "preprocessing",
    "regularizers", "testing", "utils", "wrappers",
)  # fmt: skip
_NAMES = {
    "Input": "lamina.engine.input_layer",
    "Model": "lamina.models",
    "Sequential": "lamina.models",
    "Variable": "lamina.tensor",
    "device": "lamina.devices",
}

__all__ = [*_MODULES, *_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lamina.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lamina' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
