"""Reverse-mode differentiation of symbolic tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamina.op import as_tensor
from lamina.tensor import Apply, Tensor, toposort


def gradients(loss: Tensor, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of sum(loss) with respect to each tensor of `wrt`; None where loss does not depend on it.

    The results are symbolic and can be differentiated again.  Raises NotImplementedError naming the op and the
    layer when an op on the way has no gradient rule.
    """
    from lamina.ops.elementwise import cast
    from lamina.ops.shape import ones_like, sum_to_like

    order = toposort([loss])
    wanted = {id(tensor) for tensor in wrt}
    # Only what lies between `wrt` and `loss` takes part.
    relevant = set(wanted)
    for apply in order:
        if any(id(tensor) in relevant for tensor in apply.inputs):
            relevant.update(id(output) for output in apply.outputs if _is_float(output))
    cotangents: dict[int, Tensor] = {id(loss): ones_like(loss)}

    def add(tensor: Tensor, g: Tensor) -> None:
        if g.dtype != tensor.dtype:
            g = cast(g, dtype=tensor.dtype)
        if None in (*g.shape, *tensor.shape) or g.shape != tensor.shape:
            g = sum_to_like(g, tensor)
        known = cotangents.get(id(tensor))
        cotangents[id(tensor)] = g if known is None else known + g

    for apply in reversed(order):
        if not any(id(output) in cotangents and id(output) in relevant for output in apply.outputs):
            continue
        if not any(id(tensor) in relevant for tensor in apply.inputs):
            continue
        for tensor, g in _pull_back(apply, cotangents, relevant, wanted):
            add(tensor, g)
    return [cotangents.get(id(tensor)) if id(tensor) in relevant else None for tensor in wrt]


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
