"""Orthogonal: a random rotation, which changes the length of no signal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lamina import backend as K
from lamina.initializers import Initializer
from lamina.tensor import Tensor


class Orthogonal(Initializer):
    """gain * Q, where the columns of Q (its rows, if there are fewer) are orthonormal and of random direction.

    A weight (..., n) of more than two axes is drawn as the matrix with n columns.

    gain: the length of each of them.
    seed: of the draws; None continues the stream of np.random.

    Raises ValueError, when called, for a shape of fewer than two axes.
    Source: Saxe et al. 2013, arXiv:1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = gain
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal initializer needs a shape of two or more axes, met {tuple(shape)}")
        size = (math.prod(shape[:-1]), shape[-1])
        draws = np.random.normal if self.seed is None else np.random.RandomState(self.seed).normal
        u, _, v = np.linalg.svd(draws(0.0, 1.0, size), full_matrices=False)
        q = u if u.shape == size else v
        return K.constant(self.gain * q, dtype, shape)
