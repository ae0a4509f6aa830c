"""ConvLSTM2D: an LSTM over images, as a cell and as a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.engine.arguments import as_count, as_data_format, as_number
from lamina.engine.structure import is_shape
from lamina.engine.weights import initial_value, is_keras_1
from lamina.layers import InputSpec, Layer
from lamina.op import as_float
from lamina.tensor import Tensor
from lamina_conv.arguments import padding_of, per_axis
from lamina_conv.kernel_files import correlated, spatial_first
from lamina_recurrent.cell import CellLayer, concatenated
from lamina_recurrent.cells import forget_masks
from lamina_recurrent.weight_files import KERAS_1_LSTM, joined_gates

GATES = 4


class ConvLSTM2DCell(Layer):
    """i, f, o = s(x * W + h * U + b), one block of channels each, and a candidate g = a(x * W + h * U + b);
    c' = f c + i g,  h' = o a(c'), with * a convolution, a the activation and s the recurrent one.

    Input:   (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first, and the states
        h and c, images of `filters` channels in the size of the output.
    Output:  h' and the states [h', c'].
    Weights: kernel W, (*kernel_size, channels, 4 filters); recurrent_kernel U, (*kernel_size, filters, 4 filters);
        bias b, (4 filters,): the blocks are i, f, g, o.

    filters: channels of output and states, > 0.
    kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs, as of Conv2D; that
        of h has padding "same" and strides 1.
    dropout, recurrent_dropout: fractions of the inputs and of h left out in training, 0 <= rate <= 1 (0 and 1 leave
        out nothing), the same at every step.
    The other arguments are those of LSTMCell.

    Source: Shi et al. 2015, arXiv:1506.04214, without the peepholes.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = as_count(filters, f"{self.name}: filters is the number of channels of the output")
        self.kernel_size = per_axis(self.name, "kernel_size", kernel_size, 2)
        self.strides = per_axis(self.name, "strides", strides, 2)
        self.padding = padding_of(self.name, padding)
        self.data_format = as_data_format(data_format, self.name)
        self.dilation_rate = per_axis(self.name, "dilation_rate", dilation_rate, 2)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.name}: strides={self.strides} and dilation_rate={self.dilation_rate} cannot both be more "
                "than 1: leave one of them out"
            )
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.unit_forget_bias = unit_forget_bias
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = as_number(dropout, f"{self.name}: dropout is a fraction of the inputs", 0, 1)
        self.recurrent_dropout = as_number(
            recurrent_dropout, f"{self.name}: recurrent_dropout is a fraction of the state", 0, 1
        )
        self._dropout_mask: Any = None
        self._recurrent_dropout_mask: Any = None

    @property
    def state_size(self) -> tuple[int, int]:
        """The channels of h and c."""
        return (self.filters, self.filters)

    @property
    def channels_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else 3

    def build(self, input_shape: Any) -> None:
        shape = input_shape if is_shape(input_shape) else input_shape[0]
        channels = shape[self.channels_axis]
        if channels is None:
            raise ValueError(
                f"{self.name} needs weights for each channel, and the channels of {shape}, axis {self.channels_axis} "
                f"for data_format={self.data_format!r}, have no fixed number: give them one in input_shape"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels, GATES * self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(*self.kernel_size, self.filters, GATES * self.filters),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(GATES * self.filters,),
                initializer=self.initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        super().build(input_shape)

    @property
    def initial_bias(self) -> Callable[..., Any]:
        """What the bias starts from: 1 for the forget gate with unit_forget_bias."""
        if not self.unit_forget_bias:
            return self.bias_initializer

        def start(shape: Sequence[int], dtype: str) -> np.ndarray:
            def rest(blocks: int) -> Any:
                return initial_value(self.bias_initializer, (blocks * self.filters,), dtype)

            return concatenated(rest(1), np.ones(self.filters, dtype), rest(2))

        return start

    def call(self, inputs: Any, states: Sequence[Tensor] | None = None, training: Any = None) -> Any:
        if states is not None:
            return self.step(inputs, states, training)
        forget_masks(self)
        output, after = self.step(inputs[0], inputs[1:], training)
        return [output, *after]

    def step(self, x: Tensor, states: Sequence[Tensor], training: Any) -> tuple[Tensor, list[Tensor]]:
        """The output and the new states."""
        h, c = states
        of_inputs, of_state = self._drawn_masks(x, h, training)
        from_inputs = self._gates(x, of_inputs, self.kernel, self.convolved)
        if self.bias is not None:
            blocks = [self.bias[at * self.filters : (at + 1) * self.filters] for at in range(GATES)]
            from_inputs = [
                K.bias_add(z, b, data_format=self.data_format)
                for z, b in zip(from_inputs, blocks, strict=True)
            ]
        from_state = self._gates(h, of_state, self.recurrent_kernel, self._recurred)
        i, f, g, o = (a + b for a, b in zip(from_inputs, from_state, strict=True))
        s, a = self.recurrent_activation, self.activation
        c = s(f) * c + s(i) * a(g)
        h = s(o) * a(c)
        return h, [h, c]

    def convolved(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The convolution of the inputs."""
        return K.conv2d(x, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def _recurred(self, h: Tensor, kernel: Tensor) -> Tensor:
        return K.conv2d(h, kernel, padding="same", data_format=self.data_format)

    def _gates(
        self, x: Tensor, masks: list[Tensor] | None, kernel: Tensor, convolve: Callable[..., Tensor]
    ) -> list[Tensor]:
        """What x adds to each gate: one convolution for all, or, with dropout, one for each with its own mask."""
        columns = [slice(at * self.filters, (at + 1) * self.filters) for at in range(GATES)]
        if masks is not None:
            return [convolve(x * m, kernel[:, :, :, cut]) for m, cut in zip(masks, columns, strict=True)]
        z = convolve(x, kernel)
        return [z[:, cut] if self.channels_axis == 1 else z[:, :, :, cut] for cut in columns]

    def _drawn_masks(
        self, x: Tensor, h: Tensor, training: Any
    ) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        """Factors of the inputs and of h, one for each gate, made at the first step and kept for all."""
        if self._dropout_mask is None and 0 < self.dropout < 1:
            self._dropout_mask = _drawn(x, self.dropout, training)
        if self._recurrent_dropout_mask is None and 0 < self.recurrent_dropout < 1:
            self._recurrent_dropout_mask = _drawn(h, self.recurrent_dropout, training)
        return self._dropout_mask, self._recurrent_dropout_mask


def _drawn(like: Tensor, rate: float, training: Any) -> list[Tensor]:
    ones = K.ones_like(like)
    return [K.in_train_phase(lambda: K.dropout(ones, rate), ones, training=training) for _ in range(GATES)]


class ConvLSTM2D(CellLayer):
    """`ConvLSTM2DCell` over a sequence of images.

    Input:   (batch, time, rows, columns, channels), or (batch, time, channels, rows, columns) for channels_first; or
        a list [inputs, h, c] with the initial states.
    Output:  (batch, new rows, new columns, filters), the last output, channels where the inputs have them; with
        return_sequences (batch, time, ...), all of them.  The mask passes through with return_sequences.
    Weights: as of ConvLSTM2DCell.

    activity_regularizer: penalty on the output, or None.
    return_sequences, go_backwards, stateful: as of RNN; the other arguments as of ConvLSTM2DCell.

    Raises TypeError for unroll=True.
    """

    cell_class = ConvLSTM2DCell

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("unroll"):
            raise TypeError("Unrolling isn't possible with convolutional RNNs: leave unroll out")
        cell = ConvLSTM2DCell(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            name=kwargs.get("name"),  # so that what is wrong with the cell is told of the layer
            dtype=kwargs.get("dtype"),
        )
        super().__init__(
            cell, return_sequences=return_sequences, go_backwards=go_backwards, stateful=stateful, **kwargs
        )
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.input_spec = [InputSpec(ndim=5)]

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The weights that Keras 1, or Keras on Theano, wrote as the layer's own."""
        if is_keras_1(keras_version) and len(arrays) == 3 * GATES:
            if self.data_format == "channels_first":
                arrays = [spatial_first(array, 2) for array in arrays]
            arrays = joined_gates(arrays, KERAS_1_LSTM)
        return [*[correlated(kernel, 2, backend) for kernel in arrays[:2]], *arrays[2:]]

    def is_standard(self, inputs: Tensor) -> bool:
        return False  # no op computes the whole sequence

    def get_initial_state(self, inputs: Tensor) -> list[Tensor]:
        """Zeros for each state, in the size that the convolution of one image has."""
        cell, inputs = self.cell, as_float(inputs)
        channels = inputs.shape[1 + cell.channels_axis]
        nothing = K.constant(np.zeros((*cell.kernel_size, channels, cell.filters)), dtype=inputs.dtype)
        image = K.sum(K.zeros_like(inputs), axis=1)
        return [cell.convolved(image, nothing) for _ in cell.state_size]

    def _state_shapes(self) -> list[tuple[int, ...]]:
        sequence = K.placeholder(self.input_spec[0].shape)
        shapes = [K.int_shape(state)[1:] for state in self.get_initial_state(sequence)]
        if any(None in shape for shape in shapes):
            raise ValueError(
                f"{self.name}: If a RNN is stateful, it needs to know the size of its images: give the rows and "
                "columns in batch_input_shape"
            )
        return [tuple(size for size in shape if size is not None) for shape in shapes]
