"""The same numbers in another shape: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_count, as_data_format
from lamina.engine.structure import is_shape
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor


class Flatten(Layer):
    """Each sample as one vector.

    Input:   (batch, d1, ..., dn).
    Output:  (batch, d1 * ... * dn), same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().  The order of the output is
        that of channels_last data: channels_first inputs have their channels moved last before.

    Raises ValueError when called on a tensor of fewer than two axes, or one with an unknown size besides the batch's.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(min_ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        shape = K.int_shape(inputs)
        if None in shape[1:]:
            raise ValueError(
                f'The shape of the input to "{self.name}" is not fully defined (got {shape[1:]}): '
                "give the first layer of the model an input_shape without None"
            )
        if self.data_format == "channels_first":
            inputs = K.permute_dimensions(inputs, (0, *range(2, len(shape)), 1))
        return K.batch_flatten(inputs)


class Reshape(Layer):
    """Each sample in another shape.

    Input:   (batch, d1, ..., dn).
    Output:  (batch, *target_shape), same dtype.

    target_shape: sizes without the batch; one of them may be -1, which stands for what the others leave.

    Raises ValueError for more than one -1, and, when called, where the sizes do not multiply to the same.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_shape(target_shape) or None in target_shape:
            raise TypeError(
                f"{self.name}: target_shape is a tuple of sizes, such as (7, 4); met {target_shape!r}"
            )
        self.target_shape = tuple(target_shape)
        if self.target_shape.count(-1) > 1:
            raise ValueError(f"{self.name}: target_shape={self.target_shape} leaves more than one size open")

    def call(self, inputs: Tensor) -> Tensor:
        return K.reshape(inputs, (K.shape(inputs)[0], *self._sizes(inputs)))

    def _sizes(self, inputs: Tensor) -> list[Any]:
        """The target shape, with a number for -1, so that an empty batch has a shape, too."""
        shape, fixed = K.int_shape(inputs)[1:], math.prod(size for size in self.target_shape if size != -1)
        rest: Any = K.prod(K.shape(inputs)[1:]) // max(fixed, 1)
        if None not in shape:
            total = math.prod(size or 0 for size in shape)
            rest = total // max(fixed, 1)
            if total != (fixed * rest if -1 in self.target_shape else fixed):
                raise ValueError(
                    f"{self.name}: total size of new array must be unchanged: inputs of {shape} have {total} "
                    f"elements, which do not fill target_shape={self.target_shape}"
                )
        return [rest if size == -1 else size for size in self.target_shape]


class Permute(Layer):
    """The axes of each sample in another order.

    Input:   (batch, d1, ..., dn).
    Output:  (batch, d[dims[0]], ..., d[dims[n-1]]), same dtype.

    dims: the axes 1 to n in their new order; (2, 1) exchanges time and features.

    Raises ValueError when dims is not such an order, and when called on another number of axes.
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_shape(dims) or None in dims:
            raise TypeError(f"{self.name}: dims is a tuple of axes, such as (2, 1); met {dims!r}")
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"{self.name}: dims={self.dims} must name each axis after the batch once, counted from 1: (2, 1)"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        return K.permute_dimensions(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Each vector n times along a new time axis.

    Input:   (batch, features).
    Output:  (batch, n, features), same dtype.

    n: number of times, > 0.

    Raises ValueError for an n that is not whole and positive, and when called on a tensor of other than two axes.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = as_count(n, f"{self.name}: n is how often each vector is repeated")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        return K.repeat(inputs, self.n)
