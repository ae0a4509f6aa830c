"""LeakyReLU: a rectifier that lets a little of what is negative through."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_number
from lamina.layers import Layer
from lamina.tensor import Tensor


class LeakyReLU(Layer):
    """f(x) = x where x >= 0, alpha * x elsewhere.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    alpha: slope of the negative part, >= 0.

    Source: Maas et al., ICML 2013 Workshop on Deep Learning for Audio, Speech and Language Processing.
    """

    supports_masking = True

    def __init__(self, alpha: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = as_number(alpha, f"{self.name}: alpha is the slope of the negative part")

    def call(self, inputs: Tensor) -> Tensor:
        return K.relu(inputs, alpha=self.alpha)
