"""Still values: what depends on variables alone, in a plan that changes none.

They are computed again only after some variable was written, so what is cheap to compute from weights may as well be
worked into them: a normalization after a convolution, say, becomes another kernel and another bias.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lamina.ops import elementwise as e
from lamina.ops.shape import reshape
from lamina.plan.fuse import Step
from lamina.plan.pack import pack
from lamina.plan.place import root_of
from lamina.tensor import Apply, Constant, Tensor, Variable, _scope, toposort


def still_values(order: Iterable[Apply]) -> set[int]:
    """Ids of the values, among those that `order` reads and makes, that depend on variables and constants alone."""
    found: set[int] = set()
    for apply in order:
        found.update(id(tensor) for tensor in apply.inputs if isinstance(tensor, Variable | Constant))
        if apply.inputs and not apply.op.stateful and all(id(tensor) in found for tensor in apply.inputs):
            found.update(id(tensor) for tensor in apply.outputs)
    return found


def folded(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The same outputs, with scales and offsets that are still values worked into the weights before them.

    Called while the plan's builder is active.
    """
    order = toposort(outputs)
    still = still_values(order)
    uses = Counter(id(tensor) for apply in order for tensor in apply.inputs)
    uses.update(id(tensor) for tensor in outputs)
    new: dict[int, Tensor] = {}
    for apply in order:
        inputs = tuple(new.get(id(tensor), tensor) for tensor in apply.inputs)
        scope = _scope.set(apply.scope)
        try:
            found = None
            if apply.op in (e.multiply, e.add):
                for at, other in ((0, 1), (1, 0)):
                    still_vector = id(apply.inputs[other]) in still and _is_vector(
                        inputs[other], apply.outputs[0]
                    )
                    alone = uses[id(apply.inputs[at])] == 1 and inputs[at].shape == apply.outputs[0].shape
                    if found is None and still_vector and alone:
                        work_in = _scaled if apply.op is e.multiply else _shifted
                        found = work_in(inputs[at], inputs[other], still, uses)
            if found is not None:
                new[id(apply.outputs[0])] = found
            elif any(a is not b for a, b in zip(inputs, apply.inputs, strict=True)):
                made = apply.op.apply(inputs, apply.attrs)
                new.update(zip(map(id, apply.outputs), made, strict=True))
        finally:
            _scope.reset(scope)
    return [new.get(id(tensor), tensor) for tensor in outputs]


def _is_vector(tensor: Tensor, out: Tensor) -> bool:
    """Whether a value has one number for each position of the last axis of `out`."""
    return tensor.ndim > 0 and tensor.spec.size == tensor.shape[-1] == out.shape[-1]


def _scaled(x: Tensor, scale: Tensor, still: set[int], uses: Counter[int]) -> Tensor | None:
    """x * scale by other weights of the op that made x; None where it has none."""
    if x.apply is None:
        return None
    if x.apply.op is e.add:
        for made, offset in (x.apply.inputs, x.apply.inputs[::-1]):
            if id(offset) in still and _is_vector(offset, x) and uses[id(made)] <= 1:
                inner = _scaled(made, scale, still, uses)
                return None if inner is None else inner + _now_still(offset * scale, still)
        return None
    rule = x.apply.op.scaling
    rest = x.apply.inputs[1:]
    if rule is None or not all(id(tensor) in still for tensor in rest):
        return None
    found = rule(_now_still(reshape(scale, shape=(-1,)), still), *x.apply.inputs, **x.apply.attrs)
    if found is not None:
        for tensor in found.apply.inputs[1:]:
            _now_still(tensor, still)
    return found


def _shifted(x: Tensor, offset: Tensor, still: set[int], uses: Counter[int]) -> Tensor | None:
    """x + offset where x is a sum with a still vector already: one sum less."""
    if x.apply is None or x.apply.op is not e.add:
        return None
    for inner, vector in (x.apply.inputs, x.apply.inputs[::-1]):
        if id(vector) in still and _is_vector(vector, x) and id(inner) not in still:
            return inner + _now_still(vector + offset, still)
    return None


def _now_still(tensor: Tensor, still: set[int]) -> Tensor:
    still.add(id(tensor))
    return tensor


def still_first(
    steps: Sequence[Step], outputs: Sequence[Tensor]
) -> tuple[list[Step], list[Step], list[Tensor]]:
    """Steps that make still values, all others, and the still values that something but these steps reads."""
    found: set[int] = set()
    first: list[Step] = []
    rest: list[Step] = []
    for step in steps:
        quiet = step.inputs and step.op is not pack and not step.op.stateful
        if quiet and all(
            isinstance(root := root_of(t), Variable | Constant) or id(root) in found for t in step.inputs
        ):
            found.update(id(tensor) for tensor in step.outputs)
            first.append(step)
        else:
            rest.append(step)
    read = {id(root_of(tensor)) for step in rest for tensor in step.inputs} | {
        id(root_of(t)) for t in outputs
    }
    return first, rest, [tensor for step in first for tensor in step.outputs if id(tensor) in read]
