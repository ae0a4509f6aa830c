"""TimeDistributed: the same layer at every step of a sequence."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.engine import Network
from lamina.engine.structure import as_list, as_shapes, unpacked
from lamina.engine.tracing import stand_in, tracing
from lamina.layers import InputSpec, Layer
from lamina.ops.shape import sizes_of, with_sizes
from lamina.tensor import Placeholder, Shape, Tensor
from lamina_wrappers.wrapper import Wrapper, build_once, called, is_code


class TimeDistributed(Wrapper):
    """layer(x[:, t]) for every step t, computed for all steps at once: batch and time go in as one axis.

    Input:   (batch, time, ...), or a list of them for a layer of several inputs; either size may be unknown.
    Output:  (batch, time, ...), or a list; the layer sees and makes (batch * time, ...).
    Weights: the layer's.

    A mask of the input reaches the layer as (batch * time, ...).  The output's mask is what the layer makes of it; if
    that is none, the steps that are not masked as a whole.

    layer: layer or model to apply.  One that keeps state has it for each sample and step, and needs both sizes.

    Raises ValueError when called on fewer than three axes, and whatever the layer raises.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        # What became of inputs and masks, kept with what they were made from, whose identities are the key.
        self._folded: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}

    def build(self, input_shape: Any = None) -> None:
        shapes = as_shapes(input_shape)
        for shape in shapes:
            self._check_axes(shape)
        build_once(self.layer, unpacked([_folded_shape(shape) for shape in shapes]))
        self.input_spec = unpacked([InputSpec(shape=(None, None, *shape[2:])) for shape in shapes])
        super().build()

    def assert_input_compatibility(self, inputs: Any) -> None:
        """Raises ValueError when `inputs` have no time axis, or their steps are not what the layer accepts."""
        super().assert_input_compatibility(inputs)
        for tensor in as_list(inputs):
            self._check_axes(tensor._keras_shape)
        self.layer.assert_input_compatibility(unpacked(list(map(self._fold, as_list(inputs)))))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:  # type: ignore[override]
        sequences = as_list(inputs)
        offered = {"mask": self._fold_masks(mask, sequences), "training": training}
        made = called(self.layer, unpacked(list(map(self._fold, sequences))), offered)
        outputs = [_unfolded(step, sequences[0]) for step in _listed(made)]
        if isinstance(self.layer, Network) and not is_code(self.layer):
            for output, differs in zip(outputs, _ends_differ(self.layer), strict=True):
                output._uses_learning_phase = output._uses_learning_phase and differs
        return unpacked(outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        sequences = as_list(inputs)
        steps = unpacked(list(map(self._fold, sequences)))
        found = self.layer.compute_mask(steps, self._fold_masks(mask, sequences))
        whole = next((_of_steps(each) for each in as_list(mask) if each is not None), None)
        return unpacked([whole if each is None else _unfolded(each, sequences[0]) for each in _listed(found)])

    def seen(self, inputs: list[Tensor]) -> list[Tensor]:
        return [self._folded.get((id(tensor), id(tensor)), (tensor, tensor, tensor))[2] for tensor in inputs]

    def _fold(self, tensor: Tensor, sequence: Tensor | None = None) -> Tensor:
        """(batch, time, ...) as (batch * time, ...), and (batch,) as that, too, repeated for every step of `sequence`.

        For the same tensors always the same one.
        """
        sequence = tensor if sequence is None or K.ndim(tensor) > 1 else sequence
        key = id(tensor), id(sequence)
        if key not in self._folded:
            batch, time, *rest = [*_sizes(sequence)[:2], *_sizes(tensor)[2:]]
            whole = tensor if K.ndim(tensor) > 1 else K.tile(K.expand_dims(tensor, 1), [1, time])
            self._folded[key] = tensor, sequence, with_sizes(whole, [batch * time, *rest])
        return self._folded[key][2]

    def _fold_masks(self, mask: Any, sequences: list[Tensor]) -> Any:
        masks = as_list(mask)
        if all(each is None for each in masks):
            return None
        pairs = zip(masks, sequences, strict=True)
        return unpacked([None if each is None else self._fold(each, sequence) for each, sequence in pairs])

    def _check_axes(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"{self.name} takes sequences (batch, time, ...) of three axes or more, and applies {self.layer.name} "
                f"to each step (batch, ...): met shape {shape}"
            )


def _folded_shape(shape: Shape) -> Shape:
    batch, time, *rest = shape
    return (None if batch is None or time is None else batch * time, *rest)


def _unfolded(step: Tensor, sequence: Tensor) -> Tensor:
    """(batch * time, ...) as (batch, time, ...), with the first two sizes of `sequence`."""
    return with_sizes(step, [*_sizes(sequence)[:2], *_sizes(step)[1:]])


def _sizes(tensor: Tensor) -> list[Any]:
    """The sizes of a tensor: numbers where they are known, or said to be by the layer that made it; else tensors."""
    return [
        size if said is None else said
        for size, said in zip(sizes_of(tensor), K.int_shape(tensor), strict=True)
    ]


def _of_steps(mask: Tensor) -> Tensor:
    """The steps of which a mask leaves anything: (batch, time), or (batch,) of one that knows whole samples only."""
    while K.ndim(mask) > 2:
        mask = K.any(mask, axis=-1)
    return mask


def _listed(made: Any) -> list[Any]:
    return list(made) if isinstance(made, tuple) else as_list(made)


def _ends_differ(model: Network) -> list[bool]:
    """Whether each output of a model differs in training by what its own layer does, not by what it is made from.

    Keras 2.2.4 asks no more than that of a model in a TimeDistributed: where no output of the model around it differs,
    by this count, `fit` computes as in testing.
    """
    found = []
    for tensor in model.outputs or ():
        layer, node_index, tensor_index = tensor._keras_history  # type: ignore[attr-defined]
        node = layer._inbound_nodes[node_index]
        if isinstance(layer, Network) and not is_code(layer):
            found.append(_ends_differ(layer)[tensor_index])
            continue
        inputs = [Placeholder(each._keras_shape, each.dtype) for each in node.input_tensors]
        with tracing():
            made = stand_in(layer).call(unpacked(inputs), **node.arguments)
        found.append(_listed(made)[tensor_index]._uses_learning_phase)
    return found
