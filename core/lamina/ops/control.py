"""Ops that choose between values: the learning phase, conditions; and one that prints."""

from __future__ import annotations

import numpy as np

from lamina.op import broadcast, op
from lamina.ops.rules import same
from lamina.ops.shape import broadcast_like, zeros_like
from lamina.tensor import Constant, Spec

# ---- phases


def _infer_switch(phase, a, b):
    return Spec(broadcast(a.shape, b.shape), a.dtype)


@op(infer=_infer_switch)
def phase_switch(xp, phase, a, b):
    """a in training (phase 1), b in testing (phase 0).  Plans are made per phase and keep only one side."""
    chosen = a if int(phase) else b
    return xp.broadcast_to(chosen, np.broadcast_shapes(a.shape, b.shape))


@phase_switch.vjp
def _(g, y, phase, a, b):
    return None, phase_switch(phase, g, zeros_like(g)), phase_switch(phase, zeros_like(g), g)


@phase_switch.simplify
def _(phase, a, b):
    if not isinstance(phase, Constant):
        return None
    chosen, other = (a, b) if phase.value.item() else (b, a)
    return chosen if chosen.shape == other.shape else broadcast_like(chosen, other)


def _infer_choose(condition, a, b):
    if a.ndim != b.ndim:
        raise ValueError(f"the choice has {a.ndim} axes on one side and {b.ndim} on the other")
    return Spec(tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)), a.dtype)


@op(infer=_infer_choose)
def choose(xp, condition, a, b):
    """a if the scalar condition holds, else b; their sizes may differ."""
    return a if bool(condition) else b


@choose.vjp
def _(g, y, condition, a, b):
    return None, choose(condition, g, zeros_like(a)), choose(condition, zeros_like(b), g)


# ---- printing


def _infer_same_first(x, *, message):
    return same(x)


@op(infer=_infer_same_first, stateful=True)
def print_tensor(xp, x, *, message):
    """x itself; message and value are printed each time it is computed."""
    print(message, x)
    return x


@print_tensor.vjp
def _(g, y, x, *, message):
    return (g,)
