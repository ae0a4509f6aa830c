"""The base of all optimizers: what one owes a model.  Algorithms come from plugins."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina.engine.keras_1 import constraints_may_come
from lamina.engine.signature import unexpected
from lamina.tensor import Tensor, Variable


class Optimizer:
    """Base of all optimizers.

    A subclass writes `get_updates` with K and `get_config`:

        def get_updates(self, loss, params):
            return [K.update_sub(p, self.lr * g) for p, g in zip(params, self.get_gradients(loss, params))]

    weights: the variables that make up its state, in the order of `get_weights`; set by `get_updates`.
    updates: what `get_updates` answered last.

    clipnorm: > 0, the largest Euclidean norm of all gradients taken together; longer ones are scaled down to it.
    clipvalue: > 0, the largest magnitude of each element of a gradient, after clipnorm.

    Raises TypeError for any other keyword.
    """

    clipnorm: float
    clipvalue: float

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls).get("get_updates")
        if own is not None and len(inspect.signature(own).parameters) == 3:
            cls.get_updates = constraints_may_come(own)  # type: ignore[method-assign]

    def __init__(self, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in ("clipnorm", "clipvalue"):
                raise TypeError(
                    f"Keyword argument not understood: {unexpected(type(self), name, ('clipnorm', 'clipvalue'))}"
                )
        # Absent when not given, as in Keras 2: its optimizers and their configs look with hasattr.
        self.__dict__.update(kwargs)
        self.updates: list[Any] = []
        self.weights: list[Variable] = []

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        """The updates of one training step: of `params`, to make `loss` smaller, and of the optimizer's own state."""
        raise NotImplementedError(
            f"{type(self).__name__} must say how it trains: get_updates(self, loss, params)"
        )

    def get_gradients(self, loss: Tensor, params: Sequence[Variable]) -> list[Tensor]:
        """The gradients of `loss`, clipped.  Raises ValueError naming a variable that has none."""
        found = K.gradients(loss, list(params))
        for variable, g in zip(params, found, strict=True):
            if g is None:
                raise ValueError(
                    f"{variable.name} has no gradient: the loss does not depend on it, or only through an op without "
                    "one (K.argmax, K.round, K.stop_gradient). Set trainable=False on its layer, or use it in the loss"
                )
        grads: list[Any] = list(found)
        clipnorm, clipvalue = getattr(self, "clipnorm", 0), getattr(self, "clipvalue", 0)
        if clipnorm > 0 and grads:
            norm = K.sqrt(sum(K.sum(K.square(g)) for g in grads))
            # Exactly 1 while the norm is at most clipnorm.
            scale = clipnorm / K.maximum(norm, clipnorm)
            grads = [g * K.cast(scale, g.dtype) for g in grads]
        if clipvalue > 0:
            grads = [K.clip(g, -clipvalue, clipvalue) for g in grads]
        return grads

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Take over the state from arrays in the order of `get_weights`.  Raises ValueError for other shapes."""
        if not isinstance(weights, list | tuple | np.ndarray):
            raise TypeError(
                f"set_weights of {type(self).__name__} takes the list of arrays that get_weights gives, met {weights!r}"
            )
        if len(weights) != len(self.weights):
            raise ValueError(
                f"{type(self).__name__} keeps {len(self.weights)} arrays of state, met {len(weights)}. "
                "It has them all once it has trained a batch"
            )
        for variable, array in zip(self.weights, weights, strict=True):
            if tuple(np.shape(array)) != variable.shape:
                raise ValueError(
                    f"{type(self).__name__}: {variable.name} has shape {variable.shape}, "
                    f"met an array of shape {np.shape(array)}"
                )
        K.batch_set_value(list(zip(self.weights, weights, strict=True)))

    def get_weights(self) -> list[np.ndarray]:
        """The state, as arrays."""
        return K.batch_get_value(self.weights)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make this optimizer again, without its state."""
        return {name: getattr(self, name) for name in ("clipnorm", "clipvalue") if hasattr(self, name)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The optimizer that `get_config` described."""
        return cls(**config)
