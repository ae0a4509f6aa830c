"""Layers that disturb their input in training, and leave it alone otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_noise_shape, as_number
from lamina.layers import Layer
from lamina.tensor import Tensor

# Of SELU: the value it saturates at is -SCALE * ALPHA.  Source: Klambauer et al. 2017, arXiv:1706.02515, eq. 14.
ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946


class GaussianNoise(Layer):
    """In training, inputs + noise with mean 0 and standard deviation `stddev`; else the inputs.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    stddev: of the noise, in units of the input, >= 0.
    """

    supports_masking = True

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = as_number(stddev, f"{self.name}: stddev is a standard deviation", low=0)

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        def noised() -> Tensor:
            return inputs + K.random_normal(
                K.shape(inputs), mean=0.0, stddev=self.stddev, dtype=K.dtype(inputs)
            )

        return K.in_train_phase(noised, inputs, training=training)


class _RateLayer(Layer):
    """A layer whose disturbance grows with a rate; outside 0 < rate < 1 there is none, as in Keras 2."""

    supports_masking = True

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = as_number(rate, f"{self.name}: rate is a fraction", 0, 1)

    def _disturb(self, inputs: Tensor, disturbed: Callable[[], Tensor], training: Any) -> Tensor:
        return K.in_train_phase(disturbed, inputs, training=training) if 0 < self.rate < 1 else inputs


class GaussianDropout(_RateLayer):
    """In training, inputs * noise with mean 1 and standard deviation sqrt(rate / (1 - rate)); else the inputs.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    rate: of the Dropout with noise of the same variance, 0 <= rate <= 1; 0 and 1 leave the inputs alone.

    Source: Srivastava et al. 2014, JMLR 15, 1929-1958, section 10.
    """

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        def noised() -> Tensor:
            stddev = math.sqrt(self.rate / (1.0 - self.rate))
            return inputs * K.random_normal(K.shape(inputs), mean=1.0, stddev=stddev, dtype=K.dtype(inputs))

        return self._disturb(inputs, noised, training)


class AlphaDropout(_RateLayer):
    """In training, a random fraction `rate` of the inputs set to SELU's saturation value, then all scaled and shifted
    so that inputs of mean 0 and variance 1 keep them; else the inputs.

    With p the saturation value and q = 1 - rate: a * x + b, a = (q * (1 + rate * p^2))^-1/2, b = -a * p * rate.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    rate: fraction of units set, 0 <= rate <= 1; 0 and 1 leave the inputs alone.
    noise_shape: sizes of the draw, batch included, with 1 along axes that share it; None for the input's.
    seed: of the draws; None takes one from np.random.

    Raises ValueError for a rate outside 0 and 1, and, when called, for a noise_shape that does not fit the inputs.
    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, **kwargs)
        self.noise_shape = noise_shape
        self.seed = seed

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        def dropped() -> Tensor:
            saturated = -ALPHA * SCALE
            shape = as_noise_shape(self.noise_shape, inputs, self.name)
            kept = K.cast(
                K.greater_equal(K.random_uniform(shape, seed=self.seed), self.rate), K.dtype(inputs)
            )
            a = ((1 - self.rate) * (1 + self.rate * saturated**2)) ** -0.5
            return a * (inputs * kept + saturated * (1 - kept)) - a * saturated * self.rate

        return self._disturb(inputs, dropped, training)
