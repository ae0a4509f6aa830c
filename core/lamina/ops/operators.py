"""The operators of tensors: a + b, -a, a[i], a < b.  `==` stays identity, as Keras 2 code relies on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.ops import elementwise as e
from lamina.ops.linalg import matmul
from lamina.ops.slices import getitem
from lamina.tensor import Tensor


def _reflected(op: Callable[..., Any]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: op(other, self)


def _direct(op: Callable[..., Any]) -> Callable[..., Tensor]:
    return lambda self, *other: op(self, *other)


_BINARY = {
    "add": e.add, "sub": e.subtract, "mul": e.multiply, "truediv": e.divide, "div": e.divide,
    "floordiv": e.floor_divide, "mod": e.remainder, "pow": e.power, "matmul": matmul,
    "and": e.logical_and, "or": e.logical_or,
}  # fmt: skip
_COMPARE = {"lt": e.less, "le": e.less_equal, "gt": e.greater, "ge": e.greater_equal}
_UNARY = {"neg": e.negative, "abs": e.absolute, "invert": e.logical_not}

for _name, _op in {**_BINARY, **_COMPARE, **_UNARY}.items():
    setattr(Tensor, f"__{_name}__", _direct(_op))
for _name, _op in _BINARY.items():
    setattr(Tensor, f"__r{_name}__", _reflected(_op))
Tensor.__getitem__ = getitem  # type: ignore[attr-defined]
