"""Model, where programs for Keras 2 import it from, too: keras.engine.training."""

from lamina.engine import Model

__all__ = ["Model"]
