"""Weights of samples, time steps and classes, as one array for each output."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.training.forms import as_array, shown
from lamina.training.objective import Objective


def per_output(argument: str, value: Any, names: Sequence[str]) -> list[Any]:
    """One entry of `value` for each output: a list, a dict by output name, or for a single output the thing itself."""
    if value is None or (isinstance(value, list | tuple | dict) and not value):
        return [None] * len(names)
    if len(names) == 1:
        if isinstance(value, list) and len(value) == 1 and not np.isscalar(value[0]):
            return value
        return [value[names[0]]] if isinstance(value, Mapping) and names[0] in value else [value]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(
                f"{argument} has {len(value)} entries, and there are {len(names)} outputs {list(names)}"
            )
        return list(value)
    if isinstance(value, Mapping):
        unknown = [name for name in value if name not in names]
        if unknown:
            raise ValueError(
                f"Unknown entry in {argument} dictionary: {unknown[0]!r}. The outputs are {list(names)}"
            )
        return [value.get(name) for name in names]
    raise TypeError(
        f"The model has the outputs {list(names)}, so {argument} must be a list or a dict by output name; "
        f"met {shown(value)}"
    )


def sample_weights(objective: Objective, target: Any, weights: Any, by_class: Any) -> Any:
    """The weights of one output's samples (or time steps), or None when all count the same."""
    if weights is not None and by_class is not None:
        warnings.warn(
            "Found both `sample_weight` and `class_weight`: `class_weight` is ignored.", stacklevel=5
        )
    name, shape = objective.name, tuple(target.shape)
    if objective.temporal and len(shape) < 3:
        raise ValueError(
            f"{name}: sample_weight_mode='temporal' weighs time steps, and needs targets with a time axis, of 3 or "
            f"more dimensions; met targets of shape {shape}"
        )
    if weights is not None:
        return _checked_weights(objective, shape, weights)
    return None if by_class is None else class_weights(name, target, by_class, objective.temporal)


def _checked_weights(objective: Objective, shape: tuple[int, ...], weights: Any) -> np.ndarray:
    name = objective.name
    if isinstance(weights, Mapping):
        raise TypeError(
            f"{name}: sample_weight is an array of one weight a sample, met the dict {shown(weights)}. Weights of "
            "classes are class_weight (which comes first in the train_on_batch of a Sequential)"
        )
    weights = as_array(getattr(weights, "values", weights), f"sample_weight of {name}")
    ndim = 2 if objective.temporal else 1
    if weights.ndim != ndim:
        remedy = (
            "With sample_weight_mode='temporal' it is (samples, time steps)."
            if objective.temporal
            else "It is (samples,); for weights of time steps pass sample_weight_mode='temporal' to compile()."
        )
        raise ValueError(f"{name}: met a sample_weight array of shape {weights.shape}. {remedy}")
    if weights.shape != shape[:ndim]:
        raise ValueError(
            f"{name}: met a sample_weight array of shape {weights.shape} for targets of shape {shape}; "
            f"it must have shape {shape[:ndim]}"
        )
    _check_finite(name, "sample_weight", weights)
    return weights


def _check_finite(name: str, argument: str, weights: np.ndarray) -> None:
    """A single NaN among the weights would make the loss NaN, and soon the model."""
    if not np.isfinite(weights).all():
        raise ValueError(
            f"{name}: {argument} holds {weights[~np.isfinite(weights)][0]}; weights are finite numbers"
        )


def class_weights(name: str, target: Any, by_class: Any, temporal: bool) -> np.ndarray:
    """The weight of each sample's class: the largest entry's position in its row, or the value in a single column."""
    if not isinstance(by_class, Mapping):
        raise TypeError(f"{name}: class_weight is a dict from class to weight, met {shown(by_class)}")
    if len(target.shape) > 2 or temporal:
        raise ValueError(
            f"{name}: class_weight is for targets of one class a sample, (samples, classes) or (samples, 1); "
            f"met targets of shape {tuple(target.shape)}. Use sample_weight instead"
        )
    rows = np.asarray(target[:])
    classes = rows.argmax(axis=1) if rows.shape[1] > 1 else rows[:, 0]
    present, index = np.unique(classes, return_inverse=True)
    missing = [one for one in present.tolist() if one not in by_class]
    if missing:
        raise ValueError(
            f"{name}: class_weight must have all classes in the data; {missing[:10]} are missing from "
            f"{list(by_class)[:10]}"
        )
    weights = as_array([by_class[one] for one in present.tolist()], f"class_weight of {name}").astype(
        "float64"
    )
    _check_finite(name, "class_weight", weights)
    return weights[index.reshape(-1)]
