"""ReLU: the rectifier, with a ceiling, a threshold and a slope below it."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_number
from lamina.layers import Layer
from lamina.tensor import Tensor


class ReLU(Layer):
    """f(x) = max_value where x >= max_value, x where threshold < x < max_value,
    negative_slope * (x - threshold) elsewhere: max(x, 0) by default.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    max_value: the ceiling, >= 0, or None.
    negative_slope: slope below the threshold, >= 0.
    threshold: what an input must exceed to pass as it is.

    Raises ValueError for a negative max_value or negative_slope.
    """

    supports_masking = True

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value
        if max_value is not None:
            self.max_value = as_number(max_value, f"{self.name}: max_value is the ceiling", low=0)
        self.negative_slope = as_number(negative_slope, f"{self.name}: negative_slope is that below", low=0)
        self.threshold = as_number(threshold, f"{self.name}: threshold is what an input must exceed")

    def call(self, inputs: Tensor) -> Tensor:
        return K.relu(inputs, alpha=self.negative_slope, max_value=self.max_value, threshold=self.threshold)
