"""Products of matrices and of batches of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.op import as_tensor
from lamina.ops import elementwise as e
from lamina.ops import linalg
from lamina.ops import reduction as r
from lamina.ops import shape as s
from lamina.ops.rules import axis_of
from lamina.tensor import Tensor

__all__ = ["batch_dot", "dot", "transpose"]


def transpose(x: Any) -> Tensor:
    """x with its axes in reverse order."""
    x = as_tensor(x)
    return s.transpose(x, axes=tuple(reversed(range(x.ndim))))


def dot(x: Any, y: Any) -> Tensor:
    """The last axis of x against the last but one of y: x.shape[:-1] + y.shape[:-2] + y.shape[-1:].

    Raises ValueError when either has fewer than two axes or the two sizes differ.
    """
    x, y = as_tensor(x), as_tensor(y)
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(f"dot takes tensors of two or more axes, met shapes {x.shape} and {y.shape}")
    if x.ndim == y.ndim == 2:
        return linalg.matmul(x, y)
    if None not in (x.shape[-1], y.shape[-2]) and x.shape[-1] != y.shape[-2]:
        raise ValueError(f"dot: the last axis of {x.shape} and the last but one of {y.shape} differ")
    # One product of two matrices, however many axes there are: BLAS is at its best there.
    rows = s.with_sizes(x, [-1, s.sizes_of(x)[-1]]) if x.ndim > 2 else x
    columns = y
    if y.ndim > 2:
        front = s.transpose(y, axes=(y.ndim - 2, *range(y.ndim - 2), y.ndim - 1))
        columns = s.with_sizes(front, [s.sizes_of(front)[0], -1])
    return s.with_sizes(
        linalg.matmul(rows, columns), [*s.sizes_of(x)[:-1], *s.sizes_of(y)[:-2], s.sizes_of(y)[-1]]
    )


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """For each sample, x and y multiplied and summed over one axis of each.

    x (batch, ..., k, ...) and y (batch, ..., k, ...) give x's shape without the summed axis followed by y's without
    the batch and the summed one; (batch,) becomes (batch, 1).

    axes: (axis of x, axis of y), or one number for both, counted with the batch axis; negative ones from the end.
        None multiplies as matrices do: the last axis of x with the last but one of y (the last of a 2D y), and keeps
        further leading axes, when both have the same number, as axes of the batch.

    (100, 20) and (100, 30, 20) with axes=(1, 2) give (100, 30).
    """
    x, y = as_tensor(x), as_tensor(y)
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(f"batch_dot takes tensors of two or more axes, met shapes {x.shape} and {y.shape}")
    if axes is None and x.ndim == y.ndim > 2:
        return linalg.matmul(x, y)
    x_axis, y_axis = _summed(x, y, axes)
    x_size, y_size = x.shape[x_axis], y.shape[y_axis]
    if None not in (x_size, y_size) and x_size != y_size:
        raise ValueError(
            f"batch_dot cannot sum axis {x_axis} of {x.shape} with axis {y_axis} of {y.shape}: "
            f"their sizes {x_size} and {y_size} differ"
        )
    if x.ndim == y.ndim == 2:
        return r.sum_(e.multiply(x, y), axis=1, keepdims=True)
    rest_x = [axis for axis in range(1, x.ndim) if axis != x_axis]
    rest_y = [axis for axis in range(1, y.ndim) if axis != y_axis]
    x_sizes, y_sizes = s.sizes_of(x), s.sizes_of(y)
    left = s.merge(s.transpose(x, axes=(0, *rest_x, x_axis)), 1, x.ndim - 1)
    right = s.merge(s.transpose(y, axes=(0, y_axis, *rest_y)), 2, y.ndim)
    product = linalg.matmul(left, right)
    return s.with_sizes(product, [x_sizes[0], *[x_sizes[a] for a in rest_x], *[y_sizes[a] for a in rest_y]])


def _summed(x: Tensor, y: Tensor, axes: Any) -> tuple[int, int]:
    if axes is None:
        axes = (x.ndim - 1, y.ndim - 1 if y.ndim == 2 else y.ndim - 2)
    elif np.ndim(axes) == 0:
        axes = (axes, axes)
    if len(axes) != 2 or any(isinstance(axis, list | tuple) for axis in axes):
        raise ValueError(
            f"Multiple target dimensions are not supported by batch_dot: expected None, int or (int, int), met {axes!r}"
        )
    found = axis_of(int(axes[0]), x.ndim, "axes"), axis_of(int(axes[1]), y.ndim, "axes")
    if 0 in found:
        raise ValueError(f"batch_dot cannot sum over axis 0, the batch; met axes={axes!r}")
    return found
