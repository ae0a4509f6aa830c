"""Element by element: Add, Subtract, Multiply, Average, Maximum, Minimum, and the functions that make and call them.

Shapes that differ must fit: an axis of size 1 is repeated, and an input with fewer axes has its own ones last.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from lamina import backend as K
from lamina.tensor import Tensor
from lamina_merge.base import Merge


class Add(Merge):
    """inputs[0] + inputs[1] + ...

    Input:   two or more, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on fewer than two inputs, or on shapes that do not fit together.
    """

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda x, y: x + y, inputs)


class Subtract(Merge):
    """inputs[0] - inputs[1].

    Input:   two, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on other than two inputs, or on shapes that do not fit together.
    """

    count = 2

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        x, y = inputs
        return x - y


class Multiply(Merge):
    """inputs[0] * inputs[1] * ...

    Input:   two or more, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on fewer than two inputs, or on shapes that do not fit together.
    """

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda x, y: x * y, inputs)


class Average(Merge):
    """(inputs[0] + inputs[1] + ...) / n, for n inputs.

    Input:   two or more, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on fewer than two inputs, or on shapes that do not fit together.
    """

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda x, y: x + y, inputs) / len(inputs)


class Maximum(Merge):
    """max(inputs[0], inputs[1], ...), elementwise.

    Input:   two or more, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on fewer than two inputs, or on shapes that do not fit together.
    """

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        return reduce(K.maximum, inputs)


class Minimum(Merge):
    """min(inputs[0], inputs[1], ...), elementwise.

    Input:   two or more, (batch, d1, ..., dn) each.
    Output:  the same shape; masked where an input is.

    Raises ValueError when called on fewer than two inputs, or on shapes that do not fit together.
    """

    def _merge_function(self, inputs: list[Tensor]) -> Tensor:
        return reduce(K.minimum, inputs)


def add(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Add(**kwargs)(inputs)."""
    return Add(**kwargs)(inputs)


def subtract(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Subtract(**kwargs)(inputs)."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Multiply(**kwargs)(inputs)."""
    return Multiply(**kwargs)(inputs)


def average(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Average(**kwargs)(inputs)."""
    return Average(**kwargs)(inputs)


def maximum(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Maximum(**kwargs)(inputs)."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: list[Tensor], **kwargs: Any) -> Tensor:
    """Minimum(**kwargs)(inputs)."""
    return Minimum(**kwargs)(inputs)
