"""AveragePooling1D, 2D and 3D: the mean of each window of a sequence, an image or a volume."""

from __future__ import annotations

from typing import Any

from lamina_pooling.layer import Pooling


class AveragePooling1D(Pooling):
    """The mean of each window, for each channel.

    Input:   (batch, steps, channels), or (batch, channels, steps) for channels_first.
    Output:  (batch, new_steps, channels), or (batch, channels, new_steps); same dtype.  The length becomes
             floor((steps - pool_size) / strides) + 1 when padding is "valid", ceil(steps / strides) when "same".

    pool_size: size of a window, in steps.
    strides: steps from one window to the next, in steps; the pool_size when None.
    padding: "valid" for windows inside the sequence only; "same" for windows that may see places around it, the odd one
        at the end, which the mean leaves out.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for numbers that are not positive, an unknown padding or data_format, and when called on other
    than three axes or on a sequence smaller than a window.
    """

    rank = 1
    pool_mode = "avg"

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling2D(Pooling):
    """The mean of each window, for each channel.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    Output:  (batch, new_rows, new_columns, channels), or (batch, channels, new_rows, new_columns); same dtype.  A size
             becomes floor((size - pool_size) / strides) + 1 when padding is "valid", ceil(size / strides) when "same".

    pool_size: size of a window, one number or (rows, columns).
    strides: steps from one window to the next, one number or (rows, columns); the pool_size when None.
    padding: "valid" for windows inside the image only; "same" for windows that may see places around it, the odd one
        at the end, which the mean leaves out.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for numbers that are not positive, an unknown padding or data_format, and when called on other
    than four axes or on an image smaller than a window.
    """

    rank = 2
    pool_mode = "avg"

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling3D(Pooling):
    """The mean of each window, for each channel.

    Input:   (batch, d1, d2, d3, channels), or (batch, channels, d1, d2, d3) for channels_first.
    Output:  (batch, new_d1, new_d2, new_d3, channels), or (batch, channels, new_d1, new_d2, new_d3); same dtype.  A
             size becomes floor((size - pool_size) / strides) + 1 when padding is "valid", ceil(size / strides) when
             "same".

    pool_size: size of a window, one number or one for each of d1, d2 and d3.
    strides: steps from one window to the next, one number or one for each of d1, d2 and d3; the pool_size when None.
    padding: "valid" for windows inside the volume only; "same" for windows that may see places around it, the odd one
        at the end, which the mean leaves out.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Raises ValueError for numbers that are not positive, an unknown padding or data_format, and when called on other
    than five axes or on a volume smaller than a window.
    """

    rank = 3
    pool_mode = "avg"

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)
