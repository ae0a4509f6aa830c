"""Well-known models of the installed plugins, with or without their trained weights."""

from lamina_registry import facade

__getattr__, __dir__ = facade("applications")
