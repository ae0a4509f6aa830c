"""Losses, by the name of their module in Keras 1, which Keras 2 knows, too."""

from lamina.losses import __dir__, __getattr__, deserialize, get, serialize  # noqa: F401
