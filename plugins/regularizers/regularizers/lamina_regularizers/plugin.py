"""Regularizers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def regularizers():
    return {
        "L1L2": "lamina_regularizers.l1_l2:L1L2",
        "l1": "lamina_regularizers.l1_l2:l1",
        "l1_l2": "lamina_regularizers.l1_l2:l1_l2",
        "l2": "lamina_regularizers.l1_l2:l2",
    }
