"""ELU: the exponential linear unit."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_number
from lamina.layers import Layer
from lamina.tensor import Tensor


class ELU(Layer):
    """f(x) = x where x > 0, alpha * (e^x - 1) elsewhere.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    alpha: minus the value that large negative inputs approach, >= 0.

    Source: Clevert et al. 2015, arXiv:1511.07289.
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = as_number(alpha, f"{self.name}: alpha is minus the value of large negative inputs")

    def call(self, inputs: Tensor) -> Tensor:
        return K.elu(inputs, self.alpha)
