"""RNN: a cell applied to one time step after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina import layers
from lamina.engine.spec import agree
from lamina.engine.structure import as_list, is_shape
from lamina.layers import InputSpec
from lamina.tensor import Tensor
from lamina_recurrent.cells import (
    CellHolder,
    answer_of,
    build_cell,
    check_cell,
    forget_masks,
    state_sizes,
    takes,
)
from lamina_recurrent.stacked import StackedRNNCells


class RNN(CellHolder):
    """output, states = cell(inputs at a step, states), from the first time step to the last.

    Input:   (batch, time, inputs), or a list [inputs, initial states ..., constants ...].
    Output:  (batch, units), the last output; (batch, time, units), all of them, with return_sequences; with
        return_state a list of that and the last states, (batch, size) each.
        The mask passes through with return_sequences, and ends here otherwise.
    Weights: those of the cell.

    cell: a cell, or a list of cells that feed each other.  A cell has call(inputs, states) -> (output, new states),
        state_size, a size or a list of them, and, if the output's is not the first of these, output_size.  Its call
        may take `training` and `constants` too.
    return_sequences: whether to answer the outputs of all steps.
    return_state: whether to answer the last states as well.
    go_backwards: whether to begin with the last step; the outputs come in the order they were made.
    stateful: whether a batch begins with the states that the batch before left, sample by sample: needs a fixed
        batch size.  `reset_states` starts afresh.
    unroll: whether the steps are written out one by one; the result is the same.  Needs a fixed length, 2 or more.
    input_dim, input_length: the size of inputs and the length, a short form of input_shape for a first layer.

    At a masked step a sample keeps its states and repeats its previous output, zeros if there was none.  Over no steps
    the last output is zeros, and the states are the initial ones.

    layer(x, initial_state=states) begins with these tensors instead of zeros, and layer(x, constants=tensors) hands
    them to the cell at every step.

    Raises ValueError for a cell that is none, states of another number or shape than the cell's, constants for a
    cell that takes none, and a stateful layer without a batch size.
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        length, size = kwargs.pop("input_length", None), kwargs.pop("input_dim", None)
        if size is not None or length is not None:
            kwargs.setdefault("input_shape", (length, size))
        super().__init__(**kwargs)
        self.cell: Any = StackedRNNCells(cell) if isinstance(cell, list | tuple) else cell
        check_cell(self.name, self.cell)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.input_spec = [InputSpec(ndim=3)]
        self._states: list[Any] | None = None
        self._num_constants: int | None = None
        self._constant_shapes: list[Any] = []  # of those that were given by keyword

    def held(self) -> list[Any]:
        return [self.cell]

    @property
    def states(self) -> list[Any]:
        """The variables that a stateful layer keeps its states in; None for each before there are any."""
        return [None for _ in state_sizes(self.cell)] if self._states is None else self._states

    @states.setter
    def states(self, states: list[Any]) -> None:
        self._states = states

    # ---- building and calling

    def build(self, input_shape: Any) -> None:
        shape, *others = [input_shape] if is_shape(input_shape) else input_shape
        constants = others[len(others) - (self._num_constants or 0) :] or self._constant_shapes
        build_cell(self.cell, (shape[0], *shape[2:]), constants if takes(self.cell, "constants") else [])
        self.input_spec = [InputSpec(shape=(shape[0] if self.stateful else None, None, *shape[2:]))]
        if self.stateful:
            self.reset_states()
        super().build(input_shape)

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, list | tuple):
            if initial_state is not None or constants is not None:
                raise ValueError(
                    f"{self.name}: initial states and constants are given in the list with the inputs or by keyword, "
                    "not both"
                )
            inputs, initial_state, constants = self._parts(list(inputs))
        states, constants = _listed(initial_state), _listed(constants)
        if constants:
            self._num_constants = len(constants)
            self._constant_shapes = [K.int_shape(x) for x in constants if isinstance(x, Tensor)]
        if not states and not constants:
            return super().__call__(inputs, **kwargs)
        made_by_layers = {self._is_keras_tensor(x) for x in (*states, *constants)}
        if len(made_by_layers) > 1:
            raise ValueError(
                f"{self.name}: the initial states and constants are either all outputs of layers or none of them is: "
                "Input or a layer makes the one kind, K the other"
            )
        if made_by_layers == {True}:
            return super().__call__([inputs, *states, *constants], **kwargs)
        given = {"initial_state": states, "constants": constants}
        return super().__call__(inputs, **{name: x for name, x in given.items() if x}, **kwargs)

    def _is_keras_tensor(self, x: Any) -> bool:
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{self.name}: initial states and constants are tensors, met {type(x).__name__}; "
                "arrays are for reset_states(states) of a stateful layer"
            )
        return K.is_keras_tensor(x)

    def _parts(self, inputs: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """A list of inputs, taken apart: the sequence, the initial states, the constants."""
        first, *others = inputs
        at = len(others) - (self._num_constants or 0)
        return first, others[:at], others[at:]

    def assert_input_compatibility(self, inputs: Any) -> None:
        # Only the sequence: states are compared with the cell's, and constants are the cell's affair.
        super().assert_input_compatibility(as_list(inputs)[0])

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        initial_state: Any = None,
        constants: Any = None,
    ) -> Any:
        if isinstance(inputs, list):
            inputs, listed, listed_constants = self._parts(inputs)
            initial_state, constants = listed or initial_state, listed_constants or constants
        mask = self._mask_of_steps(as_list(mask)[0])
        begun = bool(_listed(initial_state)) or self.stateful
        states = self._first_states(inputs, _listed(initial_state))
        if self.unroll and K.int_shape(inputs)[1] in (None, 1):
            raise ValueError(
                f"{self.name}: Cannot unroll a RNN if the time dimension is undefined or equal to 1; the inputs have "
                f"shape {K.int_shape(inputs)}. Give it in input_shape, Input(shape), or input_length of an Embedding, "
                "or leave unroll out"
            )
        forget_masks(self.cell)
        last, outputs, states = self.run(inputs, states, _listed(constants), mask, training, begun)
        if self.stateful:
            self.add_update(list(zip(self.states, states, strict=True)), inputs)
        output = outputs if self.return_sequences else last
        return [output, *states] if self.return_state else output

    def _mask_of_steps(self, mask: Any) -> Any:
        """The mask as (batch, time)."""
        if mask is None:
            return None
        shape = K.int_shape(mask)
        if len(shape) < 2 or any(size not in (1, None) for size in shape[2:]):
            raise ValueError(
                f"{self.name}: the mask of a sequence says of each step of each sample whether it counts, "
                f"(batch, time); met one of shape {shape}"
            )
        for _ in shape[2:]:
            mask = K.squeeze(mask, -1)
        return mask

    def run(
        self,
        inputs: Tensor,
        states: list[Tensor],
        constants: list[Tensor],
        mask: Any,
        training: Any,
        begun: bool,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The last output, all outputs, and the last states: the loop itself.

        begun: False where the states are the zeros that a sequence begins with.
        """
        if constants and not takes(self.cell, "constants"):
            raise ValueError(
                f"{self.name}: RNN cell {self.cell!r} does not support constants: let its call declare `constants`"
            )
        arguments = {"training": training} if takes(self.cell, "training") else {}
        count = len(states)

        def step(x: Tensor, given: list[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
            more = {"constants": given[count:]} if constants else {}
            return answer_of(
                self.name, self.cell, count, self.cell.call(x, given[:count], **more, **arguments)
            )

        return K.rnn(
            step,
            inputs,
            states,
            constants=constants,
            go_backwards=self.go_backwards,
            mask=mask,
            unroll=self.unroll,
        )

    def _first_states(self, inputs: Tensor, given: list[Tensor]) -> list[Tensor]:
        zeros = self.get_initial_state(inputs)
        if not given:
            return list(self.states) if self.stateful else zeros
        if len(given) != len(zeros):
            raise ValueError(
                f"{self.name}: Layer has {len(zeros)} states but was passed {len(given)} initial states"
            )
        met, expected = [K.int_shape(x) for x in given], [K.int_shape(x) for x in zeros]
        if not all(map(agree, met, expected)):
            raise ValueError(
                f"{self.name}: An `initial_state` was passed that is not compatible with `cell.state_size`: it has "
                f"shapes {met}, and the states of {self.cell!r} have {expected}"
            )
        return given

    def get_initial_state(self, inputs: Tensor) -> list[Tensor]:
        """Zeros for each state: (batch, size)."""
        batch = K.shape(inputs)[0]
        dtype = inputs.dtype if np.dtype(inputs.dtype).kind == "f" else None
        return [K.zeros((batch, *shape), dtype) for shape in self._state_shapes()]

    def _state_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the states of one sample."""
        return [tuple(size) if hasattr(size, "__len__") else (size,) for size in state_sizes(self.cell)]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        output_mask = as_list(mask)[0] if self.return_sequences else None
        return [output_mask, *[None for _ in self.states]] if self.return_state else output_mask

    # ---- states from batch to batch

    def reset_states(self, states: Any = None) -> None:
        """Begin the next batch with zeros, or with `states`, an array for each state.

        Raises AttributeError when the layer is not stateful, ValueError when it does not know its batch size, and for
        arrays of another number or shape.
        """
        if not self.stateful:
            raise AttributeError(f"Layer {self.name} must be stateful: make it with stateful=True")
        batch = (self.input_spec[0].shape or (None,))[0]
        if not batch:
            raise ValueError(
                f"{self.name}: If a RNN is stateful, it needs to know its batch size: give the first layer of a "
                "Sequential batch_input_shape=(...), or each Input batch_shape=(...)"
            )
        shapes = [(batch, *shape) for shape in self._state_shapes()]
        if self.states[0] is None:
            dtype = self.__dict__.get("dtype")
            self.states = [K.zeros(shape, dtype) for shape in shapes]
        if states is None:
            values = [np.zeros(shape) for shape in shapes]
        else:
            values = [
                np.asarray(value) for value in (states if isinstance(states, list | tuple) else [states])
            ]
        if len(values) != len(shapes):
            raise ValueError(
                f"Layer {self.name} expects {len(shapes)} states, but it received {len(values)} state values"
            )
        for at, (value, shape) in enumerate(zip(values, shapes, strict=True)):
            if value.shape != shape:
                raise ValueError(
                    f"State {at} is incompatible with layer {self.name}: expected shape={shape}, "
                    f"found shape={value.shape}"
                )
        K.batch_set_value(list(zip(self.states, values, strict=True)))

    # ---- config

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **{name: getattr(self, name) for name in FLAGS}}
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        if hasattr(self.cell, "get_config"):
            config["cell"] = layers.serialize(self.cell)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new layer with a new cell from what `get_config` gave.  custom_objects: {name: class} of cells."""
        given = dict(config)
        count = given.pop("num_constants", None)
        if "cell" in given:
            given["cell"] = layers.deserialize(given["cell"], custom_objects=dict(custom_objects or {}))
        layer = cls(**given)
        layer._num_constants = count
        return layer


FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
