"""Sequential: a model that is a stack of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from lamina import config as settings
from lamina import layers as registered
from lamina.engine.input_layer import Input, InputLayer
from lamina.engine.layer import _TRACED, Layer
from lamina.engine.network import Network
from lamina.engine.structure import as_shapes
from lamina.saving import gate
from lamina.tensor import Shape, Tensor
from lamina.training.sequential_api import SequentialTraining
from lamina_registry import registered_name, shown


class Sequential(SequentialTraining):
    """Layers one upon another, each taking what the one before it makes.

    layers: layers or models, added in order.  name: "sequential_1" and so on by default.

    The first layer says what the input is (`input_shape=`, `batch_input_shape=`); when it does not, the model is
    built by its first call, by the data it is first given, or by `build`.
    """

    _grows = True

    def __init__(self, layers: Sequence[Layer] | None = None, name: str | None = None) -> None:
        if isinstance(name, Layer):
            raise TypeError(f"Sequential takes a list of layers: write Sequential([..., {shown(name)}, ...])")
        super().__init__(name=name)
        self._stack: list[Layer] = []
        self._trail: list[Tensor] = []  # what each layer of the stack makes, once the input is known
        self._build_input_shape: Shape | None = None
        if layers is not None and (isinstance(layers, Layer | Tensor) or not isinstance(layers, Iterable)):
            raise TypeError(f"{self.name} takes a list of layers, Sequential([...]): met {shown(layers)}")
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers added, without the InputLayer at the bottom."""
        return (
            self._stack[1:] if self._stack and isinstance(self._stack[0], InputLayer) else list(self._stack)
        )

    @property
    def model(self) -> Self:
        """The model itself, which Keras 1 kept here."""
        return self

    def add(self, layer: Layer) -> None:
        """Put one more layer on top.

        Raises TypeError for anything but a layer with one output, ValueError for a name that the stack has already.
        """
        if not isinstance(layer, Layer):
            raise TypeError(
                f"The added layer must be an instance of class Layer. Found: {shown(layer)}{_instead(layer)}"
            )
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"The name {layer.name!r} is used twice in {self.name}. All layer names should be unique: give one of "
                "the layers another name=, or use Model to call one layer twice"
            )
        if self._trail:
            self._extend([layer], self._input, [*self._trail])
        elif not self._stack and isinstance(layer, InputLayer):
            self._extend([layer], layer._inbound_nodes[0].output_tensors[0], [])
        elif not self._stack and (known := _input_of(layer)):
            shape, dtype = known
            self._extend([layer], Input(batch_shape=shape, dtype=dtype, name=layer.name + "_input"), [])
        else:
            self._stack.append(layer)

    def _extend(self, layers: Sequence[Layer], start: Tensor, trail: list[Tensor]) -> None:
        """Call `layers` on the last tensor of `trail`, which begins at the input `start`, and keep the result."""
        for layer in layers:
            above = layer
            made = (
                start if isinstance(layer, InputLayer) and not trail else above(trail[-1] if trail else start)
            )
            if isinstance(made, list):
                raise TypeError(
                    f"All layers in a Sequential model should have a single output tensor, and {layer.name} has "
                    f"{len(made)}. For multi-output layers, use Model(inputs, outputs)"
                )
            trail.append(made)
        self._stack += [layer for layer in layers if layer not in self._stack]
        self._trail = trail
        self._is_graph_network = True
        self._connect([start], [trail[-1]])

    @property
    def _input(self) -> Tensor:
        assert self.inputs is not None
        return self.inputs[0]

    def pop(self) -> None:
        """Take the top layer off.  Raises TypeError when there is none."""
        if not self.layers:
            raise TypeError(f"There are no layers in the model {self.name}.")
        self._stack.pop()
        del self._trail[len(self._stack) :]
        if self._trail:
            self._stack[-1]._outbound_nodes = []
            self._connect([self._input], [self._trail[-1]])
        else:
            self.inputs = self.outputs = None
            self._is_graph_network = self.built = False
            self._forget_calls()

    def build(self, input_shape: Any = None) -> None:
        """Build all layers for inputs of this shape, batch axis included; nothing to do for a model built already.

        Raises ValueError when there are no layers, or no shape is given or several.
        """
        if self._trail:
            self.built = True
            return
        if not self._stack:
            raise ValueError(f"{self.name} has no layers to build: add some")
        shapes = [] if input_shape is None else as_shapes(input_shape)
        if len(shapes) != 1:
            raise ValueError(
                f"{self.name} is built for one input, as in build((None, 784)): met {input_shape}"
            )
        dtype = getattr(self._stack[0], "dtype", settings.floatx())
        start = Input(batch_shape=shapes[0], dtype=dtype, name=self.name + "_input")
        self._extend(self._stack, start, [])
        self._build_input_shape = shapes[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._trail:
            return super().compute_output_shape(input_shape)
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The layers' configs in order: {"name", "layers"}, and "build_input_shape" where no layer says it."""
        layers = [
            {"class_name": registered_name("layers", each), "config": each.get_config()}
            for each in self._stack
        ]
        config: dict[str, Any] = {"name": self.name, "layers": layers}
        if self._build_input_shape is not None:
            config["build_input_shape"] = self._build_input_shape
        return config

    @classmethod
    def from_config(cls, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new model, with new weights, from what `get_config` gave, or from the plain list of Keras 2.1."""
        old = isinstance(config, list | tuple)
        if not old and not (isinstance(config, Mapping) and isinstance(config.get("layers"), list | tuple)):
            raise ValueError(
                f"the config of a {cls.__name__} is a dict with name and layers, met {shown(config)}"
            )
        model = cls(name=None if old else config.get("name"))
        objects = dict(custom_objects) if custom_objects else None
        with gate.counting_calls():
            for entry in config if old else config["layers"]:
                layer = registered.deserialize(entry, objects)
                if not isinstance(layer, Layer):
                    raise ValueError(f"the config of {shown(model.name)}: {shown(entry)} is no layer")
                model.add(layer)
            shape = None if old else config.get("build_input_shape")
            if shape is not None and model._stack:
                model.build(shape)
        return model


def _instead(thing: Any) -> str:
    """What to add in place of a thing that is no layer."""
    if isinstance(thing, type):
        return f": add an instance, {thing.__name__}(...)"
    if isinstance(thing, Tensor):
        return ": add the layer that makes this tensor, not the tensor"
    return ": wrap the function, Lambda(function)" if callable(thing) else ""


def _input_of(layer: Layer) -> tuple[Shape, str] | None:
    """Shape and dtype of the input that a first layer asks for, or None when it does not say."""
    if isinstance(layer, Network):
        if layer.inputs is not None:
            if len(layer.inputs) != 1:
                raise ValueError(
                    f"{layer.name} has {len(layer.inputs)} inputs, and a Sequential has one: use Model"
                )
            return layer.inputs[0]._keras_shape, layer.inputs[0].dtype
        if isinstance(layer, Sequential):
            if not layer._stack:
                raise ValueError(
                    f"Cannot add an empty model to a Sequential model: {layer.name} has no layers"
                )
            return _input_of(layer._stack[0])
        return None
    if not hasattr(layer, "batch_input_shape"):
        return None
    return layer.batch_input_shape, getattr(layer, "dtype", settings.floatx())


_TRACED.add(Sequential.compute_output_shape)
