"""Weights that start from fixed numbers: zeros, ones, any constant, the identity matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.initializers import Initializer
from lamina.tensor import Tensor


class Zeros(Initializer):
    """0 everywhere, in any shape."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.constant(0, dtype, shape)


class Ones(Initializer):
    """1 everywhere, in any shape."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.constant(1, dtype, shape)


class Constant(Initializer):
    """`value` everywhere, in any shape.

    value: a number, or an array with as many elements as the weight.  Default 0.
    """

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.constant(self.value, dtype, shape)


class Identity(Initializer):
    """gain * I: (n, n).

    gain: what the diagonal holds.

    Raises ValueError, when called, for a shape that is not square.
    Source: Le et al. 2015, arXiv:1504.00941, for recurrent kernels.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(
                f"Identity initializer can only be used for 2D square matrices, met shape {tuple(shape)}: "
                "Orthogonal starts from something like it in any shape"
            )
        return K.constant(self.gain * np.identity(shape[0]), dtype)
