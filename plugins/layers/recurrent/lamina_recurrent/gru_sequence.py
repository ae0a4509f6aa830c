"""The GRU of a whole sequence as one op, and its gradient as another; in both forms of the reset gate.

z, r = s(x . W + h . U + b),  g = tanh(x . W + b + n),  h' = z * h + (1 - z) * g

n = (r * h) . U, or, with reset_after, n = r * (h . U + b')
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from lamina.gradient import gradients
from lamina.op import op
from lamina.ops.elementwise import tanh
from lamina.ops.joining import concatenate
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

ORDER = (0, 1, 2)  # z, r, g


def _factors(of_state: Any) -> tuple[Any, Any]:
    """The dropout factors of h for the two gates, and for the candidate."""
    return (of_state[:2], of_state[-1]) if of_state.ndim else (of_state, of_state)


def _infer(
    x, kernel, recurrent_kernel, bias, recurrent_bias, h, mask, of_inputs, of_state, *, recurrent, reset_after
):
    time, batch, units = x.shape[0], x.shape[1], recurrent_kernel.shape[0]
    states = Spec((time, batch, units), x.dtype)
    return [states, Spec((batch, units), x.dtype), Spec((3, time, batch, units), x.dtype), states]


@op(infer=_infer, spare=True)
def gru_sequence(
    xp,
    x,
    kernel,
    recurrent_kernel,
    bias,
    recurrent_bias,
    h,
    mask,
    of_inputs,
    of_state,
    *,
    recurrent,
    reset_after,
):
    """h after each step, (time, batch, units), the last h, and what the gradient needs: z, r, g, and what the product
    for the candidate was made from (r * h) or made (h . U + b').

    x: (time, batch, inputs).  h: the state to begin with.  mask: (time, batch), false where a sample keeps its state.
    recurrent_bias: b', with reset_after.  of_inputs, of_state: dropout factors, (gates or 1, batch, size).
    recurrent: the sigmoid, of `Squash`.
    """
    squash = Squash(recurrent)
    a = projected(xp, x, kernel, bias, of_inputs, ORDER)
    kernels = blocks(xp, recurrent_kernel, ORDER)
    added = (
        blocks(xp, recurrent_bias, ORDER)[:, None] if recurrent_bias.ndim else xp.zeros((3, 1, 1), x.dtype)
    )
    ys, gates, inner = (xp.empty(shape, x.dtype) for shape in (a.shape[1:], a.shape, a.shape[1:]))
    to_gates, to_candidate = _factors(of_state)
    for step in range(len(x)):
        z, r = squash.define(xp, a[:2, step] + xp.matmul(h * to_gates, kernels[:2]) + added[:2])
        if reset_after:
            inner[step] = xp.matmul(h * to_candidate, kernels[2]) + added[2]
            g = xp.tanh(a[2, step] + r * inner[step])
        else:
            inner[step] = r * (h * to_candidate)
            g = xp.tanh(a[2, step] + xp.matmul(inner[step], kernels[2]))
        gates[0, step], gates[1, step], gates[2, step] = z, r, g
        h = xp.where(at_step(mask, step), g + z * (h - g), h)
        ys[step] = h
    return ys, h, gates, inner


@gru_sequence.vjp
def _(g, y, x, kernel, recurrent_kernel, bias, recurrent_bias, h, mask, of_inputs, of_state, **attrs):
    ys, _, *kept = y
    given = [
        absent(0, x.dtype) if g[at] is None else g[at] for at in (0, 1, 3)
    ]  # of inner for second derivatives
    inputs = (x, kernel, recurrent_kernel, bias, recurrent_bias, h, mask, of_inputs, of_state)
    dz, dh, *inside = gru_sequence_grad(*given, *inputs, ys, *kept, **attrs)
    before, inner = shifted(h, ys), kept[1]
    to_gates, to_candidate = (each[None] if each.ndim == 2 else each for each in _factors(of_state))
    if attrs["reset_after"]:
        rows, sums, factors = before, expand_axes(inside[0], axes=(0,)), to_candidate
    else:
        rows, sums, factors = inner, dz[2:], absent(1, x.dtype)
    to_kernel = [
        kernel_grad(before, dz[:2], to_gates, order=(0, 1)),
        kernel_grad(rows, sums, factors, order=(0,)),
    ]
    to_bias = bias_grad(dz, order=ORDER) if bias.ndim else None
    to_recurrent_bias = None
    if recurrent_bias.ndim:
        parts = (bias_grad(dz[:2], order=(0, 1)), bias_grad(sums, order=(0,)))
        to_recurrent_bias = concatenate(*parts, axis=0)
    return (
        rows_grad(dz, kernel, of_inputs, order=ORDER),
        kernel_grad(x, dz, of_inputs, order=ORDER),
        concatenate(*to_kernel, axis=1),
        to_bias,
        to_recurrent_bias,
        dh,
        None,
        None,
        None,
    )


gru_sequence.simplify(without_ones(gru_sequence))


@gru_sequence.kernel("numpy")
def _(x, *specs, recurrent, reset_after):
    if not is_blas(x.dtype):
        return None
    squash = Squash(recurrent)
    scales, offsets = (squash.scale,) * 2 + (1.0,), (squash.offset,) * 2 + (0.0,)

    def bind(outs, x, kernel, recurrent_kernel, bias, recurrent_bias, h0, mask, of_inputs, of_state):
        ys, h_last, gates, inner = outs
        (time, batch), units = x.shape[:2], recurrent_kernel.shape[0]
        input_kernels, calls = scaled_blocks(kernel, 1, ORDER, scales)
        kernels, more = scaled_blocks(recurrent_kernel, 2, ORDER, scales)
        added, most = scaled_bias(bias, batch, units, ORDER, scales, offsets)
        added_inside, last = scaled_bias(recurrent_bias, batch, units, ORDER, scales, (0.0,) * 3)
        if added is None:
            added = added_inside
        elif added_inside is not None:
            last.append(partial(np.add, added[:2], added_inside[:2], added[:2]))
        skips = Skips(mask)
        to_gates, to_candidate = _factors(of_state)
        a, product = np.empty((2, batch, units), x.dtype), np.empty((batch, units), x.dtype)
        h, kept = np.empty_like(product), np.empty_like(product)
        calls += [*more, *most, *last, *skips.calls, partial(np.copyto, h, h0)]
        projection = Projection(x, input_kernels, of_inputs, gates)
        y_at, inner_at = over_time(ys, 2, h), over_time(inner, 1, h)
        for step in range(time):
            now, made = projection.at(step)
            z, r, g = now
            calls += made
            y, within = y_at(step), inner_at(step)
            calls += recur(h, kernels[:2], to_gates, a)
            if added is not None:
                calls.append(partial(np.add, a, added[:2], a))
            calls += [partial(np.add, now[:2], a, now[:2]), *squash.calls(now[:2])]
            left = h
            if of_state.ndim:
                left = kept
                calls.append(partial(np.multiply, h, to_candidate, left))
            if reset_after:
                calls.append(partial(np.dot, left, kernels[2], within))
                if added_inside is not None:
                    calls.append(partial(np.add, within, added_inside[2], within))
                calls.append(partial(np.multiply, r, within, product))
            else:
                calls.append(partial(np.multiply, r, left, within))
                calls.append(partial(np.dot, within, kernels[2], product))
            calls.append(partial(np.add, g, product, g))
            if bias.ndim:
                calls.append(partial(np.add, g, added[2], g))  # type: ignore[index]
            calls += [
                partial(np.tanh, g, g),
                partial(np.subtract, h, g, y),
                partial(np.multiply, y, z, y),
                partial(np.add, y, g, y),
                *skips.keep(step, (y, h)),
            ]
            h = y
        return [*calls, *ended((h_last, h))]

    return in_turn(bind)


# ---- the gradient


def _infer_grad(
    to_ys, to_h, to_inner, x, kernel, recurrent_kernel, bias, recurrent_bias, h, *rest, recurrent, reset_after
):
    *_, ys, gates, _ = rest
    inside = [Spec(ys.shape, x.dtype)] if reset_after else []
    return [Spec(gates.shape, x.dtype), Spec(h.shape, x.dtype), *inside]


@op(infer=_infer_grad)
def gru_sequence_grad(
    xp, to_ys, to_h, to_inner, x, kernel, recurrent_kernel, bias, recurrent_bias, h, mask, of_inputs, of_state,
    ys, gates, inner, *, recurrent, reset_after,
):  # fmt: skip
    """The cotangents of what the gates' functions were taken of at all steps, (gates, time, batch, units); of the first
    h; and, with reset_after, of h . U + b' for the candidate, (time, batch, units)."""
    squash = Squash(recurrent)
    kernels = xp.swapaxes(blocks(xp, recurrent_kernel, ORDER), 1, 2)
    to_gates, to_candidate = _factors(of_state)
    dz, dn = xp.empty_like(gates), xp.empty_like(ys)
    dh = to_h + xp.zeros_like(h)
    for step in reversed(range(len(x))):
        z, r, g = gates[:, step]
        before = ys[step - 1] if step else h
        dh = dh + (to_ys[step] if to_ys.ndim else to_ys)
        there = at_step(mask, step)
        to_g = xp.where(there, dh * (1 - z) * (1 - g * g), 0)
        if reset_after:
            to_n, to_r = to_g * r, to_g * inner[step]
            back = xp.matmul(to_n, kernels[2]) * to_candidate
        else:
            to_n = to_g
            product = xp.matmul(to_g, kernels[2]) + (to_inner[step] if to_inner.ndim else to_inner)
            to_r, back = product * before * to_candidate, product * r * to_candidate
        to_both = xp.where(there, xp.stack([dh * (before - g), to_r]) * squash.slope(xp, gates[:2, step]), 0)
        dz[:2, step], dz[2, step], dn[step] = to_both, to_g, to_n
        dh = xp.where(there, dh * z + back + xp.sum(xp.matmul(to_both, kernels[:2]) * to_gates, axis=0), dh)
    return (dz, dh, dn) if reset_after else (dz, dh)


@gru_sequence_grad.vjp
@by_formula
def _(
    to_ys, to_h, to_inner, x, kernel, recurrent_kernel, bias, recurrent_bias, h, mask, of_inputs, of_state, *kept,
    recurrent, reset_after,
):  # fmt: skip
    s = SIGMOIDS[recurrent]
    a = tensor_projected(x, kernel, bias, of_inputs, ORDER)
    change, inside = zeros_like(a), zeros_like(a[2])
    kernels = tensor_blocks(recurrent_kernel, ORDER)
    added = expand_axes(tensor_blocks(recurrent_bias, ORDER), axes=(1,)) if recurrent_bias.ndim else None
    to_gates, to_candidate = _factors(of_state)

    def step(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        (a, change), (h,) = elements[:2], states
        both = a[:2] + matmul(expand_axes(h, axes=(0,)) * to_gates, kernels[:2])
        both = both if added is None else both + added[:2]
        z, r = s(both[0]), s(both[1])
        if reset_after:
            n = matmul(h * to_candidate, kernels[2]) + change
            g = tanh(a[2] + r * (n if added is None else n + added[2]))
        else:
            n = r * (h * to_candidate)
            g = tanh(a[2] + matmul(n, kernels[2]))
        h = taken(elements[2:], g + z * (h - g), h)
        return [h, n], [h]

    (ys, inner), (last,) = scan(step, [time_first(a + change), inside, *([mask] if mask.ndim else [])], [h])
    found = gradients(
        total(sum_(g * y) for g, y in ((to_ys, ys), (to_h, last), (to_inner, inner))), [change, h, inside]
    )
    return tuple(found if reset_after else found[:2])


@gru_sequence_grad.kernel("numpy")
def _(to_ys, to_h, to_inner, x, *specs, recurrent, reset_after):
    if not is_blas(x.dtype):
        return None
    squash = Squash(recurrent)

    def bind(
        outs, to_ys, to_h, to_inner, x, kernel, recurrent_kernel, bias, recurrent_bias, h0, mask, of_inputs, of_state,
        ys, gates, inner,
    ):  # fmt: skip
        dz, dh, *inside = outs
        dn: Any = inside[0] if reset_after else None
        time, batch, units = ys.shape
        one = np.asarray(1, x.dtype)
        slopes, parts = np.empty((2, batch, units), x.dtype), np.empty((2, batch, units), x.dtype)
        u, v, product, kept = (np.empty((batch, units), x.dtype) for _ in range(4))
        kernels, calls = turned(recurrent_kernel, ORDER)
        skips = Skips(mask)
        to_gates, to_candidate = _factors(of_state)
        calls += [*skips.calls, partial(np.copyto, dh, to_h)]
        for step in reversed(range(time)):
            z, r, g = gates[:, step]
            now, before = dz[:, step], ys[step - 1] if step else h0
            if to_ys.ndim:
                calls.append(partial(np.add, dh, to_ys[step], dh))
            calls += [
                *skips.keep(step, (kept, dh)),
                partial(np.subtract, one, z, u),
                partial(np.multiply, u, dh, u),
                partial(np.multiply, g, g, v),
                partial(np.subtract, one, v, v),
                partial(np.multiply, u, v, now[2]),
                partial(np.subtract, before, g, u),
                partial(np.multiply, u, dh, now[0]),
                *squash.slope_calls(gates[:2, step], slopes),
            ]
            if reset_after:
                calls += [
                    partial(np.multiply, now[2], inner[step], now[1]),
                    partial(np.multiply, now[2], r, dn[step]),
                    *skips.keep(step, (dn[step], 0)),
                    partial(np.dot, dn[step], kernels[2], product),
                ]
            else:
                calls += [
                    partial(np.dot, now[2], kernels[2], product),
                    *([partial(np.add, product, to_inner[step], product)] if to_inner.ndim else []),
                    partial(np.multiply, product, before, now[1]),
                    partial(np.multiply, product, r, product),
                ]
                if of_state.ndim:
                    calls.append(partial(np.multiply, now[1], to_candidate, now[1]))
            if of_state.ndim:
                calls.append(partial(np.multiply, product, to_candidate, product))
            calls += [
                partial(np.multiply, now[:2], slopes, now[:2]),
                *skips.keep(step, (now, 0)),
                partial(np.multiply, dh, z, dh),
                partial(np.add, dh, product, dh),
                partial(np.matmul, now[:2], kernels[:2], parts),
                *([partial(np.multiply, parts, to_gates, parts)] if of_state.ndim else []),
                partial(np.add, dh, parts[0], dh),
                partial(np.add, dh, parts[1], dh),
                *skips.keep(step, (dh, kept)),
            ]
        return sequence(calls)

    return bound(bind)
