"""What `compile` fixes: objectives, total loss, metrics, the weights to train; and the functions, made on demand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import backend as K
from lamina.engine.layer import Layer
from lamina.function import Function, merged
from lamina.tensor import Constant, Placeholder, Tensor, Variable
from lamina.training.objective import Objective
from lamina.training.substitute import substitute
from lamina_registry import get

if TYPE_CHECKING:
    from lamina.engine.model import Model


class NotCompiled(RuntimeError, AttributeError):
    """Asked of a model that was not compiled; also an AttributeError, so that hasattr answers False."""


class Compiled:
    """A model with its objectives and its optimizer.

    objectives: one for each output; fed: those for which arrays are given.
    metrics_names, metrics_tensors: 'loss', the loss of each output when there are several, then the metrics.
    trainable_weights: the model's when it was compiled; later changes of `trainable` do not count.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Any,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
    ) -> None:
        self.model = model
        self.inputs, self.outputs = list(model.inputs or ()), list(model.outputs or ())
        self.optimizer = optimizer
        self.objectives = _objectives(model, loss, loss_weights, sample_weight_mode, target_tensors)
        self.fed = [objective for objective in self.objectives if objective.fed]
        self.metrics_names = ["loss"]
        self.metrics_tensors: list[Tensor] = []
        self.metrics_updates: list[Any] = []
        self.stateful_metrics: dict[str, Any] = {}
        self.total_loss = self._total_loss()
        self._add_metrics(metrics, weighted_metrics)
        self.trainable_weights: list[Variable] = list(model.trainable_weights)
        self._training_updates: list[Any] | None = None
        self._functions: dict[tuple[bool, tuple[bool, ...]], Function] = {}

    def _total_loss(self) -> Tensor:
        """Losses of the outputs by their weights, and each layer's own losses (regularisation, add_loss) once."""
        total: Tensor | None = None
        trained = [objective for objective in self.objectives if objective.loss is not None]
        for objective in trained:
            with K.name_scope(f"{objective.name}_loss"):
                loss = objective.total()
                part = loss * objective.loss_weight
            if len(self.objectives) > 1:
                self.metrics_tensors.append(loss)
                self.metrics_names.append(f"{objective.name}_loss")
            total = part if total is None else total + part
        for loss in self.model.losses:
            loss = K.mean(loss) if K.ndim(loss) else loss
            total = loss if total is None else total + loss
        if total is None:
            raise ValueError(
                f"{self.model.name} has no loss to optimize: give compile() a loss for at least one of its outputs "
                f"{self.model.output_names}, or have a layer add one with add_loss()"
            )
        return total

    def _add_metrics(self, metrics: Any, weighted_metrics: Any) -> None:
        names = self.model.output_names
        plain = _per_output("metrics", metrics, names)
        weighted = _per_output("weighted_metrics", weighted_metrics, names)
        for objective, some, others in zip(self.objectives, plain, weighted, strict=True):
            if objective.loss is None:
                continue
            for identifier in some:
                self._add_metric(objective, identifier, "", None)
            for identifier in others:
                prefix = "weighted_" if objective.weights is not None else ""
                self._add_metric(objective, identifier, prefix, objective.weights)

    def _add_metric(self, objective: Objective, identifier: Any, prefix: str, weights: Tensor | None) -> None:
        scores, label = objective.metric(identifier)
        label = prefix + label
        with K.name_scope(label):
            value = objective.mean(scores, weights)
        if len(self.objectives) > 1:
            label = f"{objective.name}_{label}"
        unique, count = label, 0
        while unique in self.metrics_names:
            count += 1
            unique = f"{label}_{count}"
        self.metrics_names.append(unique)
        self.metrics_tensors.append(value)
        if isinstance(scores, Layer) and scores.stateful:
            self.stateful_metrics[unique] = scores
            self.metrics_updates += scores.updates

    # ---- functions

    @property
    def training_updates(self) -> list[Any]:
        """The optimizer's updates for the total loss; asking for them makes the optimizer's state."""
        if self._training_updates is None:
            with K.name_scope("training"), K.name_scope(type(self.optimizer).__name__):
                self._training_updates = list(
                    self.optimizer.get_updates(loss=self.total_loss, params=list(self.trainable_weights))
                )
        return self._training_updates

    def function(self, train: bool, weighted: Sequence[bool] | None = None) -> Function:
        """The function for one batch: inputs, targets and weights in, total loss and metrics out.

        train: also update weights, optimizer and the model's own state; else only what tests update.
        weighted: for each fed objective whether weights are given; None means all.  Those not given are no input,
            and the plan has no step for them: the numbers are those of weights that are all 1.
        """
        weighted = (True,) * len(self.fed) if weighted is None else tuple(weighted)
        found = self._functions.get((train, weighted))
        if found is None:
            found = self._functions[train, weighted] = self._make(train, weighted)
        return found

    def _make(self, train: bool, weighted: tuple[bool, ...]) -> Function:
        model = self.model
        updates = model.updates + self.training_updates if train else model.state_updates
        pairs = merged([*updates, *self.metrics_updates])
        tensors = [self.total_loss, *self.metrics_tensors, *[value for _, value in pairs]]
        inputs = feed_inputs(model) + [objective.target for objective in self.fed]
        ones: dict[Tensor, Tensor] = {}
        for objective, given in zip(self.fed, weighted, strict=True):
            assert objective.weights is not None
            if given:
                inputs.append(objective.weights)
            else:
                # Of size 1, so that it fits any batch; the plan then drops products with it.
                ones[objective.weights] = Constant(
                    np.ones((1,) * objective.weights.ndim), objective.weights.dtype
                )
        if ones:
            tensors = substitute(tensors, ones)
        count = 1 + len(self.metrics_tensors)
        return Function(
            with_phase(model, inputs),
            tensors[:count],
            [(variable, value) for (variable, _), value in zip(pairs, tensors[count:], strict=True)],
            name=f"{model.name}: {'train' if train else 'test'}_function",
        )

    def check_current(self) -> None:
        """Warn as Keras does when `trainable` changed since compile; raise when the model itself did."""
        if differ(self.inputs, self.model.inputs) or differ(self.outputs, self.model.outputs):
            raise RuntimeError(
                f"{self.model.name} has other layers than when it was compiled: call compile() again before training"
            )
        if len(self.model.trainable_weights) != len(self.trainable_weights):
            warnings.warn(
                "Discrepancy between trainable weights and collected trainable weights, did you set "
                f"`model.trainable` without calling `model.compile` after? {self.model.name} goes on with the "
                f"{len(self.trainable_weights)} weights that were trainable when it was compiled; there are "
                f"{len(self.model.trainable_weights)} now.",
                stacklevel=4,
            )


def feed_inputs(model: Any) -> list[Tensor]:
    """The inputs for which arrays are given: all but those made from a tensor with Input(tensor=...)."""
    return [tensor for tensor in model.inputs if isinstance(tensor, Placeholder)]


def training_phase(model: Any) -> int:
    """The learning phase that training runs in: 1, or 0 where no output says that it differs in training.

    Keras 2.2.4 feeds the phase only to models that say so, and the two differ for a model whose dropout is hidden in a
    model inside TimeDistributed: it trains as it predicts.
    """
    return int(model.uses_learning_phase)


def with_phase(model: Any, inputs: list[Any]) -> list[Any]:
    """`inputs` with the learning phase behind them where the model looks at it, as the functions of Keras have it."""
    phase = K.learning_phase()
    return [*inputs, phase] if model.uses_learning_phase and not isinstance(phase, int) else inputs


def differ(before: Sequence[Tensor], now: Sequence[Tensor] | None) -> bool:
    """Whether these are not the same tensors."""
    now = now or ()
    return len(before) != len(now) or any(a is not b for a, b in zip(before, now, strict=True))


def _objectives(
    model: Model, loss: Any, loss_weights: Any, sample_weight_mode: Any, target_tensors: Any
) -> list[Objective]:
    names = model.output_names
    if isinstance(loss, Mapping):
        _check_keys("loss", loss, names)
        for name in names:
            if name not in loss:
                warnings.warn(
                    f'Output "{name}" missing from loss dictionary. We assume this was done on purpose, and we will '
                    f'not be expecting any data to be passed to "{name}" during training.',
                    stacklevel=5,
                )
    losses = [get("losses", one) for one in _one_each("loss", loss, names, default=None, shared=True)]
    weights = _one_each("loss_weights", loss_weights, names, default=1.0)
    for name, weight in zip(names, weights, strict=True):
        if not isinstance(weight, Real | np.number | None):
            raise TypeError(f"loss_weights of output {name!r} is a number, met {weight!r}")
    modes = _one_each("sample_weight_mode", sample_weight_mode, names, default=None, shared=True)
    if isinstance(target_tensors, Tensor):
        target_tensors = [target_tensors]
    targets = _one_each("target_tensors", target_tensors, names, default=None)
    masks = model._inbound_nodes[0].output_masks  # of the call that made the outputs
    for name, mode in zip(names, modes, strict=True):
        if mode not in (None, "temporal"):
            raise ValueError(
                f"sample_weight_mode of output {name!r} must be None or 'temporal', met {mode!r}"
            )
    return [
        Objective(
            name, output, one, 1.0 if weight is None else float(weight), mask, mode == "temporal", target
        )
        for name, output, one, weight, mask, mode, target in zip(
            names, model.outputs or (), losses, weights, masks, modes, targets, strict=True
        )
    ]


def _one_each(
    argument: str, value: Any, names: Sequence[str], default: Any, shared: bool = False
) -> list[Any]:
    """One entry of a compile() argument for each output.  shared: a single entry stands for all."""
    if value is None:
        return [default] * len(names)
    if isinstance(value, Mapping):
        _check_keys(argument, value, names)
        return [value.get(name, default) for name in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(
                f"When a list is passed as {argument}, it has one entry per output: the model has {len(names)} "
                f"outputs {names}, met {argument}={value!r}"
            )
        return list(value)
    if shared:
        return [value] * len(names)
    raise TypeError(f"{argument} is a list with one entry per output or a dict by output name, met {value!r}")


def _per_output(argument: str, value: Any, names: Sequence[str]) -> list[list[Any]]:
    """The metrics of each output: a list is for all outputs, a dict has one metric or a list for some."""
    if not value:
        return [[] for _ in names]
    if isinstance(value, Mapping):
        _check_keys(argument, value, names)
        found = [value.get(name, []) for name in names]
        return [list(some) if isinstance(some, list | tuple) else [some] for some in found]
    if isinstance(value, list | tuple):
        if any(isinstance(one, list | tuple) for one in value):
            raise TypeError(
                f"{argument} is one list for all outputs; for others on each output pass a dict by output name, "
                f"{argument}={{{names[0]!r}: [...], ...}}. Met {value!r}"
            )
        return [list(value) for _ in names]
    raise TypeError(
        f"{argument} is a list, or a dict by output name; met {value!r}. Write {argument}=[{value!r}]"
    )


def _check_keys(argument: str, value: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in value:
        if name not in names:
            raise ValueError(
                f"Unknown entry in {argument} dictionary: {name!r}. The outputs are {list(names)}"
            )
