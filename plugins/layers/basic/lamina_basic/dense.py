"""Dense: every output sees every input."""

from __future__ import annotations

from typing import Any

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.engine.arguments import as_count
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor


class Dense(Layer):
    """activation(inputs . kernel + bias), along the last axis.

    Input:   (batch, ..., inputs), float.
    Output:  (batch, ..., units), same dtype; the mask passes through.
    Weights: kernel, (inputs, units); bias, (units,).

    units: size of the output, > 0.
    activation: function of a tensor, its name, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, bias_initializer: what the weights start from.
    kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output, or None.
    kernel_constraint, bias_constraint: what the weights are held to after each update, or None.

    Raises ValueError for units that are not whole and positive, and when called on a tensor of fewer than two axes or
    one whose last axis has no fixed size.
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
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
        # Keras's short form of input_shape for vectors.
        if "input_dim" in kwargs:
            kwargs.setdefault("input_shape", (kwargs.pop("input_dim"),))
        super().__init__(**kwargs)
        self.units = as_count(units, f"{self.name}: units is the size of the output")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        inputs = input_shape[-1]
        if inputs is None:
            raise ValueError(
                f"{self.name} needs one row of its kernel for each input, and the last axis of {input_shape} "
                "has no fixed size: give it one in input_shape"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: inputs})
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        output = K.dot(inputs, self.kernel)
        if self.bias is not None:
            output = K.bias_add(output, self.bias, data_format="channels_last")
        return self.activation(output)
