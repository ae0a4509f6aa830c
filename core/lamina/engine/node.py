"""Node: one call of a layer, the edge of the graph that models are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lamina.tensor import Shape, Tensor

if TYPE_CHECKING:
    from lamina.engine.layer import Layer


@dataclass(eq=False, slots=True, weakref_slot=True)
class Node:
    """One call of `outbound_layer`: the tensors it read and made, with their masks and shapes.

    For each input tensor: the layer that made it (None for a tensor that no layer made), which of that layer's
    calls, and which of the outputs of that call.  Making a node enters it in the lists of both ends.

    arguments: the keyword arguments that the user gave to the call.
    """

    outbound_layer: Layer
    inbound_layers: list[Layer | None]
    node_indices: list[int | None]
    tensor_indices: list[int | None]
    input_tensors: list[Tensor]
    output_tensors: list[Tensor]
    input_masks: list[Any]
    output_masks: list[Any]
    input_shapes: list[Shape]
    output_shapes: list[Shape]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer in self.inbound_layers:
            if layer is not None:
                layer._outbound_nodes.append(self)
        self.outbound_layer._inbound_nodes.append(self)

    def get_config(self) -> dict[str, Any]:
        """The call in names and indices."""
        return {
            "outbound_layer": self.outbound_layer.name,
            "inbound_layers": [layer.name if layer is not None else None for layer in self.inbound_layers],
            "node_indices": self.node_indices,
            "tensor_indices": self.tensor_indices,
        }

    def __repr__(self) -> str:
        names = [layer.name if layer is not None else "?" for layer in self.inbound_layers]
        return f"<Node {', '.join(names)} -> {self.outbound_layer.name}>"
