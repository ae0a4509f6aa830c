"""L1 and L2 penalties, alone or together."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.regularizers import Regularizer


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2): a scalar, whatever the shape of x.

    Of a layer's output it is the sum over the batch, not its mean, as in Keras 2.

    l1: weight of the sum of magnitudes, >= 0.
    l2: weight of the sum of squares, >= 0; there is no factor 1/2.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def __call__(self, x: Any) -> Any:
        penalty: Any = 0.0
        if self.l1:
            penalty += self.l1 * K.sum(K.abs(x))
        if self.l2:
            penalty += self.l2 * K.sum(K.square(x))
        return penalty


def l1(l: float = 0.01) -> L1L2:  # noqa: E741  Keras's name for it
    """l * sum(|x|): drives weights to exactly 0."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:  # noqa: E741
    """l * sum(x^2): keeps weights small."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """l1 * sum(|x|) + l2 * sum(x^2)."""
    return L1L2(l1, l2)
