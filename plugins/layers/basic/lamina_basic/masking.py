"""Masking: time steps that later layers skip."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_number
from lamina.layers import Layer
from lamina.tensor import Tensor


class Masking(Layer):
    """Skip the time steps at which every feature equals mask_value.

    Input:   (batch, time, ..., features).
    Output:  the same shape and dtype, with what is skipped set to 0.
    Mask:    (batch, time, ...), true where some feature differs from mask_value.

    mask_value: what marks a step that is to be skipped; a step that has it in some features only is not.

    Raises ValueError for a mask_value of NaN, which nothing equals.
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = as_number(mask_value, f"{self.name}: mask_value is what inputs are compared with")

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Tensor:
        return K.any(K.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        kept = K.any(K.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return K.switch(kept, inputs, K.zeros_like(inputs))  # not a product: infinity times 0 is NaN
