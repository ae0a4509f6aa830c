"""Names of `lamina.utils` where Keras 2 has them, too: models, looked at."""

from lamina.utils import __dir__, __getattr__  # noqa: F401
