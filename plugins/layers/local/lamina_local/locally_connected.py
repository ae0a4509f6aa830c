"""Locally connected layers: windows that slide as those of a convolution do, with other weights at every position."""

from __future__ import annotations

import math
from typing import Any

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.engine.arguments import as_data_format
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor
from lamina_local.arguments import per_axis
from lamina_local.functions import local_conv1d, local_conv2d


class _LocallyConnected(Layer):
    """What both have in common."""

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
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
        super().__init__(**kwargs)
        (self.filters,) = per_axis(self.name, "filters", filters, 1)
        self.kernel_size = per_axis(self.name, "kernel_size", kernel_size, self.rank)
        self.strides = per_axis(self.name, "strides", strides, self.rank)
        self.padding = str(padding).lower()
        if self.padding != "valid":
            raise ValueError(
                f'{self.name}: Invalid border mode for {type(self).__name__} (only "valid" is supported): {padding!r}. '
                f"Put a ZeroPadding{self.rank}D layer before it"
            )
        self.data_format = as_data_format(data_format, self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: Shape) -> None:
        first = self.data_format == "channels_first"
        channels, *rest = input_shape[1:] if first else (input_shape[-1], *input_shape[1:-1])
        sizes = [size for size in rest if size is not None]
        if channels is None or len(sizes) < len(rest):
            raise ValueError(
                f"{self.name}: The spatial dimensions and the channels of the inputs to a {type(self).__name__} layer "
                f"should be fully-defined, for it keeps weights for each position, but the inputs shape is "
                f"{input_shape}: give the first layer of the model an input_shape without None"
            )
        self.counts = tuple(
            (size - length) // stride + 1
            for size, length, stride in zip(sizes, self.kernel_size, self.strides, strict=True)
        )
        if min(self.counts) < 1:
            raise ValueError(
                f"{self.name}: windows of {self.kernel_size} do not fit into inputs of shape {input_shape}: take a "
                "smaller kernel_size"
            )
        features = math.prod(self.kernel_size) * channels
        self.kernel_shape = (math.prod(self.counts), features, self.filters)
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.kernel_shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(*self.counts, self.filters),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        output = self.convolve(inputs)
        if self.bias is not None:
            output = K.bias_add(output, self.bias, data_format=self.data_format)
        return self.activation(output)

    def convolve(self, inputs: Tensor) -> Tensor:
        """The inputs through the kernel."""
        raise NotImplementedError


class LocallyConnected1D(_LocallyConnected):
    """activation(what each window sees . kernel of its position + bias of its position), along a sequence.

    Input:   (batch, steps, channels), float, or (batch, channels, steps) for channels_first; steps of a fixed size.
    Output:  (batch, new_steps, filters), or (batch, filters, new_steps); same dtype.  new_steps is
             floor((steps - kernel_size) / strides) + 1.
    Weights: kernel, (new_steps, kernel_size * channels, filters), with the features of a window in the order of the
             input: (kernel_size, channels), or (channels, kernel_size) for channels_first; bias, (new_steps, filters).

    filters: channels of the output, > 0.
    kernel_size: steps that a window sees.  strides: steps from one window to the next.
    padding: "valid", and nothing else.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for numbers that are not positive, another padding, an unknown data_format, and when called on
    other than three axes, on a sequence of unknown size or one shorter than a window.
    """

    rank = 1

    def convolve(self, inputs: Tensor) -> Tensor:
        return local_conv1d(inputs, self.kernel, self.kernel_size, self.strides, self.data_format)


class LocallyConnected2D(_LocallyConnected):
    """activation(what each window sees . kernel of its position + bias of its position), over an image.

    Input:   (batch, rows, columns, channels), float, or (batch, channels, rows, columns) for channels_first; all sizes
             but the batch's fixed.
    Output:  (batch, new_rows, new_columns, filters), or (batch, filters, new_rows, new_columns); same dtype.  A size
             becomes floor((size - kernel_size) / strides) + 1.
    Weights: kernel, (new_rows * new_columns, kernel_size[0] * kernel_size[1] * channels, filters), with the features
             of a window in the order of the input: (*kernel_size, channels), or (channels, *kernel_size) for
             channels_first; bias, (new_rows, new_columns, filters).

    filters: channels of the output, > 0.
    kernel_size: what a window sees, one number or (rows, columns).
    strides: from one window to the next, one number or (rows, columns).
    padding: "valid", and nothing else.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for numbers that are not positive, another padding, an unknown data_format, and when called on
    other than four axes, on images of unknown size or smaller than a window.
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

    def convolve(self, inputs: Tensor) -> Tensor:
        return local_conv2d(
            inputs, self.kernel, self.kernel_size, self.strides, self.counts, self.data_format
        )
