"""Conv3D: filters that slide through volumes."""

from __future__ import annotations

from typing import Any

from lamina_conv.layer import Conv


class Conv3D(Conv):
    """activation(inputs * kernel + bias): each window of a volume against each filter.

    Input:   (batch, a, b, c, channels), or (batch, channels, a, b, c) for channels_first; float.
    Output:  (batch, new_a, new_b, new_c, filters), or (batch, filters, new_a, new_b, new_c); same dtype.  A size
             becomes floor((size - (kernel_size - 1) * dilation_rate - 1) / strides) + 1 when padding is "valid",
             ceil(size / strides) when it is "same".
    Weights: kernel, (a, b, c, channels, filters) for both data formats; bias, (filters,).

    filters: channels of the output, > 0.
    kernel_size: size of a window, one number or one for each axis.
    strides: steps from one window to the next, one number or one for each axis.
    padding: "valid" for windows inside the volume only, "same" for zeros around it, the odd one at the end.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    dilation_rate: distance between neighbours in a window, one number or one for each axis.
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for numbers that are not positive, strides and dilation_rate both more than 1, an unknown padding
    or data_format, and when called on other than five axes, an unknown number of channels, or a volume smaller than a
    window.
    """

    kernel_axes = 3

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )
