"""Concatenate: tensors one after another, and the function that makes and calls it."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_axis
from lamina.tensor import Tensor
from lamina_merge.base import Merge, both


class Concatenate(Merge):
    """The inputs one after another along `axis`.

    Input:   two or more, of one shape but for the size along `axis`.
    Output:  that shape, with the sizes along `axis` added up.
    Mask:    the masks one after another, with true for inputs that have none; along the features, true where every
             mask is.

    axis: counted with the batch axis as 0; -1 is the last one.

    Raises ValueError when called on fewer than two inputs, or on shapes that differ elsewhere.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = as_axis(axis, f"{self.name}: axis is what the inputs are put together along")

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        ndims = {len(shape) for shape in input_shape}
        fits = len(ndims) == 1
        if fits and not -min(ndims) <= self.axis < min(ndims):
            raise ValueError(
                f"{self.name}: axis={self.axis} is none of the {min(ndims)} axes of the inputs, the batch included. "
                f"Got inputs shapes: {input_shape}"
            )
        if fits:
            others = [
                [*shape[: self.axis % len(shape)], *shape[self.axis % len(shape) + 1 :]]
                for shape in input_shape
            ]
            fits = all(len(set(sizes) - {None}) < 2 for sizes in zip(*others, strict=True))
        if not fits:
            raise ValueError(
                f"{self.name}: a `Concatenate` layer requires inputs with matching shapes except for the concat axis, "
                f"{self.axis}. Got inputs shapes: {input_shape}"
            )

    def call(self, inputs: list[Tensor]) -> Tensor:
        return K.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: list[Tensor], mask: Any = None) -> Any:
        masks = [each for each in mask or () if each is not None]
        if not masks:
            return None
        axis, ndim = self.axis % K.ndim(inputs[0]), K.ndim(masks[0])
        if axis >= ndim:
            return both(masks)
        return K.concatenate(
            [_all_true(x, ndim) if each is None else each for x, each in zip(inputs, mask, strict=True)],
            axis=axis,
        )


def _all_true(x: Tensor, ndim: int) -> Tensor:
    """A mask of `ndim` axes that hides nothing of x."""
    ones = K.ones_like(x, dtype="bool")
    return K.any(ones, axis=list(range(ndim, K.ndim(x)))) if K.ndim(x) > ndim else ones


def concatenate(inputs: list[Tensor], axis: int = -1, **kwargs: Any) -> Tensor:
    """Concatenate(axis, **kwargs)(inputs)."""
    return Concatenate(axis, **kwargs)(inputs)
