"""Adagrad: steps that shrink with all the gradient a parameter has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots


class Adagrad(Optimizer):
    """a = a + g^2;  p = p - lr * g / (sqrt(a) + epsilon).

    lr: learning rate, >= 0.
    epsilon: added to the root, in units of the gradient; K.epsilon() when None.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    clipnorm, clipvalue: as for every optimizer.

    State: a for each parameter.
    Source: Duchi et al. 2011, JMLR 12, 2121-2159.
    """

    def __init__(
        self, lr: float = 0.01, epsilon: float | None = None, decay: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("Adagrad"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        lr = decayed(self)
        sums = slots("a", params)
        self.weights = sums  # iterations are not among them in Keras's files
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, a in zip(params, grads, sums, strict=True):
            new_a = a + K.square(g)
            new_p = p - lr * g / (K.sqrt(new_a) + self.epsilon)
            self.updates += [K.update(a, new_a), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "decay": number(self.decay),
            "epsilon": self.epsilon,
        }
