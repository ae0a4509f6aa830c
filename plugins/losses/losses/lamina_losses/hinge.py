"""Losses that ask for a margin of 1 and no more.  y_true and y_pred have one shape, (..., n); the result is (...)."""

from __future__ import annotations

from lamina import backend as K
from lamina.tensor import Tensor


def hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(max(1 - y_true * y_pred, 0)), with y_true -1 or 1."""
    return K.mean(K.maximum(1 - y_true * y_pred, 0), axis=-1)


def squared_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(max(1 - y_true * y_pred, 0)^2), with y_true -1 or 1."""
    return K.mean(K.square(K.maximum(1 - y_true * y_pred, 0)), axis=-1)


def categorical_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """max(0, 1 + the best wrong score - the right one), with y_true one-hot: (..., classes)."""
    right = K.sum(y_true * y_pred, axis=-1)
    wrong = K.max((1 - y_true) * y_pred, axis=-1)
    return K.maximum(0, wrong - right + 1)
