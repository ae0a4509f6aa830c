"""Loops over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lamina.op import as_tensor
from lamina.ops import elementwise as e
from lamina.ops import joining, slices
from lamina.ops import shape as s
from lamina.ops.scan import edge, scan
from lamina.tensor import Tensor

__all__ = ["rnn"]


def rnn(
    step_function: Callable[[Tensor, list[Tensor]], tuple[Tensor, Sequence[Tensor]]],
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Sequence[Any] | None = None,
    unroll: bool = False,
    input_length: int | None = None,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """step_function at every time step of `inputs`: (last output, outputs, last states).

    step_function: (inputs at the step, states + constants) -> (output, new states), on (batch, ...) tensors.
    inputs: (batch, time, ...), three axes or more.
    initial_states: the states before the first step, (batch, ...) each.
    go_backwards: begin with the last step; the outputs come in the order they were made, last input first.
    mask: (batch, time) or (batch, time, 1), 0 where a step is to be skipped: the sample keeps its states and repeats
        its previous output, zeros when there was none.
    constants: further tensors that every step is given behind its states.
    unroll: write the steps out one by one instead of looping over one.
    input_length: for other backends; unused.

    The outputs are (batch, time, ...).  Over no steps they are empty, the last output is zeros and the states are the
    initial ones.

    As with TensorFlow, a first call of step_function stands outside the loop: what it makes and keeps there, such as a
    dropout mask, is the same at every step.  What is drawn inside the loop is drawn at every step.

    Raises ValueError for inputs of fewer than three axes, a mask of another shape or without states, and unroll over
    an unknown time.
    """
    inputs = as_tensor(inputs)
    if inputs.ndim < 3:
        raise ValueError(f"Input should be at least 3D: (batch, time, ...); rnn met shape {inputs.shape}")
    given = list(initial_states) if isinstance(initial_states, list | tuple) else [initial_states]
    states = [as_tensor(state) for state in given]
    steps = _Steps(step_function, [as_tensor(constant) for constant in constants or ()])
    if mask is not None:
        if not states:
            raise ValueError(
                "No initial states provided! rnn with a mask needs states that a skipped step can leave as they are"
            )
        mask = _steps_of(e.cast(as_tensor(mask), dtype="bool"))
    if unroll and inputs.shape[1] is None:
        raise ValueError(
            f"Unrolling requires a fixed number of timesteps: rnn met inputs of shape {inputs.shape}. "
            "Give the inputs their length, or let unroll be False"
        )
    if go_backwards:
        inputs = slices.reverse(inputs, (1,))
        mask = None if mask is None else slices.reverse(mask, (1,))
    found = _unrolled if unroll and inputs.shape[1] else _looped
    return found(steps, inputs, states, mask)


class _Steps:
    """The step function with its constants, and what it says of the learning phase."""

    def __init__(self, function: Callable[..., Any], constants: list[Tensor]) -> None:
        self.function, self.constants = function, constants
        self.phased = False

    def __call__(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        answer = self.function(x, [*states, *self.constants])
        if (
            not isinstance(answer, list | tuple)
            or len(answer) != 2
            or not isinstance(answer[1], list | tuple)
        ):
            raise ValueError(
                f"the step function of rnn answers an output and the list of new states, met {answer!r}"
            )
        output, new_states = answer
        if len(new_states) != len(states):
            raise ValueError(
                f"the step function of rnn was given {len(states)} states and answered {len(new_states)}"
            )
        self.phased = self.phased or bool(getattr(output, "_uses_learning_phase", False))
        return as_tensor(output), [as_tensor(state) for state in new_states]

    def masked(
        self, x: Tensor, states: list[Tensor], mask: Tensor, previous: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The same where `mask` holds; elsewhere the states as they are, and the previous output or zeros."""
        output, new_states = self(x, states)
        kept = [_choose(mask, new, old) for new, old in zip(new_states, states, strict=True)]
        return _choose(mask, output, s.zeros_like(output) if previous is None else previous), kept

    def marked(self, *tensors: Tensor) -> None:
        """Pass on what a step function says by setting `_uses_learning_phase` on its output."""
        for tensor in tensors:
            tensor._uses_learning_phase = tensor._uses_learning_phase or self.phased


def _looped(
    steps: _Steps, inputs: Tensor, states: list[Tensor], mask: Tensor | None
) -> tuple[Tensor, Tensor, list[Tensor]]:
    first, _ = steps(edge(inputs, axis=1, last=False), states)

    def plain(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        output, new_states = steps(elements[0], states)
        return [output], new_states

    def masked(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        output, new_states = steps.masked(elements[0], states[1:], elements[1], states[0])
        return [output], [output, *new_states]

    if mask is None:
        (outputs,), states = scan(plain, [inputs], states, axis=1)
    else:
        (outputs,), (_, *states) = scan(masked, [inputs, mask], [s.zeros_like(first), *states], axis=1)
    last = edge(outputs, axis=1, last=True)
    steps.marked(last, outputs, *states)
    return last, outputs, states


def _unrolled(
    steps: _Steps, inputs: Tensor, states: list[Tensor], mask: Tensor | None
) -> tuple[Tensor, Tensor, list[Tensor]]:
    made: list[Tensor] = []
    for time in range(inputs.shape[1] or 0):
        if mask is None:
            output, states = steps(inputs[:, time], states)
        else:
            previous = made[-1] if made else None
            output, states = steps.masked(inputs[:, time], states, mask[:, time], previous)
        made.append(output)
    outputs = joining.stack(*made, axis=1)
    steps.marked(made[-1], outputs, *states)
    return made[-1], outputs, states


def _steps_of(mask: Tensor) -> Tensor:
    """The mask as (batch, time)."""
    if mask.ndim < 2 or any(size not in (1, None) for size in mask.shape[2:]):
        raise ValueError(
            f"the mask of rnn says of each step of each sample whether it counts, (batch, time) or (batch, time, 1); "
            f"met shape {mask.shape}"
        )
    return s.drop_axes(mask, axes=tuple(range(2, mask.ndim))) if mask.ndim > 2 else mask


def _choose(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """New values for the samples that the mask (batch,) names."""
    return e.where(s.expand_axes(mask, axes=tuple(range(1, new.ndim))), new, old)
