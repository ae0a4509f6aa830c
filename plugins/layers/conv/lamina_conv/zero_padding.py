"""ZeroPadding1D, 2D and 3D: a border of zeros around a sequence, an image or a volume."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_data_format
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor
from lamina_conv.borders import borders_of


class ZeroPadding1D(Layer):
    """A sequence with zeros before its first step and after its last.

    Input:   (batch, steps, channels).
    Output:  (batch, before + steps + after, channels); same dtype.

    padding: steps to add, (before, after) or one number for both, from 0 on.

    Raises ValueError for any other padding, and when called on other than three axes.
    """

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.padding,) = borders_of(self.name, "padding", padding, 1)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        return K.temporal_padding(inputs, self.padding)


class ZeroPadding2D(Layer):
    """An image with zeros around it.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  the same, each spatial axis longer by what is added to it; same dtype.

    padding: pixels to add, ((top, bottom), (left, right)), or (rows, columns) for as many at both ends, or one number
        for all, from 0 on.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for any other padding or data_format, and when called on other than four axes.
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = borders_of(self.name, "padding", padding, 2)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Tensor) -> Tensor:
        return K.spatial_2d_padding(inputs, self.padding, self.data_format)


class ZeroPadding3D(Layer):
    """A volume with zeros around it.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  the same, each spatial axis longer by what is added to it; same dtype.

    padding: voxels to add, a pair (before, after) for each axis, or one number for each, as many at both ends, or one
        number for all, from 0 on.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for any other padding or data_format, and when called on other than five axes.
    """

    def __init__(self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = borders_of(self.name, "padding", padding, 3)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Tensor) -> Tensor:
        return K.spatial_3d_padding(inputs, self.padding, self.data_format)
