"""ThresholdedReLU: nothing passes until it is large enough, then all of it."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_number
from lamina.layers import Layer
from lamina.tensor import Tensor


class ThresholdedReLU(Layer):
    """f(x) = x where x > theta, 0 elsewhere.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    theta: the threshold, >= 0.

    Source: Konda et al. 2014, arXiv:1402.3337.
    """

    supports_masking = True

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = as_number(theta, f"{self.name}: theta is the threshold")

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * K.cast(K.greater(inputs, self.theta), K.dtype(inputs))
