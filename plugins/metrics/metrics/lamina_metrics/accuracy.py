"""Accuracies: the share of predictions that are right.  The classes are on the last axis of y_pred."""

from __future__ import annotations

from lamina import backend as K
from lamina.tensor import Tensor


def binary_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(y_true == round(y_pred)) over the last axis: (..., n) -> (...).  What is above 0.5 rounds to 1."""
    return K.mean(K.equal(y_true, K.round(y_pred)), axis=-1)


def categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """1 where the largest entries of y_true and y_pred are at the same class, else 0: (..., classes) -> (...)."""
    return K.cast(K.equal(K.argmax(y_true), K.argmax(y_pred)), K.floatx())


def sparse_categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """1 where the largest entry of y_pred is at class y_true, else 0.

    y_true: class numbers, (..., 1) or (...).  y_pred: (..., classes); the result is (...).
    """
    if K.ndim(y_true) == K.ndim(y_pred):
        y_true = K.squeeze(y_true, -1)
    predicted = K.cast(K.argmax(y_pred), K.dtype(y_true))
    return K.cast(K.equal(y_true, predicted), K.floatx())


def top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> Tensor:
    """The share of samples whose right class is among the k best scores, as a scalar.

    y_true: one-hot, (batch, classes).  y_pred: scores, in the same shape.
    """
    return K.mean(K.in_top_k(y_pred, K.argmax(y_true), k))


def sparse_top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> Tensor:
    """The share of samples whose right class is among the k best scores, as a scalar.

    y_true: class numbers, (batch, 1) or (batch,).  y_pred: scores, (batch, classes).
    """
    return K.mean(K.in_top_k(y_pred, K.cast(K.flatten(y_true), "int32"), k))
