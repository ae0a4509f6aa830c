"""What convolution layers over any number of spatial axes have in common: Convolution, and Conv with one kernel."""

from __future__ import annotations

from typing import Any

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor
from lamina_conv.arguments import padding_of, per_axis
from lamina_conv.functions import conv1d, conv2d, conv3d


class Convolution(Layer):
    """Windows over the inputs, a bias for each output channel, an activation.

    A subclass sets `rank`, the number of spatial axes, and `paddings`, the names it knows.

    filters: channels of the output; None where they follow from the input's.
    """

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")

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
        self.filters: Any = None if filters is None else int(filters)
        if self.filters is not None and self.filters <= 0:
            raise ValueError(f"{self.name}: filters is a number of channels, above 0; met {filters!r}")
        self.kernel_size = per_axis(self.name, "kernel_size", kernel_size, self.rank)
        self.strides = per_axis(self.name, "strides", strides, self.rank)
        self.padding = padding_of(self.name, padding, self.paddings)
        self.data_format = K.normalize_data_format(data_format)
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


_CONVOLUTIONS: dict[int, Any] = {1: conv1d, 2: conv2d, 3: conv3d}
