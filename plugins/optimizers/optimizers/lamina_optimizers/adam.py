"""Adam: steps by running averages of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots, step


class Adam(Optimizer):
    """m = beta_1 * m + (1 - beta_1) * g;  v = beta_2 * v + (1 - beta_2) * g^2;
    p = p - lr_t * m / (sqrt(v) + epsilon) with lr_t = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) at update t = 1, 2, ...

    lr: learning rate, >= 0.
    beta_1, beta_2: how much of the averages stays at each update, 0 < beta < 1, near 1.
    epsilon: added to the root, in units of the gradient; K.epsilon() when None.  It is the paper's epsilon-hat,
        which stands outside the correction of the bias.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    amsgrad: use the largest v so far in place of v.
    clipnorm, clipvalue: as for every optimizer.

    State: iterations, then m for each parameter, then v, then the largest v (without amsgrad a single 0 each).
    Source: Kingma and Ba 2014, arXiv:1412.6980, section 2; Reddi et al., ICLR 2018, for amsgrad.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("Adam"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.beta_1 = hyperparameter(self, "beta_1", beta_1)
            self.beta_2 = hyperparameter(self, "beta_2", beta_2)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.epsilon = K.epsilon() if epsilon is None else epsilon
        self.amsgrad = amsgrad

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        t = step(self)
        lr_t = decayed(self) * (K.sqrt(1 - K.pow(self.beta_2, t)) / (1 - K.pow(self.beta_1, t)))
        ms, vs = slots("m", params), slots("v", params)
        largest: list[Any] = (
            slots("vhat", params) if self.amsgrad else [K.zeros((1,), name="vhat") for _ in params]
        )
        self.weights = [self.iterations, *ms, *vs, *largest]
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, m, v, vhat in zip(params, grads, ms, vs, largest, strict=True):
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * K.square(g)
            size = new_v
            if self.amsgrad:
                size = K.maximum(vhat, new_v)
                self.updates.append(K.update(vhat, size))
            new_p = p - lr_t * new_m / (K.sqrt(size) + self.epsilon)
            self.updates += [K.update(m, new_m), K.update(v, new_v), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "beta_1": number(self.beta_1),
            "beta_2": number(self.beta_2),
            "decay": number(self.decay),
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
