"""GlobalAveragePooling1D, 2D and 3D: the mean of each channel."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.tensor import Tensor
from lamina_pooling.layer import GlobalPooling


class GlobalAveragePooling1D(GlobalPooling):
    """The mean of all steps, for each channel.

    Input:   (batch, steps, channels), or (batch, channels, steps) for channels_first.
    Output:  (batch, channels); same dtype.
    Mask:    (batch, steps): the mean is that of the steps it keeps, and 0 where it keeps none; it stops here.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than three axes or on inputs without a step.
    """

    supports_masking = True
    rank = 1

    def __init__(self, data_format: str | None = "channels_last", **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        inputs = self.positions(inputs)
        if mask is None:
            return K.mean(inputs, axis=self.axes)
        kept = K.expand_dims(K.cast(mask, K.dtype(inputs)), 1 if self.data_format == "channels_first" else 2)
        # At least 1, so that the mean of no step is 0 and not NaN.
        return K.sum(inputs * kept, axis=self.axes) / K.maximum(K.sum(kept, axis=self.axes), 1)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> None:
        return None


class GlobalAveragePooling2D(GlobalPooling):
    """The mean of all pixels, for each channel.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  (batch, channels); same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than four axes or on inputs without a pixel.
    """

    rank = 2

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return K.mean(self.positions(inputs), axis=self.axes)


class GlobalAveragePooling3D(GlobalPooling):
    """The mean of all voxels, for each channel.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  (batch, channels); same dtype.

    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for an unknown data_format, and when called on other than five axes or on inputs without a voxel.
    """

    rank = 3

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return K.mean(self.positions(inputs), axis=self.axes)
