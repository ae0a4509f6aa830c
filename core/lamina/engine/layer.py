"""Layer: weights, a call on tensors, and the record of every call that models are read from."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina import config
from lamina.engine.arguments import as_count
from lamina.engine.calls import Called
from lamina.engine.keras_1 import shape_may_lead, understood
from lamina.engine.ledger import Ledger
from lamina.engine.node import Node
from lamina.engine.signature import BASE, config_of, keywords, revived, unexpected
from lamina.engine.spec import InputSpec, agree, check_inputs
from lamina.engine.structure import as_list, as_shape, as_shapes, unpacked
from lamina.engine.tracing import is_tracing, record_call, stand_in, traced_output_shape
from lamina.engine.weights import assign, count_params, initial_value
from lamina.saving.gate import charge
from lamina.tensor import Placeholder, Shape, Tensor, dtype_name, scope
from lamina_registry import get, shown

__all__ = ["InputSpec", "Layer"]


class Layer(Called):
    """Base of all layers.  A subclass writes

        __init__(self, units, **kwargs)   super().__init__(**kwargs), and each argument kept under its own name
        build(self, input_shape)          makes the weights with `add_weight`; optional
        call(self, inputs)                the formula, with K; `mask=None` and `training=None` if it uses them

    and the rest follows: the config from the constructor's signature, the output shape from `call`.  It may say
    more by overriding `get_config`, `compute_output_shape` or `compute_mask`.  A layer with several inputs gets
    lists, of shapes in build and of tensors in call; one with several outputs answers a list.

    name: unique in a model; the class's name and a number by default.
    trainable: whether training changes the weights; True by default.
    input_shape, batch_input_shape, batch_size, dtype: what the model's input is, for the first layer of a
        Sequential: sizes without the batch axis or with it, and the type.  dtype is the type of weights, too.
    weights: list of arrays that the weights start from.

    Raises TypeError for any other keyword.
    """

    supports_masking: bool = False
    stateful: bool = False
    trainable: bool = True
    built: bool = False
    input_spec: Any = None
    name: str
    dtype: str
    batch_input_shape: Shape
    _is_double: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = understood(cls.__init__)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Here rather than in __init__, so that a subclass may set attributes before super().__init__().
        layer = super().__new__(cls)
        layer._forget_calls()
        layer._trainable_weights = []
        layer._non_trainable_weights = []
        layer._initial_weights = None
        return layer

    def __init__(self, **kwargs: Any) -> None:
        for keyword in kwargs:
            if keyword not in BASE:
                raise TypeError(
                    f"Keyword argument not understood: {unexpected(type(self), keyword, BASE[:-1])}"
                )
        self.name = _name(type(self), kwargs.get("name"))
        if "trainable" in kwargs:
            self.trainable = kwargs["trainable"]
        dtype = kwargs.get("dtype") or kwargs.get("input_dtype")
        shape = _batch_input_shape(self.name, kwargs)
        if shape is not None:
            self.batch_input_shape = shape
            dtype = dtype or config.floatx()
        if dtype is not None:
            self.dtype = dtype_name(dtype)
        self._initial_weights = kwargs.get("weights")

    def _forget_calls(self) -> None:
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._losses = Ledger()
        self._updates = Ledger()
        self._calling: list[Tensor] | None = None

    _trainable_weights: list[Any]
    _non_trainable_weights: list[Any]
    _initial_weights: Sequence[Any] | None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('name', '(not initialised)')}>"

    # ---- what a subclass writes

    def build(self, input_shape: Any) -> None:
        """Make the weights, given the shape of the input, or the list of shapes of several."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """call(inputs): the output tensor, or list of tensors, made of the input tensor or list of tensors."""
        return args[0]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output: by default the input's, for a layer that supports masking.

        Raises TypeError when a mask reaches a layer that does not.
        """
        if self.supports_masking:
            return mask
        if any(each is not None for each in as_list(mask)):
            raise TypeError(
                f"Layer {self.name} does not support masking, but was passed an input_mask: {mask}. Put it where no "
                f"mask arrives, or let {type(self).__name__} set supports_masking = True and handle mask in call"
            )
        return None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, or list of shapes, for an input of `input_shape`, batch axis included.

        Found by calling the layer on placeholders; the layer stays as it is, built or not.
        """
        return traced_output_shape(self, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as plain data: `from_config` is the way back.

        A subclass that overrides this adds its own arguments to `super().get_config()`.  Raises
        NotImplementedError when an argument of the constructor was not kept as the attribute of its name.
        """
        base: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for name in ("batch_input_shape", "dtype"):
            if hasattr(self, name):
                base[name] = getattr(self, name)
        return {**base, **config_of(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A new layer, with new weights, from what `get_config` gave."""
        return cls(**(revived(config) if cls.get_config is Layer.get_config else config))

    # ---- the call

    def __call__(self, inputs: Any, *more: Any, **kwargs: Any) -> Any:
        """The layer's output on a tensor or list of tensors, recorded as one more node.

        kwargs: handed to `call`.  The first call builds the layer.  Raises ValueError when the inputs are not what
        the layer accepts, TypeError for a keyword that `call` does not declare.
        """
        if "name" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__} was called before it had a name: "
                "its __init__ must call super().__init__(**kwargs)"
            )
        if more:
            raise TypeError(
                f"Layer {self.name} is called on one tensor or one list of tensors, and met {1 + len(more)} arguments: "
                "put several tensors into a list, and give everything else by keyword"
            )
        if is_tracing() and not self._is_double:
            self = stand_in(self)  # found by some other way than through the attributes of the layer traced
        if isinstance(inputs, list | tuple):
            inputs = list(inputs)  # a real list, and the layer's own
        tensors = list(as_list(inputs))
        with scope(self.name):
            self.assert_input_compatibility(inputs)
            if not self.built:
                self._build(tensors)
                self.assert_input_compatibility(inputs)
            masks = [_mask(tensor) for tensor in tensors]
            outputs, output_masks = self._run(inputs, unpacked(masks), kwargs)
            self._record(tensors, outputs, masks, output_masks, kwargs)
        return unpacked(outputs)

    def _build(self, tensors: list[Tensor]) -> None:
        """Build for these inputs; a build that fails leaves no weights behind, and the attributes as they were."""
        attributes = dict(vars(self))
        trainable, rest = len(self._trainable_weights), len(self._non_trainable_weights)
        losses = len(self._losses.entries)
        try:
            self.build(unpacked([tensor._keras_shape for tensor in tensors]))
            self.built = True
            if self._initial_weights is not None:
                self.set_weights(self._initial_weights)
        except BaseException:
            del self._trainable_weights[trainable:], self._non_trainable_weights[rest:]
            self._losses.cut(losses)
            vars(self).clear()
            vars(self).update(attributes)
            raise
        self._initial_weights = None

    def _run(self, inputs: Any, mask: Any, arguments: Mapping[str, Any]) -> tuple[list[Tensor], list[Any]]:
        """The outputs of `call` and their masks; losses and updates are entered, a node is not."""
        declared = keywords(self.call)
        for name in arguments:
            if name not in declared and not declared.open:
                raise TypeError(
                    f"Layer {self.name} cannot take {name}: {type(self).__name__}.call declares "
                    f"({', '.join(name for name in declared.names if name != 'self')})"
                )
        if "mask" in declared and "mask" not in arguments and any(each is not None for each in as_list(mask)):
            arguments = {**arguments, "mask": mask}
        tensors = as_list(inputs)
        with self._called_on(tensors):
            outputs = self._checked(self.call(inputs, **arguments), tensors)
            for output, shape in zip(outputs, self._output_shapes(tensors, outputs), strict=True):
                _say_shape(output, shape)
                if getattr(self, "uses_learning_phase", False):
                    output._uses_learning_phase = True
            masks = self._masks(self.compute_mask(inputs, mask), len(outputs))
            regularizer = getattr(self, "activity_regularizer", None)
            if regularizer is not None:
                where = f"output of layer {self.name}"
                self.add_loss([_penalty(where, regularizer, output) for output in outputs], tensors)
        return outputs, masks

    @contextlib.contextmanager
    def _called_on(self, tensors: list[Tensor]) -> Iterator[None]:
        outer, self._calling = self._calling, tensors
        try:
            yield
        finally:
            self._calling = outer

    def _checked(self, outputs: Any, tensors: list[Tensor]) -> list[Tensor]:
        """What `call` answered, as a list of tensors that are this call's alone: others it passed on are renewed."""
        taken = {id(tensor) for tensor in tensors}
        fresh: list[Tensor] = []
        for output in list(outputs) if isinstance(outputs, tuple) else as_list(outputs):
            if not isinstance(output, Tensor):
                raise TypeError(
                    f"Layer {self.name}: {type(self).__name__}.call answered {shown(output)}; it must answer a tensor "
                    "or a list of tensors"
                )
            if id(output) in taken or hasattr(output, "_keras_history"):
                output, passed = K.identity(output), output
                _say_shape(output, passed._keras_shape)
            taken.add(id(output))
            fresh.append(output)
        return fresh

    def _masks(self, mask: Any, count: int) -> list[Any]:
        """One mask for each of `count` outputs."""
        if not isinstance(mask, list):
            return [mask] * count
        return (mask + [None] * count)[:count]

    def _record(
        self,
        tensors: list[Tensor],
        outputs: list[Tensor],
        masks: list[Any],
        output_masks: list[Any],
        arguments: dict[str, Any],
    ) -> None:
        """Enter the call as a node, and mark the outputs as this layer's."""
        if is_tracing():
            return
        record_call(self, tensors)
        origins = [getattr(tensor, "_keras_history", (None, None, None)) for tensor in tensors]
        for index, output in enumerate(outputs):
            output._keras_history = (self, len(self._inbound_nodes), index)  # type: ignore[attr-defined]
        Node(
            self,
            inbound_layers=[layer for layer, _, _ in origins],
            node_indices=[node for _, node, _ in origins],
            tensor_indices=[index for _, _, index in origins],
            input_tensors=list(tensors),
            output_tensors=outputs,
            input_masks=masks,
            output_masks=output_masks,
            input_shapes=[tensor._keras_shape for tensor in tensors],
            output_shapes=[output._keras_shape for output in outputs],
            arguments=dict(arguments),
        )

    def _output_shapes(self, tensors: list[Tensor], outputs: list[Tensor]) -> list[Shape]:
        """The shapes that the layer promises, or else those that its call gave."""
        found = [output._keras_shape for output in outputs]
        if type(self).compute_output_shape in _TRACED:
            return found
        shapes = [tensor._keras_shape for tensor in tensors]
        promised = as_shapes(self.compute_output_shape(unpacked(shapes)))
        if len(promised) != len(found) or not all(map(agree, promised, found)):
            raise ValueError(
                f"Layer {self.name}: compute_output_shape promises {unpacked(promised)} for inputs of "
                f"{unpacked(shapes)}, and call makes {unpacked(found)}. Correct {type(self).__name__}."
                "compute_output_shape, or leave it out: the shape then follows from call"
            )
        return promised

    def assert_input_compatibility(self, inputs: Any) -> None:
        """Raises ValueError when `inputs` are not tensors of the number and shapes that `input_spec` says."""
        check_inputs(self.name, self.input_spec, as_list(inputs))

    # ---- weights

    @shape_may_lead
    def add_weight(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
    ) -> Any:
        """A new weight of the layer: a variable.

        name: "kernel", "bias" and the like.  shape: all sizes known.  A list or tuple in front is the shape, as in
            Keras 1, and the name follows it.
        dtype: the layer's when it was given a float type, else floatx.  An initializer may take its place.
        initializer: initializer, its name, or a function of a shape; glorot_uniform by default (zeros for integers).
        regularizer: function of the weight; what it answers is added to the loss.
        trainable: whether the optimizer changes it.  constraint: applied to it after each step.
        """
        owner = self.__dict__.get("name", type(self).__name__)
        if callable(dtype) and not isinstance(dtype, type) and initializer is None:
            dtype, initializer = None, dtype
        try:
            sizes = as_shape(shape)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Layer {owner} needs a weight {name!r}: {error}") from None
        if None in sizes:
            raise ValueError(
                f"Layer {owner} needs a weight {name!r} of shape {sizes}, and a weight has no unknown size: give "
                "the axis of the input that it follows a fixed size"
            )
        dtype = dtype_name(dtype or self._weight_dtype())
        regularizer = get("regularizers", regularizer)
        constraint = get("constraints", constraint)
        if is_tracing():
            weight: Any = Placeholder(sizes, dtype, name)
        else:
            charge(f"{owner}/{name}", sizes, dtype)  # a file pays for the weights it makes us build
            if initializer is None:
                initializer = "glorot_uniform" if np.dtype(dtype).kind == "f" else "zeros"
            value = initial_value(get("initializers", initializer), sizes, dtype)
            weight = K.variable(value, dtype=dtype, name=name, constraint=constraint)
            if weight.shape != sizes:
                raise ValueError(
                    f"Layer {owner}: the initializer of the weight {name!r} made an array of shape "
                    f"{weight.shape}; it was asked for {sizes}"
                )
            weight.trainable = trainable
        if regularizer is not None:
            self.add_loss(_penalty(f"weight {name!r} of layer {owner}", regularizer, weight))
        (self._trainable_weights if trainable else self._non_trainable_weights).append(weight)
        return weight

    def _weight_dtype(self) -> str:
        dtype: str = self.__dict__.get("dtype", config.floatx())
        return dtype if np.dtype(dtype).kind == "f" else config.floatx()

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that training changes: none while `trainable` is False."""
        return list(self._trainable_weights) if self.trainable else []

    @trainable_weights.setter
    def trainable_weights(self, weights: Sequence[Any]) -> None:
        self._trainable_weights = list(weights)

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights that training leaves alone: all of them while `trainable` is False."""
        if self.trainable:
            return list(self._non_trainable_weights)
        return self._trainable_weights + self._non_trainable_weights

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: Sequence[Any]) -> None:
        self._non_trainable_weights = list(weights)

    @property
    def weights(self) -> list[Any]:
        """All weights, the trainable ones first."""
        return self.trainable_weights + self.non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights`, as NumPy arrays."""
        return K.batch_get_value(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the weights from arrays as `get_weights` gives them.

        Raises ValueError, and sets none, when their number or a shape is another.
        """
        assign(self.name, self.weights, weights)

    def weights_from_file(
        self, arrays: list[np.ndarray], backend: str | None, keras_version: str
    ) -> list[np.ndarray]:
        """The arrays that a file has for this layer in the form that `weights` have: here, as they are.

        A layer whose weights are laid out otherwise by another writer, or by a layer that computes the same,
        overrides this.  What it answers is compared with `weights` afterwards; nothing is set yet.

        backend: of the Keras that wrote the file, "tensorflow", "theano" or "cntk"; None where it does not say.
        keras_version: of that Keras, "1" where the file does not say.

        Raises ValueError for weights that cannot be brought into this form.
        """
        return arrays

    def count_params(self) -> int:
        """How many numbers the weights hold.  Raises RuntimeError when the layer is not built."""
        if not self.built:
            raise RuntimeError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. Call it on a tensor, or "
                f"build it with `{self.name}.build(batch_input_shape)`"
            )
        return count_params(self.weights)

    # ---- losses and updates

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Add scalar tensors to the loss of every model the layer is in.

        inputs: the input tensors they depend on: a model counts them when it contains the call on these.  None for
        those that depend on weights only.
        """
        self._enter(self._losses, losses, inputs)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Have every training step of a model with this layer run `updates`: of K.update, or (variable, value).

        inputs: the input tensors they depend on, or None, as for `add_loss`.
        """
        self._enter(self._updates, updates, inputs)

    def _enter(self, ledger: Ledger, entries: Any, inputs: Any) -> None:
        if entries is None or is_tracing():
            return
        tensors = None if inputs is None else as_list(inputs)
        # What `call` adds belongs to all the inputs of the call, also when it names but some of them.
        ledger.add(as_list(entries), self._calling if tensors and self._calling else tensors)

    @property
    def losses(self) -> list[Any]:
        """All losses added so far."""
        return list(self._losses.entries)

    @property
    def updates(self) -> list[Any]:
        """All updates added so far; none of a frozen layer, unless they carry its state."""
        return list(self._updates.entries) if self.trainable or self.stateful else []

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that depend on these inputs; for None, those that depend on no input."""
        return self._losses.of(None if inputs is None else as_list(inputs))

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates that depend on these inputs; for None, those that depend on no input."""
        if not self.trainable and not self.stateful:
            return []
        return self._updates.of(None if inputs is None else as_list(inputs))


_TRACED: set[Callable[..., Any]] = {Layer.compute_output_shape}
"""The forms of compute_output_shape that only repeat what a call has shown."""


# ---- names, shapes and masks


def _penalty(where: str, regularizer: Callable[[Any], Any], x: Any) -> Any:
    """What `regularizer` adds to the loss for x: a scalar."""
    found = regularizer(x)
    if found is None:
        raise TypeError(
            f"the regularizer of the {where} answered None; it must answer a scalar, such as K.sum(x)"
        )
    return found


def _say_shape(tensor: Tensor, shape: Shape) -> None:
    if tensor._keras_shape != shape:
        tensor._keras_shape = shape


def _name(cls: type, name: str | None) -> str:
    if name is None or name == "":
        prefix = snake_case(cls.__name__)
        return f"{prefix}_{K.get_uid(prefix)}"
    if not isinstance(name, str):
        raise TypeError(f"the name of a layer is a string: {cls.__name__} was given {shown(name)}")
    return name


def snake_case(name: str) -> str:
    """The name of a class as Keras begins the names of its layers: PReLU gives p_re_lu."""
    words = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()
    return "private" + words if words.startswith("_") else words


def _batch_input_shape(name: str, given: Mapping[str, Any]) -> Shape | None:
    for keyword in ("batch_input_shape", "input_shape"):
        shape = given.get(keyword)
        if shape is not None:
            try:
                shape = as_shape(shape)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {keyword}: {error}") from None
            if keyword == "batch_input_shape":
                return shape
            size = given.get("batch_size")
            return (
                size if size is None else as_count(size, f"{name}: batch_size is that of the input"),
                *shape,
            )
    return None


def _mask(tensor: Tensor) -> Any:
    """The mask that the layer which made `tensor` gave with it."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    layer, node_index, tensor_index = history
    return layer._inbound_nodes[node_index].output_masks[tensor_index]
