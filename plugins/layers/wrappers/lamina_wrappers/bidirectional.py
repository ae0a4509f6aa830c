"""Bidirectional: a recurrent layer run from the first step to the last, and from the last to the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

from lamina import backend as K
from lamina.engine.spec import check_inputs
from lamina.engine.structure import as_list, as_shapes, unpacked
from lamina.layers import Layer
from lamina.tensor import Tensor
from lamina_registry import CustomObjectScope, registered_name
from lamina_wrappers.wrapper import Wrapper, a_layer, build_once, called

MERGE: dict[str | None, Callable[[Tensor, Tensor], Any]] = {
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "concat": lambda forward, backward: K.concatenate([forward, backward]),
    None: lambda forward, backward: [forward, backward],
}


class Bidirectional(Wrapper):
    """merge(forward(x), backward(x)), where the backward layer reads the steps from the last to the first.

    Input:   (batch, time, ...), as the recurrent layer's; masks as well.
    Output:  the two layers' outputs merged: along the last axis side by side for "concat", in the recurrent layer's
             shape for "sum", "mul" and "ave", as a list of two for None.  Where it returns sequences, those of the
             backward layer are put back in the order of time first.  With return_state the states follow: a list of
             output, states of the forward layer, states of the backward layer.
    Weights: the forward layer's, then the backward layer's.

    layer: recurrent layer that both are copies of: forward_layer, and backward_layer with go_backwards turned round.
    merge_mode: "sum", "mul", "ave", "concat" or None.
    weights: list of arrays that the weights start from.

    Called with initial_state, a list, the first half is the forward layer's and the second half the backward layer's;
    constants, a list, reach both.

    Raises TypeError for a layer that cannot run backwards, ValueError for another merge_mode or an odd number of
    states.
    Source: Schuster and Paliwal 1997, IEEE Transactions on Signal Processing 45(11).
    """

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        a_layer(type(self).__name__, layer)
        if not isinstance(merge_mode, str | None) or merge_mode not in MERGE:
            raise ValueError(
                "Invalid merge mode. Merge mode should be one of "
                f"{{{', '.join(map(repr, MERGE))}}}, met {merge_mode!r}"
            )
        self.forward_layer = _copied(layer, "forward_", turned=False)
        self.backward_layer = _copied(layer, "backward_", turned=True)
        super().__init__(layer, weights=weights, **kwargs)
        self.merge_mode = merge_mode
        self.return_sequences: bool = layer.return_sequences  # type: ignore[attr-defined]
        self.return_state: bool = layer.return_state  # type: ignore[attr-defined]
        self.input_spec = layer.input_spec
        self._num_constants: int | None = None
        self._constant_shapes: list[Any] = []  # of those that were given by keyword

    @property
    def wrapped(self) -> list[Layer]:
        return [self.forward_layer, self.backward_layer]

    def seen(self, inputs: list[Tensor]) -> list[Tensor]:
        return inputs[:1]

    # ---- the call

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        """The layer's output on a sequence.

        inputs: the sequence, or a list of it, the initial states and the constants.
        initial_state: list of the states to start from, the forward layer's first.
        constants: list of tensors that the cell is given at every step.
        """
        sequence, *rest = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if rest:
            if initial_state is not None or constants is not None:
                raise ValueError(
                    f"{self.name} was given states or constants twice: in the list of inputs, and by keyword"
                )
            initial_state, constants = self._parted(rest)
        states, constants = self._tensors(initial_state), self._tensors(constants)
        self._check_states(states)
        if constants:
            self._num_constants = len(constants)
            self._constant_shapes = list(map(K.int_shape, constants))
            for layer in self.wrapped:
                layer._num_constants = len(constants)  # type: ignore[attr-defined]
        made_by_layers = {K.is_keras_tensor(tensor) for tensor in states + constants}
        if len(made_by_layers) == 2:
            raise ValueError(
                f"The initial states and constants of {self.name} are all made by layers, or none of them is: a mix of "
                "Keras tensors and others cannot be connected. Wrap the others in Input(tensor=...)"
            )
        if made_by_layers == {True}:
            return super().__call__([sequence, *states, *constants], **kwargs)
        if states:
            kwargs["initial_state"] = states
        if constants:
            kwargs["constants"] = constants
        return super().__call__(sequence, **kwargs)

    def build(self, input_shape: Any = None) -> None:
        sequence, *rest = as_shapes(input_shape)
        shapes = [sequence, *(rest[len(rest) - (self._num_constants or 0) :] or self._constant_shapes)]
        for layer in self.wrapped:
            with K.name_scope(layer.name):
                build_once(layer, unpacked(shapes))
        self.input_spec = self.forward_layer.input_spec
        super().build()

    def assert_input_compatibility(self, inputs: Any) -> None:
        """Raises ValueError when the sequence is not what the recurrent layer accepts."""
        sequence, *rest = as_list(inputs)
        check_inputs(self.name, as_list(self.input_spec)[:1], [sequence])
        check_inputs(self.name, None, rest)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        initial_state: Any = None,
        constants: Any = None,
    ) -> Any:
        sequence, *rest = as_list(inputs)
        if rest:
            initial_state, constants = self._parted(rest)
        states, constants = self._tensors(initial_state), self._tensors(constants)
        half = len(states) // 2
        offered = {"mask": as_list(mask)[0], "training": training}
        both = []
        for layer, start in zip(self.wrapped, (states[:half], states[half:]), strict=True):
            given = {"initial_state": start} if start else {}
            if constants:
                given["constants"] = constants
            both.append(as_list(called(layer, sequence, offered, **given)))
        (forward, *ends), (backward, *backward_ends) = both
        if self.return_sequences:
            backward = K.reverse(backward, 1)
        merged = MERGE[self.merge_mode](forward, backward)
        return as_list(merged) + ends + backward_ends if self.return_state else merged

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        passed = as_list(mask)[0] if self.return_sequences else None
        masks = [passed] if self.merge_mode else [passed, passed]
        if self.return_state:
            masks += [None] * 2 * len(self.forward_layer.states)  # type: ignore[attr-defined]
        return unpacked(masks)

    def _parted(self, rest: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What follows the sequence in a list of inputs, as states and constants."""
        count = len(rest) - (self._num_constants or 0)
        return rest[:count], rest[count:]

    def _tensors(self, given: Any) -> list[Tensor]:
        found = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
        for each in found:
            if not isinstance(each, Tensor):
                raise ValueError(
                    f"{self.name}: initial states and constants are tensors, met {type(each).__name__}; arrays are for "
                    "reset_states of a stateful layer"
                )
        return found

    def _check_states(self, states: list[Tensor]) -> None:
        if len(states) % 2:
            raise ValueError(
                "When passing `initial_state` to a Bidirectional RNN, the state should be a list containing the states "
                f"of the underlying RNNs, the forward one's first: {self.name} was given {len(states)}, an odd number"
            )

    # ---- config

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode}
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        constants = None
        if isinstance(config, Mapping):
            config = dict(config)
            constants = config.pop("num_constants", None)
        layer = super().from_config(config, custom_objects)
        layer._num_constants = constants
        return layer


def _copied(layer: Layer, prefix: str, turned: bool) -> Layer:
    """A new layer of the same config.  turned: whether it goes the other way."""
    config = layer.get_config()
    if "go_backwards" not in config or not hasattr(layer, "return_sequences"):
        raise TypeError(
            f"Bidirectional runs a recurrent layer both ways, and {layer.name}, a {type(layer).__name__}, has no "
            "go_backwards to turn round: give it an LSTM, GRU, SimpleRNN or RNN"
        )
    config |= {"name": prefix + layer.name, "go_backwards": config["go_backwards"] != turned}
    with CustomObjectScope(dict(_classes(layer))):  # what the layer is made of needs no registration
        return type(layer).from_config(config)


def _classes(layer: Any) -> Iterator[tuple[str, type]]:
    """The classes of the cells and layers that a layer is made of, by the names that its config gives them."""
    for value in getattr(layer, "__dict__", {}).values():
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Layer) or hasattr(inner, "state_size"):
                yield registered_name("layers", inner), type(inner)
                yield from _classes(inner)
