"""ActivityRegularization: a penalty on what passes, and no change to it."""

from __future__ import annotations

from typing import Any

from lamina.layers import Layer
from lamina_regularizers.l1_l2 import L1L2


class ActivityRegularization(Layer):
    """The inputs as they are; the loss grows by l1 * sum(|inputs|) + l2 * sum(inputs^2), summed over the batch too.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    l1: weight of the sum of magnitudes, >= 0.
    l2: weight of the sum of squares, >= 0.
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1 = l1
        self.l2 = l2
        self.activity_regularizer = L1L2(l1, l2)
