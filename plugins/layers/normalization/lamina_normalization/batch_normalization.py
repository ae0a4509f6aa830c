"""BatchNormalization: each feature brought to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina import constraints, initializers, regularizers
from lamina.engine.arguments import as_axis, as_number
from lamina.layers import InputSpec, Layer
from lamina.tensor import Shape, Tensor, Variable


class BatchNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each position of `axis`.

    In training mean and variance are those of the batch, over all axes but `axis`; otherwise they are moving averages
    of those that the training batches had.  Each step in training moves them: moving = momentum * moving +
    (1 - momentum) * that of the batch.  The variance is first multiplied by n / (n - 1 - epsilon), and for float32
    images with channels last by n / (n - 1) as well, n being the number of elements of a feature: so it is in the
    files Keras 2.2.4 writes.  Where n is not more than what is taken off, it is left as it is; a batch of sequences
    without a step moves no average.

    Input:   (batch, ...), float, with `axis` of a fixed size.
    Output:  the same shape and dtype; the mask passes through.
    Weights: gamma, beta, moving_mean, moving_variance, each (size of axis,); the last two are not trained.

    axis: of the features: -1 after a dense or channels_last layer, 1 after a channels_first one.
    momentum: of the moving averages, 0 <= momentum <= 1.
    epsilon: added to the variance, in squared units of the input, >= 0; with 0 a constant feature is 0 / 0.
    center, scale: whether there is a beta and a gamma.
    *_initializer, *_regularizer, *_constraint: of the weights of that name.

    Raises ValueError for a momentum or epsilon out of range, and in build when `axis` has no fixed size.
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = as_axis(axis, f"{self.name}: axis is that of the features")
        self.momentum = as_number(momentum, f"{self.name}: momentum is a share of the old average", 0, 1)
        self.epsilon = as_number(epsilon, f"{self.name}: epsilon is added to the variance", low=0)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape: Shape) -> None:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                f"{self.name}: axis={self.axis} is none of the {len(input_shape)} axes of {input_shape}"
            )
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(
                f"{self.name} keeps one mean and variance for each position of axis {self.axis}, which has no fixed "
                f"size in {input_shape}: give it one in input_shape, or choose another axis"
            )
        self.gamma = self._feature_weight("gamma", size) if self.scale else None
        self.beta = self._feature_weight("beta", size) if self.center else None
        self.moving_mean = self._feature_weight("moving_mean", size)
        self.moving_variance = self._feature_weight("moving_variance", size)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        super().build(input_shape)

    def _feature_weight(self, name: str, size: int) -> Variable:
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer", None),
            constraint=getattr(self, f"{name}_constraint", None),
            trainable=not name.startswith("moving"),
        )

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        axis = self.axis % K.ndim(inputs)

        def with_moving_averages() -> Tensor:
            return K.batch_normalization(
                inputs,
                self.moving_mean,
                self.moving_variance,
                self.beta,
                self.gamma,
                epsilon=self.epsilon,
                axis=axis,
            )

        if training in (0, False):
            return with_moving_averages()
        axes = [other for other in range(K.ndim(inputs)) if other != axis]
        normalized, mean, variance = K.normalize_batch_in_training(
            inputs, self.gamma, self.beta, axes, epsilon=self.epsilon
        )
        sizes = K.shape(inputs)
        n = K.cast(K.prod(K.stack([sizes[other] for other in axes])), K.dtype(inputs))
        rest = n - (1.0 + self.epsilon)
        sample_variance = variance * (
            n / K.switch(K.greater(rest, 0), rest, n)
        )  # of too few elements as it is
        if K.ndim(inputs) == 4 and axis == 3 and K.dtype(inputs) == "float32":
            # TensorFlow's kernel for such images answers the unbiased variance, which Keras 2.2.4 corrects once more.
            sample_variance = sample_variance * (n / K.maximum(n - 1.0, 1.0))
        # Fit has samples always, but they may be sequences of no steps, which have no mean.
        some = True if all(K.int_shape(inputs)[other] for other in axes if other > 0) else K.greater(n, 0)
        self.add_update(
            [
                self._moved(self.moving_mean, mean, some),
                self._moved(self.moving_variance, sample_variance, some),
            ],
            inputs,
        )
        return K.in_train_phase(normalized, with_moving_averages, training=training)

    def _moved(self, average: Variable, batch: Tensor, some: Any) -> Any:
        """The update of a moving average by what a batch has; it stays as it is where the batch has nothing."""
        if some is True:
            return K.moving_average_update(average, batch, self.momentum)
        return K.moving_average_update(
            average, K.switch(some, batch, average), K.switch(some, self.momentum, 1.0)
        )
