"""Adamax: Adam with the largest gradient in place of the average square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots, step


class Adamax(Optimizer):
    """m = beta_1 * m + (1 - beta_1) * g;  u = max(beta_2 * u, |g|);
    p = p - lr_t * m / (u + epsilon) with lr_t = lr / (1 - beta_1^t) at update t = 1, 2, ...

    lr: learning rate, >= 0.
    beta_1: how much of the average stays at each update, 0 < beta_1 < 1.
    beta_2: how much of the largest gradient stays, 0 < beta_2 < 1.
    epsilon: added to u, in units of the gradient; K.epsilon() when None.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    clipnorm, clipvalue: as for every optimizer.

    State: iterations, then m for each parameter, then u for each.
    Source: Kingma and Ba 2014, arXiv:1412.6980, section 7.1.
    """

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("Adamax"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.beta_1 = hyperparameter(self, "beta_1", beta_1)
            self.beta_2 = hyperparameter(self, "beta_2", beta_2)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        lr_t = decayed(self) / (1 - K.pow(self.beta_1, step(self)))
        ms, us = slots("m", params), slots("u", params)
        self.weights = [self.iterations, *ms, *us]
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, m, u in zip(params, grads, ms, us, strict=True):
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_u = K.maximum(self.beta_2 * u, K.abs(g))
            new_p = p - lr_t * new_m / (new_u + self.epsilon)
            self.updates += [K.update(m, new_m), K.update(u, new_u), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "beta_1": number(self.beta_1),
            "beta_2": number(self.beta_2),
            "decay": number(self.decay),
            "epsilon": self.epsilon,
        }
