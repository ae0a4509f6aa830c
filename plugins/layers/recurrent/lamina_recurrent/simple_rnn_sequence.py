"""The simple recurrence over a whole sequence as one op, and its gradient as another: h' = tanh(x . W + h . U + b)."""

from __future__ import annotations

from functools import partial

import numpy as np

from lamina.gradient import gradients
from lamina.op import op
from lamina.ops.elementwise import tanh
from lamina.ops.kernels import bound, in_turn, is_blas
from lamina.ops.linalg import matmul
from lamina.ops.reduction import sum_
from lamina.ops.rules import by_formula, total
from lamina.ops.scan import scan
from lamina.ops.shape import zeros_like
from lamina.tensor import Spec, Tensor
from lamina_recurrent.gates import (
    Projection,
    Skips,
    absent,
    at_step,
    bias_grad,
    ended,
    kernel_grad,
    over_time,
    projected,
    recur,
    rows_grad,
    scaled_bias,
    scaled_blocks,
    sequence,
    shifted,
    taken,
    tensor_projected,
    time_first,
    turned,
    without_ones,
)

ORDER = (0,)


def _infer(x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state):
    units = recurrent_kernel.shape[0]
    return [Spec((*x.shape[:2], units), x.dtype), Spec((x.shape[1], units), x.dtype)]


@op(infer=_infer, spare=True)
def simple_rnn_sequence(xp, x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state):
    """h after each step, (time, batch, units), and the last h.

    x: (time, batch, inputs).  h: the state to begin with.  mask: (time, batch), false where a sample keeps its state.
    of_inputs, of_state: dropout factors, (1, batch, size).
    """
    (z,) = projected(xp, x, kernel, bias, of_inputs, ORDER)
    factors = of_state[0] if of_state.ndim else of_state
    ys = xp.empty_like(z)
    for step in range(len(x)):
        h = xp.where(at_step(mask, step), xp.tanh(z[step] + xp.matmul(h * factors, recurrent_kernel)), h)
        ys[step] = h
    return ys, h


@simple_rnn_sequence.vjp
def _(g, y, x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state):
    given = [absent(0, x.dtype) if each is None else each for each in g]
    inputs = (x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state)
    dz, dh = simple_rnn_sequence_grad(*given, *inputs, y[0])
    return (
        rows_grad(dz, kernel, of_inputs, order=ORDER),
        kernel_grad(x, dz, of_inputs, order=ORDER),
        kernel_grad(shifted(h, y[0]), dz, of_state, order=ORDER),
        bias_grad(dz, order=ORDER) if bias.ndim else None,
        dh,
        None,
        None,
        None,
    )


simple_rnn_sequence.simplify(without_ones(simple_rnn_sequence))


@simple_rnn_sequence.kernel("numpy")
def _(x, *specs):
    if not is_blas(x.dtype):
        return None

    def bind(outs, x, kernel, recurrent_kernel, bias, h0, mask, of_inputs, of_state):
        ys, h_last = outs
        (time, batch), units = x.shape[:2], recurrent_kernel.shape[0]
        kernels, calls = scaled_blocks(recurrent_kernel, 2, ORDER, (1.0,))
        input_kernels, more = scaled_blocks(kernel, 1, ORDER, (1.0,))
        added, most = scaled_bias(bias, batch, units, ORDER, (1.0,), (0.0,))
        skips = Skips(mask)
        a, h = np.empty((1, batch, units), x.dtype), np.empty((batch, units), x.dtype)
        calls += [*more, *most, *skips.calls, partial(np.copyto, h, h0)]
        projection = Projection(x, input_kernels, of_inputs, None if ys is None else ys[None])
        y_at = over_time(ys, 2, h)
        for step in range(time):
            (now,), made = projection.at(step)
            y = y_at(step)
            calls += made
            calls += recur(h, kernels, of_state, a)
            if added is not None:
                calls.append(partial(np.add, a, added, a))
            calls += [
                partial(np.add, now, a[0], y),
                partial(np.tanh, y, y),
                *skips.keep(step, (y, h)),
            ]
            h = y
        return [*calls, *ended((h_last, h))]

    return in_turn(bind)


# ---- the gradient


def _infer_grad(to_ys, to_h, x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state, ys):
    return [Spec((1, *ys.shape), x.dtype), Spec(h.shape, x.dtype)]


@op(infer=_infer_grad)
def simple_rnn_sequence_grad(
    xp, to_ys, to_h, x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state, ys
):
    """The cotangents of x . W + h . U + b at all steps, (1, time, batch, units), and of the first h."""
    dz = xp.empty((1, *ys.shape), x.dtype)
    dh = to_h + xp.zeros_like(h)
    factors = of_state[0] if of_state.ndim else of_state
    for step in reversed(range(len(x))):
        dh = dh + (to_ys[step] if to_ys.ndim else to_ys)
        there = at_step(mask, step)
        dz[0, step] = xp.where(there, dh * (1 - ys[step] * ys[step]), 0)
        dh = xp.where(there, xp.matmul(dz[0, step], recurrent_kernel.T) * factors, dh)
    return dz, dh


@simple_rnn_sequence_grad.vjp
@by_formula
def _(to_ys, to_h, x, kernel, recurrent_kernel, bias, h, mask, of_inputs, of_state, ys):
    z = tensor_projected(x, kernel, bias, of_inputs, ORDER)
    change = zeros_like(z)
    factors = of_state[0] if of_state.ndim else of_state

    def step(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        (h,) = states
        h = taken(elements[1:], tanh(elements[0][0] + matmul(h * factors, recurrent_kernel)), h)
        return [h], [h]

    (again,), (last,) = scan(step, [time_first(z + change), *([mask] if mask.ndim else [])], [h])
    return tuple(gradients(total(sum_(g * y) for g, y in ((to_ys, again), (to_h, last))), [change, h]))


@simple_rnn_sequence_grad.kernel("numpy")
def _(to_ys, to_h, x, *specs):
    if not is_blas(x.dtype):
        return None

    def bind(outs, to_ys, to_h, x, kernel, recurrent_kernel, bias, h0, mask, of_inputs, of_state, ys):
        dz, dh = outs
        time, batch, units = ys.shape
        one = np.asarray(1, x.dtype)
        u, kept = np.empty((batch, units), x.dtype), np.empty((batch, units), x.dtype)
        (kernel_back,), calls = turned(recurrent_kernel, ORDER)
        skips = Skips(mask)
        calls += [*skips.calls, partial(np.copyto, dh, to_h)]
        for step in reversed(range(time)):
            now = dz[0, step]
            if to_ys.ndim:
                calls.append(partial(np.add, dh, to_ys[step], dh))
            calls += [
                *skips.keep(step, (kept, dh)),
                partial(np.multiply, ys[step], ys[step], u),
                partial(np.subtract, one, u, u),
                partial(np.multiply, u, dh, now),
                *skips.keep(step, (now, 0)),
                partial(np.dot, now, kernel_back, dh),
                *([partial(np.multiply, dh, of_state[0], dh)] if of_state.ndim else []),
                *skips.keep(step, (dh, kept)),
            ]
        return sequence(calls)

    return bound(bind)
