"""What convolution layers over any number of spatial axes have in common: Convolution, and Conv with one kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.engine.arguments import as_count, as_data_format
from lamina.engine.weights import is_keras_1
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor
from lamina_conv.arguments import padding_of, per_axis
from lamina_conv.functions import conv1d, conv2d, conv3d
from lamina_conv.kernel_files import correlated, spatial_first


class Convolution(Layer):
    """Windows over the inputs, a bias for each output channel, an activation.

    A subclass sets `rank`, the number of spatial axes, `paddings`, the names it knows, and `filters_follow`, whether
    the channels of the output follow from the input's; `filters` is their number otherwise, and None then.
    """

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")
    filters_follow = False

    def __init__(
        self,
        filters: int | None,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters: Any = None
        if not self.filters_follow:
            self.filters = as_count(filters, f"{self.name}: filters is the number of channels of the output")
        self.kernel_size = per_axis(self.name, "kernel_size", kernel_size, self.rank)
        self.strides = per_axis(self.name, "strides", strides, self.rank)
        self.padding = padding_of(self.name, padding, self.paddings)
        self.data_format = as_data_format(data_format, self.name)
        self.dilation_rate = per_axis(self.name, "dilation_rate", dilation_rate, self.rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.name}: strides={self.strides} and dilation_rate={self.dilation_rate} cannot both be more "
                "than 1: leave one of them out"
            )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: Shape) -> None:
        axis = 1 if self.data_format == "channels_first" else -1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f"{self.name} needs weights for each channel, and the channels of {input_shape}, axis {axis} for "
                f"data_format={self.data_format!r}, have no fixed number: give them one in input_shape"
            )
        filters = self._add_kernels(channels)
        self.bias = self._add("bias", (filters,), "bias") if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        output = self._convolved(inputs)
        if self.bias is not None:
            output = K.bias_add(output, self.bias, data_format=self.data_format)
        return self.activation(output)

    def _add_kernels(self, channels: int) -> int:
        """Make the weights but the bias, for inputs of so many channels; how many channels come out."""
        raise NotImplementedError

    def _convolved(self, inputs: Tensor) -> Tensor:
        """The output without bias and activation."""
        raise NotImplementedError

    def _add(self, name: str, shape: tuple[int, ...], prefix: str) -> Any:
        """A weight, by the initializer, regularizer and constraint whose arguments begin with prefix."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{prefix}_initializer"),
            regularizer=getattr(self, f"{prefix}_regularizer"),
            constraint=getattr(self, f"{prefix}_constraint"),
        )


class Conv(Convolution):
    """activation(inputs * kernel + bias): each window of the inputs against each filter.

    A subclass's constructor has the arguments and defaults of one rank.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
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
            **kwargs,
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def _add_kernels(self, channels: int) -> int:
        self.kernel = self._add("kernel", (*self.kernel_size, channels, self.filters), "kernel")
        return self.filters

    def _convolved(self, inputs: Tensor) -> Tensor:
        return _CONVOLUTIONS[self.rank](
            inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The kernel that Keras 1, or Keras on Theano, wrote as the layer's own; the bias as it is."""
        if not arrays:
            return arrays
        kernel, *bias = arrays
        if is_keras_1(keras_version):
            kernel = self._of_keras_1(kernel)
        return [correlated(kernel, self.rank, backend), *bias]

    def _of_keras_1(self, kernel: np.ndarray) -> np.ndarray:
        return spatial_first(kernel, self.rank) if self.data_format == "channels_first" else kernel


_CONVOLUTIONS: dict[int, Any] = {1: conv1d, 2: conv2d, 3: conv3d}
