"""Random tensors: drawn anew each time they are computed.

seed: of the op's own stream; drawn from np.random when None, so np.random.seed(0) alone makes a run repeat.
"""

from __future__ import annotations

from typing import Any

from lamina.ops import random as ops
from lamina.tensor import Tensor

__all__ = ["random_binomial", "random_normal", "random_uniform", "truncated_normal"]


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Normal draws.  shape: sizes, numbers or tensors; dtype: floatx when None."""
    return ops.draw(ops.random_normal, shape, dtype, seed, mean=float(mean), stddev=float(stddev))


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Uniform draws from minval <= x < maxval."""
    return ops.draw(ops.random_uniform, shape, dtype, seed, low=float(minval), high=float(maxval))


def random_binomial(shape: Any, p: float = 0.0, dtype: str | None = None, seed: int | None = None) -> Tensor:
    """1 with probability p, else 0."""
    return ops.draw(ops.random_binomial, shape, dtype, seed, p=float(p))


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Normal draws; those further than two standard deviations from the mean are drawn again."""
    return ops.draw(ops.truncated_normal, shape, dtype, seed, mean=float(mean), stddev=float(stddev))
