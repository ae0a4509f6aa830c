"""Reverse-mode differentiation of symbolic tensors."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np

from lamina.op import as_tensor
from lamina.tensor import Apply, Tensor, toposort


def gradients(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of sum(loss) with respect to each tensor of `wrt`; None where loss does not depend on it.

    The results are symbolic and can be differentiated again.  Raises NotImplementedError naming the op and the
    layer when an op on the way has no gradient rule.
    """
    from lamina.ops.control import phase_switch
    from lamina.ops.shape import ones_like

    order = toposort([loss])
    wanted = {id(tensor) for tensor in wrt}
    # Only what lies between `wrt` and `loss` takes part.
    relevant = set(wanted)
    for apply in order:
        if any(id(tensor) in relevant for tensor in apply.inputs):
            relevant.update(id(output) for output in apply.outputs if _is_float(output))
    arrived = _Cotangents()
    arrived.add(loss, ones_like(loss))
    for apply in reversed(order):
        if not any(output in arrived and id(output) in relevant for output in apply.outputs):
            continue
        if not any(id(tensor) in relevant for tensor in apply.inputs):
            continue
        cotangents, phase = arrived.at(apply.outputs)
        if apply.op is phase_switch and arrived.chosen_by(apply.inputs[0]):
            for tensor, when in zip(apply.inputs[1:], (1, 0), strict=True):
                if id(tensor) in relevant and phase in (None, when):
                    arrived.add(tensor, cotangents[id(apply.outputs[0])], when)
            continue
        for tensor, g in _pull_back(apply, cotangents, relevant, wanted):
            arrived.add(tensor, g, phase)
    return [arrived.of(tensor) if id(tensor) in relevant and tensor in arrived else None for tensor in wrt]


class _Cotangents:
    """The cotangents of tensors, as far as they have arrived: in either learning phase (None), or only in 0 or 1.

    What lies behind the branch that a phase does not take has no cotangent in it, where a rule like `where`'s would
    pull zeros back: the plan would compute them, and 0 * nan is nan.
    """

    def __init__(self) -> None:
        self._of: dict[int, dict[int | None, Tensor]] = {}
        self._phase: Tensor | None = None

    def __contains__(self, tensor: Tensor) -> bool:
        return id(tensor) in self._of

    def chosen_by(self, phase: Tensor) -> bool:
        """Whether `phase` is the one that tells cotangents apart, which the first to be met is."""
        self._phase = phase if self._phase is None else self._phase
        return self._phase is phase

    def add(self, tensor: Tensor, g: Tensor, phase: int | None = None) -> None:
        from lamina.ops.elementwise import cast
        from lamina.ops.shape import sum_to_like

        if g.dtype != tensor.dtype:
            g = cast(g, dtype=tensor.dtype)
        if None in (*g.shape, *tensor.shape) or g.shape != tensor.shape:
            g = sum_to_like(g, tensor)
        known = self._of.setdefault(id(tensor), {})
        known[phase] = known[phase] + g if phase in known else g

    def at(self, tensors: Sequence[Tensor]) -> tuple[dict[int, Tensor], int | None]:
        """The cotangents of the outputs of an op, by id, and the phase that all of them have come in."""
        here = [tensor for tensor in tensors if tensor in self]
        phases = {phase for tensor in here for phase in self._of[id(tensor)]}
        if len(phases) == 1:
            (phase,) = phases
            return {id(tensor): self._of[id(tensor)][phase] for tensor in here}, phase
        return {id(tensor): self.of(tensor) for tensor in here}, None

    def of(self, tensor: Tensor) -> Tensor:
        """The whole cotangent, whatever the phase."""
        from lamina.ops.control import phase_switch
        from lamina.ops.shape import zeros_like

        known = self._of[id(tensor)]
        if known.keys() == {None}:
            return known[None]
        assert self._phase is not None
        parts = [[known[key] for key in (None, phase) if key in known] for phase in (1, 0)]
        return phase_switch(
            self._phase,
            *(functools.reduce(operator.add, some) if some else zeros_like(tensor) for some in parts),
        )


def _pull_back(
    apply: Apply, cotangents: dict[int, Tensor], relevant: set[int], wanted: set[int]
) -> list[tuple[Tensor, Tensor]]:
    """(input, its cotangent through `apply`) for each input that needs one."""
    op = apply.op
    several = len(apply.outputs) > 1
    g = (
        tuple(cotangents.get(id(output)) for output in apply.outputs)
        if several
        else cotangents[id(apply.outputs[0])]
    )
    y = apply.outputs if several else apply.outputs[0]
    found: list[tuple[Tensor, Tensor]] = []
    inputs = list(apply.inputs)
    first = inputs[0].apply if inputs else None
    start = 0
    if (
        first is not None
        and first.op in op.shortcuts
        and id(inputs[0]) in relevant
        and id(inputs[0]) not in wanted
    ):
        inner = op.shortcuts[first.op](g, y, first, *apply.inputs, **apply.attrs)
        if inner is not None:
            start = 1
            found += [(t, as_tensor(c)) for t, c in zip(first.inputs, inner, strict=True) if c is not None]
            if not any(id(tensor) in relevant for tensor in inputs[1:]):
                return [(tensor, c) for tensor, c in found if id(tensor) in relevant]
    if op.rule is None:
        where = "/".join(apply.scope)
        raise NotImplementedError(f"{op.name}{f' (in layer {where})' if where else ''} has no gradient rule")
    given = op.rule(g, y, *apply.inputs, **apply.attrs)
    if not isinstance(given, tuple | list) or len(given) != len(inputs):
        raise TypeError(
            f"the gradient rule of {op.name} must answer one cotangent for each of {len(inputs)} inputs"
        )
    found += [(t, as_tensor(c)) for t, c in list(zip(inputs, given, strict=True))[start:] if c is not None]
    return [(tensor, c) for tensor, c in found if id(tensor) in relevant and _is_float(tensor)]


def _is_float(tensor: Tensor) -> bool:
    return np.dtype(tensor.dtype).kind == "f"
