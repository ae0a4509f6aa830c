"""Objectives: what one output of a model is trained and judged by, scaled as Keras 2.2 scales it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from lamina import backend as K
from lamina.op import as_tensor
from lamina.tensor import Placeholder, Tensor
from lamina_registry import UnknownName, catalog, close_to, get, lookup, shown

Scores = Callable[[Tensor, Tensor], Tensor]

# Metrics that have one form for each kind of classes: their label, and how the names of the forms end.
_BY_CLASS = {
    **dict.fromkeys(("accuracy", "acc"), ("acc", "accuracy")),
    **dict.fromkeys(("crossentropy", "ce"), ("ce", "crossentropy")),
}


class Objective:
    """One output of a model: its target, loss, sample weights, mask and metrics.

    name: of the output.  output: the model's tensor.
    loss: function (y_true, y_pred) -> scores, one a sample or finer; None leaves the output untrained.
    loss_weight: what its loss is multiplied by in the model's total.
    mask: tensor that is 0 where a sample or time step counts for nothing, or None.
    temporal: weights are (batch, time) instead of (batch,).
    target: tensor of true values; None makes a placeholder.

    target_shape: what targets must have, batch first.  one_hot: classes must be rows, not numbers.
    fed: whether arrays are given for the target (and the weights) in training.
    """

    def __init__(
        self,
        name: str,
        output: Tensor,
        loss: Scores | None,
        loss_weight: float = 1.0,
        mask: Tensor | None = None,
        temporal: bool = False,
        target: Tensor | None = None,
    ) -> None:
        self.name = name
        self.output = output
        self.loss = loss
        self.loss_weight = loss_weight
        self.mask = mask
        self.temporal = temporal
        self.target: Tensor | None = None
        self.weights: Tensor | None = None
        self.target_shape: tuple[int | None, ...] = ()
        self.one_hot = False
        self.fed = False
        if loss is None:
            return
        if 0 in K.int_shape(output)[1:]:
            raise ValueError(
                f"{name}: the output has shape {K.int_shape(output)}, and of no numbers there is no loss: give it "
                "loss=None, or every axis a size above 0"
            )
        self.one_hot = is_loss(loss, "categorical_crossentropy")
        self.fed = target is None or isinstance(target, Placeholder)
        if target is None:
            # Of the target of a user's own loss only the rank is known, as in Keras.
            shape = _target_shape(loss, K.int_shape(output)) or (None,) * K.ndim(output)
            target = K.placeholder(shape=shape, dtype=output.dtype, name=f"{name}_target")
        self.target = target
        self.target_shape = K.int_shape(target)
        if self.fed:
            self.weights = K.placeholder(ndim=2 if temporal else 1, name=f"{name}_sample_weights")

    def total(self) -> Tensor:
        """The loss of a batch, as a scalar."""
        assert self.loss is not None
        return self.mean(self.loss, self.weights)

    def mean(self, scores: Scores, weights: Tensor | None = None) -> Tensor:
        """`scores` of target and output, reduced to a scalar by mask and weights."""
        found = scores(self.target, self.output)  # type: ignore[arg-type]
        try:
            found = as_tensor(found)
        except TypeError:
            raise TypeError(
                f"{self.name}: {_label(scores)}(y_true, y_pred) must answer a tensor, one score a sample or finer; "
                f"it answered {shown(found)}"
            ) from None
        return weighted_mean(found, weights, self.mask)

    def metric(self, identifier: Any) -> tuple[Scores, str]:
        """The metric that `identifier` names for this output, and its label.

        'accuracy' and 'crossentropy' choose the binary, sparse or categorical form by loss and output width.
        """
        if isinstance(identifier, str) and identifier in _BY_CLASS:
            label, form = _BY_CLASS[identifier]
            return lookup("metrics", f"{self._classes()}_{form}"), label
        scores = metric_named(identifier)
        return scores, _label(scores)

    def _classes(self) -> str:
        if K.int_shape(self.output)[-1] == 1 or is_loss(self.loss, "binary_crossentropy"):
            return "binary"
        sparse = is_loss(self.loss, "sparse_categorical_crossentropy")
        return "sparse_categorical" if sparse else "categorical"


def _label(scores: Any) -> str:
    return str(getattr(scores, "name", None) or getattr(scores, "__name__", None) or type(scores).__name__)


def weighted_mean(scores: Tensor, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
    """The mean of `scores`, as Keras 2.2 takes it.

    mask: scores * mask / mean(mask).  weights: scores * weights / mean(weights != 0), after the mean over the axes
    that weights do not have.  Neither divides by the sum of weights: doubling all weights doubles the loss.
    A batch masked out whole, or with no weight but 0, has loss 0, and so have samples of no time steps.
    """
    if mask is not None:
        mask = K.cast(mask, K.dtype(scores))
        scores = scores * mask / _positive(_mean(mask))
    if weights is not None:
        axes = list(range(K.ndim(weights), K.ndim(scores)))
        if axes:
            scores = _mean(scores, axes)
        weights = K.cast(weights, K.dtype(scores))
        scores = scores * weights / _positive(_mean(K.cast(K.not_equal(weights, 0), K.dtype(scores))))
    return _mean(scores)


def _mean(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The mean of x along `axes`, or of all of it; of no numbers 0, where K.mean would divide 0 by 0."""
    reduced = range(K.ndim(x)) if axes is None else axes
    if all(K.int_shape(x)[axis] for axis in reduced if axis > 0):  # there is always a sample
        return K.mean(x, axis=axes)
    sizes = K.shape(x)
    count = K.prod(K.stack([sizes[axis] for axis in reduced]))
    return K.sum(x, axis=axes) / K.cast(K.maximum(count, 1), K.dtype(x))


def _positive(share: Tensor) -> Tensor:
    """`share` itself unless it is 0, where Keras 2.2.4 would divide 0 by 0."""
    return K.maximum(share, K.epsilon())


def _target_shape(loss: Any, shape: tuple[int | None, ...]) -> tuple[int | None, ...] | None:
    """The shape `loss` demands of targets for an output of `shape`; None when it demands none.

    Losses that a distribution offers compare element by element, unless they have an attribute `target_shape`, a
    function of the output's shape.  A user's own loss may do as it likes.
    """
    if hasattr(loss, "target_shape"):
        return loss.target_shape(shape)
    if is_loss(loss, "sparse_categorical_crossentropy"):
        if K.image_data_format() == "channels_first" and len(shape) in (4, 5):
            return (shape[0], 1, *shape[2:])
        return (*shape[:-1], 1)
    return shape if _is_offered(loss) else None


def metric_named(identifier: Any) -> Any:
    """The metric function that a name, a config or the function itself stands for; losses are metrics too."""
    try:
        return get("metrics", identifier)
    except UnknownName as error:
        with contextlib.suppress(UnknownName):
            return get("losses", identifier)
        if isinstance(identifier, str) and (close := close_to(identifier, _BY_CLASS)):
            raise UnknownName(f"{error}\nDid you mean {close[0]!r}?") from None
        raise


def is_loss(loss: Any, name: str) -> bool:
    """Whether `loss` is the loss that a distribution offers under this name, and not a stranger of the same name."""
    return getattr(loss, "__name__", None) == name and _is_offered(loss)


def _is_offered(loss: Any) -> bool:
    """Whether a distribution offers it; what a program registers for itself is in the package 'custom'."""
    offer = catalog().offer_of("losses", loss)
    return offer is not None and offer.package != "custom"
