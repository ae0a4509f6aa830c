"""Weights that start from draws of one fixed spread: normal, uniform, truncated normal.

seed: the same number gives the same draws at every call; None takes one from np.random, so that np.random.seed(0)
makes a whole run repeat.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamina import backend as K
from lamina.initializers import Initializer
from lamina.tensor import Tensor


class RandomNormal(Initializer):
    """Normal draws, in any shape.

    mean: of the draws.  stddev: their standard deviation, >= 0.  seed: of the draws.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.random_normal(shape, self.mean, self.stddev, dtype=dtype, seed=self.seed)


class RandomUniform(Initializer):
    """Uniform draws from minval <= x < maxval, in any shape.

    minval, maxval: bounds of the draws.  seed: of the draws.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.random_uniform(shape, self.minval, self.maxval, dtype=dtype, seed=self.seed)


class TruncatedNormal(Initializer):
    """Normal draws, where those further than two standard deviations from the mean are drawn again, in any shape.

    mean: of the draws.  stddev: standard deviation before the tails are cut, >= 0; after, it is 0.88 of that.
    seed: of the draws.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        return K.truncated_normal(shape, self.mean, self.stddev, dtype=dtype, seed=self.seed)
