"""Limits on the length of weight vectors.

axis: what one vector runs along, an int or several: 0, the default, for the kernel (in, out) of Dense; [0, 1, 2] for
that of Conv2D, (rows, columns, in, out).  The length is sqrt(sum(w^2)) along it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamina import backend as K
from lamina.constraints import Constraint
from lamina.tensor import Tensor


class MaxNorm(Constraint):
    """w * clip(|w|, 0, max_value) / (epsilon + |w|): vectors no longer than `max_value`, in the shape of w.

    max_value: the greatest length, >= 0.  axis: what one vector runs along.
    Source: Srivastava et al. 2014, JMLR 15, 1929-1958, section 5.1.
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        length = norm(w, self.axis)
        return w * (K.clip(length, 0, self.max_value) / (K.epsilon() + length))


class UnitNorm(Constraint):
    """w / (epsilon + |w|): vectors of length 1, in the shape of w.

    axis: what one vector runs along.
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        return w / (K.epsilon() + norm(w, self.axis))


class MinMaxNorm(Constraint):
    """w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / (epsilon + |w|), in the shape of w.

    min_value, max_value: the least and greatest length, 0 <= min_value <= max_value.
    rate: how far a step goes towards them, 0 < rate <= 1; 1 is all the way.
    axis: what one vector runs along.
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        length = norm(w, self.axis)
        wanted = self.rate * K.clip(length, self.min_value, self.max_value) + (1 - self.rate) * length
        return w * (wanted / (K.epsilon() + length))


def norm(w: Tensor, axis: int | Sequence[int]) -> Tensor:
    """The length of the vectors of w, with size 1 along `axis`."""
    return K.sqrt(K.sum(K.square(w), axis=axis, keepdims=True))
