"""Small helpers for arrays, under the name Keras 2 gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["normalize", "to_categorical"]


def to_categorical(y: Any, num_classes: int | None = None, dtype: str = "float32") -> np.ndarray:
    """Class numbers as rows with a single 1, of type `dtype`: what the loss categorical_crossentropy compares.

    y: class numbers 0, 1, ..., of any shape; (n, 1) counts as (n,).
    num_classes: length of a row; one more than the largest number by default.

    Raises IndexError for a class number out of range, ValueError for what is no class number.
    """
    given = np.asarray(y)
    with np.errstate(invalid="ignore"):  # of a NaN, which is then found not to be whole
        classes = given.astype("int64") if given.dtype.kind in "biuf" else None
    if classes is None or (classes != given).any():
        raise ValueError(f"to_categorical takes class numbers, whole and from 0; met {given.reshape(-1)[:5]}")
    shape = classes.shape[:-1] if classes.ndim > 1 and classes.shape[-1] == 1 else classes.shape
    classes = classes.reshape(-1)
    count = int(classes.max(initial=-1)) + 1 if num_classes is None else num_classes
    wrong = classes[(classes < 0) | (classes >= count)]
    if wrong.size:
        raise IndexError(
            f"class number {wrong[0]} is out of range: there are num_classes={count} classes, counted from 0"
        )
    rows = np.zeros((classes.size, count), dtype)
    rows[np.arange(classes.size), classes] = 1
    return rows.reshape(*shape, count)


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """x divided by its norm along `axis`; where that is 0, x itself.

    order: of the norm, as in numpy.linalg.norm; 2 is the Euclidean one.
    """
    norm = np.atleast_1d(np.linalg.norm(x, order, axis, keepdims=True))
    return np.asarray(x) / np.where(norm == 0, 1, norm)
