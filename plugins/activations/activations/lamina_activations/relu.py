"""ReLU: the rectifier, with a ceiling, a threshold and a slope below it."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
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
        if max_value is not None and max_value < 0:
            raise ValueError(f"{self.name}: max_value of a ReLU layer cannot be negative, met {max_value}")
        if negative_slope < 0:
            raise ValueError(
                f"{self.name}: negative_slope of a ReLU layer cannot be negative, met {negative_slope}"
            )
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Tensor) -> Tensor:
        return K.relu(inputs, alpha=self.negative_slope, max_value=self.max_value, threshold=self.threshold)
