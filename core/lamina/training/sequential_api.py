"""What training looks like on a Sequential, where Keras 2 differs from Model: argument orders, and classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from lamina.engine.model import Model


class SequentialTraining(Model):
    """The methods of Sequential that have another signature than Model's, or that only it has."""

    def compile(  # type: ignore[override]
        self,
        optimizer: Any,
        loss: Any = None,
        metrics: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
        **kwargs: Any,
    ) -> None:
        """Say how the model is trained and judged: `Model.compile`, with loss_weights by keyword only."""
        super().compile(
            optimizer,
            loss,
            metrics,
            loss_weights=kwargs.pop("loss_weights", None),
            sample_weight_mode=sample_weight_mode,
            weighted_metrics=weighted_metrics,
            target_tensors=target_tensors,
            **kwargs,
        )

    def train_on_batch(  # type: ignore[override]
        self, x: Any, y: Any, class_weight: Any = None, sample_weight: Any = None
    ) -> Any:
        """One update on one batch, as `Model.train_on_batch`; class_weight comes before sample_weight here."""
        return super().train_on_batch(x, y, sample_weight=sample_weight, class_weight=class_weight)

    def predict_proba(
        self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None
    ) -> Any:
        """`predict`, with a warning when the values cannot be probabilities."""
        found = self.predict(x, batch_size, verbose, steps)
        if found.size and (found.min() < 0 or found.max() > 1):
            warnings.warn(
                "Network returning invalid probability values. The last layer might not normalize predictions into "
                "probabilities (like softmax or sigmoid would).",
                stacklevel=2,
            )
        return found

    def predict_classes(
        self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None
    ) -> Any:
        """The class of each sample: the position of the largest output, or for one output whether it is above 0.5."""
        found = self.predict(x, batch_size, verbose, steps)
        if found.shape[-1] > 1:
            return np.argmax(found, axis=-1)
        return (found > 0.5).astype("int32")
