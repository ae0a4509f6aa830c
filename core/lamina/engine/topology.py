"""Layer and its kin, where programs for Keras 2.1 import them from: keras.engine.topology."""

from lamina.engine import Input, InputLayer, InputSpec, Layer, Network, Node, get_source_inputs

Container = Network  # until Keras 2.2

__all__ = ["Container", "Input", "InputLayer", "InputSpec", "Layer", "Network", "Node", "get_source_inputs"]
