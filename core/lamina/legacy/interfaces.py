"""Decorators that optimizers and layers made after those of Keras 2 have on their methods."""

from lamina.engine.keras_1 import constraints_may_come as legacy_get_updates_support
from lamina.engine.keras_1 import shape_may_lead as legacy_add_weight_support

__all__ = ["legacy_add_weight_support", "legacy_get_updates_support"]
