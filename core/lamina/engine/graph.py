"""Graph: the calls between a model's inputs and its outputs, and the order in which they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamina.engine.node import Node
from lamina.tensor import Tensor

if TYPE_CHECKING:
    from lamina.engine.layer import Layer


class Graph:
    """The nodes on the paths from `inputs` to `outputs`.

    layers: each once, the farthest from the outputs first; within one depth in the order met going back from the
        outputs, left to right.  This is the order of weights in files: it may not change.
    nodes_by_depth: {number of calls to the outputs: nodes}; a layer called twice has all its calls counted
        from the farther one.

    Raises ValueError when an output needs a tensor that no input leads to, when a call depends on itself, or when
    two layers share a name.
    """

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        order, met = _walk(outputs)
        nodes, layers = _depths(order)
        for tensor in inputs:  # an input that leads to no output belongs to the model all the same
            layer, node_index, _ = tensor._keras_history  # type: ignore[attr-defined]
            if layer not in layers:
                layers[layer] = nodes[layer._inbound_nodes[node_index]] = 0
                met[layer] = -1
        self.nodes = set(nodes)
        self.nodes_by_depth: dict[int, list[Node]] = {}
        for node, depth in nodes.items():
            self.nodes_by_depth.setdefault(depth, []).append(node)
        self.layers_by_depth: dict[int, list[Layer]] = {}
        for layer, depth in layers.items():
            self.layers_by_depth.setdefault(depth, []).append(layer)
        self.layers: list[Layer] = []
        for depth in sorted(self.layers_by_depth, reverse=True):
            self.layers_by_depth[depth].sort(key=met.__getitem__)
            self.layers += self.layers_by_depth[depth]
        self.calls = [
            node for depth in sorted(self.nodes_by_depth, reverse=True) for node in self.nodes_by_depth[depth]
        ]
        self._check_connected(inputs)
        self._check_names()

    def _check_connected(self, inputs: Sequence[Tensor]) -> None:
        known = {id(tensor) for tensor in inputs}
        reached: list[str] = []
        for node in self.calls:
            layer = node.outbound_layer
            for tensor in node.input_tensors:
                if id(tensor) not in known:
                    made = hasattr(tensor, "_keras_history")
                    raise ValueError(
                        f"Graph disconnected: cannot obtain value for tensor {tensor} at layer {layer.name!r}. The "
                        f"following previous layers were accessed without issue: {reached}. "
                        + ("Add the Input it comes from to the model's inputs" if made else _UNMADE)
                    )
            known.update(id(tensor) for tensor in node.output_tensors)
            reached.append(layer.name)

    def _check_names(self) -> None:
        for name, count in Counter(layer.name for layer in self.layers).items():
            if count > 1:
                raise ValueError(
                    f"The name {name!r} is used {count} times in the model. All layer names should be unique: give "
                    "one of these layers another name="
                )


_UNMADE = "No layer made this tensor: put the backend functions that did into a Lambda layer"


def _walk(outputs: Sequence[Tensor]) -> tuple[list[Node], dict[Layer, int]]:
    """All nodes behind `outputs`, each after those it reads, and the rank at which each layer was met."""
    order: list[Node] = []
    met: dict[Layer, int] = {}
    finished: set[Node] = set()
    open_: set[Node] = set()
    for output in outputs:
        layer, node_index, _ = output._keras_history  # type: ignore[attr-defined]
        stack = [(layer._inbound_nodes[node_index], False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                open_.remove(node)
                finished.add(node)
                order.append(node)
                continue
            if node in finished:
                continue
            if node in open_:
                raise ValueError(f"The call {node} at layer {node.outbound_layer.name!r} is part of a cycle")
            open_.add(node)
            met.setdefault(node.outbound_layer, len(met))
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(_sources(node)))
    return order, met


def _sources(node: Node) -> list[Node]:
    """The nodes that `node` reads from."""
    made = zip(node.inbound_layers, node.node_indices, strict=True)
    return [layer._inbound_nodes[index] for layer, index in made if layer is not None and index is not None]


def _depths(order: Sequence[Node]) -> tuple[dict[Node, int], dict[Layer, int]]:
    """How far each node and each layer is from the outputs, at most."""
    nodes: dict[Node, int] = {}
    layers: dict[Layer, int] = {}
    for node in reversed(order):
        depth = max(nodes.setdefault(node, 0), layers.get(node.outbound_layer, 0))
        nodes[node] = layers[node.outbound_layer] = depth
        for source in _sources(node):
            nodes[source] = max(depth + 1, nodes.get(source, 0))
    return nodes, layers


def get_source_inputs(
    tensor: Tensor, layer: Layer | None = None, node_index: int | None = None
) -> list[Tensor]:
    """The input tensors, each once, that `tensor` is computed from: what Model(inputs=...) wants.

    layer, node_index: the call to start from instead of the one that made `tensor`.
    """
    history = getattr(tensor, "_keras_history", None)
    if layer is None or node_index is None:
        if history is None:
            return [tensor]
        layer, node_index, _ = history
    if not layer._inbound_nodes:
        return [tensor]
    start = layer._inbound_nodes[node_index]
    found: list[Tensor] = []
    finished: set[Node] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node in finished:
            continue
        finished.add(node)
        if not node.inbound_layers:
            found += [tensor for tensor in node.output_tensors if all(tensor is not other for other in found)]
        stack.extend(reversed(_sources(node)))
    return found
