"""Conv1D: filters that slide along sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina_conv.kernel_files import spatial_first
from lamina_conv.layer import Conv


class Conv1D(Conv):
    """activation(inputs * kernel + bias): each window of a sequence against each filter.

    Input:   (batch, steps, channels), or (batch, channels, steps) for channels_first; float.
    Output:  (batch, new_steps, filters), or (batch, filters, new_steps); same dtype.  steps becomes
             floor((steps - (kernel_size - 1) * dilation_rate - 1) / strides) + 1 when padding is "valid",
             ceil(steps / strides) when it is "same" or "causal".
    Weights: kernel, (kernel_size, channels, filters) for both data formats; bias, (filters,).

    filters: channels of the output, > 0.
    kernel_size: steps in a window, a number or a tuple of one.
    strides: steps from one window to the next.
    padding: "valid" for windows inside the sequence only, "same" for zeros around it, the odd one at the end, "causal"
        for zeros before it, so that no output depends on a later input (van den Oord et al. 2016, arXiv:1609.03499).
    data_format: "channels_last", whatever the backend's is, or "channels_first".
    dilation_rate: distance between neighbours in a window.
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for numbers that are not positive, strides and dilation_rate both more than 1, an unknown padding
    or data_format, "causal" with channels_first, and when called on other than three axes, an unknown number of
    channels, or a sequence shorter than a window.
    """

    rank = 1
    paddings = ("valid", "same", "causal")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
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
        if self.padding == "causal" and self.data_format != "channels_last":
            raise ValueError(
                f"{self.name}: padding='causal' is for sequences with their channels last, met "
                f"data_format={self.data_format!r}: leave data_format out and put a Permute((2, 1)) before"
            )

    def _of_keras_1(self, kernel: np.ndarray) -> np.ndarray:
        # Keras 1 made images of one column: (length, 1, in, out), in its first versions (out, in, length, 1).
        if kernel.ndim != 4:
            return kernel
        length, column, _, filters = kernel.shape
        if (length, column, filters) != (*self.kernel_size, 1, self.filters):
            kernel = spatial_first(kernel, 2)
        return kernel[:, 0] if kernel.shape[1] == 1 else kernel
