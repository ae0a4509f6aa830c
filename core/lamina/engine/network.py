"""Network: layers joined into a graph, which is a layer again.  Model adds training to it, Sequential a plain stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina import saving
from lamina.engine import network_config, summary
from lamina.engine.graph import Graph
from lamina.engine.input_layer import Input, InputLayer
from lamina.engine.layer import _TRACED, Layer
from lamina.engine.ledger import key
from lamina.engine.node import Node
from lamina.engine.signature import keywords
from lamina.engine.structure import as_list, as_shapes, unpacked
from lamina.engine.tracing import Calls, is_tracing, recorded_calls, traced_output_shape
from lamina.engine.weights import assign, from_file, unique
from lamina.saving import gate
from lamina.tensor import Shape, Tensor, scope

__all__ = ["Network"]


class Network(Layer):
    """The layers between input tensors and output tensors.

    inputs: tensor made by Input, or list of them.  outputs: tensor, or list of tensors, computed from them by layers.
    name: the class's name and a number by default.

    A subclass that makes its layers in __init__ and calls them in `call` gives no inputs and outputs; such a network
    has no config, for its graph is known to its code alone.

    Raises ValueError for an input that is not an Input, and for outputs that the inputs do not lead to.
    """

    inputs: list[Tensor] | None = None
    outputs: list[Tensor] | None = None

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any
    ) -> None:
        inputs = kwargs.pop("input", inputs)  # Keras 1's names
        outputs = kwargs.pop("output", outputs)
        if not name:
            prefix = type(self).__name__.lower()
            name = f"{prefix}_{K.get_uid(prefix)}"
        super().__init__(name=name, **kwargs)
        self._is_graph_network = inputs is not None or outputs is not None
        if self._is_graph_network:
            self._connect(_tensors(self, "inputs", inputs), _tensors(self, "outputs", outputs))
            self._graph  # noqa: B018  an impossible graph is an error here, not at its first use
        elif type(self).call is Network.call and not self._grows:
            raise TypeError(
                f"{type(self).__name__} needs inputs and outputs: {type(self).__name__}(inputs=x, outputs=y), with x "
                "made by Input and y by layers. (A subclass may define call instead)"
            )

    _grows = False  # whether layers may be added later, as to a Sequential
    _input_layers: Sequence[Any] = ()
    _output_layers: Sequence[Any] = ()
    _input_coordinates: Sequence[tuple[Any, int, int]] = ()
    _output_coordinates: Sequence[tuple[Any, int, int]] = ()
    input_names: Sequence[str] = ()
    output_names: Sequence[str] = ()

    def _connect(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """Take these as the ends of the network: its own node is the first."""
        self.inputs, self.outputs = inputs, outputs
        self._input_coordinates = [tensor._keras_history for tensor in inputs]  # type: ignore[attr-defined]
        self._output_coordinates = [tensor._keras_history for tensor in outputs]  # type: ignore[attr-defined]
        self._input_layers = [layer for layer, _, _ in self._input_coordinates]
        self._output_layers = [layer for layer, _, _ in self._output_coordinates]
        self.input_names = [layer.name for layer in self._input_layers]
        self.output_names = [layer.name for layer in self._output_layers]
        self._mapped: Graph | None = None
        self._inbound_nodes, self._outbound_nodes = [], []
        self._forget_runs()
        Node(
            self,
            inbound_layers=[],
            node_indices=[],
            tensor_indices=[],
            input_tensors=inputs,
            output_tensors=outputs,
            input_masks=[None] * len(inputs),
            output_masks=[
                layer._inbound_nodes[node].output_masks[at] for layer, node, at in self._output_coordinates
            ],
            input_shapes=[tensor._keras_shape for tensor in inputs],
            output_shapes=[tensor._keras_shape for tensor in outputs],
        )
        self.built = True

    def _forget_calls(self) -> None:
        super()._forget_calls()
        self._forget_runs()

    def _forget_runs(self) -> None:
        self._runs: dict[Any, _Run] = {}
        self._last: _Run | None = None

    @property
    def _graph(self) -> Graph:
        if self._mapped is None:
            self._mapped = Graph(self.inputs or [], self.outputs or [])
        return self._mapped

    @property
    def _nodes_by_depth(self) -> dict[int, list[Node]]:
        return self._graph.nodes_by_depth

    @property
    def _layers_by_depth(self) -> dict[int, list[Layer]]:
        return self._graph.layers_by_depth

    # ---- the layers

    @property
    def layers(self) -> list[Layer]:
        """All layers, in the order of the calls from inputs to outputs."""
        if self._is_graph_network:
            return list(self._graph.layers)
        values = (value if isinstance(value, list | tuple) else [value] for value in vars(self).values())
        return unique([each for value in values for each in value if isinstance(each, Layer)])

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place in `layers`; the index wins when both are given.

        Raises ValueError when there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but {self.name} only has {len(layers)} layers."
                )
            return layers[index]
        if isinstance(name, int):
            raise ValueError(
                f"get_layer({name}): the first argument is a name; write get_layer(index={name})"
            )
        if not name:
            raise ValueError("Provide either a layer name or layer index.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. The layers of {self.name} are {[layer.name for layer in layers]}"
        )

    # ---- the call

    def build(self, input_shape: Any = None) -> None:
        """Make the inputs and outputs of a network that has none, given the shape of its input or a list of shapes.

        Nothing to do for one made from inputs and outputs.
        """
        if not self._is_graph_network and input_shape is not None and self.inputs is None:
            shapes = as_shapes(input_shape)
            names = [
                f"{self.name}_input" + (f"_{at}" if len(shapes) > 1 else "")
                for at in range(1, len(shapes) + 1)
            ]
            inputs = [Input(batch_shape=shape, name=name) for shape, name in zip(shapes, names, strict=True)]
            outputs = as_list(self(unpacked(inputs)))
            self.inputs, self.outputs = inputs, outputs
            self._input_layers = [tensor._keras_history[0] for tensor in inputs]  # type: ignore[attr-defined]
            self.input_names = names
            self.output_names = [f"output_{at}" for at in range(1, len(outputs) + 1)]
        self.built = True

    def _build(self, tensors: list[Tensor]) -> None:
        if self._grows:
            super()._build(tensors)
        self.built = True  # the layers are built by their own calls

    def _run(self, inputs: Any, mask: Any, arguments: Mapping[str, Any]) -> tuple[list[Tensor], list[Any]]:
        if self._is_graph_network:
            return super()._run(inputs, mask, arguments)
        tensors = as_list(inputs)
        run = _Run(tensors, as_list(mask), arguments)
        with recorded_calls() as run.calls:
            run.outputs, run.masks = super()._run(inputs, mask, arguments)
        if not is_tracing():
            self._runs[key(tensors), key(run.given), id(arguments)] = run
        return run.outputs, run.masks

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        """The outputs of the same layers, with the same weights, on other tensors.

        training: handed to every layer that takes it; None leaves it to the learning phase.
        """
        tensors = as_list(inputs)
        masks = [None] * len(tensors) if mask is None else as_list(mask)
        outputs, _, _ = self.run_internal_graph(tensors, masks, training)
        return unpacked(outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks of the outputs that `call` gives for these inputs and masks."""
        if not self._is_graph_network:
            return None
        tensors = as_list(inputs)
        masks = [None] * len(tensors) if mask is None else as_list(mask)
        if self._last is not None and self._last.is_of(tensors, masks):
            return unpacked(self._last.masks)  # whatever `training` was: masks do not depend on it
        return unpacked(self.run_internal_graph(tensors, masks)[1])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, or list of shapes, for inputs of these shapes."""
        if self._is_graph_network:
            own = self._inbound_nodes[0]
            if as_shapes(input_shape) == own.input_shapes:
                return unpacked(own.output_shapes)
        return traced_output_shape(self, input_shape)

    def run_internal_graph(
        self, inputs: Sequence[Tensor], masks: Sequence[Any] | None = None, training: Any = None
    ) -> tuple[list[Tensor], list[Any], list[Shape]]:
        """Call every layer again, on these inputs: the outputs, their masks and their shapes.

        Asked again for the same tensors, it gives the same ones.
        """
        masks = list(masks or [None] * len(inputs))
        where = (key(inputs), key(masks), id(training))
        run = self._runs.get(where)
        if run is None:
            run = self._run_graph(list(inputs), masks, training)
            if not is_tracing():
                self._runs[where] = run
        self._last = run
        return run.outputs, run.masks, [output._keras_shape for output in run.outputs]

    def _run_graph(self, inputs: list[Tensor], masks: list[Any], training: Any) -> _Run:
        assert self.inputs is not None and self.outputs is not None
        if len(inputs) != len(self.inputs):
            raise ValueError(
                f"{self.name} takes {len(self.inputs)} inputs ({', '.join(self.input_names)}), "
                f"and it was called on {len(inputs)} tensors"
            )
        run = _Run(inputs, masks, training)
        if (
            key(inputs) == key(self.inputs)
            and training is None
            and not any(mask is not None for mask in masks)
        ):
            own = self._inbound_nodes[0]
            run.outputs, run.masks = own.output_tensors, own.output_masks
            run.calls = [(node.outbound_layer, node.input_tensors) for node in self._graph.calls]
            return run
        values = {
            id(own): pair for own, pair in zip(self.inputs, zip(inputs, masks, strict=True), strict=True)
        }
        for node in self._graph.calls:
            if not node.inbound_layers:
                continue
            layer = node.outbound_layer
            gate.count_call(self.name)
            tensors, given = zip(*[values[id(tensor)] for tensor in node.input_tensors], strict=True)
            computed = unpacked(tensors)
            arguments = node.arguments
            if training is not None and "training" not in arguments and "training" in keywords(layer.call):
                arguments = {**arguments, "training": training}
            with scope(layer.name):
                layer.assert_input_compatibility(computed)
                outputs, output_masks = layer._run(computed, unpacked(given), arguments)
            run.calls.append((layer, list(tensors)))
            values.update(
                zip(map(id, node.output_tensors), zip(outputs, output_masks, strict=True), strict=True)
            )
        run.outputs, run.masks = map(list, zip(*[values[id(tensor)] for tensor in self.outputs], strict=True))
        return run

    # ---- losses and updates

    def _calls_on(self, inputs: Any) -> Iterator[tuple[Layer, list[Tensor] | None]]:
        """The calls of layers that follow from a call of the network on `inputs`; for None, no call in particular."""
        if inputs is None:
            yield from ((layer, None) for layer in self.layers)
        elif self._is_graph_network and key(as_list(inputs)) == key(self.inputs or ()):
            yield from ((node.outbound_layer, node.input_tensors) for node in self._graph.calls)
        else:
            for run in self._runs.values():
                if key(run.inputs) == key(as_list(inputs)):
                    yield from run.calls

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses of all layers that depend on these inputs; for None, those that depend on no input."""
        losses = super().get_losses_for(inputs)
        for layer, tensors in self._calls_on(inputs):
            losses += layer.get_losses_for(tensors)
        return unique(losses)

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates of all layers that depend on these inputs; for None, those that depend on no input."""
        return self._updates_for(inputs, state_only=not self.trainable)

    def _updates_for(self, inputs: Any, state_only: bool) -> list[Any]:
        updates = [] if state_only else self._updates.of(None if inputs is None else as_list(inputs))
        for layer, tensors in self._calls_on(inputs):
            if isinstance(layer, Network):
                updates += layer._updates_for(tensors, state_only or not layer.trainable)
            elif not state_only or layer.stateful:
                updates += layer.get_updates_for(tensors)
        return unique(updates)

    @property
    def losses(self) -> list[Any]:
        """All losses that its inputs or its weights give rise to."""
        return unique(self.get_losses_for(self.inputs) + self.get_losses_for(None))

    @property
    def updates(self) -> list[Any]:
        """All updates that a training step runs; of a frozen network those that carry state only."""
        return self._own_updates(state_only=not self.trainable)

    @property
    def state_updates(self) -> list[Any]:
        """The updates of stateful layers, which prediction runs too."""
        return self._own_updates(state_only=True)

    def _own_updates(self, state_only: bool) -> list[Any]:
        return unique(self._updates_for(self.inputs, state_only) + self._updates_for(None, state_only))

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether any layer keeps state from batch to batch."""
        return any(getattr(layer, "stateful", False) for layer in self.layers)

    def reset_states(self) -> None:
        """Reset the state of every stateful layer."""
        for layer in self.layers:
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_states"):
                layer.reset_states()

    @property
    def uses_learning_phase(self) -> bool:
        """Whether any output differs between training and testing."""
        return any(output._uses_learning_phase for output in self.outputs or ())

    # ---- weights

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights of all layers that training changes, each once: none while `trainable` is False."""
        if not self.trainable:
            return []
        return unique([weight for layer in self.layers for weight in layer.trainable_weights])

    @trainable_weights.setter
    def trainable_weights(self, weights: Sequence[Any]) -> None:
        raise AttributeError(f"{self.name} has the weights of its layers: change `trainable` of these")

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights of all layers that training leaves alone; all of them while `trainable` is False."""
        rest = [weight for layer in self.layers for weight in layer.non_trainable_weights]
        if self.trainable:
            return unique(rest)
        return unique([weight for layer in self.layers for weight in layer.trainable_weights] + rest)

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: Sequence[Any]) -> None:
        raise AttributeError(f"{self.name} has the weights of its layers: change `trainable` of these")

    def get_weights(self) -> list[np.ndarray]:
        """The values of all weights, layer by layer."""
        return K.batch_get_value(self._weights_by_layer())

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights from arrays as `get_weights` gives them.

        Raises ValueError, and sets none, when their number or a shape is another.
        """
        assign(self.name, self._weights_by_layer(), weights)

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The arrays that a file has for this network, as its layers convert them."""
        if len(arrays) != len(self.weights):
            return arrays
        return from_file(self.layers, self.weights, arrays, backend=backend, keras_version=keras_version)

    def _weights_by_layer(self) -> list[Any]:
        return [weight for layer in self.layers for weight in layer.weights]

    # ---- ends

    @property
    def input(self) -> Any:
        """Its own input tensor, or list of input tensors."""
        return unpacked(self._ends(self.inputs, "input"))

    @property
    def output(self) -> Any:
        """Its own output tensor, or list of output tensors."""
        return unpacked(self._ends(self.outputs, "output"))

    def _ends(self, tensors: list[Tensor] | None, what: str) -> list[Tensor]:
        if tensors is None:
            raise AttributeError(
                f"{self.name} has no {what} yet: it is built by its first call, or by build(shape)"
            )
        return tensors

    @property
    def input_spec(self) -> Any:
        """One entry for each input, which takes any shape that the layers take."""
        count = len(self.inputs or ())
        return [None] * count if count > 1 else None

    @input_spec.setter
    def input_spec(self, spec: Any) -> None:
        raise AttributeError(f"{self.name} accepts what its layers accept: it has no input_spec of its own")

    @property
    def _feed_layers(self) -> list[InputLayer]:
        """The inputs that data is given for; tensors that were wrapped have theirs."""
        return [layer for layer in self._input_layers if layer.is_placeholder]

    @property
    def _feed_inputs(self) -> list[Tensor]:
        return [layer._inbound_nodes[0].output_tensors[0] for layer in self._feed_layers]

    @property
    def _feed_input_names(self) -> list[str]:
        return [layer.name for layer in self._feed_layers]

    @property
    def _feed_input_shapes(self) -> list[Shape]:
        return [tensor._keras_shape for tensor in self._feed_inputs]

    # ---- config and files

    def get_config(self) -> dict[str, Any]:
        """The graph as plain data, in the form of Keras 2.  Raises NotImplementedError for a subclassed network."""
        if not self._is_graph_network:
            raise NotImplementedError(
                f"{self.name} is made by the code of {type(self).__name__}, which no config can hold: save its weights "
                "with save_weights, or build it from inputs and outputs"
            )
        return network_config.config_of(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new network, with new weights, from what `get_config` gave.

        custom_objects: {name: class or function} for names that nothing registered.

        Raises UnknownName for a name nobody offers, ValueError for a config that describes no network.
        """
        with gate.counting_calls():
            inputs, outputs, name = network_config.tensors_of(config, custom_objects)
        return cls(inputs=inputs, outputs=outputs, name=name)

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Write architecture, weights, training configuration and optimizer state to one HDF5 file.

        filepath: a path, or an open binary file, h5py.File or Group.
        overwrite: False asks before an existing file is replaced.  include_optimizer: whether its state is written.
        """
        saving.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a file: safetensors for a path that ends in .safetensors, else HDF5.

        filepath, overwrite: as in `save`.
        """
        saving.save_weights(self, filepath, overwrite)

    def load_weights(
        self,
        filepath: Any,
        by_name: bool = False,
        skip_mismatch: bool = False,
        reshape: bool = False,
    ) -> None:
        """Set the weights from a file of `save_weights` or `save`, or of another Keras.

        filepath: a path, or an open binary file, h5py.File or Group.
        by_name: match layers by their names rather than by their order; layers without a namesake keep their values.
        skip_mismatch: pass over layers whose weights differ in number or shape, with a warning; by_name only.
        reshape: let a weight of another shape in when it has as many elements.

        Raises ValueError, and sets nothing, when the weights do not fit.
        """
        saving.load_weights(self, filepath, by_name, skip_mismatch, reshape)

    def __reduce__(self) -> Any:
        # What `save` writes, and so with the optimizer's state; without `history` and layers shared with other models.
        return saving.pickled(self)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as a JSON text, for model_from_json.  kwargs: for json.dumps."""
        text: str = saving.to_json(self, **kwargs)
        return text

    def to_yaml(self, **kwargs: Any) -> str:
        """The architecture as a YAML text, for model_from_yaml.  kwargs: for yaml.dump."""
        text: str = saving.to_yaml(self, **kwargs)
        return text

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
    ) -> None:
        """Print a table of the layers, their output shapes and numbers of parameters.

        line_length: characters.  positions: where columns end, in characters or fractions of the line.
        print_fn: called with each line; print by default.

        Raises ValueError when the network is not built.
        """
        summary.print_summary(self, line_length, positions, print_fn)


class _Run:
    """One run of a network's layers on other tensors: what went in, the calls made, what came out."""

    def __init__(self, inputs: list[Tensor], given: list[Any], training: Any) -> None:
        self.inputs = inputs
        self.given = given
        self.training = training  # all three kept, since runs are found by their identity
        self.calls: Calls = []
        self.outputs: list[Tensor] = []
        self.masks: list[Any] = []

    def is_of(self, inputs: list[Tensor], given: list[Any]) -> bool:
        return key(self.inputs) == key(inputs) and key(self.given) == key(given)


def _tensors(network: Network, what: str, value: Any) -> list[Tensor]:
    """The ends of a network as a list, checked."""
    cls = type(network).__name__
    tensors = list(value) if isinstance(value, list | tuple) else [value]
    if value is None or not tensors:
        raise TypeError(
            f"{cls} needs {what}: {cls}(inputs=x, outputs=y), with x made by Input and y by layers"
        )
    for tensor in tensors:
        if not hasattr(tensor, "_keras_history"):
            if what == "inputs":
                raise ValueError(f"Input tensors to a {cls} must come from `Input`. Received: {tensor!r}")
            raise ValueError(
                f"Output tensors to a {cls} must be the output of a layer. Found: {tensor!r}. Put backend functions "
                "that are applied after the last layer into a Lambda layer"
            )
        if what == "inputs" and not isinstance(tensor._keras_history[0], InputLayer):
            raise ValueError(
                f"{cls} inputs must come from `Input`, they cannot be the output of a previous layer. {tensor!r} was "
                f"made by layer {tensor._keras_history[0].name}: make a new Input of shape "
                f"{tensor._keras_shape[1:]} and call the layers after it on that"
            )
    if what == "inputs" and len(unique(tensors)) != len(tensors):
        raise ValueError(
            f"The list of inputs passed to the {cls} is redundant: each input appears once. Found: {tensors}"
        )
    return tensors


_TRACED.add(Network.compute_output_shape)
