"""What all merging layers share: the check of their inputs, and the mask of the output."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.layers import Layer
from lamina.tensor import Tensor


class Merge(Layer):
    """Base of layers that make one tensor of several.

    A subclass writes `call`, given the list of inputs, or `_merge_function`, given them with as many axes each: its
    name in Keras 2, where users' own merge layers write it.  `count` is how many inputs it takes, None for two or more.
    """

    supports_masking = True
    count: int | None = None

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, list) or len(input_shape) < 2:
            raise ValueError(
                f"{self.name}: a merge layer should be called on a list of at least 2 inputs, "
                f"met one of shape {input_shape}"
            )
        if self.count not in (None, len(input_shape)):
            raise ValueError(
                f"{self.name}: a {type(self).__name__} layer should be called on exactly {self.count} inputs, "
                f"met {len(input_shape)} of shapes {input_shape}"
            )
        batches = {shape[0] for shape in input_shape if shape and shape[0] is not None}
        if len(batches) > 1:
            raise ValueError(
                f"{self.name}: can not merge tensors with different batch sizes, met shapes {input_shape}"
            )
        super().build(input_shape)

    def call(self, inputs: list[Tensor]) -> Tensor:
        return self._merge_function(aligned(inputs))

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        raise NotImplementedError(
            f"{self.name}: {type(self).__name__} has neither a call nor a _merge_function"
        )

    def compute_mask(self, inputs: list[Tensor], mask: Any = None) -> Any:
        """True where every mask there is is true."""
        return both([each for each in mask or () if each is not None])


def both(masks: list[Tensor]) -> Tensor | None:
    """True where all of these masks are; None for none."""
    if not masks:
        return None
    result = masks[0]
    for mask in masks[1:]:
        result = result & mask
    return result


def aligned(inputs: list[Tensor]) -> list[Tensor]:
    """The inputs with as many axes each: those with fewer get axes of size 1 after the batch, as in Keras."""
    ndim = max(K.ndim(x) for x in inputs)
    result = []
    for x in inputs:
        while K.ndim(x) < ndim:
            x = K.expand_dims(x, 1)
        result.append(x)
    return result
