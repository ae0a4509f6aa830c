"""Cells: what one has, and layers that hold some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.engine.signature import keywords
from lamina.layers import Layer


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
