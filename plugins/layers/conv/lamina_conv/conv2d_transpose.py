"""Conv2DTranspose: images from what filters saw in them."""

from __future__ import annotations

from typing import Any

from lamina_conv.transposed_layer import ConvTranspose


class Conv2DTranspose(ConvTranspose):
    """activation(inputs spread by the kernel + bias): a convolution from its outputs back to its inputs.

    Each number of an image times a filter's window, added up where windows overlap: the gradient of Conv2D with
    respect to its input.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first; float.
    Output:  (batch, new_rows, new_columns, filters), or (batch, filters, new_rows, new_columns); same dtype.  With
             reach = (kernel_size - 1) * dilation_rate + 1, a size becomes size * strides + max(reach - strides, 0)
             when padding is "valid", size * strides when it is "same"; and with an output_padding
             (size - 1) * strides + reach - 2 * p + output_padding, where p is 0 for "valid", reach // 2 for "same".
    Weights: kernel, (rows, columns, filters, channels) for both data formats; bias, (filters,).

    filters: channels of the output, > 0.
    kernel_size: size of a window, one number or (rows, columns).
    strides: steps from one window to the next, one number or (rows, columns).
    padding: "valid" keeps all that windows cover, "same" cuts it to the size of the input times strides.
    output_padding: how much longer the output is, one number or (rows, columns), less than strides; or None.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    dilation_rate: distance between neighbours in a window, one number or (rows, columns).
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for numbers that are not positive, strides and dilation_rate both more than 1, an output_padding
    not less than strides, an unknown padding or data_format, and when called on other than four axes, an unknown
    number of channels, or with an output_padding that no output has (0 with "same" and an even window).
    Source: Zeiler et al. 2010, "Deconvolutional networks".
    """

    kernel_axes = 2

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
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
            output_padding=output_padding,
            **kwargs,
        )
