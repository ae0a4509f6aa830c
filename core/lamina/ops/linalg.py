"""Products of matrices."""

from __future__ import annotations

import numpy as np

from lamina.op import Op, broadcast, promote
from lamina.ops.shape import transpose
from lamina.tensor import Spec, Tensor


def _infer_matmul(a, b):
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError("a matrix product needs at least two dimensions on each side")
    if None not in (a.shape[-1], b.shape[-2]) and a.shape[-1] != b.shape[-2]:
        raise ValueError(f"the last axis of {a.shape} and the last but one of {b.shape} differ")
    return Spec((*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a.dtype)


class _MatMul(Op):
    def convert(self, inputs):
        from lamina.ops.elementwise import add

        return add.convert(inputs)


def _matmul(xp, a, b):
    """The matrix product of the last two axes; leading axes broadcast."""
    return xp.matmul(a, b)


matmul = _MatMul(_matmul, _infer_matmul, name="matmul")


@matmul.vjp
def _(g, y, a, b):
    return matmul(g, swap(b)), matmul(swap(a), g)


@matmul.kernel("numpy")
def _(a, b):
    if promote([a.dtype, b.dtype]) not in ("float32", "float64"):
        return None
    if a.ndim == b.ndim == 2:
        return lambda out, x, y: np.dot(x, y, out=out)
    return lambda out, x, y: np.matmul(x, y, out=out)


def swap(x: Tensor) -> Tensor:
    """x with its last two axes exchanged."""
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))
