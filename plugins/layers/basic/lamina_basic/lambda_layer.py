"""Lambda: any function of tensors as a layer."""

from __future__ import annotations

import base64
import inspect
import marshal
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import CellType, FunctionType
from typing import Any, Self

import numpy as np

from lamina import backend as K
from lamina.layers import Layer
from lamina.saving import gate
from lamina.saving.errors import DamagedFile
from lamina.tensor import Shape
from lamina_registry import UnknownName, get_custom_objects, shown

Function = Callable[..., Any]


class Lambda(Layer):
    """function(inputs, **arguments).

    Input:   whatever the function takes: a tensor, or a list of them.
    Output:  what it makes of them: a tensor, or several.

    function: of tensors, written with K.  It is given the mask, too, if it has an argument of that name.
    output_shape: the sizes of the output where the function leaves them unknown: those after the batch, or a
        function from the shape of the input to that of the output, batch included.  Usually they follow from the
        function itself.  Axes of size 1 that only one of the two has are added to the output or taken from it.
    mask: the mask of the output, or a function of inputs and mask that answers it; None, and no mask goes on.
    arguments: further arguments of the function, a dict.

    A file keeps the bytecode of a Python function, as Keras 2's do.  It is not run when the file is loaded: pass the
    function, custom_objects={"lambda_1": fn}, or trust the file, load_model(path, safe_mode=False).  A layer class
    of your own has no such trouble.

    Raises TypeError for a function or output_shape that is none, ValueError where the output is not of output_shape.
    """

    def __init__(
        self,
        function: Function,
        output_shape: Sequence[int | None] | Function | None = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"{self.name}: function is a function of tensors, met {function!r}")
        if not (output_shape is None or callable(output_shape) or isinstance(output_shape, list | tuple)):
            raise TypeError(
                f"In Lambda, `output_shape` must be a list, a tuple, or a function. {self.name} met {output_shape!r}"
            )
        if not isinstance(arguments, Mapping | None):
            raise TypeError(
                f"{self.name}: arguments is a dict of arguments of the function, met {arguments!r}"
            )
        self.function = function
        self.arguments = dict(arguments or {})
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape  # output_shape itself is a property of every layer

    def call(self, inputs: Any, mask: Any = None) -> Any:
        arguments = {**self.arguments, "mask": mask} if _takes_mask(self.function) else self.arguments
        outputs = self.function(inputs, **arguments)
        return outputs if self._output_shape is None else self._sized(inputs, outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def _sized(self, inputs: Any, outputs: Any) -> Any:
        """The outputs, with the sizes that output_shape adds to what is known of them."""
        shapes = [K.int_shape(x) for x in inputs] if isinstance(inputs, list) else K.int_shape(inputs)
        promised = self._promised(shapes)
        several = isinstance(outputs, list | tuple)
        found = list(outputs) if several else [outputs]
        wanted = [
            tuple(shape) for shape in (promised if isinstance(promised[0], list | tuple) else [promised])
        ]
        # Keras 2 takes output_shape's word: programs promise (1,) for a function that sums over the last axis.
        found = [_with_ones(x, shape) for x, shape in zip(found, wanted, strict=False)] + found[len(wanted) :]
        if len(wanted) != len(found) or not all(map(_agree, wanted, map(K.int_shape, found))):
            raise ValueError(
                f"{self.name}: output_shape says {promised} for inputs of {shapes}, and the function makes "
                f"{[K.int_shape(x) for x in found] if several else K.int_shape(outputs)}; leave output_shape out, and "
                "the shape follows from the function"
            )
        for index, (output, shape) in enumerate(zip(found, wanted, strict=True)):
            known = tuple(b if a is None else a for a, b in zip(shape, K.int_shape(output), strict=True))
            if known != K.int_shape(output):
                found[index] = K.identity(output)
                found[index]._keras_shape = known
        return found if several else found[0]

    def _promised(self, shapes: Any) -> Any:
        if not callable(self._output_shape):
            first = shapes[0] if isinstance(shapes, list) else shapes
            return (first[0], *(self._output_shape or ()))
        promised = self._output_shape(shapes)
        if not isinstance(promised, list | tuple) or not promised:
            raise ValueError(
                f"{self.name}: `output_shape` function must return a tuple or a list of tuples, met {promised!r}"
            )
        return promised

    def get_config(self) -> dict[str, Any]:
        if self.mask is not None:
            warnings.warn(
                f"{self.name}: Keras's config of a Lambda has no place for its mask, which is left out; write a layer "
                "class with compute_mask instead",
                stacklevel=2,
            )
        function, function_type = _written(self.function)
        output_shape, output_shape_type = _written(self._output_shape)
        return {
            **super().get_config(),
            "function": function,
            "function_type": function_type,
            "output_shape": output_shape,
            "output_shape_type": output_shape_type,
            "arguments": self.arguments,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """A new layer from what `get_config` gave.

        custom_objects: functions by their own names or by that of the layer.

        Raises UnsafeFile for bytecode from elsewhere, unless the function is passed or the file is trusted, and
        UnknownName for a function by a name that nobody passed.
        """
        config = dict(config)
        known = {**get_custom_objects(), **(custom_objects or {})}
        name = str(config.get("name"))
        if "function" not in config:
            raise ValueError(f"the config of the Lambda {shown(name)} has no 'function'")
        config["function"] = _read(config["function"], config.pop("function_type", None), name, known)
        if config.pop("output_shape_type", "raw") != "raw":
            # Who passes the function itself need not pass its shape: that follows from the function.
            passed = callable(known.get(name)) and not isinstance(config["output_shape"], gate.Code)
            config["output_shape"] = None if passed else _read(config["output_shape"], None, name, known)
        config["arguments"] = {key: _array(value) for key, value in (config.get("arguments") or {}).items()}
        return cls(**config)


def _takes_mask(function: Function) -> bool:
    try:
        return "mask" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin that shows no signature
        return False


def _with_ones(x: Any, shape: Shape) -> Any:
    """x in `shape` where that differs by axes of size 1 after the batch alone; else x as it is."""
    found = K.int_shape(x)
    if len(found) == len(shape) or not found or not shape:
        return x
    if not _agree(tuple(n for n in found[1:] if n != 1), tuple(n for n in shape[1:] if n != 1)):
        return x
    for axis in reversed(range(1, len(found))):
        if found[axis] == 1:
            x = K.squeeze(x, axis)
    for axis in range(1, len(shape)):
        if shape[axis] == 1:
            x = K.expand_dims(x, axis)
    return x


def _agree(one: Shape, other: Shape) -> bool:
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(one, other, strict=True)
    )


# ---- functions in configs


def _written(function: Any) -> tuple[Any, str]:
    """A function as a config has it, and Keras's word for the form: by name, or by its code; anything else as it is."""
    if not callable(function):
        return function, "raw"
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, FunctionType) and getattr(K, name, None) is not function:
        code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
        closure = tuple(cell.cell_contents for cell in function.__closure__) if function.__closure__ else None
        return gate.Code((code, function.__defaults__, closure), function), "lambda"
    return name, "function"


def _read(written: Any, form: str | None, layer: str, known: Mapping[str, Any]) -> Function:
    """The function that a config has in place of one."""
    if isinstance(written, gate.Code):
        return written.function
    if callable(written):
        return written
    if isinstance(written, str) and form != "lambda":
        return _named(written, layer, known)
    passed = gate.allow_code(layer, known)
    return _unmarshalled(written, layer, known) if passed is None else passed


def _named(name: str, layer: str, known: Mapping[str, Any]) -> Function:
    for function in (
        known.get(name),
        known.get(layer),
        getattr(K, name, None) if name in K.__all__ else None,
    ):
        if callable(function):
            return function
    raise UnknownName(
        f"The layer {layer!r} calls a function {name!r}, which is none of K: pass it, custom_objects={{{name!r}: fn}}"
    )


def _unmarshalled(written: Any, layer: str, known: Mapping[str, Any]) -> Function:
    """The function of bytecode that its reader trusts."""
    try:
        code, defaults, closure = (written, None, None) if isinstance(written, str) else written
        body = marshal.loads(base64.b64decode(code))
        cells = tuple(CellType(value) for value in closure) if closure else None
        scope = {"K": K, "np": np, **known}
        return FunctionType(body, scope, body.co_name, tuple(defaults) if defaults else None, cells)
    except (AttributeError, EOFError, TypeError, ValueError) as error:
        raise DamagedFile(
            f"The layer {layer!r} holds bytecode that this version of Python does not read ({error}): pass its "
            f"function, custom_objects={{{layer!r}: fn}}"
        ) from error


def _array(value: Any) -> Any:
    """An argument, with the array back that JSON keeps as a dict."""
    if isinstance(value, Mapping) and value.keys() == {"type", "value"} and value["type"] == "ndarray":
        return gate.array_of(value["value"])
    return value
