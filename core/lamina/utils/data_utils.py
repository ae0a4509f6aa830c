"""Names of `lamina.utils` where Keras 2 has them, too: files, and data for training."""

from lamina.utils import __dir__, __getattr__  # noqa: F401
