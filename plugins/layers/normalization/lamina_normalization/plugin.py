"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {"BatchNormalization": "lamina_normalization.batch_normalization:BatchNormalization"}
