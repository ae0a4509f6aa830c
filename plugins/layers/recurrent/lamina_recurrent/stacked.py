"""StackedRNNCells: several cells, each fed by the one before, as one cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from lamina import layers
from lamina.engine.structure import is_shape
from lamina.tensor import Tensor
from lamina_recurrent.cells import (
    CellHolder,
    build_cell,
    check_cell,
    forget_masks,
    output_size,
    state_sizes,
    takes,
)
from lamina_registry import shown


class StackedRNNCells(CellHolder):
    """cells[n](... cells[1](cells[0](inputs))), one step of each, with the states of all.

    Input:   (batch, inputs) and the states, those of the last cell first, so that the first one is the output.
    Output:  that of the last cell, and the new states in the same order.
    Weights: those of the cells, in their order.

    cells: list of cells.

    Raises ValueError for no cells, and for a cell without `call` or `state_size`.
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(cells, list | tuple) or not cells:
            raise ValueError(
                f"{self.name} is a stack of cells, in a list of at least one; met {shown(cells)}"
            )
        for cell in cells:
            check_cell(self.name, cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> tuple[int, ...]:
        """The sizes of all states, those of the last cell first."""
        return tuple(size for cell in reversed(self.cells) for size in state_sizes(cell))

    @property
    def output_size(self) -> int:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        shape, *constants = [input_shape] if is_shape(input_shape) else input_shape
        for cell in self.cells:
            build_cell(cell, shape, constants if takes(cell, "constants") else [])
            shape = (shape[0], output_size(cell))
        super().build(input_shape)

    def call(
        self, inputs: Any, states: Sequence[Tensor] | None = None, constants: Any = None, training: Any = None
    ) -> Any:
        if states is None:
            forget_masks(self)
            output, after = self.call(inputs[0], inputs[1:], training=training)
            return [output, *after]
        given = list(states)
        new: list[list[Tensor]] = []
        for cell in self.cells:
            count = len(state_sizes(cell))
            own = given[len(given) - count :]
            del given[len(given) - count :]
            arguments = {"constants": constants, "training": training}
            wanted = {
                name: value for name, value in arguments.items() if takes(cell, name) and value is not None
            }
            inputs, after = cell.call(inputs, own, **wanted)
            new.insert(0, list(after))
        return inputs, [state for after in new for state in after]

    def held(self) -> list[Any]:
        return self.cells

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [layers.serialize(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new stack of new cells from what `get_config` gave.  custom_objects: {name: class} of cells."""
        given = dict(config)
        cells = given.pop("cells", None)
        if not isinstance(cells, list | tuple):
            raise ValueError(f"the config of {cls.__name__} has a list of cells, not {shown(cells)}")
        objects = dict(custom_objects or {})
        return cls([layers.deserialize(cell, custom_objects=objects) for cell in cells], **given)
