"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots


class SGD(Optimizer):
    """v = momentum * v - lr * g;  p = p + v, or with nesterov p = p + momentum * v - lr * g.

    lr: learning rate, >= 0.
    momentum: how much of the last step goes into this one, 0 <= momentum < 1.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    nesterov: look ahead along v before the gradient counts.
    clipnorm, clipvalue: as for every optimizer.

    State: iterations, then v for each parameter.
    Source: Sutskever et al., ICML 2013, for Nesterov's form.
    """

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        decay: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("SGD"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.momentum = hyperparameter(self, "momentum", momentum)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.nesterov = nesterov

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        lr = decayed(self)
        velocities = slots("v", params)
        self.weights = [self.iterations, *velocities]
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, v in zip(params, grads, velocities, strict=True):
            new_v = self.momentum * v - lr * g
            new_p = p + self.momentum * new_v - lr * g if self.nesterov else p + new_v
            self.updates += [K.update(v, new_v), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "momentum": number(self.momentum),
            "decay": number(self.decay),
            "nesterov": self.nesterov,
        }
