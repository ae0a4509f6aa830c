"""Symbolic tensors: what a computation is made of before anything is computed.

A `Tensor` is a value to be: a `Spec` (shape and dtype) and the `Apply` (one use of an op) it comes from.
Tensors without an `Apply` are the leaves: `Placeholder` is fed, `Variable` keeps its array, `Constant` has one.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import config
from lamina.devices import Device, current_device

if TYPE_CHECKING:
    from lamina.op import Op

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """Shape and dtype of a value.  An unknown size is None; unknown sizes are never assumed equal.

    value: for a small integer tensor, what is known of its content (None for an unknown entry).  It is how
        sizes travel through K.shape(x)[0] and the like; it takes no part in comparisons.
    """

    shape: Shape
    dtype: str
    value: Any = field(default=None, compare=False)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def known(self) -> bool:
        """Whether every size is known."""
        return None not in self.shape

    @property
    def size(self) -> int:
        """Number of elements of a fully known shape."""
        return math.prod(self.shape)  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


def dtype_name(dtype: Any) -> str:
    """NumPy's name of a type of numbers.  Raises TypeError for anything else."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype("O")
    if found.kind not in "biuf":
        raise TypeError(
            f"a dtype is the name of a type of numbers, such as 'float32' or 'int32'; met {dtype!r}"
        )
    return found.name


class StaticShape(tuple[int | None, ...]):
    """A shape as `get_shape` answers it."""

    __slots__ = ()

    @property
    def ndims(self) -> int:
        return len(self)

    def as_list(self) -> list[int | None]:
        return list(self)


class Apply:
    """One use of an op: the op, the tensors it reads, its attributes, the tensors it makes.

    scope: names of the layers that were being called, outermost first; error messages quote it.
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "op", "outputs", "scope")

    def __init__(
        self, op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any], specs: Sequence[Spec]
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.scope = _scope.get()
        phased = any(tensor._uses_learning_phase for tensor in inputs)
        self.outputs = tuple(Tensor(spec, self, index, phased=phased) for index, spec in enumerate(specs))

    def __repr__(self) -> str:
        arguments = [str(tensor.spec) for tensor in self.inputs]
        arguments += [f"{name}={value!r}" for name, value in self.attrs.items()]
        return f"{self.op.name}({', '.join(arguments)})"


class Tensor:
    """A symbolic value.  Arithmetic builds new tensors; `==` is identity; there is nothing to print but its spec.

    shape: sizes, None where unknown; dtype: NumPy's name of the type.
    """

    def __init__(
        self,
        spec: Spec,
        apply: Apply | None = None,
        index: int = 0,
        name: str | None = None,
        *,
        phased: bool = False,
    ) -> None:
        self.spec = spec
        self.apply = apply
        self.index = index
        self._name = name
        self._uses_learning_phase = phased

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def name(self) -> str:
        if self._name is not None:
            return self._name
        if self.apply is None:
            return f"{type(self).__name__.lower()}:0"
        return "/".join((*self.apply.scope, self.apply.op.name)) + f":{self.index}"

    @property
    def op(self) -> Apply | None:
        return self.apply

    @property
    def _keras_shape(self) -> Shape:
        return self.__dict__.get("_set_shape", self.spec.shape)

    @_keras_shape.setter
    def _keras_shape(self, shape: Shape) -> None:
        self.__dict__["_set_shape"] = tuple(shape)

    def get_shape(self) -> StaticShape:
        """The shape, with the methods that code written against TensorFlow asks of it."""
        return StaticShape(self.spec.shape)

    def eval(self, feed_dict: dict[Tensor, Any] | None = None, session: Any = None) -> np.ndarray:
        """The value as a NumPy array, given arrays for the placeholders it depends on.

        session: accepted for code written against TensorFlow; unused.
        """
        from lamina.function import evaluate

        return evaluate([self], feed_dict or {})[0]

    if TYPE_CHECKING:
        # lamina.ops.operators gives tensors these; `==` stays identity.
        __add__: Callable[[Any, Any], Tensor]
        __radd__: Callable[[Any, Any], Tensor]
        __sub__: Callable[[Any, Any], Tensor]
        __rsub__: Callable[[Any, Any], Tensor]
        __mul__: Callable[[Any, Any], Tensor]
        __rmul__: Callable[[Any, Any], Tensor]
        __truediv__: Callable[[Any, Any], Tensor]
        __rtruediv__: Callable[[Any, Any], Tensor]
        __floordiv__: Callable[[Any, Any], Tensor]
        __rfloordiv__: Callable[[Any, Any], Tensor]
        __mod__: Callable[[Any, Any], Tensor]
        __rmod__: Callable[[Any, Any], Tensor]
        __pow__: Callable[[Any, Any], Tensor]
        __rpow__: Callable[[Any, Any], Tensor]
        __matmul__: Callable[[Any, Any], Tensor]
        __rmatmul__: Callable[[Any, Any], Tensor]
        __and__: Callable[[Any, Any], Tensor]
        __or__: Callable[[Any, Any], Tensor]
        __lt__: Callable[[Any, Any], Tensor]
        __le__: Callable[[Any, Any], Tensor]
        __gt__: Callable[[Any, Any], Tensor]
        __ge__: Callable[[Any, Any], Tensor]
        __getitem__: Callable[[Any, Any], Tensor]
        __neg__: Callable[[Any], Tensor]
        __abs__: Callable[[Any], Tensor]
        __invert__: Callable[[Any], Tensor]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.spec}>"

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no truth value: nothing is computed yet. "
            "Use K.switch or K.in_train_phase to choose inside a model, or K.eval(x) to compute it now."
        )

    def __len__(self) -> int:
        raise TypeError(
            f"len() of the symbolic {self!r}: use K.int_shape(x)[0], or K.shape(x)[0] when it is unknown."
        )

    def __iter__(self) -> Iterator[Tensor]:
        size = self.shape[0] if self.shape else None
        if size is None:
            raise TypeError(
                f"Cannot iterate over {self!r}: the size of its first axis is unknown. Use K.map_fn."
            )
        return (self[index] for index in range(size))  # type: ignore[index]

    def __float__(self) -> float:
        raise TypeError(
            f"{self!r} is no number: nothing is computed yet. Use K.eval(x) to compute it now, "
            "and the functions of lamina.backend (K) to compute with it later."
        )

    def __int__(self) -> int:
        return int(float(self))

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            f"NumPy was given {self!r}, which has no value yet: use the functions of lamina.backend (K) on tensors, "
            "or K.eval(x) to compute it now."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """NumPy's functions do not take tensors; `array + tensor`, for which it calls one, is left to the operator."""
        operator = _OPERATORS.get(ufunc.__name__)
        if operator is None or method != "__call__" or inputs[-1] is not self or kwargs.keys() - {"out"}:
            return self.__array__()
        if ufunc.__name__ in ("equal", "not_equal"):
            return ufunc.__name__ == "not_equal"  # `==` is identity, and an array is not this tensor
        return getattr(self, operator)(inputs[0])


_OPERATORS = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__",
    "floor_divide": "__rfloordiv__", "remainder": "__rmod__", "power": "__rpow__", "matmul": "__rmatmul__",
    "bitwise_and": "__rand__", "bitwise_or": "__ror__", "less": "__gt__", "less_equal": "__ge__",
    "greater": "__lt__", "greater_equal": "__le__", "equal": "__eq__", "not_equal": "__ne__",
}  # fmt: skip
"""What Python calls on the tensor at the right of an operator, by the function NumPy calls for an array at its left."""


class Placeholder(Tensor):
    """A leaf whose array is given with each call.

    static: its value is part of what is compiled (the learning phase).
    sparse: fed with a scipy sparse matrix; computed as a dense one.
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: str | None = None,
        name: str | None = None,
        *,
        static: bool = False,
        sparse: bool = False,
    ) -> None:
        spec = Spec(tuple(shape), dtype_name(dtype or config.floatx()))
        super().__init__(spec, name=name, phased=static)
        self.static = static
        self.sparse = sparse


class Constant(Tensor):
    """A leaf with a fixed array, which nobody may change afterwards."""

    def __init__(self, value: Any, dtype: str | None = None, name: str | None = None) -> None:
        array = np.array(value, dtype=dtype, order="C")
        array.flags.writeable = False
        known = tuple(array.tolist()) if array.ndim == 1 else array.item() if array.ndim == 0 else None
        small = array.dtype.kind in "iu" and array.size <= 64
        super().__init__(Spec(array.shape, array.dtype.name, known if small else None), name=name)
        self.value = array


class Variable(Tensor):
    """A leaf that keeps its array between calls: weights, optimizer slots, counters.

    Reading `value` and `assign` copy.  The array itself may move: a training function lays the variables it
    updates side by side in one flat buffer (see `lamina.plan.pack`), and `storage` is then a view of that.

    constraint: applied by optimizers after each update.
    """

    # Another number whenever any variable's array was replaced: bound plans compare it before they run.
    moved = 0
    # Another number whenever any variable's content may have changed: what was computed from variables alone holds
    # until then.
    written = 0
    _numbers = itertools.count(1)

    def __init__(
        self, value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None
    ) -> None:
        array = np.array(value, dtype=dtype, order="C")
        if dtype is None and array.dtype.kind not in "b":
            array = array.astype(config.floatx(), copy=False)
        label = "/".join((*_scope.get(), name or "variable"))
        super().__init__(Spec(array.shape, array.dtype.name), name=label if ":" in label else label + ":0")
        self.constraint = constraint
        self.device: Device = current_device()
        self.storage: Any = self.device.to_device(array)
        self.moves = 0
        self.flat: Any = None  # the flat buffer this variable lies in
        self.trainable = True

    @property
    def value(self) -> np.ndarray:
        """A copy of the content, as a NumPy array."""
        host = self.device.to_host(self.storage)
        return np.array(host, copy=True)

    def assign(self, value: Any) -> None:
        """Replace the content.  Raises ValueError when the shape differs."""
        array = np.asarray(value, dtype=self.dtype)
        self.check(array.shape)
        self.storage[...] = self.device.to_device(array)
        Variable.was_written()

    @staticmethod
    def was_written() -> None:
        """To be said by whoever wrote to the storage of a variable, afterwards."""
        Variable.written = next(Variable._numbers)

    def check(self, shape: Sequence[int | None]) -> None:
        """Raise ValueError unless a value of `shape` can be the content."""
        if tuple(shape) != self.shape:
            raise ValueError(
                f"{self.name} has shape {self.shape}; it cannot take a value of shape {tuple(shape)}"
            )

    def move(self, storage: Any, device: Device | None = None) -> None:
        """Keep the content in `storage` from now on; plans bound to the old array notice and bind again."""
        self.storage = storage
        self.device = device or self.device
        flat, self.flat = self.flat, None
        for moved in (self, flat) if flat is not None else (self,):
            moved.moves += 1
        Variable.moved = next(Variable._numbers)


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Tensors made inside belong to the layer `name`."""
    token = _scope.set((*_scope.get(), name))
    try:
        yield
    finally:
        _scope.reset(token)


_scope: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("lamina_scope", default=())


def toposort(
    outputs: Sequence[Tensor], stop: Any = (), reads: Callable[[Apply], Sequence[Tensor]] | None = None
) -> list[Apply]:
    """The applications `outputs` depend on, each after those it reads.

    stop: tensors taken as given.  reads: what to follow from an application, if not all its inputs.
    """
    order: list[Apply] = []
    done: set[int] = set()
    given = {id(tensor) for tensor in stop}
    stack = [
        (tensor.apply, False) for tensor in reversed(outputs) if tensor.apply and id(tensor) not in given
    ]
    while stack:
        apply, ready = stack.pop()
        if ready:
            order.append(apply)
        elif id(apply) not in done:
            done.add(id(apply))
            stack.append((apply, True))
            stack.extend(
                (tensor.apply, False)
                for tensor in reversed(apply.inputs if reads is None else reads(apply))
                if tensor.apply is not None and id(tensor.apply) not in done and id(tensor) not in given
            )
    return order
