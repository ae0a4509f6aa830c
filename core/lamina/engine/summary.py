"""The table that `model.summary()` prints: Keras 2's, to the letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lamina.engine.layer import Layer
from lamina.engine.weights import count_params, unique
from lamina_registry.errors import printable

if TYPE_CHECKING:
    from lamina.engine.network import Network


def print_summary(
    model: Network,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], object] | None = None,
) -> None:
    """Print a table of a model's layers: name and class, output shape, parameters and, in a graph, connections.

    line_length: characters; 65 for a stack of layers, 98 for a graph.
    positions: where each column ends, as a fraction of the line, or in characters when the last is above 1.
    print_fn: called with each line; print by default.

    Raises ValueError when the model is not built.
    """
    if not model.built:
        raise ValueError(
            f"{model.name} has never been called, thus its weights have not yet been created, so no summary can be "
            "displayed. Build it first: give its first layer an input_shape, call it on a tensor, or fit it to data"
        )
    show = print_fn or print
    stack = _is_stack(model)
    width = line_length or (65 if stack else 98)
    ends = positions or ([0.45, 0.85, 1.0] if stack else [0.33, 0.55, 0.67, 1.0])
    columns = [int(width * end) for end in ends] if ends[-1] <= 1 else [int(end) for end in ends]
    titles = ["Layer (type)", "Output Shape", "Param #", "Connected to"]

    show("_" * width)
    show(_row(titles[:3] if stack else titles, columns))
    show("=" * width)
    layers = model.layers
    for number, layer in enumerate(layers, start=1):
        fields = [f"{layer.name} ({type(layer).__name__})", _output_shape(layer), _params(layer)]
        if stack:
            show(_row(fields, columns))
        else:
            first, *others = _connections(model, layer) or [""]
            show(_row([*fields, first], columns))
            for other in others:
                show(_row(["", "", "", other], columns))
        show(("=" if number == len(layers) else "_") * width)

    compiled = getattr(model, "_compiled", None)  # what was trainable then is what training changes
    trainable = count_params((compiled or model).trainable_weights)
    total = count_params(unique(model.weights))
    show(f"Total params: {total:,}")
    show(f"Trainable params: {trainable:,}")
    show(f"Non-trainable params: {total - trainable:,}")
    show("_" * width)


def _is_stack(model: Network) -> bool:
    """Whether the model is a plain chain of calls, each layer called once: it needs no column of connections."""
    from lamina.engine.sequential import Sequential

    if isinstance(model, Sequential) or not model._is_graph_network:
        return True
    if any(len(nodes) > 1 or len(nodes[0].inbound_layers) > 1 for nodes in model._nodes_by_depth.values()):
        return False
    return len(model._graph.nodes) == len(model.layers)


def _row(fields: Sequence[Any], columns: Sequence[int]) -> str:
    """Each field in its column, cut where it is too long; one space stays between columns."""
    line = ""
    for field, end in zip(fields, columns, strict=False):
        # A layer that came from a file may have any name; a terminal shows it, and does not obey it.
        line = (line[:-1] + " " if line else "") + printable(str(field)).replace("\n", "\\n")
        line = line[:end].ljust(end)
    return line


def _output_shape(layer: Layer) -> Any:
    try:
        return layer.output_shape
    except AttributeError:
        return "multiple"


def _params(layer: Layer) -> int:
    return layer.count_params()


def _connections(model: Network, layer: Layer) -> list[str]:
    """Where the inputs of the layer's calls in this model come from: layer[node][tensor]."""
    return [
        f"{source.name}[{node_index}][{tensor_index}]"
        for node in layer._inbound_nodes
        if node in model._graph.nodes
        for source, node_index, tensor_index in zip(
            node.inbound_layers, node.node_indices, node.tensor_indices, strict=True
        )
        if source is not None
    ]
