"""SimpleRNN: the output fed back, as a cell and as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina import regularizers
from lamina.tensor import Tensor
from lamina_recurrent.cell import Cell, CellLayer
from lamina_recurrent.gates import absent
from lamina_recurrent.simple_rnn_sequence import simple_rnn_sequence


class SimpleRNNCell(Cell):
    """h' = a(x . W + h . U + b), with a the activation.

    Input:   (batch, inputs), and the state h, (batch, units).
    Output:  h' and the state [h'].
    Weights: kernel W, (inputs, units); recurrent_kernel U, (units, units); bias b, (units,).

    The arguments are as of LSTMCell.

    Source: Elman 1990, Cognitive Science 14 (2).
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
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

    def step(self, x: Tensor, states: Sequence[Tensor], training: Any) -> tuple[Tensor, list[Tensor]]:
        h = states[0]
        of_inputs, of_state = self.masks(x, h, training)
        z = K.dot(x if of_inputs is None else x * of_inputs[0], self.kernel)
        if self.bias is not None:
            z = K.bias_add(z, self.bias)
        h = self.activation(z + K.dot(h if of_state is None else h * of_state[0], self.recurrent_kernel))
        return h, [h]


class SimpleRNN(CellLayer):
    """`SimpleRNNCell` over a sequence.

    Input:   (batch, time, inputs), or a list [inputs, h] with the initial state, (batch, units).
    Output:  (batch, units), or (batch, time, units) with return_sequences; a list of that and h with return_state.
        The mask passes through with return_sequences, and ends here otherwise.
    Weights: as of SimpleRNNCell.

    activity_regularizer: penalty on the output, or None.
    return_sequences, return_state, go_backwards, stateful, unroll: as of RNN; the other arguments as of LSTMCell.
    """

    cell_class = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
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
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.activity_regularizer = regularizers.get(activity_regularizer)

    # ---- the whole sequence at once

    def whole(
        self, x: Tensor, states: list[Tensor], mask: Tensor, of_inputs: Tensor, of_state: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        bias = absent(0, x.dtype) if cell.bias is None else cell.bias
        ys, h = simple_rnn_sequence(
            x, cell.kernel, cell.recurrent_kernel, bias, *states, mask, of_inputs, of_state
        )
        return ys, [h]
