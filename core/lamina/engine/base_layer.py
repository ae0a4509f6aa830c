"""Layer and its kin, where programs for Keras 2.2 import them from: keras.engine.base_layer."""

from lamina.engine import InputSpec, Layer, Node

__all__ = ["InputSpec", "Layer", "Node"]
