"""GRU: the gated recurrent unit, as a cell and as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import activations, regularizers
from lamina import backend as K
from lamina.engine.weights import is_keras_1
from lamina.tensor import Tensor
from lamina_recurrent.cell import Cell, CellLayer, sigmoid_of
from lamina_recurrent.gates import absent
from lamina_recurrent.gru_sequence import ORDER, gru_sequence
from lamina_recurrent.lstm import implementation_of
from lamina_recurrent.weight_files import KERAS_1_GRU, gru_weights, joined_gates


class GRUCell(Cell):
    """z, r = s(x . W + h . U + b), one block of columns each; a candidate g = a(x . W + (r * h) . U + b);
    h' = z * h + (1 - z) * g, with a the activation and s the recurrent one.

    With reset_after the candidate is g = a(x . W + b + r * (h . U + b')), which all gates then take as x . W + b and
    h . U + b': cuDNN's form, for which recurrent_activation is "sigmoid".

    Input:   (batch, inputs), and the state h, (batch, units).
    Output:  h' and the state [h'].
    Weights: kernel W, (inputs, 3 units); recurrent_kernel U, (units, 3 units); bias b, (3 units,), or with reset_after
        b and b', (2, 3 units): the blocks are z, r, g.

    reset_after: whether the reset gate r comes after the product with U.
    The other arguments are as of LSTMCell.

    Source: Cho et al. 2014, arXiv:1406.1078; v1 of it for reset_after.
    """

    gates = "zrh"
    recurrent_kernel_h: Any

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
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
        implementation: int = 1,
        reset_after: bool = False,
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
        self.implementation = implementation_of(self.name, implementation)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        both = self.reset_after and self.bias is not None
        self.input_bias = self.bias[0] if both else self.bias
        self.recurrent_bias = self.bias[1] if both else None

    def step(self, x: Tensor, states: Sequence[Tensor], training: Any) -> tuple[Tensor, list[Tensor]]:
        h = states[0]
        s, a = self.recurrent_activation, self.activation
        of_inputs, of_state = self.masks(x, h, training)
        if self.implementation == 1:
            xs = [x] * 3 if of_inputs is None else [x * mask for mask in of_inputs]
            hs = [h] * 3 if of_state is None else [h * mask for mask in of_state]
        else:
            xs = [x if of_inputs is None else x * of_inputs[0]] * 3
            h = h if of_state is None else h * of_state[0]
            hs = [h] * 3
        x_z, x_r, x_h = self._products(xs, "kernel", self.input_bias)
        if self.reset_after:
            h_z, h_r, h_h = self._products(hs, "recurrent_kernel", self.recurrent_bias)
            z, r = s(x_z + h_z), s(x_r + h_r)
            g = a(x_h + r * h_h)
        else:
            h_z, h_r = self._products(hs[:2], "recurrent_kernel", None)
            z, r = s(x_z + h_z), s(x_r + h_r)
            g = a(x_h + K.dot(r * hs[2], self.recurrent_kernel_h))
        h = z * h + (1 - z) * g
        return h, [h]

    def _products(self, xs: Sequence[Tensor], kernel: str, bias: Any) -> list[Tensor]:
        """Each of xs with the block of its gate: one by one, or at once where they are all the same."""
        units, count = self.units, len(xs)
        if self.implementation == 1:
            found = [
                K.dot(x, getattr(self, f"{kernel}_{gate}")) for x, gate in zip(xs, self.gates, strict=False)
            ]
        else:
            product = K.dot(xs[0], getattr(self, kernel)[:, : count * units])
            found = [product[:, at * units : (at + 1) * units] for at in range(count)]
        if bias is None:
            return found
        return [K.bias_add(x, bias[at * units : (at + 1) * units]) for at, x in enumerate(found)]


class GRU(CellLayer):
    """`GRUCell` over a sequence.

    Input:   (batch, time, inputs), or a list [inputs, h] with the initial state, (batch, units).
    Output:  (batch, units), or (batch, time, units) with return_sequences; a list of that and h with return_state.
        The mask passes through with return_sequences, and ends here otherwise.
    Weights: as of GRUCell.

    activity_regularizer: penalty on the output, or None.
    return_sequences, return_state, go_backwards, stateful, unroll: as of RNN; the other arguments as of GRUCell.
    """

    cell_class = GRUCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
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
        implementation: int = 1,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = False,
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
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
            implementation=implementation,
            reset_after=reset_after,
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
        """The weights of a CuDNNGRU, or of Keras 1, as the layer's own."""
        if is_keras_1(keras_version):
            arrays = joined_gates(arrays, KERAS_1_GRU)
        return gru_weights(self.name, arrays, f"GRU(reset_after={bool(self.reset_after)})")

    # ---- the whole sequence at once

    order = ORDER

    def is_standard(self, inputs: Tensor) -> bool:
        # With implementation 2 the dropout of h reaches z * h too, which the op leaves alone.
        odd = self.cell.implementation == 2 and 0 < self.cell.recurrent_dropout < 1
        return (
            super().is_standard(inputs) and sigmoid_of(self.cell.recurrent_activation) is not None and not odd
        )

    def whole(
        self, x: Tensor, states: list[Tensor], mask: Tensor, of_inputs: Tensor, of_state: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        biases = [
            absent(0, x.dtype) if bias is None else bias for bias in (cell.input_bias, cell.recurrent_bias)
        ]
        weights = (cell.kernel, cell.recurrent_kernel, *biases)
        attrs = {"recurrent": sigmoid_of(cell.recurrent_activation), "reset_after": bool(cell.reset_after)}
        ys, h, *_ = gru_sequence(x, *weights, *states, mask, of_inputs, of_state, **attrs)
        return ys, [h]
