"""Dataset loaders of the installed plugins, one module each: `datasets.digits.load_data()`."""

from lamina_registry import facade

__getattr__, __dir__ = facade("datasets")
