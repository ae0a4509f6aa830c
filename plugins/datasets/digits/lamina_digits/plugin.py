"""Datasets by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def datasets():
    return {"digits": "lamina_digits.digits"}
