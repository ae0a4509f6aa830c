"""Calls as Keras 1 writes them, understood as in Keras 2: names that changed are told in a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from lamina.engine.signature import keywords
from lamina_registry import shown

Function = TypeVar("Function", bound=Callable[..., Any])

# What arguments of layers are called now: of several names the one that the layer has.
_NAMES: dict[str, tuple[str, ...]] = {
    "U_regularizer": ("recurrent_regularizer",),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "b_constraint": ("bias_constraint",),
    "b_regularizer": ("bias_regularizer",),
    "beta_init": ("beta_initializer",),
    "bias": ("use_bias",),
    "border_mode": ("padding",),
    "dim_ordering": ("data_format",),
    "dropout_U": ("recurrent_dropout",),
    "dropout_W": ("dropout",),
    "filter_length": ("kernel_size",),
    "gamma_init": ("gamma_initializer",),
    "init": ("kernel_initializer", "embeddings_initializer", "alpha_initializer"),
    "inner_activation": ("recurrent_activation",),
    "inner_init": ("recurrent_initializer",),
    "length": ("size",),
    "nb_filter": ("filters",),
    "output_dim": ("units",),
    "p": ("rate",),
    "pool_length": ("pool_size",),
    "sigma": ("stddev",),
    "stride": ("strides",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
}
_BESIDE = {"stride": "pool_size"}  # where convolutions had subsample, and a stride is a slip of the pen
_VALUES: dict[str, dict[Any, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first", "default": None}
}
_SIZES = ("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")  # of one kernel_size
_OF_KERAS_2 = "padding", "strides", "data_format"


def understood(init: Function) -> Function:
    """The constructor of a layer, which takes its arguments by the names and in the places of Keras 1, too.

    A class whose `kernel_axes` is n takes n whole numbers in place of kernel_size and strides as one kernel_size.
    """

    @wraps(init)
    def told(self: Any, *args: Any, **kwargs: Any) -> None:
        known = keywords(init)
        now = _by_new_names(kwargs, known) if any(name not in known for name in kwargs) else kwargs
        # A subclass may have other arguments in these places.
        axes = getattr(type(self), "kernel_axes", 0) if known.names[2:4] == ("kernel_size", "strides") else 0
        in_places = axes > 0 and len(args) == 1 + axes and all(type(size) is int for size in args[1:])
        if in_places:
            new = [name for name in _OF_KERAS_2 if name in kwargs]
            if new:
                raise ValueError(
                    f"{type(self).__name__}{args} with {', '.join(new)} may be meant as Keras 1 or as Keras 2 has "
                    f"it: write kernel_size={args[1:]}, or pass strides by name"
                )
            args = args[0], args[1:]
        if in_places or now.keys() != kwargs.keys():
            _warn(type(self).__name__, args, now)
        init(self, *args, **now)

    return cast("Function", told)


def _by_new_names(kwargs: Mapping[str, Any], known: Any) -> dict[str, Any]:
    found = dict(kwargs)
    for parts in _SIZES:
        if "kernel_size" in known and "kernel_size" not in found and found.keys() >= set(parts):
            found["kernel_size"] = tuple(found.pop(part) for part in parts)
    if "beta_initializer" in known and "mode" not in known and found.get("mode") == 0:
        del found["mode"]  # the only one that is left
    for name in kwargs:
        new = next((new for new in _NAMES.get(name, ()) if new in known and new not in kwargs), None)
        if new is not None and name not in known and _BESIDE.get(name, new) in known:
            value = found.pop(name)
            found[new] = _VALUES[name].get(value, value) if name in _VALUES else value
    return found


def _warn(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    now = [*map(shown, args), *[f"{key}={shown(value)}" for key, value in kwargs.items()]]
    warnings.warn(f"Update your `{name}` call to the Keras 2 API: `{name}({', '.join(now)})`", stacklevel=3)


# ---- methods


def shape_may_lead(add_weight: Function) -> Function:
    """`add_weight`, whose first argument may be the shape: Keras 1's order.

    Only a list or tuple is taken for the shape; what follows it is the name.
    """

    @wraps(add_weight)
    def in_either_order(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], list | tuple):
            return add_weight(self, *args[1:], shape=args[0], **kwargs)
        return add_weight(self, *args, **kwargs)

    return cast("Function", in_either_order)


def constraints_may_come(get_updates: Function) -> Function:
    """`get_updates`, which Keras 1's order of arguments calls, too: (params, constraints, loss).

    Those constraints are not used: variables have their own.
    """

    @wraps(get_updates)
    def in_either_order(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if len(args) == 3:
            params, _, loss = args
            return get_updates(self, loss=loss, params=params)
        return get_updates(self, *args, **kwargs)

    return cast("Function", in_either_order)


# ---- generators

_OF_GENERATORS = {
    "max_q_size": "max_queue_size",
    "nb_epoch": "epochs",
    "nb_val_samples": "validation_steps",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "samples_per_epoch": "steps_per_epoch",
    "val_samples": "steps",
}


def generating(method: Function) -> Function:
    """`fit_generator` and its kin, which take the names of Keras 1, too.

    Where Keras 1 counts samples, Keras 2 counts batches: `samples_per_epoch` is divided by the generator's batch_size
    if it has one, and nothing else is.
    """

    @wraps(method)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        known = keywords(method)
        old = {name: new for name, new in _OF_GENERATORS.items() if name in kwargs and new in known}
        if old:
            source = args[0] if args else kwargs.get("generator")
            size = getattr(source, "batch_size", None) or 1
            for name, new in old.items():
                value = kwargs.pop(name)
                kwargs[new] = value // size if name == "samples_per_epoch" else value
            names = ", ".join(f"{name} is now {new}" for name, new in old.items())
            warnings.warn(
                f"Update your `{method.__name__}` call to the Keras 2 API, which counts batches: {names}",
                stacklevel=2,
            )
        return method(self, *args, **kwargs)

    return cast("Function", told)
