"""What networks are made of: activations, normalization, losses, dropout, bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import config
from lamina.backend.elementwise import clip
from lamina.backend.session import normalize_data_format
from lamina.op import as_float, as_tensor
from lamina.ops import crossentropy, normalization, positions
from lamina.ops import elementwise as e
from lamina.ops import reduction as r
from lamina.ops import shape as s
from lamina.ops.dropout import dropout as drop
from lamina.ops.rules import axes_of, axis_of
from lamina.tensor import Tensor

__all__ = [
    "batch_normalization", "bias_add", "binary_crossentropy", "categorical_crossentropy", "dropout", "elu",
    "hard_sigmoid", "in_top_k", "l2_normalize", "normalize_batch_in_training", "relu", "sigmoid", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "tanh",
]  # fmt: skip

# ---- activations


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max_value where x >= max_value, x where threshold < x, alpha * (x - threshold) elsewhere."""
    if not threshold and max_value is None:
        return e.leaky_relu(x, alpha=float(alpha)) if alpha else e.relu(x)
    x = as_float(x)
    if not threshold and not alpha and max_value is not None and max_value >= 0:
        return clip(x, 0, max_value)
    y = e.where(e.greater(x, threshold), x, alpha * (x - threshold) if alpha else 0)
    return y if max_value is None else e.where(e.greater_equal(x, max_value), max_value, y)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, alpha * (e^x - 1) elsewhere."""
    return e.elu(x, alpha=float(alpha))


def softmax(x: Any, axis: int = -1) -> Tensor:
    """e^x / sum(e^x) along `axis`."""
    x = as_float(x)
    return crossentropy.softmax(x, axis=axis_of(axis, x.ndim))


def softplus(x: Any) -> Tensor:
    """log(e^x + 1)."""
    return e.softplus(x)


def softsign(x: Any) -> Tensor:
    """x / (1 + |x|)."""
    return e.softsign(x)


def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e^-x)."""
    return e.sigmoid(x)


def hard_sigmoid(x: Any) -> Tensor:
    """0 where x < -2.5, 1 where x > 2.5, 0.2 * x + 0.5 between."""
    return e.hard_sigmoid(x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return e.tanh(x)


# ---- losses: the target comes first, as in Keras


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-sum(target * log(output)) along `axis`, which disappears.

    target: shares of each class, in the shape of output.  output: probabilities, which are divided by their sum
    and clipped to epsilon <= p <= 1 - epsilon; with from_logits what a softmax would turn into probabilities.
    """
    output = as_float(output)
    axis = _class_axis(axis, output)
    target = as_tensor(target, output.dtype)
    if from_logits:
        return crossentropy.softmax_crossentropy(output, target, axis=axis)
    return crossentropy.categorical_crossentropy(output, target, epsilon=config.epsilon(), axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """-log of the probability that `output` gives to each target class, along `axis`, which disappears.

    target: class numbers 0 <= c < classes of any dtype, in the shape of output without `axis`, or with size 1 there.
    output: probabilities, clipped to epsilon <= p <= 1 - epsilon and divided by their sum; or logits.

    Raises ValueError, when it is computed, for a class number out of range.
    """
    output, target = as_float(output), as_tensor(target)
    axis = _class_axis(axis, output)
    if axis != output.ndim - 1:
        output = s.transpose(output, axes=(*[a for a in range(output.ndim) if a != axis], axis))
    target = s.with_sizes(target, s.sizes_of(output)[:-1] if output.ndim != 2 else [-1])
    target = e.cast(target, dtype="int64")
    if from_logits:
        return crossentropy.sparse_softmax_crossentropy(output, target)
    return crossentropy.sparse_categorical_crossentropy(output, target, epsilon=config.epsilon())


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """-target * log(output) - (1 - target) * log(1 - output), element by element.

    output: probabilities, clipped to epsilon <= p <= 1 - epsilon; with from_logits what a sigmoid would turn into
    probabilities.
    """
    output = as_float(output)
    target = as_tensor(target, output.dtype)
    if from_logits:
        return e.sigmoid_crossentropy(output, target)
    info = np.finfo(output.dtype)
    # In float16 1 - 1e-7 is 1, and its logit infinite: there what is next to 1 is as far as it goes.
    epsilon = config.epsilon() if info.dtype.type(1 - config.epsilon()) < 1 else float(info.epsneg)
    return e.binary_crossentropy(output, target, epsilon=epsilon)


def _class_axis(axis: int, output: Tensor) -> int:
    if not -output.ndim <= axis < output.ndim:
        raise ValueError(
            f"Unexpected channels axis {axis}. Expected to be -1 or one of the axes of `output`, "
            f"which has {output.ndim} dimensions."
        )
    return axis_of(axis, output.ndim)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether predictions[i, targets[i]] is among the k largest of its row: (batch,), bool.

    Ties with the k-th count as among them.
    """
    predictions, targets = as_tensor(predictions), as_tensor(targets)
    if (predictions.ndim, targets.ndim) != (2, 1):
        raise ValueError(
            "in_top_k takes predictions (batch, classes) and targets (batch,), met shapes "
            f"{predictions.shape} and {targets.shape}"
        )
    mine = positions.one_hot_like(e.cast(targets, dtype="int64"), predictions, dtype="bool")
    own = r.sum_(e.where(mine, predictions, 0), axis=-1, keepdims=True)
    larger = r.sum_(e.cast(e.greater(predictions, own), dtype="int32"), axis=-1, keepdims=False)
    valid = e.logical_and(r.any_(mine, axis=-1), e.isfinite(own[:, 0]))
    return e.logical_and(valid, e.less(larger, k))


# ---- normalization


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    """x divided by its length along `axis` (over all elements when None); a zero vector stays zero."""
    x = as_float(x)
    squares = r.sum_(e.square(x), axis=axes_of(axis, x.ndim), keepdims=True)
    return x / e.sqrt(e.maximum(squares, 1e-12))


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple[Tensor, Tensor, Tensor]:
    """(normalized x, mean, variance): x with mean 0 and variance 1 over `reduction_axes`, times gamma plus beta.

    gamma, beta: one number for each position of the other axes; None is 1 and 0.  epsilon: added to the variance.
    The variance divides by n, not n - 1.
    """
    x = as_float(x)
    axes = axes_of(reduction_axes, x.ndim)
    kept = [size for axis, size in enumerate(s.sizes_of(x)) if axis not in axes]

    def parameter(value: Any) -> Tensor:
        value = as_tensor(value, x.dtype)
        return value if value.ndim == len(kept) else s.with_sizes(value, kept)

    mean = r.mean(x, axis=axes)
    gamma = s.ones_like(mean) if gamma is None else parameter(gamma)
    beta = s.zeros_like(mean) if beta is None else parameter(beta)
    return normalization.batch_normalization(x, gamma, beta, axes=axes, epsilon=float(epsilon))


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, epsilon: float = 1e-3, axis: int = -1
) -> Tensor:
    """(x - mean) / sqrt(var + epsilon) * gamma + beta.

    mean, var, beta, gamma: vectors along `axis`, or of a shape that fits x; beta and gamma may be None.
    """
    x = as_float(x)
    axis = axis_of(axis, x.ndim)

    def parameter(value: Any) -> Tensor:
        value = as_tensor(value, x.dtype)
        if value.ndim != 1 or axis == x.ndim - 1:
            return value
        return s.expand_axes(value, axes=tuple(range(1, x.ndim - axis)))

    mean, var = parameter(mean), parameter(var)
    scale = 1 / e.sqrt(var + epsilon)
    if gamma is not None:
        scale = scale * parameter(gamma)
    shift = -mean * scale
    if beta is not None:
        shift = shift + parameter(beta)
    # Two numbers a channel first, then one product and one sum an element.
    return x * scale + shift


# ---- dropout and bias


def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> Tensor:
    """x with a random fraction `level` (0 <= level < 1) set to 0 and the rest divided by 1 - level, in any phase.

    noise_shape: sizes of the draw, 1 along axes that share it; None, or a tensor taken from K.shape(x), is x's own.
    """
    x = as_float(x)
    if noise_shape is not None:
        if isinstance(noise_shape, Tensor):
            count = noise_shape.shape[0]
            noise_shape = noise_shape.spec.value or (None,) * (count or 0)
        noise_shape = [size.spec.value if isinstance(size, Tensor) else size for size in noise_shape]
        if len(noise_shape) != x.ndim:
            raise ValueError(f"noise_shape={noise_shape} needs one size for each axis of {x.shape}")
    return drop(x, level, noise_shape, seed)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Tensor:
    """x plus a bias: a vector along the channels, or one number for each position, of x's shape without the batch.

    A bias for each position of channels_first data is stored with the channels last all the same, as in Keras.
    Raises ValueError for an unknown data_format, or a bias of another number of axes.
    """
    x, bias = as_tensor(x), as_tensor(bias)
    data_format = normalize_data_format(data_format)
    if bias.ndim not in (1, x.ndim - 1):
        raise ValueError(
            f"Unexpected bias dimensions {bias.ndim}, expect to be 1 or {x.ndim - 1} dimensions "
            f"for a tensor of shape {x.shape}"
        )
    if data_format == "channels_first" and x.ndim > 2:
        if bias.ndim == 1:
            bias = s.expand_axes(bias, axes=tuple(range(1, x.ndim - 1)))
        else:
            sizes = s.sizes_of(bias)
            bias = s.with_sizes(bias, [sizes[-1], *sizes[:-1]])
    return e.add(x, bias)
