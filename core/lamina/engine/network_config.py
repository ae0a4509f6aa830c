"""The config of a graph of layers, in the form of Keras 2: layers by name, calls by (layer, node, tensor, keywords).

    {"name": "model_1",
     "layers": [{"name": "dense_1", "class_name": "Dense", "config": {...},
                 "inbound_nodes": [[["input_1", 0, 0, {}]]]}, ...],
     "input_layers": [["input_1", 0, 0]], "output_layers": [["dense_1", 0, 0]]}

Nodes are counted among those of the network alone, a network's own first node included.
"""

from __future__ import annotations

import heapq
import json
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lamina import layers as registered
from lamina.engine.node import Node
from lamina.engine.structure import unpacked
from lamina.tensor import Tensor
from lamina_registry import registered_name, shown

if TYPE_CHECKING:
    from lamina.engine.layer import Layer
    from lamina.engine.network import Network


def config_of(network: Network) -> dict[str, Any]:
    """The config of a network."""
    numbers: dict[Node, int] = {}
    for layer in network.layers:
        mine = [node for node in layer._inbound_nodes if node in network._graph.nodes]
        numbers.update((node, index) for index, node in enumerate(mine, start=_first(layer)))

    def place(layer: Layer, node_index: int, tensor_index: int) -> list[Any]:
        return [layer.name, numbers[layer._inbound_nodes[node_index]], tensor_index]

    layers = []
    for layer in network.layers:
        calls = [node for node in layer._inbound_nodes if node in numbers and node.inbound_layers]
        layers.append(
            {
                "name": layer.name,
                "class_name": registered_name("layers", layer),
                "config": layer.get_config(),
                "inbound_nodes": [
                    [[*place(*origin), _arguments(layer, node)] for origin in _origins(node)]
                    for node in calls
                ],
            }
        )
    return {
        "name": network.name,
        "layers": layers,
        "input_layers": [place(*origin) for origin in network._input_coordinates],
        "output_layers": [place(*origin) for origin in network._output_coordinates],
    }


def _first(layer: Layer) -> int:
    """The number of a layer's first call: a network has a node of its own before it."""
    from lamina.engine.network import Network

    return 1 if isinstance(layer, Network) else 0


def _origins(node: Node) -> Any:
    return zip(node.inbound_layers, node.node_indices, node.tensor_indices, strict=True)


def _arguments(layer: Layer, node: Node) -> dict[str, Any]:
    try:
        json.dumps(node.arguments)
    except TypeError:
        warnings.warn(
            f"Layer {layer.name} was passed non-serializable keyword arguments: {node.arguments}. They will not be "
            "included in the serialized model (and thus will be missing at deserialization time).",
            stacklevel=5,
        )
        return {}
    return dict(node.arguments)


Place = tuple[str, int, int]
"""Where a tensor comes from: the layer's name, which of its calls, which of that call's outputs."""


def tensors_of(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    given: Mapping[str, Layer] = MappingProxyType({}),
) -> tuple[list[Tensor], list[Tensor], str | None]:
    """The inputs and outputs of a new network made from its config, and its name.

    given: layers to take, called as they are, in place of those of these names.

    Raises UnknownName for a layer nobody offers, ValueError where the config does not describe a graph.
    """
    name = config.get("name") if isinstance(config, Mapping) else None
    draft = _Draft(f"the config of the model {shown(name)}")
    config = draft.mapping(config, "config", "layers", "input_layers", "output_layers")
    objects = dict(custom_objects) if custom_objects else None
    for entry in draft.sequence(config["layers"], "layers"):
        draft.add(
            draft.mapping(entry, "layer", "name", "class_name", "config", "inbound_nodes"), objects, given
        )
    draft.make_calls()
    return draft.ends(config["input_layers"]), draft.ends(config["output_layers"]), name


class _Draft:
    """A network being made from its config, each part of which is checked before it is used.

    layers: by name.  waiting: the calls not made yet, by layer, each as (places of inputs, keyword arguments).
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.layers: dict[str, Layer] = {}
        self.waiting: list[tuple[str, list[tuple[list[Place], dict[str, Any]]]]] = []

    def add(
        self, entry: Mapping[str, Any], objects: dict[str, Any] | None, given: Mapping[str, Layer]
    ) -> None:
        """Make one layer, and note its calls."""
        name = entry["name"]
        if not isinstance(name, str) or name in self.layers:
            raise self.error(f"the layer name {shown(name)} is no name, or that of two layers")
        if name in given:
            self.layers[name] = given[name]
            return
        layer = registered.deserialize(
            {"class_name": entry["class_name"], "config": entry["config"]}, objects
        )
        if not hasattr(layer, "_inbound_nodes"):
            raise self.error(f"{shown(entry['class_name'])} is no layer")
        self.layers[name] = layer
        calls = [self.call(node) for node in self.sequence(entry["inbound_nodes"], "inbound_nodes")]
        if calls:
            self.waiting.append((name, calls))

    def call(self, node: Any) -> tuple[list[Place], dict[str, Any]]:
        entries = [self.sequence(entry, "an input of a call") for entry in self.sequence(node, "a call")]
        if not entries:
            raise self.error("a call has no inputs")
        last = entries[-1]
        arguments = self.mapping(last[3], "set of keyword arguments") if len(last) > 3 else {}
        return [self.place(entry) for entry in entries], dict(arguments)

    def make_calls(self) -> None:
        """Call the layers, each in the order of its calls, as soon as there are the tensors to call it on.

        The layers are gone through in order, again and again; who waits for a node is left out until it is there.
        """
        blocked: dict[tuple[str, int], list[int]] = {}
        now, later = list(range(len(self.waiting))), list[int]()
        while now:
            while now:
                index = heapq.heappop(now)
                name, calls = self.waiting[index]
                first = len(self.layers[name]._inbound_nodes)
                missing, left = self.called(self.layers[name], calls)
                self.waiting[index] = name, left
                if missing is not None:
                    blocked.setdefault(missing[:2], []).append(index)
                for node_index in range(first, len(self.layers[name]._inbound_nodes)):
                    for other in blocked.pop((name, node_index), ()):
                        heapq.heappush(now if other > index else later, other)
            now, later = later, []
        stuck = next((name for name, left in self.waiting if left), None)
        if stuck is not None:
            raise self.error(f"layer {shown(stuck)} is called on a tensor that no layer makes")

    def called(self, layer: Layer, calls: list[Any]) -> tuple[Place | None, list[Any]]:
        """Make the calls that can be made; the place of what is missing for the next, and those that are left."""
        for done, (places, arguments) in enumerate(calls):
            found = {place: self.tensor(place) for place in places}
            missing = next((place for place, tensor in found.items() if tensor is None), None)
            if missing is not None:
                return missing, calls[done:]
            layer(unpacked([found[place] for place in places]), **arguments)
        return None, []

    def ends(self, places: Any) -> list[Tensor]:
        """The tensors that a list of places names."""
        tensors = [
            self.tensor(self.place(place)) for place in self.sequence(places, "a list of inputs or outputs")
        ]
        found = [tensor for tensor in tensors if tensor is not None]
        if not found or len(found) < len(tensors):
            raise self.error(f"{shown(places)} names no tensor, or one that no layer makes")
        return found

    def tensor(self, place: Place) -> Tensor | None:
        """The tensor at a place, or None while it does not exist."""
        name, node_index, tensor_index = place
        nodes = self.layers[name]._inbound_nodes if name in self.layers else []
        tensors = nodes[node_index].output_tensors if 0 <= node_index < len(nodes) else []
        return tensors[tensor_index] if 0 <= tensor_index < len(tensors) else None

    # ---- what the parts of a config must be

    def error(self, problem: str) -> ValueError:
        return ValueError(f"{self.where}: {problem}")

    def mapping(self, value: Any, what: str, *keys: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.error(f"a {what} is a dict, met {shown(value)}")
        missing = [key for key in keys if key not in value]
        if missing:
            raise self.error(
                f"a {what} has {', '.join(keys)}; {', '.join(missing)} not found in {shown(value)}"
            )
        return value

    def sequence(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise self.error(f"{what} is a list, met {shown(value)}")
        return list(value)

    def place(self, value: Any) -> Place:
        match value:
            case [str(name), int(node_index), int(tensor_index), *_]:
                return name, node_index, tensor_index
        raise self.error(f"a tensor's place is [layer, node, tensor], met {shown(value)}")
