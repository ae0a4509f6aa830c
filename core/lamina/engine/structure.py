"""Keras's lists: one thing stands for itself, several are a list; and shapes, which are tuples themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.tensor import Shape


def as_list(value: Any) -> list[Any]:
    """A list as it is, one thing as a list of it."""
    return value if isinstance(value, list) else [value]


def unpacked(values: Sequence[Any]) -> Any:
    """A single element alone, several as a list."""
    return values[0] if len(values) == 1 else list(values)


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape, as opposed to several."""
    return isinstance(value, list | tuple) and all(
        size is None or hasattr(size, "__index__") for size in value
    )


def as_shape(value: Any) -> Shape:
    """A list or tuple of sizes as a shape.  Raises TypeError for anything else, ValueError for impossible sizes."""
    if not is_shape(value):
        raise TypeError(
            f"a shape is a tuple of sizes and None for unknown, such as (None, 28): met {value!r}"
        )
    shape = tuple(None if size is None else size.__index__() for size in value)
    if any(size is not None and not 0 <= size < 2**31 for size in shape):
        raise ValueError(f"the sizes of a shape are 0 to 2**31 - 1, or None where unknown: met {shape}")
    return shape


def as_shapes(value: Any) -> list[Shape]:
    """One shape or several, as a list of shapes."""
    if is_shape(value):
        return [as_shape(value)]
    if not isinstance(value, list | tuple):
        as_shape(value)
    return [as_shape(shape) for shape in value]
