"""NonNeg: weights that are not negative."""

from __future__ import annotations

from lamina import backend as K
from lamina.constraints import Constraint
from lamina.tensor import Tensor


class NonNeg(Constraint):
    """max(w, 0), elementwise."""

    def __call__(self, w: Tensor) -> Tensor:
        return K.maximum(w, 0)
