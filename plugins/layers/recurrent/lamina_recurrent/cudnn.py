"""CuDNNGRU and CuDNNLSTM: what cuDNN computes, with weights laid out as it wants them, on any device.

cuDNN reads the block of each gate as a matrix (units, inputs) in memory order, where GRU and LSTM have (inputs, units):
the same numbers in a block are another matrix to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina import constraints, initializers, regularizers
from lamina.engine.arguments import as_count
from lamina.engine.weights import initial_value
from lamina.layers import Layer
from lamina.op import as_float
from lamina.ops.scan import edge
from lamina.tensor import Tensor
from lamina_recurrent.cell import arguments_of, concatenated
from lamina_recurrent.cells import inputs_of
from lamina_recurrent.gates import NO_MASK, absent, time_first
from lamina_recurrent.gru_sequence import gru_sequence
from lamina_recurrent.lstm_sequence import lstm_sequence
from lamina_recurrent.rnn import RNN
from lamina_recurrent.weight_files import gru_weights, lstm_weights


class _Sizes:
    """Stands where other recurrent layers have their cell: these have no single step."""

    def __init__(self, state_size: Any) -> None:
        self.state_size = state_size

    def call(self, inputs: Tensor, states: Sequence[Tensor]) -> Any:
        raise TypeError("a CuDNN layer has no cell that makes a single step: use GRUCell or LSTMCell")


class _CuDNN(RNN):
    """Base of the two.  gates: how many blocks of `units` columns the weights have; state_count: how many states."""

    supports_masking = False
    gates = 0
    state_count = 1

    def __init__(
        self,
        units: int,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("unroll", False):
            raise TypeError(f"{type(self).__name__} has no unroll: it never goes step by step")
        owner = kwargs.get("name") or type(self).__name__
        self.units = as_count(units, f"{owner}: units is the size of the output")
        super().__init__(
            _Sizes(self.units if self.state_count == 1 else (self.units,) * self.state_count), **kwargs
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        inputs = inputs_of(self.name, input_shape)
        columns = self.gates * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, columns),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(2 * columns,),
            initializer=self.initial_bias,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )
        super().build(input_shape)

    @property
    def initial_bias(self) -> Callable[..., Any]:
        """What the bias starts from."""
        return self.bias_initializer

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._refuse(mask)
        return super().compute_mask(inputs, None)

    def _refuse(self, mask: Any) -> None:
        Layer.compute_mask(self, None, mask)  # an error where there is one

    def run(
        self,
        inputs: Tensor,
        states: list[Tensor],
        constants: list[Tensor],
        mask: Any,
        training: Any,
        begun: bool,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        self._refuse(mask)  # a wrapper that has a compute_mask of its own may have handed it on
        if constants:
            raise ValueError(f"{self.name}: RNN cell does not support constants: cuDNN has no place for them")
        inputs = as_float(inputs)
        x = K.reverse(inputs, 1) if self.go_backwards else inputs
        ys, after = self.whole(
            time_first(x), self._plain(self.kernel), self._plain(self.recurrent_kernel), states
        )
        outputs = time_first(ys)
        return (edge(outputs, axis=1, last=True) if begun else after[0]), outputs, after

    def _plain(self, kernel: Tensor) -> Tensor:
        """cuDNN's weights as the matrices that GRU and LSTM have: (rows, gates * units)."""
        rows, units = kernel.shape[0], self.units
        found = [kernel[:, at * units : (at + 1) * units] for at in range(self.gates)]
        return K.concatenate([K.transpose(K.reshape(block, (units, rows))) for block in found], axis=1)

    def whole(
        self, x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs, (time, batch, units), and the last states.  x: (time, batch, inputs)."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["unroll"]
        return {**config, **arguments_of(self, _CuDNN)}


class CuDNNGRU(_CuDNN):
    """The GRU that cuDNN computes: GRU(units, recurrent_activation="sigmoid", reset_after=True).

    Input:   (batch, time, inputs), or a list [inputs, h] with the initial state, (batch, units).
    Output:  (batch, units), or (batch, time, units) with return_sequences; a list of that and h with return_state.
        A mask is refused.
    Weights: kernel, (inputs, 3 units); recurrent_kernel, (units, 3 units); bias, (6 units,), of the inputs, then of the
        state: the blocks are z, r, g, and each block of a kernel holds (units, inputs) in memory order.

    The arguments are as of GRU.  Runs on every device; the name is cuDNN's for its layout of the weights.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            return_sequences=return_sequences,
            return_state=return_state,
            stateful=stateful,
            **kwargs,
        )

    def whole(
        self, x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        biases = self.bias[: 3 * self.units], self.bias[3 * self.units :]
        no_factors = absent(1, x.dtype)
        ys, h, *_ = gru_sequence(
            x, kernel, recurrent_kernel, *biases, *states, NO_MASK, no_factors, no_factors,
            recurrent="sigmoid", reset_after=True,
        )  # fmt: skip
        return ys, [h]

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The weights of a GRU(reset_after=True) as the layer's own."""
        return gru_weights(self.name, arrays, "CuDNNGRU")


class CuDNNLSTM(_CuDNN):
    """The LSTM that cuDNN computes: LSTM(units, recurrent_activation="sigmoid").

    Input:   (batch, time, inputs), or a list [inputs, h, c] with the initial states, (batch, units) each.
    Output:  (batch, units), or (batch, time, units) with return_sequences; a list of that, h and c with return_state.
        A mask is refused.
    Weights: kernel, (inputs, 4 units); recurrent_kernel, (units, 4 units); bias, (8 units,), of the inputs, then of the
        state: the blocks are i, f, g, o, and each block of a kernel holds (units, inputs) in memory order.

    unit_forget_bias: whether the state's bias of f starts from 1, whatever bias_initializer says of the rest.
    The other arguments are as of LSTM.  Runs on every device; the name is cuDNN's for its layout of the weights.
    """

    gates = 4
    state_count = 2

    def __init__(
        self,
        units: int,
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
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            return_sequences=return_sequences,
            return_state=return_state,
            stateful=stateful,
            **kwargs,
        )
        self.unit_forget_bias = unit_forget_bias

    @property
    def initial_bias(self) -> Callable[..., Any]:
        """What the bias starts from."""
        if not self.unit_forget_bias:
            return self.bias_initializer

        def start(shape: Sequence[int], dtype: str) -> np.ndarray:
            def rest(blocks: int) -> Any:
                return initial_value(self.bias_initializer, (blocks * self.units,), dtype)

            return concatenated(rest(5), np.ones(self.units, dtype), rest(2))

        return start

    def whole(
        self, x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        bias = self.bias[: 4 * self.units] + self.bias[4 * self.units :]
        no_factors = absent(1, x.dtype)
        ys, h, c, *_ = lstm_sequence(
            x, kernel, recurrent_kernel, bias, *states, NO_MASK, no_factors, no_factors, recurrent="sigmoid"
        )
        return ys, [h, c]

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The weights of an LSTM as the layer's own."""
        return lstm_weights(arrays, cudnn=True)
