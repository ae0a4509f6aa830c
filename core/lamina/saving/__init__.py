"""Saving and loading: HDF5 in Keras 2's layout, safetensors, JSON and YAML, through one gate and in atomic writes.

Importing this package imports none of it, so that a layer can ask the gate without waiting for h5py.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "DamagedFile": "errors",
    "UnsafeFile": "errors",
    "load_model": "hdf5",
    "load_weights": "weight_files",
    "model_from_config": "config",
    "model_from_json": "config",
    "model_from_yaml": "config",
    "pickled": "pickling",
    "save_model": "hdf5",
    "save_weights": "weight_files",
    "to_json": "config",
    "to_yaml": "config",
    "trusted": "gate",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"lamina.saving.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lamina.saving' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
