"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "Bidirectional": "lamina_wrappers.bidirectional:Bidirectional",
        "TimeDistributed": "lamina_wrappers.time_distributed:TimeDistributed",
        "Wrapper": "lamina_wrappers.wrapper:Wrapper",
    }
