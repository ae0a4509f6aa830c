"""The LSTM of a whole sequence as one op, and its gradient as another.

    i, f, o = s(x . W + h . U + b),  g = tanh(x . W + h . U + b),  c' = f * c + i * g,  h' = o * tanh(c')

One product makes x . W for all steps, one more a step makes h . U; the gates of all steps are kept, so that the way
back needs one product a step, and three for the whole sequence.
"""

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
from lamina.ops.shape import expand_axes, zeros_like
from lamina.tensor import Spec, Tensor
from lamina_recurrent.gates import (
    SIGMOIDS,
    Projection,
    Skips,
    Squash,
    absent,
    at_step,
    bias_grad,
    blocks,
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
    tensor_blocks,
    tensor_projected,
    time_first,
    turned,
    without_ones,
)

ORDER = (0, 1, 3, 2)  # the blocks of i, f, o, g in weights that have i, f, g, o


def _infer(x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state, *, recurrent):
    time, batch, units = x.shape[0], x.shape[1], recurrent_kernel.shape[0]
    states = Spec((time, batch, units), x.dtype)
    last = Spec((batch, units), x.dtype)
    return [states, last, last, Spec((4, time, batch, units), x.dtype), states, states]


@op(infer=_infer, spare=True)
def lstm_sequence(xp, x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state, *, recurrent):
    """h after each step, (time, batch, units), the last h and c, and what the gradient needs: the gates i, f, o, g,
    c after each step, and tanh(c).

    x: (time, batch, inputs).  h, c: the states to begin with.  mask: (time, batch), false where a sample keeps its
    states.  of_inputs, of_state: dropout factors, (gates or 1, batch, size).  recurrent: the sigmoid, of `Squash`.
    """
    squash = Squash(recurrent)
    z = projected(xp, x, kernel, bias, of_inputs, ORDER)
    kernels = blocks(xp, recurrent_kernel, ORDER)
    ys, gates, cells, curved = (
        xp.empty(shape, x.dtype) for shape in (z.shape[1:], z.shape, z.shape[1:], z.shape[1:])
    )
    for step in range(len(x)):
        a = z[:, step] + xp.matmul(h * of_state, kernels)
        gates[:3, step], gates[3, step] = squash.define(xp, a[:3]), xp.tanh(a[3])
        i, f, o, g = gates[:, step]
        c_new = f * c + i * g
        curved[step] = xp.tanh(c_new)
        there = at_step(mask, step)
        c, h = xp.where(there, c_new, c), xp.where(there, o * curved[step], h)
        cells[step], ys[step] = c, h
    return ys, h, c, gates, cells, curved


@lstm_sequence.vjp
def _(g, y, x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state, *, recurrent):
    ys, _, _, *kept = y
    given = [absent(0, x.dtype) if each is None else each for each in g[:3]]
    inputs = (x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state)
    dz, dh, dc = lstm_sequence_grad(*given, *inputs, ys, *kept, recurrent=recurrent)
    return (
        rows_grad(dz, kernel, of_inputs, order=ORDER),
        kernel_grad(x, dz, of_inputs, order=ORDER),
        kernel_grad(shifted(h, ys), dz, of_state, order=ORDER),
        bias_grad(dz, order=ORDER) if bias.ndim else None,
        dh,
        dc,
        None,
        None,
        None,
    )


lstm_sequence.simplify(without_ones(lstm_sequence))


@lstm_sequence.kernel("numpy")
def _(x, *specs, recurrent):
    if not is_blas(x.dtype):
        return None
    squash = Squash(recurrent)

    def bind(outs, x, kernel, recurrent_kernel, bias, h0, c0, mask, of_inputs, of_state):
        ys, h_last, c_last, gates, cells, curved = outs
        (time, batch), units = x.shape[:2], recurrent_kernel.shape[0]
        scales, offsets = (squash.scale,) * 3 + (1.0,), (squash.offset,) * 3 + (0.0,)
        input_kernels, calls = scaled_blocks(kernel, 1, ORDER, scales)
        kernels, more = scaled_blocks(recurrent_kernel, 2, ORDER, scales)
        added, most = scaled_bias(bias, batch, units, ORDER, scales, offsets)
        skips = Skips(mask)
        a, product = np.empty((4, batch, units), x.dtype), np.empty((batch, units), x.dtype)
        h, c = np.empty_like(product), np.empty_like(product)
        calls += [*more, *most, *skips.calls, partial(np.copyto, h, h0), partial(np.copyto, c, c0)]
        projection = Projection(x, input_kernels, of_inputs, gates)
        y_at, c_at, curved_at = over_time(ys, 2, h), over_time(cells, 2, c), over_time(curved, 1, c)
        for step in range(time):
            now, made = projection.at(step)
            i, f, o, g = now
            calls += made
            y, c_new, curve = y_at(step), c_at(step), curved_at(step)
            calls += recur(h, kernels, of_state, a)
            if added is not None:
                calls.append(partial(np.add, a, added, a))
            calls += [partial(np.add, now, a, now), *([] if squash.hard else [partial(np.tanh, now, now)])]
            calls += [*squash.calls(now[:3], curved=True), *([partial(np.tanh, g, g)] if squash.hard else [])]
            calls += [
                partial(np.multiply, f, c, c_new),
                partial(np.multiply, i, g, product),
                partial(np.add, c_new, product, c_new),
                partial(np.tanh, c_new, curve),
                partial(np.multiply, o, curve, y),
                *skips.keep(step, (c_new, c), (y, h)),
            ]
            h, c = y, c_new
        return [*calls, *ended((h_last, h), (c_last, c))]

    return in_turn(bind)


# ---- the gradient


def _infer_grad(to_ys, to_h, to_c, x, kernel, recurrent_kernel, bias, h, c, *rest, recurrent):
    gates = rest[4]
    return [Spec(gates.shape, x.dtype), Spec(h.shape, x.dtype), Spec(c.shape, x.dtype)]


@op(infer=_infer_grad)
def lstm_sequence_grad(
    xp, to_ys, to_h, to_c, x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state, ys, gates, cells, curved,
    *, recurrent,
):  # fmt: skip
    """The cotangents of x . W + h . U + b of all steps, (gates, time, batch, units), and of the first h and c."""
    squash = Squash(recurrent)
    kernels = xp.swapaxes(blocks(xp, recurrent_kernel, ORDER), 1, 2)
    dz = xp.empty_like(gates)
    dh, dc = to_h + xp.zeros_like(h), to_c + xp.zeros_like(c)
    for step in reversed(range(len(x))):
        i, f, o, g = gates[:, step]
        before = cells[step - 1] if step else c
        dh = dh + (to_ys[step] if to_ys.ndim else to_ys)
        dc_new = dc + dh * o * (1 - curved[step] ** 2)
        slopes = squash.slope(xp, gates[:3, step])
        there = at_step(mask, step)
        parts = [
            *(xp.stack([dc_new * g, dc_new * before, dh * curved[step]]) * slopes),
            dc_new * i * (1 - g * g),
        ]
        dz[:, step] = xp.where(there, xp.stack(parts), 0)
        dc = xp.where(there, dc_new * f, dc)
        dh = xp.where(there, xp.sum(xp.matmul(dz[:, step], kernels) * of_state, axis=0), dh)
    return dz, dh, dc


@lstm_sequence_grad.vjp
@by_formula
def _(
    to_ys, to_h, to_c, x, kernel, recurrent_kernel, bias, h, c, mask, of_inputs, of_state, *kept, recurrent
):
    s = SIGMOIDS[recurrent]
    z = tensor_projected(x, kernel, bias, of_inputs, ORDER)
    change = zeros_like(z)
    kernels = tensor_blocks(recurrent_kernel, ORDER)

    def step(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        h, c = states
        a = elements[0] + matmul(expand_axes(h, axes=(0,)) * of_state, kernels)
        c_new = s(a[1]) * c + s(a[0]) * tanh(a[3])
        h_new = s(a[2]) * tanh(c_new)
        h_new, c_new = taken(elements[1:], h_new, h), taken(elements[1:], c_new, c)
        return [h_new], [h_new, c_new]

    (ys,), last = scan(step, [time_first(z + change), *([mask] if mask.ndim else [])], [h, c])
    loss = total(sum_(g * y) for g, y in zip((to_ys, to_h, to_c), (ys, *last), strict=True))
    return tuple(gradients(loss, [change, h, c]))


@lstm_sequence_grad.kernel("numpy")
def _(to_ys, to_h, to_c, x, *specs, recurrent):
    if not is_blas(x.dtype):
        return None
    squash = Squash(recurrent)

    def bind(
        outs, to_ys, to_h, to_c, x, kernel, recurrent_kernel, bias, h0, c0, mask, of_inputs, of_state, ys, gates, cells,
        curved,
    ):  # fmt: skip
        dz, dh, dc = outs
        time, batch, units = ys.shape
        one = np.asarray(1, x.dtype)
        slopes, parts = np.empty((3, batch, units), x.dtype), np.empty((4, batch, units), x.dtype)
        u, dh_kept, dc_kept = (np.empty((batch, units), x.dtype) for _ in range(3))
        kernels, calls = turned(recurrent_kernel, ORDER)
        skips = Skips(mask)
        calls += [*skips.calls, partial(np.copyto, dh, to_h), partial(np.copyto, dc, to_c)]
        for step in reversed(range(time)):
            i, f, o, g = gates[:, step]
            now, before = dz[:, step], cells[step - 1] if step else c0
            if to_ys.ndim:
                calls.append(partial(np.add, dh, to_ys[step], dh))
            calls += skips.keep(step, (dh_kept, dh), (dc_kept, dc))
            calls += [
                # dc += dh * o * (1 - tanh(c)^2), with h' = o * tanh(c)
                partial(np.multiply, ys[step], curved[step], u),
                partial(np.subtract, o, u, u),
                partial(np.multiply, u, dh, u),
                partial(np.add, dc, u, dc),
                *squash.slope_calls(gates[:3, step], slopes),
                partial(np.multiply, dc, g, now[0]),
                partial(np.multiply, dc, before, now[1]),
                partial(np.multiply, dh, curved[step], now[2]),
                partial(np.multiply, now[:3], slopes, now[:3]),
                partial(np.multiply, g, g, u),
                partial(np.subtract, one, u, u),
                partial(np.multiply, u, i, u),
                partial(np.multiply, u, dc, now[3]),
                partial(np.multiply, dc, f, dc),
                *skips.keep(step, (now, 0), (dc, dc_kept)),
                partial(np.matmul, now, kernels, parts),
                *([partial(np.multiply, parts, of_state, parts)] if of_state.ndim else []),
                partial(np.add.reduce, parts, 0, None, dh),
                *skips.keep(step, (dh, dh_kept)),
            ]
        return sequence(calls)

    return bound(bind)
