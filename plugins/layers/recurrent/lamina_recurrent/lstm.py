"""LSTM: long short-term memory, as a cell and as a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import activations, regularizers
from lamina import backend as K
from lamina.engine.weights import initial_value, is_keras_1
from lamina.tensor import Tensor
from lamina_recurrent.cell import Cell, CellLayer, concatenated, sigmoid_of
from lamina_recurrent.gates import absent
from lamina_recurrent.lstm_sequence import ORDER, lstm_sequence
from lamina_recurrent.weight_files import KERAS_1_LSTM, joined_gates, lstm_weights


class LSTMCell(Cell):
    """i, f, o = s(x . W + h . U + b), one block of columns each, and a candidate g = a(x . W + h . U + b);
    c' = f * c + i * g,  h' = o * a(c'), with a the activation and s the recurrent one.

    Input:   (batch, inputs), and the states h and c, (batch, units) each.
    Output:  h' and the states [h', c'].
    Weights: kernel W, (inputs, 4 units); recurrent_kernel U, (units, 4 units); bias b, (4 units,): the blocks are
        i, f, g, o.

    units: size of output and states, > 0.
    activation, recurrent_activation: functions of a tensor, their names, or None for none.
    use_bias: whether there is a bias.
    kernel_initializer, recurrent_initializer, bias_initializer: what the weights start from.
    unit_forget_bias: whether the bias of f starts from 1, whatever bias_initializer says of the rest.
    kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights, or None.
    kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to after each update, or None.
    dropout, recurrent_dropout: fractions of the inputs and of h left out in training, 0 <= rate <= 1 (0 and 1 leave
        out nothing), the same at every step.
    implementation: 1 multiplies gate by gate, each with a dropout mask of its own; 2 all gates at once, with one mask.

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9 (8), with the forget gate of Gers et al. 2000.
    """

    gates = "ifco"

    def __init__(
        self,
        units: int,
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
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.implementation = implementation_of(self.name, implementation)

    @property
    def state_size(self) -> tuple[int, int]:
        """The sizes of h and c."""
        return (self.units, self.units)

    @property
    def initial_bias(self) -> Callable[..., Any]:
        """What the bias starts from."""
        if not self.unit_forget_bias:
            return self.bias_initializer

        def start(shape: Sequence[int], dtype: str) -> np.ndarray:
            def rest(blocks: int) -> Any:
                return initial_value(self.bias_initializer, (blocks * self.units,), dtype)

            return concatenated(rest(1), np.ones(self.units, dtype), rest(2))

        return start

    def step(self, x: Tensor, states: Sequence[Tensor], training: Any) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        of_inputs, of_state = self.masks(x, h, training)
        if self.implementation == 1:
            i, f, g, o = (self._preactivation(x, h, at, of_inputs, of_state) for at in range(4))
        else:
            x = x if of_inputs is None else x * of_inputs[0]
            z = K.dot(x, self.kernel) + K.dot(
                h if of_state is None else h * of_state[0], self.recurrent_kernel
            )
            z = z if self.bias is None else K.bias_add(z, self.bias)
            i, f, g, o = (z[:, at * self.units : (at + 1) * self.units] for at in range(4))
        s, a = self.recurrent_activation, self.activation
        c = s(f) * c + s(i) * a(g)
        h = s(o) * a(c)
        return h, [h, c]

    def _preactivation(
        self, x: Tensor, h: Tensor, at: int, of_inputs: list[Tensor] | None, of_state: list[Tensor] | None
    ) -> Tensor:
        gate = self.gates[at]
        x = x if of_inputs is None else x * of_inputs[at]
        h = h if of_state is None else h * of_state[at]
        z = K.dot(x, getattr(self, f"kernel_{gate}"))
        if self.bias is not None:
            z = K.bias_add(z, self.bias[at * self.units : (at + 1) * self.units])
        return z + K.dot(h, getattr(self, f"recurrent_kernel_{gate}"))


def implementation_of(name: str, implementation: int) -> int:
    """1 or 2; 0, of Keras 2.0, is 1.  Raises ValueError otherwise."""
    if implementation not in (0, 1, 2):
        raise ValueError(
            f"{name}: implementation is 1, gate by gate, or 2, all gates at once; met {implementation!r}"
        )
    return implementation or 1


class LSTM(CellLayer):
    """`LSTMCell` over a sequence.

    Input:   (batch, time, inputs), or a list [inputs, h, c] with the initial states, (batch, units) each.
    Output:  (batch, units), or (batch, time, units) with return_sequences; a list of that, h and c with return_state.
        The mask passes through with return_sequences, and ends here otherwise.
    Weights: as of LSTMCell.

    activity_regularizer: penalty on the output, or None.
    return_sequences, return_state, go_backwards, stateful, unroll: as of RNN; the other arguments as of LSTMCell.
    """

    cell_class = LSTMCell

    def __init__(
        self,
        units: int,
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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: int = 1,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
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
            implementation=implementation,
            name=kwargs.get("name"),  # so that what is wrong with the cell is told of the layer
            dtype=kwargs.get("dtype"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.activity_regularizer = regularizers.get(activity_regularizer)

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The weights of a CuDNNLSTM, or of Keras 1, as the layer's own."""
        if is_keras_1(keras_version):
            arrays = joined_gates(arrays, KERAS_1_LSTM)
        return lstm_weights(arrays, cudnn=False)

    # ---- the whole sequence at once

    order = ORDER

    def is_standard(self, inputs: Tensor) -> bool:
        return super().is_standard(inputs) and sigmoid_of(self.cell.recurrent_activation) is not None

    def whole(
        self, x: Tensor, states: list[Tensor], mask: Tensor, of_inputs: Tensor, of_state: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        bias = absent(0, x.dtype) if cell.bias is None else cell.bias
        weights = (cell.kernel, cell.recurrent_kernel, bias)
        recurrent = sigmoid_of(cell.recurrent_activation)
        ys, h, c, *_ = lstm_sequence(x, *weights, *states, mask, of_inputs, of_state, recurrent=recurrent)
        return ys, [h, c]
