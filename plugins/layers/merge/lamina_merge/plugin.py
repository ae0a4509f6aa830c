"""Layers, and the functions that make and call them, by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "Add": "lamina_merge.elementwise:Add",
        "Average": "lamina_merge.elementwise:Average",
        "Concatenate": "lamina_merge.concatenate:Concatenate",
        "Dot": "lamina_merge.dot:Dot",
        "Maximum": "lamina_merge.elementwise:Maximum",
        "Minimum": "lamina_merge.elementwise:Minimum",
        "Multiply": "lamina_merge.elementwise:Multiply",
        "Subtract": "lamina_merge.elementwise:Subtract",
        "_Merge": "lamina_merge.base:Merge",  # which merge layers of one's own are made from, in Keras 2 by this name
        "add": "lamina_merge.elementwise:add",
        "average": "lamina_merge.elementwise:average",
        "concatenate": "lamina_merge.concatenate:concatenate",
        "dot": "lamina_merge.dot:dot",
        "maximum": "lamina_merge.elementwise:maximum",
        "minimum": "lamina_merge.elementwise:minimum",
        "multiply": "lamina_merge.elementwise:multiply",
        "subtract": "lamina_merge.elementwise:subtract",
    }
