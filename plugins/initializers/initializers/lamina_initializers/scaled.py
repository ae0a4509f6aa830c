"""Draws scaled to the size of the layer, so that signals keep their variance on the way: Glorot, He, LeCun."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina import backend as K
from lamina.initializers import Initializer
from lamina.tensor import Tensor


class VarianceScaling(Initializer):
    """Draws of variance about scale / n, where n counts the inputs or outputs of a unit.

    normal:   truncated normal draws around 0, stddev = sqrt(scale / n) before the tails are cut
    uniform:  -limit <= x < limit with limit = sqrt(3 * scale / n)

    For a kernel (in, out) these counts are in and out; for one of a convolution, (..., in, out), each is multiplied
    by the number of positions; in other shapes both are the square root of the number of elements.

    scale: > 0.
    mode: n is "fan_in", the inputs; "fan_out", the outputs; or "fan_avg", their mean; at least 1.
    distribution: "normal" or "uniform".
    seed: of the draws; None takes one from np.random.

    The cut tails leave "normal" with 0.88 of the stddev above.  It is not enlarged to make up for that: Keras 2.1
    did not either, Keras 2.2 divides by 0.87962566.

    Raises ValueError for a scale, mode or distribution that is not one of these.
    Source: He et al. 2015, arXiv:1502.01852; Glorot and Bengio, AISTATS 2010; LeCun et al. 1998, Efficient Backprop.
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal", seed: int | None = None
    ) -> None:
        if not scale > 0:
            raise ValueError(f"VarianceScaling: `scale` must be a positive float. Got: {scale!r}")
        if str(mode).lower() not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: `mode` is 'fan_in', 'fan_out' or 'fan_avg', met {mode!r}")
        if str(distribution).lower() not in ("normal", "uniform"):
            raise ValueError(
                f"VarianceScaling: `distribution` is 'normal' or 'uniform', met {distribution!r}"
            )
        self.scale = scale
        self.mode = mode.lower()
        self.distribution = distribution.lower()
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "normal":
            return K.truncated_normal(shape, 0.0, math.sqrt(variance), dtype=dtype, seed=self.seed)
        limit = math.sqrt(3 * variance)
        return K.random_uniform(shape, -limit, limit, dtype=dtype, seed=self.seed)


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many inputs and outputs a unit with a weight of this shape has, channels last."""
    if 2 <= len(shape) <= 5:
        *positions, inputs, outputs = shape
        field = math.prod(positions)
        return field * inputs, field * outputs
    return math.sqrt(math.prod(shape)), math.sqrt(math.prod(shape))


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal draws, stddev = sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010, also called Xavier."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform draws within sqrt(6 / (fan_in + fan_out)): Glorot and Bengio 2010, also called Xavier."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal draws, stddev = sqrt(2 / fan_in): He et al. 2015, for relu."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform draws within sqrt(6 / fan_in): He et al. 2015, for relu."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal draws, stddev = sqrt(1 / fan_in): LeCun et al. 1998, and for selu."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform draws within sqrt(3 / fan_in): LeCun et al. 1998."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)
