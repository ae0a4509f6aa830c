"""Cells: what one has, and layers that hold some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.engine.signature import keywords
from lamina.engine.structure import is_shape
from lamina.layers import Layer
from lamina.tensor import Tensor
from lamina_registry import shown


class CellHolder(Layer):
    """A layer that has the weights and losses of the cells it holds, after its own."""

    def held(self) -> list[Any]:
        """The cells."""
        raise NotImplementedError

    def _all(self, what: str) -> list[Any]:
        return [each for cell in self.held() if isinstance(cell, Layer) for each in getattr(cell, what)]

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that training changes, cell by cell: none while `trainable` is False."""
        return list(self._trainable_weights) + self._all("trainable_weights") if self.trainable else []

    @trainable_weights.setter
    def trainable_weights(self, weights: Sequence[Any]) -> None:
        raise AttributeError(f"{self.name} has the weights of its cells: change `trainable` of these")

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights that training leaves alone, cell by cell: all of them while `trainable` is False."""
        if self.trainable:
            return list(self._non_trainable_weights) + self._all("non_trainable_weights")
        return self._trainable_weights + self._non_trainable_weights + self._all("weights")

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: Sequence[Any]) -> None:
        raise AttributeError(f"{self.name} has the weights of its cells: change `trainable` of these")

    @property
    def losses(self) -> list[Any]:
        """All losses added so far, those of the cells among them."""
        return super().losses + self._all("losses")

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that depend on these inputs; for None, those that depend on no input."""
        cells = [cell for cell in self.held() if isinstance(cell, Layer)]
        return super().get_losses_for(inputs) + [
            loss for cell in cells for loss in cell.get_losses_for(inputs)
        ]


def check_cell(name: str, cell: Any) -> None:
    """Raises ValueError, naming the layer that was given it, unless `cell` has what a cell needs."""
    if isinstance(cell, type):
        raise ValueError(f"{name}: a cell is an object, met the class {cell.__name__}: make one of it")
    for attribute, what in (
        ("call", "a method call(inputs, states) that answers (output, new states)"),
        ("state_size", "an attribute state_size, the size of its state or a list of sizes"),
    ):
        if not hasattr(cell, attribute):
            raise ValueError(f"{name}: a cell has {what}; met {cell!r}, which has no `{attribute}`")
    if not all(map(_is_size, state_sizes(cell))):
        raise ValueError(
            f"{name}: the state_size of a cell is a size above 0, or a list with one for each state; that of "
            f"{cell!r} is {cell.state_size!r}"
        )


def _is_size(size: Any) -> bool:
    sizes = list(size) if hasattr(size, "__len__") else [size]
    return is_shape(sizes) and all(n is not None and n > 0 for n in sizes)


def inputs_of(name: str, input_shape: Any) -> int:
    """The last size of a shape, or of the first in a list of shapes: a layer or cell has a row of weights for each.

    Raises ValueError, naming the layer or cell, where it is not known.
    """
    shape = input_shape if is_shape(input_shape) else input_shape[0]
    if shape[-1] is None:
        raise ValueError(
            f"{name} needs one row of its kernel for each input, and the last axis of {shape} has no fixed size: give "
            "it one in input_shape"
        )
    return int(shape[-1])


def state_sizes(cell: Any) -> list[Any]:
    """The sizes of a cell's states, as a list."""
    size = cell.state_size
    return list(size) if hasattr(size, "__len__") else [size]


def output_size(cell: Any) -> Any:
    """The size of a cell's output: that of its first state, unless it says otherwise."""
    size = getattr(cell, "output_size", None)
    return state_sizes(cell)[0] if size is None else size


def takes(cell: Any, argument: str) -> bool:
    """Whether the cell's `call` declares the argument."""
    return argument in keywords(cell.call)


def answer_of(name: str, cell: Any, count: int, answer: Any) -> tuple[Tensor, Sequence[Tensor]]:
    """What a cell's `call` answered: its output, and as many states as it has.

    Raises ValueError, naming the layer that called it, for anything else.
    """
    output, states = answer if isinstance(answer, list | tuple) and len(answer) == 2 else (None, None)
    if not isinstance(output, Tensor) or not isinstance(states, list | tuple) or len(states) != count:
        raise ValueError(
            f"{name}: the call of a cell answers its output and the list of its new states, as many as state_size has "
            f"sizes, {count}; that of {cell!r} answered {shown(answer)}"
        )
    return output, states


def build_cell(cell: Any, shape: Any, constants: Sequence[Any] = ()) -> None:
    """Make the weights of a cell that is a layer and has none yet, for inputs (batch, ...) of one step."""
    if isinstance(cell, Layer) and not cell.built:
        cell.build([shape, *constants] if constants else shape)
        cell.built = True


def forget_masks(cell: Any) -> None:
    """Let the cell, and the cells it is made of, draw new dropout masks for the next sequence."""
    for each in (cell, *getattr(cell, "cells", ())):
        for name in ("_dropout_mask", "_recurrent_dropout_mask"):
            if getattr(each, name, None) is not None:
                setattr(each, name, None)
