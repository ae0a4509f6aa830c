"""TFOptimizer: lets anything that computes and applies gradients train a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter


class TFOptimizer(Optimizer):
    """Adapter for an object with the two methods of TensorFlow 1's optimizers, written with K:

        class Descent:
            def compute_gradients(self, loss, var_list):
                return list(zip(K.gradients(loss, var_list), var_list))

            def apply_gradients(self, grads_and_vars, global_step):
                return [K.update_sub(p, 0.1 * g) for g, p in grads_and_vars]

        model.compile(TFOptimizer(Descent()), "mse")

    optimizer: compute_gradients(loss, var_list=...) answers (gradient, variable) pairs of tensors.
        apply_gradients(pairs, global_step=...) answers an update, or a list of updates or of (variable, new value);
        global_step, which it may do without, counts the updates made, and is counted up here unless it is there.

    It has no config, and what the object keeps is its own affair: a model is saved without it, with a warning.

    Raises TypeError for an object without these methods, or with other answers; NotImplementedError for its config
    and its weights.
    """

    def __init__(self, optimizer: Any) -> None:
        for method in ("compute_gradients", "apply_gradients"):
            if not callable(getattr(optimizer, method, None)):
                raise TypeError(
                    f"TFOptimizer wraps an object with compute_gradients and apply_gradients; "
                    f"{type(optimizer).__name__} has no {method}. An optimizer of Lamina needs no wrapper"
                )
        self.optimizer = optimizer
        self.updates: list[Any] = []
        with K.name_scope("TFOptimizer"):
            self.iterations = counter()

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        pairs = list(self.optimizer.compute_gradients(loss, var_list=list(params)))
        apply = self.optimizer.apply_gradients
        given = {"global_step": self.iterations} if _takes(apply, "global_step") else {}
        updates = [
            K.update(variable, constrained(variable, value))
            for variable, value in self._flat(apply(pairs, **given))
        ]
        if all(variable is not self.iterations for variable, _ in updates):
            updates.insert(0, K.update_add(self.iterations, 1))
        self.updates = updates
        return self.updates

    def _flat(self, found: Any) -> Iterator[tuple[Variable, Any]]:
        """The (variable, new value) pairs in an answer of apply_gradients."""
        if isinstance(found, list | tuple) and not (len(found) == 2 and isinstance(found[0], Variable)):
            for one in found:
                yield from self._flat(one)
            return
        try:
            variable, value = found
        except (TypeError, ValueError):
            variable = value = None
        if not isinstance(variable, Variable):
            raise TypeError(
                f"{type(self.optimizer).__name__}.apply_gradients answered {found!r}; it answers updates, made with "
                "K.update, or (variable, new value) pairs"
            )
        yield variable, value

    @property
    def weights(self) -> NoReturn:  # type: ignore[override]
        """Not known here."""
        raise NotKept(
            f"{type(self.optimizer).__name__} keeps its state to itself, so TFOptimizer has no weights"
        )

    def get_config(self) -> NoReturn:
        """Not known here."""
        raise NotImplementedError(
            f"TFOptimizer does not know how {type(self.optimizer).__name__} was made, so it has no config"
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NoReturn:
        """There is no config."""
        raise NotImplementedError("TFOptimizer has no config: make it anew, around the object it wraps")


class NotKept(NotImplementedError, AttributeError):
    """Asked for what is not there; also an AttributeError, so that hasattr answers False."""


def _takes(function: Any, argument: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)
