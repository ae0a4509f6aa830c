"""Nadam: Adam with Nesterov's momentum, which warms up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, hyperparameter, number, slots, step


class Nadam(Optimizer):
    """m = beta_1 * m + (1 - beta_1) * g;  v = beta_2 * v + (1 - beta_2) * g^2;  and at update t = 1, 2, ...

        mu_t = beta_1 * (1 - 0.96^(t * schedule_decay) / 2),   M_t = mu_1 * mu_2 * ... * mu_t
        p = p - lr * ((1 - mu_t) * g / (1 - M_t) + mu_(t+1) * m / (1 - M_(t+1))) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    lr: learning rate, >= 0.
    beta_1, beta_2: how much of the averages stays at each update, 0 < beta < 1, near 1.
    epsilon: added to the root, in units of the gradient; K.epsilon() when None.
    schedule_decay: how fast the momentum warms up, >= 0.
    clipnorm, clipvalue: as for every optimizer.

    State: iterations, then m for each parameter, then v for each.
    Source: Dozat, ICLR 2016 Workshop; Sutskever et al., ICML 2013, for the schedule.
    """

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("Nadam"):
            self.iterations = counter()
            self.m_schedule = K.variable(1.0, name="m_schedule")
            self.lr = hyperparameter(self, "lr", lr)
            self.beta_1 = hyperparameter(self, "beta_1", beta_1)
            self.beta_2 = hyperparameter(self, "beta_2", beta_2)
        self.epsilon = K.epsilon() if epsilon is None else epsilon
        self.schedule_decay = schedule_decay

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        t = step(self)
        mu, next_mu = self._momentum(t), self._momentum(t + 1)
        schedule = self.m_schedule * mu
        next_schedule = schedule * next_mu
        unbias = 1 - K.pow(self.beta_2, t)
        ms, vs = slots("m", params), slots("v", params)
        self.weights = [self.iterations, *ms, *vs]
        self.updates = [K.update_add(self.iterations, 1), K.update(self.m_schedule, schedule)]
        for p, g, m, v in zip(params, grads, ms, vs, strict=True):
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * K.square(g)
            ahead = (1 - mu) * (g / (1 - schedule)) + next_mu * (new_m / (1 - next_schedule))
            new_p = p - self.lr * ahead / (K.sqrt(new_v / unbias) + self.epsilon)
            self.updates += [K.update(m, new_m), K.update(v, new_v), K.update(p, constrained(p, new_p))]
        return self.updates

    def _momentum(self, t: Any) -> Any:
        """mu_t."""
        return self.beta_1 * (1 - 0.5 * K.pow(0.96, t * self.schedule_decay))

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        super().set_weights(weights)
        # Keras's files leave M out, and Keras goes on from 1; it follows from the number of updates, and is 0 in
        # float32 long before a million of them.
        t = np.arange(1, 1 + min(int(K.get_value(self.iterations)), 1_000_000))
        mu = number(self.beta_1) * (1 - 0.5 * 0.96 ** (t * self.schedule_decay))
        K.set_value(self.m_schedule, np.prod(mu))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "beta_1": number(self.beta_1),
            "beta_2": number(self.beta_2),
            "epsilon": self.epsilon,
            "schedule_decay": self.schedule_decay,
        }
