"""What callbacks that watch a value, or turn the learning rate, have in common."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from lamina import backend as K


def larger_is_better(monitor: str, mode: str, who: str, prefixes: Iterable[str] = ()) -> bool:
    """Whether `monitor` should grow: as `mode` says, "max" or "min", or, for "auto", by its name.

    prefixes: of names, besides those with "acc" in them, that should grow.
    """
    if not isinstance(monitor, str):
        raise TypeError(
            f"{who} watches a value of the logs by its name, such as 'val_loss'; met monitor={monitor!r}"
        )
    if mode not in ("auto", "min", "max"):
        warnings.warn(f"{who} mode {mode} is unknown, fallback to auto mode.", RuntimeWarning, stacklevel=3)
        mode = "auto"
    if mode == "auto":
        return "acc" in monitor or monitor.startswith(tuple(prefixes))
    return mode == "max"


def watched(monitor: str, logs: Mapping[str, Any], what: str) -> Any:
    """The value of `monitor`; None, with a warning, where there is none.  what: it does, without the value."""
    value = logs.get(monitor)
    if value is None:
        warnings.warn(
            f"{what} conditioned on metric `{monitor}` which is not available. "
            f"Available metrics are: {','.join(logs)}",
            RuntimeWarning,
            stacklevel=3,
        )
    return value


def learning_rate(model: Any) -> Any:
    """The learning rate of a model's optimizer, as a NumPy number."""
    if not hasattr(model.optimizer, "lr"):
        raise ValueError(
            f'Optimizer must have a "lr" attribute. {type(model.optimizer).__name__} has none to turn'
        )
    return K.get_value(model.optimizer.lr)[()]


def set_learning_rate(model: Any, rate: float) -> None:
    K.set_value(model.optimizer.lr, rate)
