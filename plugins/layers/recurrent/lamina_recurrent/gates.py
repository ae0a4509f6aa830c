"""What the whole-sequence ops share: weights with a block of columns for each gate, and products with all time steps.

Sequences are (time, batch, ...).  Inside, gates come first, (gates, time, batch, units): what one gate needs of one
step lies together, and four small products beat one wide one.  `order` names the block of the weights that each gate
stands for: an LSTM keeps its three sigmoids together, which Keras's weights do not.

What is absent is a scalar: a bias of 0, a mask of True, dropout factors or cotangents of 1 and 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.op import Op, op
from lamina.ops.elementwise import hard_sigmoid, sigmoid, where
from lamina.ops.joining import concatenate, stack
from lamina.ops.kernels import Call, Prepares, bound, is_blas, ones
from lamina.ops.linalg import matmul, swap
from lamina.ops.reduction import sum_
from lamina.ops.rules import by_formula
from lamina.ops.shape import broadcast_to, expand_axes, merge, transpose
from lamina.ops.slices import getitem
from lamina.tensor import Constant, Spec, Tensor

NO_MASK = Constant(True)
CACHE = 1 << 19  # bytes of projections made at once: half of what the cache of a core has


def absent(value: float, dtype: str) -> Constant:
    """The scalar that stands for an input that is not there."""
    return Constant(value, dtype)


def without_ones(sequence: Op) -> Callable[..., Any]:
    """A simplification: dropout factors, the last two inputs, that are 1 throughout are none.  Outside of training
    they are."""

    def rule(*inputs: Tensor, **attrs: Any) -> Any:
        factors = [absent(1, x.dtype) if _are_ones(x) else x for x in inputs[-2:]]
        idle = all(a is b for a, b in zip(factors, inputs[-2:], strict=True))
        return None if idle else sequence(*inputs[:-2], *factors, **attrs)

    return rule


def _are_ones(factors: Tensor) -> bool:
    if factors.apply is None or factors.apply.op.name != "stack":
        return False
    repeated = [
        x.apply.inputs[0] for x in factors.apply.inputs if x.apply is not None and x.apply.op is broadcast_to
    ]
    known = [x.value.item() for x in repeated if isinstance(x, Constant) and x.value.size == 1]
    return known == [1.0] * len(factors.apply.inputs)


def blocks(xp: Any, weights: Any, order: Sequence[int]) -> Any:
    """(rows, gates * units) as (gates, rows, units)."""
    units = weights.shape[-1] // len(order)
    return xp.stack([weights[..., at * units : (at + 1) * units] for at in order])


def whole(xp: Any, parts: Any, order: Sequence[int]) -> Any:
    """(gates, rows, units) as (rows, gates * units): the inverse of `blocks`."""
    return xp.concatenate([parts[order.index(at)] for at in range(len(order))], axis=-1)


def projected(xp: Any, x: Any, kernel: Any, bias: Any, of_inputs: Any, order: Sequence[int]) -> Any:
    """x . kernel + bias for all steps: (gates, time, batch, units)."""
    x = x * of_inputs[:, None] if of_inputs.ndim else x
    z = xp.matmul(x, blocks(xp, kernel, order)[:, None])
    return z + blocks(xp, bias, order)[:, None, None] if bias.ndim else z


def tensor_blocks(weights: Tensor, order: Sequence[int]) -> Tensor:
    """`blocks` as ops."""
    units = (weights.shape[-1] or 0) // len(order)
    return stack(*[getitem(weights, (..., slice(at * units, (at + 1) * units))) for at in order], axis=0)


def tensor_projected(
    x: Tensor, kernel: Tensor, bias: Tensor, of_inputs: Tensor, order: Sequence[int]
) -> Tensor:
    """`projected` as ops."""
    x = x * expand_axes(of_inputs, axes=(1,)) if of_inputs.ndim else x
    z = matmul(x, expand_axes(tensor_blocks(kernel, order), axes=(1,)))
    return z + expand_axes(tensor_blocks(bias, order), axes=(1, 2)) if bias.ndim else z


def at_step(mask: Any, step: int) -> Any:
    """Whether each sample takes the step, (batch, 1)."""
    return mask[step][:, None] if mask.ndim else mask


def shifted(first: Tensor, rest: Tensor) -> Tensor:
    """The states before each step: the initial one, then those after all steps but the last."""
    return concatenate(expand_axes(first, axes=(0,)), rest, axis=0)[:-1]


def time_first(x: Tensor) -> Tensor:
    """x with its first two axes exchanged: (batch, time, ...) as (time, batch, ...), and back."""
    return transpose(x, axes=(1, 0, *range(2, x.ndim)))


def taken(mask: Sequence[Tensor], new: Tensor, old: Tensor) -> Tensor:
    """New values for the samples that the mask of one step names, if there is a mask."""
    return where(expand_axes(mask[0], axes=(1,)), new, old) if mask else new


# ---- the gates' functions

SIGMOIDS = {"sigmoid": sigmoid, "hard_sigmoid": hard_sigmoid}


class Squash:
    """A sigmoid by what is cheap: its factor goes into the weights, its offset into the bias.

    name: "sigmoid", (1 + tanh(a / 2)) / 2, or "hard_sigmoid", a / 5 + 1 / 2 clipped to 0 <= y <= 1.
    """

    def __init__(self, name: str) -> None:
        self.hard = name == "hard_sigmoid"
        self.scale, self.offset = (0.2, 0.5) if self.hard else (0.5, 0.0)

    def define(self, xp: Any, a: Any) -> Any:
        """s(a), plainly."""
        return xp.clip(a * 0.2 + 0.5, 0, 1) if self.hard else xp.tanh(a * 0.5) * 0.5 + 0.5

    def slope(self, xp: Any, s: Any) -> Any:
        """The derivative of s where its value is s."""
        return xp.sign(s * (1 - s)) * 0.2 if self.hard else s * (1 - s)

    def calls(self, a: np.ndarray, curved: bool = False) -> list[Call]:
        """s in place of what was scaled and offset.  curved: tanh was taken already, along with other gates'."""
        if self.hard:
            zero, one = np.zeros(a.shape, a.dtype), np.ones(a.shape, a.dtype)
            return [partial(np.maximum, a, zero, out=a), partial(np.minimum, a, one, out=a)]
        half = np.asarray(0.5, a.dtype)
        return [
            *([] if curved else [partial(np.tanh, a, a)]),
            partial(np.multiply, a, half, a),
            partial(np.add, a, half, a),
        ]

    def slope_calls(self, s: np.ndarray, out: np.ndarray) -> list[Call]:
        """The derivative of s where its value is s, into out."""
        calls: list[Call] = [
            partial(np.subtract, np.asarray(1, s.dtype), s, out),
            partial(np.multiply, out, s, out),
        ]
        if self.hard:
            calls += [partial(np.sign, out, out), partial(np.multiply, out, np.asarray(0.2, s.dtype), out)]
        return calls


# ---- the products of NumPy's kernels


def scaled_blocks(
    weights: np.ndarray, number: int, order: Sequence[int], scales: Sequence[float]
) -> tuple[np.ndarray, list[Any]]:
    """`blocks` of the op's input of this number, each times a factor, and the calls that make them so."""
    units = weights.shape[1] // len(order)
    copy = np.empty((len(order), weights.shape[0], units), weights.dtype)
    makes = [
        partial(
            np.multiply, weights[:, at * units : (at + 1) * units], np.asarray(scale, copy.dtype), copy[gate]
        )
        for gate, (at, scale) in enumerate(zip(order, scales, strict=True))
    ]
    return copy, [Prepares(call, number) for call in makes]


def scaled_bias(
    bias: np.ndarray,
    batch: int,
    units: int,
    order: Sequence[int],
    scales: Sequence[float],
    offsets: Sequence[float],
) -> tuple[np.ndarray | None, list[Call]]:
    """A bias with gates first, each scaled and offset, and repeated for each sample, so that adding it is one long
    loop; and the calls that make it so.  None where there is nothing to add."""
    if not bias.ndim and not any(offsets):
        return None, []
    copy = np.empty((len(order), batch, units), bias.dtype)
    calls: list[Call] = []
    for gate, at in enumerate(order):
        block = bias[at * units : (at + 1) * units] if bias.ndim else bias
        calls.append(partial(np.multiply, block, np.asarray(scales[gate], copy.dtype), copy[gate]))
        calls.append(partial(np.add, copy[gate], np.asarray(offsets[gate], copy.dtype), copy[gate]))
    return copy, calls


def turned(weights: np.ndarray, order: Sequence[int]) -> tuple[np.ndarray, list[Call]]:
    """The blocks of a kernel transposed, (gates, units, rows), and the calls that make them so."""
    units = weights.shape[1] // len(order)
    copy = np.empty((len(order), units, weights.shape[0]), weights.dtype)
    pairs = [(copy[gate], weights[:, at * units : (at + 1) * units].T) for gate, at in enumerate(order)]
    return copy, [partial(np.copyto, a, b) for a, b in pairs]


def as_rows(x: np.ndarray, room: np.ndarray | None = None) -> tuple[np.ndarray, list[Call]]:
    """(time, batch, size) as (time * batch, size), and the call that copies it to `room` (or some of its own) where
    memory has another order."""
    rows = math.prod(x.shape[:-1]), x.shape[-1]
    if x.flags.c_contiguous:
        return x.reshape(rows), []
    copy = np.empty(x.shape, x.dtype) if room is None else room
    return copy.reshape(rows), [partial(np.copyto, copy, x)]


def masked_rows(
    x: np.ndarray, factors: np.ndarray, gates: int, room: np.ndarray | None = None
) -> list[tuple[np.ndarray, list[Call]]]:
    """x times the dropout factors of each gate, as rows, with the calls that make them; plain x without factors."""
    if not factors.ndim:
        rows, calls = as_rows(x, room)
        return [(rows, calls if not gate else []) for gate in range(gates)]
    product = np.empty(x.shape, x.dtype) if room is None else room
    rows, _ = as_rows(product)
    some = len(factors)
    return [
        (rows, [partial(np.multiply, x, factors[gate % some], product)] if gate < some else [])
        for gate in range(gates)
    ]


class Projection:
    """x . kernel a few steps at a time, so that what is made for a step is in the cache when its turn comes.

    z: where it goes, (gates, time, batch, units), or None where nobody reads it but the step.
    """

    def __init__(
        self, x: np.ndarray, kernels: np.ndarray, of_inputs: np.ndarray, z: np.ndarray | None
    ) -> None:
        gates, _, units = kernels.shape
        time, batch, size = x.shape
        bytes_a_step = max(1, gates * batch * units * x.itemsize)
        self.steps = min(time, max(1, CACHE // bytes_a_step))
        self.z = np.empty((gates, self.steps, batch, units), x.dtype) if z is None else z
        self._x, self._kernels, self._of_inputs = x, kernels, of_inputs
        self._room = np.empty((self.steps, batch, size), x.dtype)

    def at(self, step: int) -> tuple[np.ndarray, list[Call]]:
        """x . kernel of a step, (gates, batch, units), and the calls that make it, of this step and the next ones."""
        now = step % self.z.shape[1]
        calls: list[Call] = []
        if step % self.steps == 0:
            x = self._x[step : step + self.steps]
            out = self.z[:, now : now + len(x)]
            made = masked_rows(x, self._of_inputs, len(out), self._room[: len(x)])
            for gate, (rows, fill) in enumerate(made):
                product = out[gate].reshape(len(rows), out.shape[-1])
                calls += [*fill, partial(np.dot, rows, self._kernels[gate], product)]
        return self.z[:, now], calls


def over_time(out: np.ndarray | None, steps: int, like: np.ndarray) -> Callable[[int], np.ndarray]:
    """Where the value of each step goes: into `out`, or, where nobody reads that, in the place of the value `steps`
    steps before."""
    kept = np.empty((steps, *like.shape), like.dtype) if out is None else out
    return lambda step: kept[step % len(kept)]


def recur(h: np.ndarray, kernels: np.ndarray, of_state: np.ndarray, out: np.ndarray) -> list[Call]:
    """The calls that write h . kernel of one step for each gate into out, (gates, batch, units)."""
    if not of_state.ndim:
        return [partial(np.matmul, h, kernels, out)]
    product = np.empty((len(of_state), *h.shape), h.dtype)
    return [partial(np.multiply, h, of_state, product), partial(np.matmul, product, kernels, out)]


class Skips:
    """Which samples skip which steps: read from the mask at each run, so that steps that none skips cost nothing."""

    def __init__(self, mask: np.ndarray) -> None:
        self.any = bool(mask.ndim)
        self.skip: Any = np.empty((*mask.shape, 1), bool)
        self.some: list[bool] = []
        self.mask = mask

    @property
    def calls(self) -> list[Call]:
        """What reads the mask."""
        return [self._read] if self.any else []

    def _read(self) -> None:
        np.logical_not(self.mask[..., None], out=self.skip)
        self.some[:] = self.skip.any(axis=(1, 2)).tolist()

    def keep(self, step: int, *pairs: tuple[np.ndarray, Any]) -> list[Call]:
        """The call that copies, for each (target, source), the rows of the samples that skip the step."""
        if not self.any:
            return []
        skip, some = self.skip[step], self.some

        def call() -> None:
            if some[step]:
                for target, source in pairs:
                    np.copyto(target, source, where=skip)

        return [call]


# ---- the gradients of the products, for all steps at once


def _infer_rows_grad(dz, kernel, factors, *, order):
    return Spec((*dz.shape[1:3], kernel.shape[0]), dz.dtype)


@op(infer=_infer_rows_grad)
def rows_grad(xp, dz, kernel, factors, *, order):
    """What reaches the rows x of products x . kernel: the sum over gates of dz . kernel^T, times their factors."""
    parts = xp.matmul(dz, xp.swapaxes(blocks(xp, kernel, order), 1, 2)[:, None])
    return xp.sum(parts * factors[:, None] if factors.ndim else parts, axis=0)


@rows_grad.vjp
@by_formula
def _(dz, kernel, factors, *, order):
    parts = matmul(dz, expand_axes(swap(tensor_blocks(kernel, order)), axes=(1,)))
    return sum_(parts * expand_axes(factors, axes=(1,)) if factors.ndim else parts, axis=0)


@rows_grad.kernel("numpy")
def _(dz, kernel, factors, *, order):
    if not is_blas(dz.dtype):
        return None

    def bind(out, z, weights, of_rows):
        turn, calls = turned(weights, order)
        total, _ = as_rows(out)
        part = np.empty_like(total)
        for gate in range(len(order)):
            target = part if gate else total
            calls.append(partial(np.dot, z[gate].reshape(len(total), z.shape[-1]), turn[gate], target))
            if of_rows.ndim:
                spread = target.reshape(out.shape)
                calls.append(partial(np.multiply, spread, of_rows[gate % len(of_rows)], spread))
            if gate:
                calls.append(partial(np.add, total, part, total))
        return sequence(calls)

    return bound(bind)


def _infer_kernel_grad(rows, dz, factors, *, order):
    return Spec((rows.shape[-1], len(order) * (dz.shape[-1] or 0)), dz.dtype)


@op(infer=_infer_kernel_grad)
def kernel_grad(xp, rows, dz, factors, *, order):
    """What reaches the kernel: rows^T . dz over all steps and samples, gate by gate, side by side."""
    x = rows * factors[:, None] if factors.ndim else rows[None]
    sums = [xp.tensordot(x[gate % len(x)], dz[gate], axes=((0, 1), (0, 1))) for gate in range(len(order))]
    return whole(xp, sums, order)


@kernel_grad.vjp
@by_formula
def _(rows, dz, factors, *, order):
    x = rows * expand_axes(factors, axes=(1,)) if factors.ndim else expand_axes(rows, axes=(0,))
    product = matmul(swap(merge(x, 1, 3)), merge(dz, 1, 3))  # (gates, rows, units)
    return concatenate(*[product[order.index(at)] for at in range(len(order))], axis=-1)


@kernel_grad.kernel("numpy")
def _(rows, dz, factors, *, order):
    if not is_blas(dz.dtype):
        return None

    def bind(out, x, z, of_rows):
        units = z.shape[-1]
        part = np.empty((out.shape[0], units), out.dtype)
        calls: list[Call] = []
        for gate, (matrix, fill) in enumerate(masked_rows(x, of_rows, len(order))):
            block = out[:, order[gate] * units : (order[gate] + 1) * units]
            whole_block = block if block.flags.c_contiguous else part
            calls += fill
            calls.append(partial(np.dot, matrix.T, z[gate].reshape(len(matrix), units), whole_block))
            if whole_block is part:
                calls.append(partial(np.copyto, block, part))
        return sequence(calls)

    return bound(bind)


def _infer_bias_grad(dz, *, order):
    return Spec((len(order) * (dz.shape[-1] or 0),), dz.dtype)


@op(infer=_infer_bias_grad)
def bias_grad(xp, dz, *, order):
    """What reaches the bias: dz summed over all steps and samples, gate by gate, end to end."""
    return whole(xp, xp.sum(dz, axis=(1, 2)), order)


@bias_grad.vjp
@by_formula
def _(dz, *, order):
    total = sum_(dz, axis=(1, 2))
    return concatenate(*[total[order.index(at)] for at in range(len(order))], axis=-1)


@bias_grad.kernel("numpy")
def _(dz, *, order):
    if not is_blas(dz.dtype):
        return None

    def bind(out, z):
        units = z.shape[-1]
        count = z.shape[1] * z.shape[2]
        calls = [
            partial(
                np.dot,
                ones(count, dz.dtype),
                z[gate].reshape(count, units),
                out[at * units : (at + 1) * units],
            )
            for gate, at in enumerate(order)
        ]
        return sequence(calls)

    return bound(bind)


def ended(*pairs: tuple[np.ndarray | None, np.ndarray]) -> list[Call]:
    """The calls that copy, for each (out, last state), the state to where somebody reads it."""
    return [partial(np.copyto, out, state) for out, state in pairs if out is not None]


def sequence(calls: Sequence[Call]) -> Call:
    """The calls as one."""
    calls = tuple(calls)

    def run() -> None:
        for call in calls:
            call()

    return run
