"""GlobalMaxPooling1D, 2D and 3D: the largest number of each channel."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.tensor import Tensor
from lamina_pooling.layer import GlobalPooling


class GlobalMaxPooling1D(GlobalPooling):
    """The largest of all steps, for each channel.

    Input:   (batch, steps, channels), or (batch, channels, steps) for channels_first.
    Output:  (batch, channels); same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than three axes or on inputs without a step.
    """

    rank = 1

    def __init__(self, data_format: str | None = "channels_last", **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return K.max(self.positions(inputs), axis=self.axes)


class GlobalMaxPooling2D(GlobalPooling):
    """The largest of all pixels, for each channel.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  (batch, channels); same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than four axes or on inputs without a pixel.
    """

    rank = 2

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return K.max(self.positions(inputs), axis=self.axes)


class GlobalMaxPooling3D(GlobalPooling):
    """The largest of all voxels, for each channel.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  (batch, channels); same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than five axes or on inputs without a voxel.
    """

    rank = 3

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return K.max(self.positions(inputs), axis=self.axes)
