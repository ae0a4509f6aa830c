"""Softmax, as a layer."""

from __future__ import annotations

from typing import Any

from lamina.engine.arguments import as_axis
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor
from lamina_activations.functions import softmax


class Softmax(Layer):
    """f(x) = e^x / sum(e^x) along `axis`.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype, positive and adding up to 1 along `axis`; the mask passes through.

    axis: counted with the batch axis as 0; -1 is the last one.

    Raises ValueError when called on a tensor of fewer than two axes, or without `axis`.
    """

    supports_masking = True

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = as_axis(axis, f"{self.name}: axis is what the outputs add up to 1 along")
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                f"{self.name}: axis={self.axis} is none of the {len(input_shape)} axes of {input_shape}"
            )
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return softmax(inputs, axis=self.axis)
