"""Model: a network that can be trained, evaluated and asked for predictions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.engine.input_layer import Input
from lamina.engine.keras_1 import generating
from lamina.engine.network import Network
from lamina.engine.optimizer import Optimizer
from lamina.engine.signature import meant
from lamina.engine.structure import as_list, unpacked
from lamina.function import Function
from lamina.tensor import Tensor
from lamina.training import arrays, streams
from lamina.training.callbacks import History
from lamina.training.compiled import Compiled, NotCompiled, differ, feed_inputs, with_phase
from lamina.training.data import inputs_of, training_data
from lamina.training.progress import Progress, progress_of
from lamina_registry import UnknownName, get, names

# What Keras 2 hands on to the session or function of its backend; there is none here.
_OF_BACKENDS = "allow_input_downcast", "feed_dict", "fetches", "mode", "options", "profile", "run_metadata"


class Model(Network):
    """The layers between input tensors and output tensors, with `compile`, `fit`, `evaluate` and `predict`.

        x = Input(shape=(20,))
        model = Model(x, Dense(10, activation="softmax")(x))
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(samples, one_hot_labels, epochs=5)

    inputs: tensor made by Input, or list of them.  outputs: tensor, or list of tensors.
    """

    optimizer: Optimizer | None = None
    loss: Any = None
    metrics: Any = ()
    loss_weights: Any = None
    sample_weight_mode: Any = None
    weighted_metrics: Any = None
    history: History | None = None
    stop_training: bool = False
    train_function: Function | None = None
    test_function: Function | None = None
    predict_function: Function | None = None

    _compiled: Compiled | None = None
    _compile_later: tuple[Any, ...] | None = None
    _predicts_for: Sequence[Tensor] = ()
    _progress: Progress | None = None

    # ---- compile

    def compile(
        self,
        optimizer: Any,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
        **kwargs: Any,
    ) -> None:
        """Say how the model is trained and judged.

        optimizer: name or Optimizer.
        loss: name or function (y_true, y_pred) -> scores, for all outputs; or a list, or a dict by output name.
            An output without one is not trained.
        metrics: list of names or functions for all outputs, or a dict by output name.  'accuracy' and 'crossentropy'
            take the form that loss and output call for.
        loss_weights: list, or dict by output name, of what each loss is multiplied by in the total.  Default 1.
        sample_weight_mode: 'temporal' where weights are (samples, time steps); or a list, or a dict by output name.
        weighted_metrics: metrics that sample weights and class weights apply to.
        target_tensors: tensor, list or dict by output name: targets that are computed rather than fed.
        kwargs: arguments Keras 2 hands to its backend; accepted, and of no effect.

        The weights trainable now are those that training will change.  Raises ValueError or TypeError for what cannot
        be interpreted, and then the model stays compiled as it was.
        """
        for name in kwargs:
            if name not in _OF_BACKENDS:
                raise TypeError(
                    f"compile() got an unexpected keyword argument {name!r}.{meant(Model.compile, name)}"
                )
        chosen = _optimizer(optimizer)
        given = (metrics, loss_weights, sample_weight_mode, weighted_metrics, target_tensors)
        # A model that learns the shape of its input from the first data is compiled when it has it.
        compiled = Compiled(self, chosen, loss, *given) if self.inputs else None
        self.optimizer, self.loss, self.metrics = chosen, loss or [], metrics or []
        self.loss_weights, self.sample_weight_mode, self.weighted_metrics = given[1:4]
        self._compiled, self._compile_later = compiled, None if compiled else (loss, *given)
        self.train_function = self.test_function = self.predict_function = None
        progress_of(self).recompiled()

    @property
    def metrics_names(self) -> list[str]:
        """What the numbers are that evaluate and train_on_batch give, in their order."""
        return self._fixed.metrics_names

    @property
    def metrics_tensors(self) -> list[Tensor]:
        """The losses of outputs, when there are several, and the metrics."""
        return self._fixed.metrics_tensors

    @property
    def total_loss(self) -> Tensor:
        """What training makes smaller."""
        return self._fixed.total_loss

    @property
    def targets(self) -> list[Tensor | None]:
        """The tensor of true values of each output; None for one without a loss."""
        return [objective.target for objective in self._fixed.objectives]

    @property
    def sample_weights(self) -> list[Tensor | None]:
        """The tensor of sample weights of each output; None where none are fed."""
        return [objective.weights for objective in self._fixed.objectives]

    @property
    def _feed_targets(self) -> list[Tensor | None]:
        """The targets that training is given arrays for; with `_feed_inputs`, what programs ask gradients with."""
        return [objective.target for objective in self._fixed.fed]

    @property
    def _feed_sample_weights(self) -> list[Tensor | None]:
        return [objective.weights for objective in self._fixed.fed]

    def _standardize_user_data(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        check_array_lengths: bool = True,
        batch_size: int | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """The arrays for `_feed_inputs`, `_feed_targets` and `_feed_sample_weights`, checked as `fit` checks them.

        check_array_lengths, batch_size: accepted for programs that pass them; lengths are always checked.
        """
        if y is None:
            return inputs_of(self, x).x, [], []
        data = training_data(self, self._fixed, x, y, sample_weight, class_weight)
        weights = [
            np.ones(target.shape[: 1 + objective.temporal]) if given is None else given
            for objective, target, given in zip(self._fixed.fed, data.y, data.weights, strict=True)
        ]
        return data.x, data.y, weights

    @property
    def loss_functions(self) -> list[Any]:
        """The loss of each output; None for one without."""
        return [objective.loss for objective in self._fixed.objectives]

    @property
    def _collected_trainable_weights(self) -> list[Any]:
        return self._fixed.trainable_weights

    @property
    def _fixed(self) -> Compiled:
        """What compile fixed.  Raises NotCompiled, a RuntimeError, when it was not called."""
        if self._compiled is None:
            if self._compile_later is not None:
                raise NotCompiled(
                    f"{self.name} does not know the shape of its input yet: fit it first, or give its first layer "
                    "input_shape=..."
                )
            raise NotCompiled(f"{self.name} must be compiled before this: model.compile(optimizer, loss)")
        return self._compiled

    # ---- arrays

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        **kwargs: Any,
    ) -> History:
        """Train on arrays, epoch by epoch; answers the History.

        x, y: an array, a list of arrays, or a dict of arrays by input or output name.
        batch_size: samples per update; None is 32.
        epochs: the epoch to stop before; initial_epoch: the one to start at, both counted from 0.  A model loaded
            from a file that fit left after k epochs goes on with initial_epoch=k as if it had never stopped: np.random
            is then given the state that it had.
        verbose: 0 silent, 1 a progress bar, 2 one line an epoch.
        callbacks: list of Callback.
        validation_split: fraction, 0 <= f < 1, of the samples at the end that are kept out of training and evaluated
            after each epoch.  validation_data: (x, y) or (x, y, weights) in its place.
        shuffle: True shuffles the samples of each epoch, 'batch' the order of whole batches, False nothing.
        class_weight: dict from class to weight; for several outputs a list or dict of these.  Training only.
        sample_weight: one weight a sample (or time step, see compile); for several outputs a list or dict.
        steps_per_epoch: how often to run the whole of x and y, where inputs or targets are tensors.
        validation_steps: the same for validation.

        When a batch fails, the weights are those of the batch before it.  Raises RuntimeError when the model is not
        compiled, ValueError or TypeError for data that does not fit.
        """
        if "nb_epoch" in kwargs:
            warnings.warn("The `nb_epoch` argument in `fit` has been renamed `epochs`.", stacklevel=2)
            epochs = kwargs.pop("nb_epoch")
        if kwargs:
            hint = meant(Model.fit, next(iter(kwargs)))
            raise TypeError(f"fit() got unexpected keyword arguments: {sorted(kwargs)}.{hint}")
        return arrays.fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int = 1,
        sample_weight: Any = None,
        steps: int | None = None,
    ) -> Any:
        """The loss, or [loss, metrics...] as in `metrics_names`, over all samples, in test mode.

        x, y, batch_size, sample_weight: as in fit.  verbose: 1 shows a progress bar.
        steps: how often to run the whole of x and y, where inputs or targets are tensors.
        """
        return unpacked(arrays.evaluate(self, x, y, batch_size, verbose, sample_weight, steps))

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None
    ) -> Any:
        """The output array for all samples, or the list of them for several outputs, in test mode.

        x, batch_size: as in fit.  verbose: 1 shows a progress bar.
        steps: how often to run the whole of x, where inputs are tensors.
        """
        return unpacked(arrays.predict(self, x, batch_size, verbose, steps))

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None) -> Any:
        """One update on one batch: its loss, or [loss, metrics...], in training mode and before the update."""
        return unpacked(arrays.on_batch(self, True, x, y, sample_weight, class_weight))

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """The loss of one batch, or [loss, metrics...], in test mode; nothing is trained."""
        return unpacked(arrays.on_batch(self, False, x, y, sample_weight))

    def predict_on_batch(self, x: Any) -> Any:
        """The output array for one batch, or the list of them for several outputs, in test mode."""
        return unpacked(arrays.predict_on_batch(self, x))

    # ---- streams of batches

    @generating
    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: Sequence[Any] | None = None,
        validation_data: Any = None,
        validation_steps: int | None = None,
        class_weight: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        shuffle: bool = True,
        initial_epoch: int = 0,
    ) -> History:
        """Train on batches from a generator or Sequence; answers the History.

        generator: yields (inputs, targets) or (inputs, targets, sample_weights), for ever.
        steps_per_epoch, validation_steps: batches; the length of a Sequence by default.
        validation_data: (x, y), (x, y, weights), a generator or a Sequence.
        shuffle: take the batches of a Sequence in another order each epoch.
        epochs, verbose, callbacks, class_weight, initial_epoch: as in fit.
        workers: threads that make batches while others are trained on; 0 makes them in between.  Several share the
            batches of a Sequence, and training gets them in order; a generator has one.
        max_queue_size: batches that are made ahead, at most.
        use_multiprocessing: processes in place of threads, for a Sequence that can be pickled.

        An error in a worker is raised here.  So is a WorkerError, when a worker dies or has been making one batch for
        8 s: see `Sequence` for batches that take longer.
        """
        return streams.fit_generator(
            self,
            generator,
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            validation_steps=validation_steps,
            class_weight=class_weight,
            shuffle=shuffle,
            initial_epoch=initial_epoch,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )

    @generating
    def evaluate_generator(
        self,
        generator: Any,
        steps: int | None = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """The loss, or [loss, metrics...], over `steps` batches of a generator or Sequence, in test mode.

        Arguments as in fit_generator.
        """
        found = streams.evaluate_generator(
            self,
            generator,
            steps,
            verbose,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )
        return unpacked(found)

    @generating
    def predict_generator(
        self,
        generator: Any,
        steps: int | None = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """The output array, or list of them, for `steps` batches of a generator or Sequence, in test mode.

        generator: yields inputs, or tuples of which the first entry is inputs.  Others as in fit_generator.
        """
        found = streams.predict_generator(
            self,
            generator,
            steps,
            verbose,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )
        return unpacked(found)

    # ---- functions

    def _make_train_function(self) -> None:
        """Make the train function, and with it the optimizer's state."""
        self._fixed.check_current()
        if self.train_function is None:
            self.train_function = self._fixed.function(train=True)

    def _make_test_function(self) -> None:
        """Make the test function."""
        if self.test_function is None:
            self.test_function = self._fixed.function(train=False)

    def _make_predict_function(self) -> None:
        """Make the predict function: before threads share the model, or again where layers were added."""
        ends = [*(self.inputs or ()), *(self.outputs or ())]
        if self.predict_function is None or differ(self._predicts_for, ends):
            inputs = with_phase(self, feed_inputs(self))
            self.predict_function = Function(
                inputs, self.outputs or [], self.state_updates, name=f"{self.name}: predict_function"
            )
            self._predicts_for = ends

    def _predict_function_for(self, x: Any) -> Function:
        self._build_for(x)
        self._make_predict_function()
        assert self.predict_function is not None
        return self.predict_function

    # ---- readiness

    def _ready(self, x: Any, train: bool = False) -> Compiled:
        """What compile fixed, for a model that is built (if need be for data like x) and unchanged since."""
        if self._compiled is None and self._compile_later is not None:
            self._build_for(x)
        compiled = self._fixed
        if train:
            compiled.check_current()
        return compiled

    def _build_for(self, x: Any) -> None:
        """Build a model that does not know the shape of its input, for data like x; compile it if that waited."""
        if not self.inputs:
            self._build_from([(None, *np.shape(array)[1:]) for array in _listed(self.name, x)])
        if self._compile_later is not None:
            self._compiled = Compiled(self, self.optimizer, *self._compile_later)
            self._compile_later = None

    def _build_from(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Build for inputs of these shapes, batch first."""
        if self._grows:
            self.build(shapes[0])
            return
        # A subclass with a `call` of its own: its graph is that call on inputs of these shapes.
        tensors = [Input(batch_shape=shape) for shape in shapes]
        outputs = as_list(self(unpacked(tensors)))
        self.inputs, self.outputs = tensors, outputs
        self.input_names = [f"input_{number}" for number, _ in enumerate(tensors, start=1)]
        self.output_names = [f"output_{number}" for number, _ in enumerate(outputs, start=1)]


def _optimizer(identifier: Any) -> Any:
    """The optimizer, with a word for those who put the loss in its place."""
    try:
        return get("optimizers", identifier)
    except UnknownName as error:
        if isinstance(identifier, str) and identifier in names("losses"):
            raise UnknownName(
                f"{error}\n{identifier!r} is a loss: it comes second, compile(optimizer, loss)"
            ) from None
        raise


def _listed(name: str, x: Any) -> list[Any]:
    """The arrays of x, for a model that does not know its inputs."""
    if x is None:
        raise ValueError(
            f"{name} does not know the shape of its input yet: give its first layer input_shape=..., or fit arrays"
        )
    if isinstance(x, dict):
        return list(x.values())
    return list(x) if isinstance(x, list | tuple) and x and hasattr(x[0], "shape") else [x]
