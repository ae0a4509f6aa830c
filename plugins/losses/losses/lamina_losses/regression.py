"""Losses for numbers.  y_true and y_pred have one shape, (..., n); the result is (...)."""

from __future__ import annotations

import math

from lamina import backend as K
from lamina.tensor import Tensor


def mean_squared_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean((y_pred - y_true)^2)."""
    return K.mean(K.square(y_pred - y_true), axis=-1)


def mean_absolute_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(|y_pred - y_true|)."""
    return K.mean(K.abs(y_pred - y_true), axis=-1)


def mean_absolute_percentage_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """100 * mean(|y_true - y_pred| / max(|y_true|, epsilon)), in percent."""
    return 100 * K.mean(K.abs((y_true - y_pred) / K.maximum(K.abs(y_true), K.epsilon())), axis=-1)


def mean_squared_logarithmic_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean((log(y_pred + 1) - log(y_true + 1))^2), with what is below epsilon raised to it."""
    predicted = K.log(K.maximum(y_pred, K.epsilon()) + 1)
    true = K.log(K.maximum(y_true, K.epsilon()) + 1)
    return K.mean(K.square(predicted - true), axis=-1)


def logcosh(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(log(cosh(y_pred - y_true))): about d^2 / 2 for a small difference d and |d| - log 2 for a large one."""
    d = y_pred - y_true
    # log(cosh(d)), where cosh itself would overflow at d = 89 in float32.
    return K.mean(d + K.softplus(-2 * d) - math.log(2), axis=-1)


def poisson(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(y_pred - y_true * log(y_pred + epsilon)): for counts y_true >= 0 of expected value y_pred > 0."""
    return K.mean(y_pred - y_true * K.log(y_pred + K.epsilon()), axis=-1)


def cosine_proximity(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Minus the cosine of the angle between y_true and y_pred: -1 where they point the same way."""
    return -K.sum(K.l2_normalize(y_true, axis=-1) * K.l2_normalize(y_pred, axis=-1), axis=-1)
