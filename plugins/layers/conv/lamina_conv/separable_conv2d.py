"""SeparableConv2D: images, each channel by itself, then all channels at each pixel."""

from __future__ import annotations

from typing import Any

from lamina_conv.separable_layer import SeparableConv


class SeparableConv2D(SeparableConv):
    """activation(inputs * depthwise_kernel * pointwise_kernel + bias): a convolution in two smaller ones.

    The first takes each channel by itself, the second mixes the channels of each pixel.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first; float.
    Output:  (batch, new_rows, new_columns, filters), or (batch, filters, new_rows, new_columns); same dtype.  The
             sizes are those of Conv2D.
    Weights: depthwise_kernel, (rows, columns, channels, depth_multiplier); pointwise_kernel,
             (1, 1, channels * depth_multiplier, filters), for both data formats; bias, (filters,).

    filters: channels of the output, > 0.
    kernel_size: size of a window, one number or (rows, columns).
    strides: steps from one window to the next, one number or (rows, columns).
    padding: "valid" for windows inside the image only, "same" for zeros around it, the odd one at the end.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    dilation_rate: distance between neighbours in a window, one number or (rows, columns).
    depth_multiplier: filters of the first step for each channel, > 0.
    activation: function of a tensor, its name, or None for none; there is none between the steps.
    use_bias: whether there is a bias, after the second step.
    depthwise_initializer, pointwise_initializer, bias_initializer: what the weights start from.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and
        on the output, or None.
    depthwise_constraint, pointwise_constraint, bias_constraint: what the weights are held to after each update, or
        None.

    Raises ValueError for numbers that are not positive, strides and dilation_rate both more than 1, an unknown padding
    or data_format, and when called on other than four axes, an unknown number of channels, or an image smaller than a
    window.
    Source: Chollet 2017, arXiv:1610.02357.
    """

    kernel_axes = 2

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
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
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            depth_multiplier=depth_multiplier,
            parts={
                "depthwise_initializer": depthwise_initializer,
                "pointwise_initializer": pointwise_initializer,
                "depthwise_regularizer": depthwise_regularizer,
                "pointwise_regularizer": pointwise_regularizer,
                "depthwise_constraint": depthwise_constraint,
                "pointwise_constraint": pointwise_constraint,
            },
            **kwargs,
        )
