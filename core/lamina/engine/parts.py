"""Initializers, regularizers and constraints: what each owes a layer.  The formulas come from plugins."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

from lamina.engine.signature import plain


class Part:
    """What layers are given by name or config: its config is its constructor's arguments.

    A subclass writes `__call__`, and an `__init__` that keeps each argument under its own name.
    """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data: `from_config` is the way back.

        Raises NotImplementedError for an argument that no attribute of its name keeps, or that has no form in JSON.
        """
        config = {}
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            try:
                config[name] = plain(getattr(self, name))
            except (AttributeError, TypeError) as error:
                cls = type(self).__name__
                raise NotImplementedError(
                    f"{cls} cannot be written as a config: {error}. Keep its argument as plain data in "
                    f"self.{name}, or give {cls} its own get_config"
                ) from error
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The thing that `get_config` described."""
        return cls(**config)


class Initializer(Part):
    """Base of initializers: initializer(shape, dtype=None) answers the values that a weight starts from."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must say what a weight starts from: __call__(self, shape, dtype=None)"
        )


class Regularizer(Part):
    """Base of regularizers: regularizer(x) answers the scalar that a weight or an output x adds to the loss."""

    def __call__(self, x: Any) -> Any:
        return 0.0


class Constraint(Part):
    """Base of constraints: constraint(w) answers the allowed weight nearest to w, after each update."""

    def __call__(self, w: Any) -> Any:
        return w
