"""DepthwiseConv2D: filters for each channel of images by itself."""

from __future__ import annotations

from typing import Any

from lamina.tensor import Tensor
from lamina_conv.separable import depthwise_conv2d
from lamina_conv.separable_layer import Depthwise


class DepthwiseConv2D(Depthwise):
    """activation(inputs * depthwise_kernel + bias): each window of each channel against that channel's filters.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first; float.
    Output:  (batch, new_rows, new_columns, channels * depth_multiplier), or with the channels first; same dtype.  The
             sizes are those of Conv2D; channel c makes the channels c * depth_multiplier and following.
    Weights: depthwise_kernel, (rows, columns, channels, depth_multiplier) for both data formats;
             bias, (channels * depth_multiplier,).

    kernel_size: size of a window, one number or (rows, columns).
    strides: steps from one window to the next, one number or (rows, columns).
    padding: "valid" for windows inside the image only, "same" for zeros around it, the odd one at the end.
    depth_multiplier: filters for each channel, > 0.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    depthwise_initializer, bias_initializer: what the weights start from.
    depthwise_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    depthwise_constraint, bias_constraint: what the weights are held to after each update, or None.
    dilation_rate: distance between neighbours in a window, one number or (rows, columns); by keyword only.

    Raises ValueError for numbers that are not positive, strides and dilation_rate both more than 1, an unknown padding
    or data_format, and when called on other than four axes, an unknown number of channels, or an image smaller than a
    window.
    Source: Howard et al. 2017, arXiv:1704.04861.
    """

    rank = 2
    filters_follow = True

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            None,
            kernel_size,
            strides,
            padding,
            data_format,
            kwargs.pop("dilation_rate", (1, 1)),
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            depth_multiplier=depth_multiplier,
            parts={
                "depthwise_initializer": depthwise_initializer,
                "depthwise_regularizer": depthwise_regularizer,
                "depthwise_constraint": depthwise_constraint,
            },
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["filters"]
        return config

    def _add_kernels(self, channels: int) -> int:
        return self._add_depthwise(channels)

    def _convolved(self, inputs: Tensor) -> Tensor:
        return depthwise_conv2d(
            inputs, self.depthwise_kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )
