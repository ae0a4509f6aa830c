"""Weights of layers and models: their first values, setting them from arrays, counting them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.engine.signature import keywords
from lamina.tensor import Shape, Variable
from lamina_registry import shown


def assign(name: str, variables: Sequence[Variable], arrays: Sequence[Any]) -> None:
    """Set `variables` from `arrays`, all or none.  Raises ValueError naming `name`, the weight and both shapes."""
    if isinstance(arrays, str) or not hasattr(arrays, "__len__"):
        raise TypeError(
            f'set_weights of "{name}" takes the list of arrays that get_weights gives, met {shown(arrays)}'
        )
    if not variables and len(arrays):
        raise ValueError(
            f'You called `set_weights(weights)` on "{name}" with a list of {len(arrays)} arrays, but it has no '
            "weights: call it on a tensor first, which makes them, if it is to have some"
        )
    if len(variables) != len(arrays):
        raise ValueError(
            f'You called `set_weights(weights)` on "{name}" with a list of {len(arrays)} arrays, '
            f"but it has {len(variables)} weights{_listed(variables)}"
        )
    pairs = []
    for variable, given in zip(variables, arrays, strict=True):
        try:
            array = np.asarray(given, dtype=variable.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'Weight {variable.name} of "{name}" cannot be set from {shown(given)}: {error}'
            ) from error
        pairs.append((variable, array))
    for variable, array in pairs:
        if variable.shape != array.shape:
            raise ValueError(
                f'Weight {variable.name} of "{name}" has shape {variable.shape}, '
                f"not compatible with provided weight shape {array.shape}"
            )
    K.batch_set_value(pairs)


def from_file(
    layers: Sequence[Any], weights: Sequence[Variable], arrays: list[np.ndarray], **written: Any
) -> list[np.ndarray]:
    """The arrays that a file has for `weights`, one each, as the layers that these belong to convert them.

    written: what the file says of its writer: the arguments of `Layer.weights_from_file`.
    """
    given = {id(weight): array for weight, array in zip(weights, arrays, strict=True)}
    converted = dict(given)  # apart from what was given: a layer in two wrappers is asked twice
    for layer in layers:
        own = list(map(id, layer.weights))
        found = layer.weights_from_file([given[at] for at in own], **written)
        converted.update(zip(own, found, strict=True))
    return [converted[id(weight)] for weight in weights]


def is_keras_1(version: str) -> bool:
    """Whether a file's `keras_version` is one of those whose layers kept some weights in another layout."""
    return version.partition(".")[0] == "1"


def _listed(variables: Sequence[Variable]) -> str:
    return (
        ": "
        + ", ".join(f"{v.name} {v.shape}" for v in variables[:8])
        + (", ..." if len(variables) > 8 else "")
    )


def count_params(weights: Sequence[Variable]) -> int:
    """How many numbers these weights hold; a weight that appears twice counts once."""
    return sum(int(np.prod(weight.shape)) for weight in unique(weights))


def unique(things: Sequence[Any]) -> list[Any]:
    """Each thing once, in the order of first appearance.  Numbers all stay: equal ones are not one thing."""
    seen: set[int] = set()
    kept = []
    for thing in things:
        if isinstance(thing, int | float) or id(thing) not in seen:
            seen.add(id(thing))
            kept.append(thing)
    return kept


def initial_value(initializer: Callable[..., Any], shape: Shape, dtype: str) -> Any:
    """What `initializer` makes for a weight; it is told the dtype when it takes one."""
    function = initializer if hasattr(initializer, "__name__") else type(initializer).__call__
    try:
        takes_dtype = "dtype" in keywords(function)
    except (TypeError, ValueError):  # a callable that shows no signature
        takes_dtype = False
    return initializer(shape, dtype=dtype) if takes_dtype else initializer(shape)
