"""What the cells here have in common: weights with a block for each gate, and dropout; and layers made of one cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from lamina import activations, constraints, initializers, regularizers
from lamina import backend as K
from lamina.engine.arguments import as_count, as_number
from lamina.engine.signature import BASE, kind_of
from lamina.layers import Layer
from lamina.ops.kernels import is_blas
from lamina.ops.scan import edge
from lamina.tensor import Tensor
from lamina_recurrent.cells import forget_masks, inputs_of
from lamina_recurrent.gates import NO_MASK, SIGMOIDS, absent, time_first
from lamina_recurrent.rnn import FLAGS, RNN
from lamina_registry import catalog, serialize


class Cell(Layer):
    """Base of SimpleRNNCell, GRUCell and LSTMCell.

    gates: names of the gates, one letter each, in the order of their blocks of `units` columns in the weights.

    An RNN calls a cell with inputs and states.  Called as a layer of its own, on the list [inputs, states ...], it
    answers the list [output, new states ...].
    """

    gates = ""

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = as_count(units, f"{self.name}: units is the size of the output")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
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
        # Made at the first step and kept for all: one draw a sequence (Gal and Ghahramani 2016, arXiv:1512.05287).
        self._dropout_mask: Any = None
        self._recurrent_dropout_mask: Any = None

    @property
    def state_size(self) -> Any:
        """The size of the state, or the sizes of several."""
        return self.units

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    def build(self, input_shape: Any) -> None:
        inputs, blocks = inputs_of(self.name, input_shape), max(len(self.gates), 1)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, blocks * self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, blocks * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape,
                initializer=self.initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        for at, gate in enumerate(self.gates):
            columns = slice(at * self.units, (at + 1) * self.units)
            setattr(self, f"kernel_{gate}", self.kernel[:, columns])
            setattr(self, f"recurrent_kernel_{gate}", self.recurrent_kernel[:, columns])
        super().build(input_shape)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (max(len(self.gates), 1) * self.units,)

    @property
    def initial_bias(self) -> Callable[..., Any]:
        """What the bias starts from."""
        return self.bias_initializer

    def call(self, inputs: Any, states: Sequence[Tensor] | None = None, training: Any = None) -> Any:
        if states is not None:
            return self.step(inputs, states, training)
        forget_masks(self)
        output, after = self.step(inputs[0], inputs[1:], training)
        return [output, *after]

    def step(self, x: Tensor, states: Sequence[Tensor], training: Any) -> tuple[Tensor, list[Tensor]]:
        """The output and the new states."""
        raise NotImplementedError

    def masks(
        self, inputs: Tensor, h: Tensor, training: Any
    ) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        """Factors of the inputs and of the state h, one for each gate, the same at every step; None for no dropout."""
        if self._dropout_mask is None and 0 < self.dropout < 1:
            self._dropout_mask = self._drawn(inputs, self.dropout, training)
        if self._recurrent_dropout_mask is None and 0 < self.recurrent_dropout < 1:
            self._recurrent_dropout_mask = self._drawn(h, self.recurrent_dropout, training)
        return self._dropout_mask, self._recurrent_dropout_mask

    def _drawn(self, like: Tensor, rate: float, training: Any) -> list[Tensor]:
        ones = K.ones_like(like)
        count = max(len(self.gates), 1)
        return [
            K.in_train_phase(lambda: K.dropout(ones, rate), ones, training=training) for _ in range(count)
        ]


class CellLayer(RNN):
    """Base of SimpleRNN, GRU and LSTM: an RNN whose constructor takes its cell's arguments, and has them as its own.

    cell_class: of the cell.  order: which block of the weights each gate of the op for whole sequences stands for.

    Where the cell is the usual one, with its usual functions, one op computes the whole sequence; else K.rnn goes
    through it step by step.  The numbers are the same.
    """

    cell_class: Any = None

    def __getattr__(self, name: str) -> Any:
        # Only asked for what the layer itself has not.
        if name in _arguments(type(self).cell_class) and "cell" in self.__dict__:
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # ---- the whole sequence at once

    def whole(
        self, x: Tensor, states: list[Tensor], mask: Tensor, of_inputs: Tensor, of_state: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs, (time, batch, units), and the last states, by the op made for this cell.

        x: (time, batch, inputs).  mask, of_inputs, of_state: as `lamina_recurrent.gates` has them.
        """
        raise NotImplementedError

    def is_standard(self, inputs: Tensor) -> bool:
        """Whether the op made for this cell computes just what the cell does."""
        cell = self.cell
        return (
            type(cell) is self.cell_class
            and cell.activation is _installed("tanh")
            and inputs.dtype == cell.kernel.dtype
            and is_blas(inputs.dtype)
        )

    def run(
        self,
        inputs: Tensor,
        states: list[Tensor],
        constants: list[Tensor],
        mask: Any,
        training: Any,
        begun: bool,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        if constants or not self.is_standard(inputs):
            return super().run(inputs, states, constants, mask, training, begun)
        drawn = self.cell.masks(edge(inputs, axis=1, last=False), states[0], training)
        of_inputs, of_state = (self._factors(each, inputs.dtype) for each in drawn)
        if mask is not None and self.go_backwards:
            mask = K.reverse(mask, 1)
        x = K.reverse(inputs, 1) if self.go_backwards else inputs
        there = NO_MASK if mask is None else K.transpose(K.cast(mask, "bool"))
        ys, after = self.whole(time_first(x), states, there, of_inputs, of_state)
        outputs = time_first(ys)
        if begun and mask is not None:
            # A sample that has skipped every step so far has no output to repeat.
            seen = K.expand_dims(K.cumsum(K.cast(mask, "int32"), axis=1) > 0)
            outputs = K.switch(seen, outputs, K.zeros_like(outputs))
        same = not begun or (mask is None and bool(inputs.shape[1]))
        return (after[0] if same else edge(outputs, axis=1, last=True)), outputs, after

    def _factors(self, masks: list[Tensor] | None, dtype: str) -> Tensor:
        """Dropout masks of the gates, side by side in the order of the op; one for all with implementation 2."""
        if masks is None:
            return absent(1, dtype)
        several = getattr(self.cell, "implementation", 2) == 1
        return K.stack([masks[at] for at in self.order] if several else masks[:1], axis=0)

    order: tuple[int, ...] = (0,)

    # ---- config

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["cell"]
        return {**config, **arguments_of(self, CellLayer)}


def arguments_of(layer: RNN, base: type) -> dict[str, Any]:
    """The arguments of the constructors of a layer's classes below `base`, as a config has them."""
    found: dict[str, Any] = {}
    for cls in type(layer).__mro__[: type(layer).__mro__.index(base)]:
        for name in _arguments(cls):
            if name not in FLAGS:
                kind, value = kind_of(name), getattr(layer, name)
                found.setdefault(name, serialize(kind, value) if kind else value)
    return found


@cache
def _arguments(cls: type) -> tuple[str, ...]:
    """The arguments that a class's own constructor names."""
    own = vars(cls).get("__init__")
    parameters = list(inspect.signature(own).parameters.values())[1:] if own else []
    return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in BASE)


def sigmoid_of(function: Any) -> str | None:
    """The name of a recurrent activation that whole-sequence ops know."""
    return next((name for name in SIGMOIDS if function is _installed(name)), None)


def _installed(name: str) -> Any:
    """The activation function of a name, whatever custom objects may call so: the one that the ops compute."""
    return catalog().find("activations", name)


def concatenated(*parts: Any) -> np.ndarray:
    """Initial values, tensors or arrays, end to end."""
    return np.concatenate([K.eval(part) if isinstance(part, Tensor) else np.asarray(part) for part in parts])
