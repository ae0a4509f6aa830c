"""UpSampling1D, 2D and 3D: a sequence, an image or a volume enlarged by whole factors."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_data_format
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor
from lamina_conv.arguments import per_axis


class UpSampling1D(Layer):
    """Each step of a sequence, `size` times in a row.

    Input:   (batch, steps, channels).
    Output:  (batch, steps * size, channels); same dtype.

    size: how often each step is repeated, a whole number above 0.

    Raises ValueError for any other size, and when called on other than three axes.
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.size,) = per_axis(self.name, "size", size, 1)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        return K.repeat_elements(inputs, self.size, axis=1)


class UpSampling2D(Layer):
    """An image enlarged by whole factors.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  (batch, rows * size[0], columns * size[1], channels), or (batch, channels, rows * size[0],
             columns * size[1]); same dtype.

    size: the factors, one number or (rows, columns), above 0.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    interpolation: "nearest", each pixel repeated, or "bilinear", points on the lines between pixels: row i of the
        output lies at row i / size[0] of the input, and behind the last row this is repeated.

    Raises ValueError for any other size, data_format or interpolation, and when called on other than four axes.
    """

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = per_axis(self.name, "size", size, 2)
        self.data_format = as_data_format(data_format, self.name)
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"{self.name}: interpolation is 'nearest' or 'bilinear'; met {interpolation!r}")
        self.interpolation = interpolation
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Tensor) -> Tensor:
        rows, columns = self.size
        return K.resize_images(inputs, rows, columns, self.data_format, self.interpolation)


class UpSampling3D(Layer):
    """Each voxel of a volume, repeated along all three axes.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  the same, each spatial axis as often as long; same dtype.

    size: how often voxels are repeated, one number or one for each of d1, d2 and d3, above 0.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for any other size or data_format, and when called on other than five axes.
    """

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = per_axis(self.name, "size", size, 3)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Tensor) -> Tensor:
        depth, height, width = self.size
        return K.resize_volumes(inputs, depth, height, width, self.data_format)
