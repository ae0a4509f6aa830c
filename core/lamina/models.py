"""Models, and the ways to make them from files, configs and other models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lamina.engine.clone import clone_model
from lamina.engine.input_layer import Input
from lamina.engine.model import Model
from lamina.engine.sequential import Sequential

if TYPE_CHECKING:
    from lamina.saving import load_model, model_from_config, model_from_json, model_from_yaml, save_model

__all__ = [
    "Input", "Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json",
    "model_from_yaml", "save_model",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:  # those for files, which bring h5py
        from lamina import saving

        return getattr(saving, name)
    raise AttributeError(f"module 'lamina.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
