"""Dot: products of samples, and the function that makes and calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_axis
from lamina.tensor import Tensor
from lamina_merge.base import Merge


class Dot(Merge):
    """For each sample, x * y summed along one axis of each: x . y for vectors.

    Input:   two, x (batch, ..., k, ...) and y (batch, ..., k, ...).
    Output:  x's shape without the summed axis, then y's without it and the batch; (batch, 1) for two vectors.
             No mask goes on.

    axes: (axis of x, axis of y), or one number for both, counted with the batch axis as 0, negative from the end.
    normalize: divide both by their lengths along these axes first: the cosine of the angle between them.

    Raises TypeError for axes of another kind; ValueError for axes other than one or two, and, when called, on other
    than two inputs or on summed axes of different sizes.
    """

    count = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, list | tuple):
            self.axes: Any = as_axis(
                axes, f"{self.name}: axes is the axis to sum along, or one for each input"
            )
        elif len(axes) != 2:
            raise ValueError(f"{self.name}: invalid format for `axes`: it has two elements; met {axes!r}")
        else:
            what = f"{self.name}: axes are what to sum along, one for each input"
            both = [as_axis(axis, what) for axis in axes]
            self.axes = both if isinstance(axes, list) else tuple(both)
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        sizes = []
        for shape, axis in zip(input_shape, self._both_axes(), strict=True):
            if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                raise ValueError(
                    f"{self.name}: axes={self.axes} counts the batch as 0 and sums another axis of each input: "
                    f"met shapes {input_shape}"
                )
            sizes.append(shape[axis])
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"{self.name}: dimension incompatibility {sizes[0]} != {sizes[1]}. Layer shapes: {input_shape}, "
                f"axes={self.axes}"
            )

    def call(self, inputs: list[Tensor]) -> Tensor:
        axes = [axis % K.ndim(x) for x, axis in zip(inputs, self._both_axes(), strict=True)]
        if self.normalize:
            inputs = [K.l2_normalize(x, axis=axis) for x, axis in zip(inputs, axes, strict=True)]
        return K.batch_dot(inputs[0], inputs[1], axes)

    def _both_axes(self) -> tuple[int, int]:
        if isinstance(self.axes, int):
            return self.axes, self.axes
        return self.axes[0], self.axes[1]

    def compute_mask(self, inputs: list[Tensor], mask: Any = None) -> None:
        return None


def dot(inputs: list[Tensor], axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> Tensor:
    """Dot(axes, normalize, **kwargs)(inputs)."""
    return Dot(axes, normalize, **kwargs)(inputs)
