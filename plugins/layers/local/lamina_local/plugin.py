"""Locally connected layers, and their backend functions, by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "LocallyConnected1D": "lamina_local.locally_connected:LocallyConnected1D",
        "LocallyConnected2D": "lamina_local.locally_connected:LocallyConnected2D",
    }


@hookimpl
def ops():
    return {
        "local_conv1d": "lamina_local.functions:local_conv1d",
        "local_conv2d": "lamina_local.functions:local_conv2d",
    }
