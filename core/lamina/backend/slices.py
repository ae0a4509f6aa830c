"""Gradients of look-ups, which `K.function` gives as TensorFlow does: the rows that were looked up, not added up.

Everywhere else such a gradient is a tensor like any other, in the shape of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.ops import elementwise as e
from lamina.ops.joining import concatenate
from lamina.ops.positions import scatter_add
from lamina.ops.shape import reshape, shape_of
from lamina.tensor import Tensor


class IndexedSlicesValue(np.ndarray):
    """The gradient of a table: an array of one row for each look-up.

    values: this array.  indices: which row of the table each belongs to; rows of one index add up.
    dense_shape: of the table.
    """

    indices: np.ndarray
    dense_shape: np.ndarray

    @property
    def values(self) -> np.ndarray:
        return self.view(np.ndarray)

    @classmethod
    def of(cls, values: np.ndarray, indices: np.ndarray, dense_shape: np.ndarray) -> IndexedSlicesValue:
        found = values.view(cls)
        found.indices, found.dense_shape = indices, dense_shape
        return found


def with_slices(gradient: Tensor | None) -> Tensor | None:
    """The gradient; if it is one of look-ups alone it has `values`, `indices` and `dense_shape`, tensors all three."""
    found = _slices(gradient) if gradient is not None else None
    if gradient is not None and found is not None:
        gradient.values, gradient.indices = found  # type: ignore[attr-defined]
        gradient.dense_shape = shape_of(gradient)  # type: ignore[attr-defined]
    return gradient


def _slices(gradient: Tensor) -> tuple[Tensor, Tensor] | None:
    apply = gradient.apply
    if apply is not None and apply.op is scatter_add and apply.attrs["axis"] == 0:
        rows, indices, table = apply.inputs
        return reshape(rows, shape=(-1, *table.shape[1:])), reshape(indices, shape=(-1,))
    if apply is not None and apply.op is e.add:
        parts = [_slices(part) for part in apply.inputs]
        if None not in parts:
            values, indices = zip(*parts, strict=True)  # type: ignore[arg-type]
            return concatenate(*values, axis=0), concatenate(*indices, axis=0)
    return None


def fetching(
    outputs: Sequence[Any], make: Callable[[list[Any]], Callable[..., list[Any]]]
) -> Callable[..., list[Any]]:
    """A function `make` makes of `outputs`, which answers gradients that have slices as IndexedSlicesValue."""
    fetched: list[Any] = []
    places: list[slice | int] = []
    for output in outputs:
        here = len(fetched)
        if isinstance(output, Tensor) and hasattr(output, "dense_shape"):
            fetched += [output.values, output.indices, output.dense_shape]  # type: ignore[attr-defined]
            places.append(slice(here, here + 3))
        else:
            fetched.append(output)
            places.append(here)
    function = make(fetched)
    if len(fetched) == len(outputs):
        return function

    def answering(arrays: Sequence[Any]) -> list[Any]:
        found = function(arrays)
        return [
            IndexedSlicesValue.of(*found[place]) if isinstance(place, slice) else found[place]
            for place in places
        ]

    return answering
