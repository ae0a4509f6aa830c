"""Cropping1D, 2D and 3D: the inside of a sequence, an image or a volume."""

from __future__ import annotations

from typing import Any

from lamina.engine.arguments import as_data_format
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor
from lamina_conv.borders import borders_of, crop


class Cropping1D(Layer):
    """A sequence without its first and last steps.

    Input:   (batch, steps, channels).
    Output:  (batch, steps - before - after, channels); same dtype.

    cropping: steps to leave out, (before, after) or one number for both, from 0 on.

    Raises ValueError for any other cropping, and when called on other than three axes or where no step would be left.
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.cropping,) = borders_of(self.name, "cropping", cropping, 1)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        return crop(inputs, cropping=((0, 0), self.cropping, (0, 0)))


class _Cropping(Layer):
    """Images of `rank` spatial axes without their borders."""

    rank: int

    def __init__(self, cropping: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = borders_of(self.name, "cropping", cropping, self.rank)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        first = self.data_format == "channels_first"
        spare = ((0, 0), (0, 0))  # of batch and channels
        return crop(inputs, cropping=(*spare[: 1 + first], *self.cropping, *spare[1 + first :]))


class Cropping2D(_Cropping):
    """An image without its borders.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  the same, each spatial axis shorter by what is left out of it; same dtype.

    cropping: pixels to leave out, ((top, bottom), (left, right)), or (rows, columns) for as many at both ends, or one
        number for all, from 0 on.  Nothing by default.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for any other cropping or data_format, and when called on other than four axes or where no pixel
    would be left.
    """

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """A volume without its borders.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  the same, each spatial axis shorter by what is left out of it; same dtype.

    cropping: voxels to leave out, a pair (before, after) for each axis, or one number for each, as many at both ends,
        or one number for all, from 0 on.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for any other cropping or data_format, and when called on other than five axes or where no voxel
    would be left.
    """

    rank = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)
