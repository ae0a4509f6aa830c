"""Adadelta: steps in units of the steps made before, so that there is hardly a learning rate to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots


class Adadelta(Optimizer):
    """a = rho * a + (1 - rho) * g^2;  u = g * sqrt(d + epsilon) / sqrt(a + epsilon);  p = p - lr * u;
    d = rho * d + (1 - rho) * u^2.

    lr: factor of every step, >= 0; best left at 1.
    rho: how much of the averages stays at each update, 0 <= rho < 1.
    epsilon: added inside both roots, in squared units; K.epsilon() when None.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    clipnorm, clipvalue: as for every optimizer.

    State: a for each parameter, then d for each.
    Source: Zeiler 2012, arXiv:1212.5701.
    """

    def __init__(
        self,
        lr: float = 1.0,
        rho: float = 0.95,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("Adadelta"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.rho = rho
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        lr = decayed(self)
        averages, steps = slots("a", params), slots("d", params)
        self.weights = [*averages, *steps]  # iterations are not among them in Keras's files
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, a, d in zip(params, grads, averages, steps, strict=True):
            new_a = self.rho * a + (1 - self.rho) * K.square(g)
            u = g * K.sqrt(d + self.epsilon) / K.sqrt(new_a + self.epsilon)
            new_d = self.rho * d + (1 - self.rho) * K.square(u)
            new_p = p - lr * u
            self.updates += [K.update(a, new_a), K.update(d, new_d), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "rho": self.rho,
            "decay": number(self.decay),
            "epsilon": self.epsilon,
        }
