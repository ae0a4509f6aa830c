"""Layer and its kin, where programs for Keras 2.1 import them from: keras.engine.topology."""

from lamina.engine import Input, InputLayer, InputSpec, Layer, Network, Node, get_source_inputs

__all__ = ["Input", "InputLayer", "InputSpec", "Layer", "Network", "Node", "get_source_inputs"]
