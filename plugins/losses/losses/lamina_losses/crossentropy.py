"""Losses for probabilities.  The classes are on the last axis: y_pred (..., classes), result (...).

Probabilities are kept within epsilon and 1 - epsilon, K.epsilon() being 1e-7 unless it was set.
"""

from __future__ import annotations

from lamina import backend as K
from lamina.tensor import Tensor


def categorical_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """-sum(y_true * log(y_pred)).

    y_true: the share of each class, (..., classes); one-hot for one right class.
    y_pred: probabilities; divided by their sum, so that they add up to 1.
    """
    return K.categorical_crossentropy(y_true, y_pred)


def sparse_categorical_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """-log(y_pred[y_true]).

    y_true: the number of the right class, 0 <= y_true < classes, (..., 1) or (...).
    y_pred: probabilities that add up to 1.
    """
    return K.sparse_categorical_crossentropy(y_true, y_pred)


def binary_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)): a yes or no for each element of the last axis.

    y_true: 0, 1, or a probability between.  y_pred: probabilities of 1, in the same shape.
    """
    return K.mean(K.binary_crossentropy(y_true, y_pred), axis=-1)


def kullback_leibler_divergence(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """sum(y_true * log(y_true / y_pred)): the information lost where y_pred stands for y_true.

    y_true, y_pred: probabilities in one shape, kept within epsilon and 1.
    """
    y_true = K.clip(y_true, K.epsilon(), 1)
    y_pred = K.clip(y_pred, K.epsilon(), 1)
    return K.sum(y_true * K.log(y_true / y_pred), axis=-1)
