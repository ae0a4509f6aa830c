"""Wrapper: a layer around another one, whose weights, losses, updates and state it takes for its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina import layers as registered
from lamina.engine import Network
from lamina.engine.signature import keywords
from lamina.engine.tracing import is_tracing
from lamina.engine.weights import assign, from_file, unique
from lamina.layers import Layer
from lamina.tensor import Tensor
from lamina_registry import CustomObjectScope, shown


class Wrapper(Layer):
    """What `layer` makes of the inputs: the base of layers that do something besides.

    layer: the layer to wrap, or a model.

    A subclass overrides `build` and `call`, and `compute_mask` and `seen` where the wrapped layer gets other tensors
    than the wrapper: `build_once` and `called` are there to build it and to call it.  `trainable`, the state and the
    activity regularizer are the wrapped layer's, too.

    Raises TypeError for anything but a layer.
    """

    supports_masking = True

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        self.layer = a_layer(type(self).__name__, layer)
        super().__init__(**kwargs)

    @property
    def wrapped(self) -> list[Layer]:
        """The layers that compute: `layer`, unless a subclass has copies of it."""
        return [self.layer]

    def seen(self, inputs: list[Tensor]) -> list[Tensor]:
        """The tensors that the wrapped layers were called on when this one was called on `inputs`."""
        return inputs

    # ---- the call

    def build(self, input_shape: Any = None) -> None:
        if input_shape is not None:
            build_once(self.layer, input_shape)
        super().build(input_shape)

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        return called(self.layer, inputs, {"mask": mask, "training": training})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, mask)

    @property
    def activity_regularizer(self) -> Any:
        """The wrapped layer's penalty on outputs, which counts for the wrapper's."""
        return getattr(self.layer, "activity_regularizer", None)

    # ---- weights

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        """Whether training changes any wrapped layer; to set it sets it for all of them."""
        return any(layer.trainable for layer in self.wrapped)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.wrapped:
            layer.trainable = value

    @property  # type: ignore[misc]
    def trainable_weights(self) -> list[Any]:
        """The wrapped layers' weights that training changes, then the wrapper's own."""
        wrapped = [w for layer in self.wrapped for w in layer.trainable_weights]
        return wrapped + super().trainable_weights

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        """The wrapped layers' weights that training leaves alone, then the wrapper's own."""
        wrapped = [w for layer in self.wrapped for w in layer.non_trainable_weights]
        return wrapped + super().non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """The values of all weights, in the order each wrapped layer gives its own."""
        arrays = [array for layer in self.wrapped for array in layer.get_weights()]
        return arrays + K.batch_get_value(self._own_weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the weights from arrays as `get_weights` gives them.

        Raises ValueError, and sets none, when their number or a shape is another.
        """
        arrays, before = list(weights), self.get_weights()
        if len(arrays) != len(before):
            assign(self.name, self.weights, arrays)  # says so
        try:
            self._hand_out(arrays)
        except ValueError:
            self._hand_out(before)
            raise

    def _hand_out(self, arrays: list[Any]) -> None:
        for layer in self.wrapped:
            count = len(layer.weights)
            layer.set_weights(arrays[:count])
            arrays = arrays[count:]
        assign(self.name, self._own_weights, arrays)

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The arrays that a file has for this wrapper, as the wrapped layers convert them."""
        if len(arrays) == len(self.weights):
            return from_file(self.wrapped, self.weights, arrays, backend=backend, keras_version=keras_version)
        # Keras 1 had a weight for each gate of a recurrent layer, and as many for the way back.
        size, rest = divmod(len(arrays), len(self.wrapped))
        if rest:
            return arrays
        found: list[np.ndarray] = []
        for at, layer in enumerate(self.wrapped):
            found += layer.weights_from_file(arrays[at * size : (at + 1) * size], backend, keras_version)
        return found

    @property
    def _own_weights(self) -> list[Any]:
        return self._trainable_weights + self._non_trainable_weights

    # ---- losses, updates, state

    @property
    def losses(self) -> list[Any]:
        """The losses of the wrapped layers, then the wrapper's own."""
        return unique([loss for layer in self.wrapped for loss in layer.losses] + super().losses)

    @property
    def updates(self) -> list[Any]:
        """The updates of the wrapped layers, then the wrapper's own."""
        return unique([update for layer in self.wrapped for update in layer.updates] + super().updates)

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that depend on these inputs; for None, those that depend on no input."""
        seen = self._seen(inputs)
        found = [loss for layer in self.wrapped for loss in layer.get_losses_for(seen)]
        return unique(found + super().get_losses_for(inputs))

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates that depend on these inputs; for None, those that depend on no input."""
        seen = self._seen(inputs)
        found = [update for layer in self.wrapped for update in layer.get_updates_for(seen)]
        return unique(found + super().get_updates_for(inputs))

    def _seen(self, inputs: Any) -> list[Tensor] | None:
        return None if inputs is None else self.seen(inputs if isinstance(inputs, list) else [inputs])

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether a wrapped layer keeps state from batch to batch."""
        return any(getattr(layer, "stateful", False) for layer in self.wrapped)

    def reset_states(self) -> None:
        """Reset the state of the wrapped layers.  Raises AttributeError where one keeps none."""
        for layer in self.wrapped:
            if not hasattr(layer, "reset_states"):
                raise AttributeError(
                    f"{self.name}: {layer.name}, a {type(layer).__name__}, has no reset_states: it keeps no state "
                    "from batch to batch"
                )
        for layer in self.wrapped:
            layer.reset_states()  # type: ignore[attr-defined]

    # ---- config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new wrapper around a new layer, with new weights, from what `get_config` gave.

        custom_objects: {name: class or function} for names that nothing registered, at any depth.

        Raises UnknownName for a name nobody offers, ValueError for a config that describes no layer to wrap.
        """
        if not isinstance(config, Mapping) or "layer" not in config:
            raise ValueError(
                f"the config of a {cls.__name__} is a dict with the config of the wrapped layer as 'layer', met "
                f"{shown(config)}"
            )
        with CustomObjectScope(custom_objects or {}):
            layer = registered.deserialize(config["layer"])
        return cls(layer, **{name: value for name, value in config.items() if name != "layer"})


def a_layer(owner: str, layer: Any) -> Layer:
    """`layer`, if it is one.  Raises TypeError, naming the wrapper that was given it, otherwise."""
    if isinstance(layer, Layer):
        return layer
    hint = f": give it an instance, {layer.__name__}(...)" if isinstance(layer, type) else ""
    raise TypeError(f"{owner} wraps a layer or a model, met {shown(layer)}{hint}")


def build_once(layer: Layer, input_shape: Any) -> None:
    """Build a wrapped layer for this shape of input, or list of shapes, unless it is built already."""
    if layer.built:
        return
    layer.build(input_shape)
    layer.built = True
    if layer._initial_weights is not None and not is_tracing():
        layer.set_weights(layer._initial_weights)
        layer._initial_weights = None


def called(layer: Layer, inputs: Any, offered: Mapping[str, Any], **given: Any) -> Any:
    """What a wrapped layer makes of the inputs.

    offered: keyword arguments for its `call` that it gets where it declares them and they are not None.
    given: those that it gets in any case.
    """
    declared = keywords(layer.call)
    given |= {name: value for name, value in offered.items() if name in declared and value is not None}
    # A model written as code takes note of the layers it calls only when it is called itself.
    return layer(inputs, **given) if is_code(layer) else layer.call(inputs, **given)


def is_code(layer: Layer) -> bool:
    """Whether it is a model that its own `call` defines, rather than a graph of layers."""
    return isinstance(layer, Network) and type(layer).call is not Network.call
