"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {"Embedding": "lamina_embeddings.embedding:Embedding"}
