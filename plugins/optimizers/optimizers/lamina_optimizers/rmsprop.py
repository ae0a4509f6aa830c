"""RMSprop: steps divided by a running average of the gradient's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.optimizers import Optimizer
from lamina.tensor import Tensor, Variable
from lamina_optimizers.shared import constrained, counter, decayed, hyperparameter, number, slots


class RMSprop(Optimizer):
    """a = rho * a + (1 - rho) * g^2;  p = p - lr * g / (sqrt(a) + epsilon).

    lr: learning rate, >= 0; the one argument worth tuning.
    rho: how much of the average stays at each update, 0 <= rho < 1.
    epsilon: added to the root, in units of the gradient; K.epsilon() when None.
    decay: >= 0; lr is divided by 1 + decay * (updates made).
    clipnorm, clipvalue: as for every optimizer.

    State: a for each parameter.
    Source: Tieleman and Hinton 2012, Neural Networks for Machine Learning, lecture 6.5.
    """

    def __init__(
        self,
        lr: float = 0.001,
        rho: float = 0.9,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with K.name_scope("RMSprop"):
            self.iterations = counter()
            self.lr = hyperparameter(self, "lr", lr)
            self.rho = hyperparameter(self, "rho", rho)
            self.decay = hyperparameter(self, "decay", decay)
        self.initial_decay = decay
        self.epsilon = K.epsilon() if epsilon is None else epsilon

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        grads = self.get_gradients(loss, params)
        lr = decayed(self)
        averages = slots("a", params)
        self.weights = averages  # iterations are not among them in Keras's files
        self.updates = [K.update_add(self.iterations, 1)]
        for p, g, a in zip(params, grads, averages, strict=True):
            new_a = self.rho * a + (1 - self.rho) * K.square(g)
            # Epsilon outside the root, as in Keras 2's RMSprop; TensorFlow's has it inside.
            new_p = p - lr * g / (K.sqrt(new_a) + self.epsilon)
            self.updates += [K.update(a, new_a), K.update(p, constrained(p, new_p))]
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lr": number(self.lr),
            "rho": number(self.rho),
            "decay": number(self.decay),
            "epsilon": self.epsilon,
        }
