"""Objects as configs and back, and where a tensor comes from, for code that extends Keras 2."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lamina.utils import CustomObjectScope, get_custom_objects


def serialize_keras_object(instance: Any) -> Any:
    """{"class_name", "config"} of an object with a get_config, the name of a function, None for None."""
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": type(instance).__name__, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return instance.__name__
    raise ValueError(f"Cannot serialize {instance!r}: it has neither get_config nor a name")


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """What `serialize_keras_object` told of.

    identifier: a name, or {"class_name", "config"}.
    module_objects: where names are looked up, after custom_objects and those of CustomObjectScope.
    printable_module_name: what errors call the thing.

    Raises ValueError for a name that is in none of them.  Nothing is ever imported.
    """
    known = {**(module_objects or {}), **get_custom_objects(), **(custom_objects or {})}
    if isinstance(identifier, str):
        return _found(identifier, known, printable_module_name)
    if not isinstance(identifier, Mapping) or not {"class_name", "config"} <= identifier.keys():
        raise ValueError(
            f"Could not interpret serialized {printable_module_name}: {identifier!r}; it is a name or has the keys "
            "'class_name' and 'config'"
        )
    made, config = _found(identifier["class_name"], known, printable_module_name), identifier["config"]
    with CustomObjectScope(dict(custom_objects or {})):
        if not hasattr(made, "from_config"):
            return made(**config)
        if custom_objects and "custom_objects" in inspect.signature(made.from_config).parameters:
            return made.from_config(config, custom_objects=dict(custom_objects))
        return made.from_config(config)


def _found(name: str, known: Mapping[str, Any], what: str) -> Any:
    found = known.get(name)
    if found is None:
        raise ValueError(f"Unknown {what}: {name!r}. Pass it in custom_objects={{{name!r}: ...}}")
    return found


def get_source_inputs(tensor: Any, layer: Any = None, node_index: int | None = None) -> list[Any]:
    """The Input tensors that are needed to compute `tensor`, each once, in the order of the graph.

    layer, node_index: whose call made it; by default what the tensor itself says.
    """
    if not hasattr(tensor, "_keras_history"):
        return [tensor]
    if layer is None or node_index is None:
        layer, node_index, _ = tensor._keras_history
    found: dict[int, Any] = {}
    seen = set()
    calls = [(layer, node_index)]
    while calls:
        layer, node_index = calls.pop()
        if (id(layer), node_index) in seen:
            continue
        seen.add((id(layer), node_index))
        node = layer._inbound_nodes[node_index] if layer._inbound_nodes else None
        if node is None or not node.inbound_layers:
            found.update((id(one), one) for one in (node.input_tensors if node else [tensor]))
            continue
        calls += [one._keras_history[:2] for one in reversed(node.input_tensors)]
    return list(found.values())
