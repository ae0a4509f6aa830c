"""The calls of a layer: what each read and made, in the order they were made."""

from __future__ import annotations

from typing import Any

from lamina.engine.node import Node
from lamina.engine.structure import unpacked
from lamina.tensor import Shape


class Called:
    """A thing that is called on tensors, and remembers each call as a node.

    `input`, `output` and their kin speak of the only call; with `get_input_at(0)` and its kin every call can be
    asked for, the last one as -1.  A single tensor, mask or shape stands alone, several are a list.
    """

    name: str
    _inbound_nodes: list[Node]
    _outbound_nodes: list[Node]

    @property
    def input(self) -> Any:
        """The input tensor, or list of tensors, of a layer called once."""
        return unpacked(self._only_node("input").input_tensors)

    @property
    def output(self) -> Any:
        """The output tensor, or list of tensors, of a layer called once."""
        return unpacked(self._only_node("output").output_tensors)

    @property
    def input_mask(self) -> Any:
        """The mask of the input, or list of masks, of a layer called once."""
        return unpacked(self._only_node("input mask", "get_input_mask_at").input_masks)

    @property
    def output_mask(self) -> Any:
        """The mask of the output, or list of masks, of a layer called once."""
        return unpacked(self._only_node("output mask", "get_output_mask_at").output_masks)

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or list of shapes, where all calls agree."""
        return self._common_shape("input", [node.input_shapes for node in self._inbound_nodes])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or list of shapes, where all calls agree."""
        return self._common_shape("output", [node.output_shapes for node in self._inbound_nodes])

    def get_input_at(self, node_index: int) -> Any:
        """The input tensor, or list of tensors, of one call, counted from 0."""
        return unpacked(self._node(node_index, "input").input_tensors)

    def get_output_at(self, node_index: int) -> Any:
        """The output tensor, or list of tensors, of one call, counted from 0."""
        return unpacked(self._node(node_index, "output").output_tensors)

    def get_input_mask_at(self, node_index: int) -> Any:
        """The mask of the input, or list of masks, of one call, counted from 0."""
        return unpacked(self._node(node_index, "input mask").input_masks)

    def get_output_mask_at(self, node_index: int) -> Any:
        """The mask of the output, or list of masks, of one call, counted from 0."""
        return unpacked(self._node(node_index, "output mask").output_masks)

    def get_input_shape_at(self, node_index: int) -> Any:
        """The shape of the input, or list of shapes, of one call, counted from 0."""
        return unpacked(self._node(node_index, "input shape").input_shapes)

    def get_output_shape_at(self, node_index: int) -> Any:
        """The shape of the output, or list of shapes, of one call, counted from 0."""
        return unpacked(self._node(node_index, "output shape").output_shapes)

    def _only_node(self, what: str, instead: str | None = None) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name} is not connected, no {what} to return: call it on a tensor first"
            )
        if len(self._inbound_nodes) > 1:
            raise AttributeError(
                f'Layer {self.name} has multiple inbound nodes, hence the notion of "layer {what}" is ill-defined. '
                f"Use `{instead or f'get_{what}_at'}(node_index)` instead."
            )
        return self._inbound_nodes[0]

    def _common_shape(self, what: str, shapes: list[list[Shape]]) -> Any:
        if not shapes:
            raise AttributeError(
                f"Layer {self.name} has never been called and thus has no defined {what} shape."
            )
        if any(each != shapes[0] for each in shapes):
            raise AttributeError(
                f"Layer {self.name} has multiple inbound nodes with different {what} shapes, "
                f'hence the notion of "{what} shape" is ill-defined. Use `get_{what}_shape_at(node_index)` instead.'
            )
        return unpacked(shapes[0])

    def _node(self, index: int, what: str) -> Node:
        if not self._inbound_nodes:
            raise RuntimeError(f"Layer {self.name} has never been called and thus has no defined {what}.")
        count = len(self._inbound_nodes)
        if not -count <= index < count:
            raise ValueError(
                f"Asked to get the {what} of {self.name} at node {index}, but the layer has only {count} inbound "
                "nodes, counted from 0."
            )
        return self._inbound_nodes[index]
