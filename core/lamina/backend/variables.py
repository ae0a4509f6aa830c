"""Leaves and their content: variables, constants, placeholders, reading and writing values, updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from lamina import config
from lamina.function import Update, evaluate
from lamina.op import as_tensor
from lamina.ops import control, random
from lamina.ops import elementwise as e
from lamina.ops import shape as s
from lamina.tensor import Constant, Placeholder, Tensor, Variable, dtype_name
from lamina_registry import shown

__all__ = [
    "batch_get_value", "batch_set_value", "cast", "constant", "count_params", "dtype", "eval", "eye",
    "get_value", "get_variable_shape", "identity", "int_shape", "is_keras_tensor", "is_placeholder", "is_sparse",
    "is_tensor", "moving_average_update", "ndim", "ones", "ones_like", "placeholder", "print_tensor",
    "random_normal_variable", "random_uniform_variable", "set_value", "shape", "to_dense", "update", "update_add",
    "update_sub", "variable", "zeros", "zeros_like",
]  # fmt: skip

# ---- making


def variable(
    value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """A variable that starts as `value`: an array, a number, a list, a scipy sparse matrix, or a tensor, which is
    evaluated.

    dtype: floatx when None.  constraint: applied by optimizers after each update.
    """
    sparse = hasattr(value, "tocoo")
    if sparse:
        value = value.toarray()
    elif isinstance(value, Tensor):
        value = evaluate([value])[0]
    elif value is None:
        raise TypeError("a variable starts as an array, a number, a list or a tensor; met None")
    made = Variable(
        _numbers(value, dtype, "a variable starts as"), dtype or config.floatx(), name, constraint
    )
    if sparse:
        made.sparse = True  # type: ignore[attr-defined]
    return made


def constant(
    value: Any, dtype: str | None = None, shape: Sequence[int] | None = None, name: str | None = None
) -> Constant:
    """A tensor that never changes.  dtype: floatx when None.  shape: what the value is repeated or reshaped to."""
    array = _numbers(value, dtype, "a constant is")
    if shape is not None:
        sizes = _sizes(shape, "a constant")
        if array.size == math.prod(sizes):
            array = array.reshape(sizes)
        elif array.size == 1:
            array = np.broadcast_to(array.reshape(()), sizes)
        else:
            raise ValueError(f"a constant of shape {array.shape} cannot fill the shape {sizes}")
    return Constant(array, name=name)


def _numbers(value: Any, dtype: str | None, what: str) -> np.ndarray:
    try:
        return np.asarray(value, dtype=dtype or config.floatx())
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{what} an array of numbers, or a number or list of them; met {shown(value)}"
        ) from error


def _sizes(shape: Any, what: str, unknown: bool = False) -> tuple[Any, ...]:
    """The sizes in a shape.  Raises TypeError for what is no shape, ValueError for impossible sizes.

    unknown: whether sizes may be None.
    """
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise TypeError(f"the shape of {what} is a tuple of sizes, such as (28, 28); met {shape!r}")
    sizes = tuple(shape)
    for size in sizes:
        if not (isinstance(size, Integral | Tensor) or (unknown and size is None)):
            raise TypeError(f"the sizes of {what} are whole numbers{' or None' * unknown}; met {sizes}")
        if isinstance(size, Integral) and size < 0:
            raise ValueError(
                f"the sizes of {what} are 0 or more{', None where unknown' * unknown}; met {sizes}"
            )
    return sizes


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: str | None = None,
    sparse: bool = False,
    name: str | None = None,
) -> Placeholder:
    """A tensor that is fed.  With `ndim` alone every size is unknown.

    sparse: fed with scipy sparse matrices.  Raises ValueError when neither shape nor ndim is given.
    """
    if shape is None:
        if ndim is None:
            raise ValueError(
                "a placeholder needs its shape (None for an unknown size) or its number of axes, ndim"
            )
        shape = (None,) * ndim
    return Placeholder(_sizes(shape, "a placeholder", unknown=True), dtype, name, sparse=sparse)


def zeros(shape: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A variable of zeros; a tensor where `shape` holds tensors.  A number n is the shape (n,)."""
    return _filled(0, shape, dtype, name)


def ones(shape: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A variable of ones; a tensor where `shape` holds tensors.  A number n is the shape (n,)."""
    return _filled(1, shape, dtype, name)


def _filled(value: int, shape: Any, dtype: str | None, name: str | None) -> Tensor:
    dtype = dtype or config.floatx()
    if isinstance(shape, Tensor):
        return s.broadcast_to(Constant(value, dtype), as_tensor(shape, "int32"))
    # Optimizers written after Keras 2's Adam make their unused slots by K.zeros(1).
    sizes = _sizes((shape,) if isinstance(shape, Integral) else shape, "a variable")
    if any(isinstance(size, Tensor) for size in sizes):
        return s.broadcast_to(Constant(value, dtype), as_tensor(sizes, "int32"))
    return Variable(np.full(sizes, value, dtype), dtype, name)


def eye(size: int, dtype: str | None = None, name: str | None = None) -> Variable:
    """A variable that holds the identity matrix: (size, size)."""
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    return variable(np.eye(*sizes), dtype, name)


def zeros_like(x: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """Zeros in the shape of x, and in its dtype unless another is given."""
    return s.zeros_like(as_tensor(x), dtype)


def ones_like(x: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """Ones in the shape of x, and in its dtype unless another is given."""
    return s.ones_like(as_tensor(x), dtype)


def random_uniform_variable(
    shape: Sequence[int],
    low: float,
    high: float,
    dtype: str | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable whose values were drawn once from low <= x < high."""
    dtype = dtype or config.floatx()
    return variable(random.draw(random.random_uniform, shape, dtype, seed, low=low, high=high), dtype, name)


def random_normal_variable(
    shape: Sequence[int],
    mean: float,
    scale: float,
    dtype: str | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable whose values were drawn once from a normal distribution of standard deviation `scale`."""
    dtype = dtype or config.floatx()
    return variable(
        random.draw(random.random_normal, shape, dtype, seed, mean=mean, stddev=scale), dtype, name
    )


# ---- asking


def is_tensor(x: Any) -> bool:
    """Whether x is a symbolic tensor (a variable is one)."""
    return isinstance(x, Tensor)


def is_keras_tensor(x: Any) -> bool:
    """Whether a layer or `Input` made x.  Raises ValueError when x is no symbolic tensor at all."""
    if not isinstance(x, Tensor):
        raise ValueError(
            f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor instance."
        )
    return hasattr(x, "_keras_history")


def is_placeholder(x: Any) -> bool:
    """Whether x is a placeholder."""
    return isinstance(x, Placeholder)


def is_sparse(tensor: Any) -> bool:
    """Whether `tensor` is fed or was made from sparse matrices."""
    return bool(getattr(tensor, "sparse", False))


def to_dense(tensor: Tensor) -> Tensor:
    """The same values as a tensor that is not sparse; a dense tensor itself."""
    return e.identity(tensor) if is_sparse(tensor) else tensor


def shape(x: Any) -> Tensor:
    """The sizes of x as an int32 vector, also those known only when running: (ndim,)."""
    x = as_tensor(x)
    # Sizes that are known need no array: as in TensorFlow, they have a value before a placeholder has.
    return Constant(x.shape, "int32") if x.spec.known else s.shape_of(x)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of x as a tuple, None for the unknown ones."""
    if isinstance(x, Tensor):
        return x._keras_shape
    return np.shape(x)


def ndim(x: Any) -> int:
    """The number of axes."""
    return x.ndim if hasattr(x, "ndim") else np.ndim(x)


def dtype(x: Any) -> str:
    """The name of the element type."""
    return np.dtype(x.dtype).name


def count_params(x: Any) -> int:
    """The number of elements.  Raises ValueError when a size is unknown."""
    sizes = int_shape(x)
    if None in sizes:
        raise ValueError(f"{x!r} has sizes that are not known, so its elements cannot be counted")
    return math.prod(sizes)  # type: ignore[arg-type]


get_variable_shape = int_shape

# ---- reading and writing


def eval(x: Any) -> np.ndarray:
    """The value of a tensor that depends on nothing fed; the learning phase counts as test unless it was set."""
    return evaluate([as_tensor(x)])[0]


def get_value(x: Any) -> np.ndarray:
    """The value of a variable (or of any tensor that depends on nothing fed)."""
    if not isinstance(x, Tensor):
        raise TypeError(f"get_value takes a variable, met {x!r}")
    return x.value if isinstance(x, Variable) else evaluate([x])[0]


def batch_get_value(ops: Iterable[Any]) -> list[np.ndarray]:
    """The values of several variables, in order."""
    return [get_value(x) for x in ops]


def set_value(x: Variable, value: Any) -> None:
    """Give a variable a new value now.  Raises ValueError when the shape differs."""
    _variable(x).assign(value)


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Give several variables new values; none is changed when one of the values does not fit."""
    pairs = [(_variable(x), np.asarray(value, x.dtype)) for x, value in tuples]
    for x, value in pairs:
        if value.shape != x.shape:
            raise ValueError(f"{x.name} has shape {x.shape}; it cannot take an array of shape {value.shape}")
    for x, value in pairs:
        x.assign(value)


def _variable(x: Any) -> Variable:
    if not isinstance(x, Variable):
        raise TypeError(f"set_value takes a variable, met {x!r}")
    return x


def print_tensor(x: Any, message: str = "") -> Tensor:
    """x again; each time the result is computed, message and value are printed."""
    return control.print_tensor(as_tensor(x), message=message)


# ---- copies


def identity(x: Any, name: str | None = None) -> Tensor:
    """A tensor with the same content."""
    return e.identity(as_tensor(x))


def cast(x: Any, dtype: str) -> Tensor:
    """x in another dtype, as a new tensor; fractions lose their part after the point when cast to integers."""
    return e.cast(as_tensor(x), dtype=dtype_name(dtype))


# ---- updates: what a function assigns when it runs


def update(x: Variable, new_x: Any) -> Update:
    """x takes the value `new_x` when a function with this update runs (K.function, model.add_update).

    Raises TypeError unless x is a variable.
    """
    if not isinstance(x, Variable):
        raise TypeError(f"only a variable can be updated, met {x!r}")
    return Update(x, as_tensor(new_x, x.dtype))


def update_add(x: Variable, increment: Any) -> Update:
    """x becomes x + increment when a function with this update runs; several of one variable add up."""
    return _changing(x, lambda held: held + increment)


def update_sub(x: Variable, decrement: Any) -> Update:
    """x becomes x - decrement when a function with this update runs; several of one variable add up."""
    return _changing(x, lambda held: held - decrement)


def moving_average_update(x: Variable, value: Any, momentum: Any) -> Update:
    """x becomes x * momentum + value * (1 - momentum) when a function with this update runs; no bias correction.

    Several of one variable, as of a layer that is called twice, follow one another.
    """
    return _changing(x, lambda held: held * momentum + value * (1 - momentum))


def _changing(x: Variable, change: Callable[[Any], Any]) -> Update:
    made = update(x, change(x))
    made.change = change
    return made
