"""Activation: a function of each element, as a layer of its own."""

from __future__ import annotations

from typing import Any

from lamina import activations
from lamina.layers import Layer
from lamina.tensor import Tensor


class Activation(Layer):
    """activation(inputs).

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    activation: function of a tensor, or its name: "relu", "softmax", K.tanh.
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)
