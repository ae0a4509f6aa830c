"""Activation functions: a tensor in, a tensor of the same shape and float type out."""

from __future__ import annotations

from lamina import backend as K
from lamina.tensor import Tensor


def linear(x: Tensor) -> Tensor:
    """x itself."""
    return x


def relu(x: Tensor, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0); in full: max_value where x >= max_value, x where x > threshold, alpha * (x - threshold) elsewhere.

    alpha: slope below the threshold, >= 0.  max_value: > threshold, or None.
    """
    return K.relu(x, alpha=alpha, max_value=max_value, threshold=threshold)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where x > 0, alpha * (e^x - 1) elsewhere.  Source: Clevert et al. 2015, arXiv:1511.07289."""
    return K.elu(x, alpha)


def selu(x: Tensor) -> Tensor:
    """1.0507 * elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer.

    To be used with the initializer lecun_normal and with AlphaDropout.
    Source: Klambauer et al. 2017, arXiv:1706.02515, whose fixed point gives both numbers.
    """
    return 1.0507009873554804934193349852946 * K.elu(x, 1.6732632423543772848170429916717)


def softplus(x: Tensor) -> Tensor:
    """log(e^x + 1)."""
    return K.softplus(x)


def softsign(x: Tensor) -> Tensor:
    """x / (|x| + 1)."""
    return K.softsign(x)


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return K.tanh(x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x)."""
    return K.sigmoid(x)


def hard_sigmoid(x: Tensor) -> Tensor:
    """0 where x < -2.5, 1 where x > 2.5, 0.2 * x + 0.5 between."""
    return K.hard_sigmoid(x)


def exponential(x: Tensor) -> Tensor:
    """e^x."""
    return K.exp(x)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / sum(e^x) along `axis`, which counts the batch axis as 0.

    Raises ValueError for a tensor of fewer than two axes: its only axis would be the batch.
    """
    if K.ndim(x) < 2:
        raise ValueError(
            f"Cannot apply softmax to a tensor that is 1D: met {x!r}, expected (batch, classes) or more"
        )
    return K.softmax(x, axis)
