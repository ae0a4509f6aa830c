"""From the symbolic graph to the concrete one: shapes known, phase fixed, equal parts merged, idle parts gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.evaluate import located
from lamina.op import Op, _builder, broadcast, op
from lamina.ops.rules import same
from lamina.tensor import Apply, Constant, Placeholder, Spec, Tensor, Variable, _scope, toposort

FOLD_LIMIT = 1 << 16  # elements: larger constants are computed when needed rather than kept


@op(infer=same)
def hold(xp, x):
    """A copy of x as it is now, in memory of its own."""
    return xp.array(x)


@hold.kernel("numpy")
def _(x: Spec) -> Any:
    return lambda out, array: np.copyto(out, array)


class Builder:
    """Rebuilds a graph, op by op; while it does, every op applied anywhere in this thread passes through it.

    rewrite: with False nothing but shapes and the phase is made concrete (to test the rest against).
    """

    def __init__(self, *, rewrite: bool = True) -> None:
        self.rewrite = rewrite
        self.merged: dict[Any, tuple[Tensor, ...]] = {}
        self.constants: dict[Any, Constant] = {}

    def rebuild(
        self,
        outputs: Sequence[Tensor],
        feeds: Sequence[Tensor],
        shapes: Sequence[tuple[int, ...]],
        phase: int,
    ) -> tuple[list[Tensor], list[Placeholder]]:
        """`outputs` for `feeds` of these `shapes`, and the concrete placeholders that stand for the feeds."""
        concrete: dict[int, Tensor] = {}
        placeholders = []
        for tensor, shape in zip(feeds, shapes, strict=True):
            concrete[id(tensor)] = placeholder = Placeholder(shape, tensor.dtype, tensor.name)
            placeholders.append(placeholder)

        def leaf(tensor: Tensor) -> Tensor:
            if isinstance(tensor, Constant):
                return self.constant(tensor)
            if isinstance(tensor, Placeholder) and tensor.static:
                return self.constant(Constant(phase, tensor.dtype))
            if isinstance(tensor, Variable):
                return tensor
            raise ValueError(
                f"{tensor!r} has no value: add it to the inputs of the function, or let the outputs not depend on it"
            )

        def find(tensor: Tensor) -> Tensor:
            found = concrete.get(id(tensor))
            if found is None:
                found = concrete[id(tensor)] = leaf(tensor)
            return found

        def reads(apply: Apply) -> Sequence[Tensor]:
            side = _taken(apply, phase)
            return apply.inputs if side is None else (side,)

        token = _builder.set(self)
        try:
            # Phase switches are decided before their sides are looked at: the other one may need inputs nobody gives.
            for apply in toposort(outputs, feeds, reads):
                side = _taken(apply, phase)
                if side is not None:
                    concrete[id(apply.outputs[0])] = find(side)
                    continue
                scope = _scope.set(apply.scope)
                try:
                    made = self(apply.op, tuple(find(tensor) for tensor in apply.inputs), apply.attrs)
                finally:
                    _scope.reset(scope)
                for old, new in zip(apply.outputs, made, strict=True):
                    concrete.setdefault(id(old), new)  # one of several outputs may be fed
            return [find(tensor) for tensor in outputs], placeholders
        finally:
            _builder.reset(token)

    def __call__(self, op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any]) -> tuple[Tensor, ...]:
        if self.rewrite:
            if op.elementwise:
                early, inputs = self._unbroadcast(op, inputs, attrs)
                if early is not None:
                    return (early,)
            for rule in op.simplifications:
                found = rule(*inputs, **attrs)
                if found is not None:
                    return (found,) if isinstance(found, Tensor) else tuple(found)
        else:
            for rule in op.simplifications:  # only what turns sizes into attributes
                found = rule(*inputs, **attrs) if op.name in ("reshape_to", "phase_switch", "count") else None
                if found is not None:
                    return (found,)
        specs = op.specs(inputs, attrs)
        if op.view and specs[0].known and not _is_view(op, inputs, attrs):
            inputs = (hold(inputs[0]), *inputs[1:])
        if not op.stateful:
            known = self._known(op, inputs, attrs, specs)
            if known is not None:
                return known
        key = None if op.stateful or not self.rewrite else self._key(op, inputs, attrs)
        if key is not None and key in self.merged:
            return self.merged[key]
        outputs = Apply(op, inputs, attrs, specs).outputs
        if key is not None:
            self.merged[key] = outputs
        return outputs

    def constant(self, constant: Constant) -> Constant:
        """One object for equal small constants, so that what reads them can be merged."""
        if constant.value.size > 64:
            return constant
        key = (constant.dtype, constant.shape, constant.value.tobytes())
        return self.constants.setdefault(key, constant)

    def _known(
        self, op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any], specs: Sequence[Spec]
    ) -> tuple[Tensor, ...] | None:
        """Constants for outputs that need no run: sizes, and ops on constants alone."""
        if len(specs) == 1 and specs[0].value is not None and specs[0].known:
            value = specs[0].value
            if not (isinstance(value, tuple) and None in value):
                return (self.constant(Constant(np.asarray(value, specs[0].dtype).reshape(specs[0].shape))),)
        if not inputs or not all(isinstance(tensor, Constant) for tensor in inputs) or not self.rewrite:
            return None
        if op.name == "broadcast_to" or any(not spec.known or spec.size > FOLD_LIMIT for spec in specs):
            return None
        try:
            with np.errstate(all="ignore"):
                found = op.define(np, *[tensor.value for tensor in inputs], **attrs)  # type: ignore[attr-defined]
        except Exception as error:
            raise located(error, Apply(op, inputs, attrs, specs)) from error
        several = found if isinstance(found, tuple | list) else (found,)
        return tuple(
            self.constant(Constant(array, spec.dtype)) for array, spec in zip(several, specs, strict=True)
        )

    def _key(self, op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any]) -> Any:
        key = (op, tuple(id(tensor) for tensor in inputs), tuple(attrs.items()))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _unbroadcast(
        self, op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any]
    ) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        """Elementwise ops repeat their inputs themselves, so an explicit repetition before them is idle."""
        from lamina.ops.shape import broadcast_to

        bare = tuple(
            tensor.apply.inputs[0] if tensor.apply is not None and tensor.apply.op is broadcast_to else tensor
            for tensor in inputs
        )
        if all(a is b for a, b in zip(bare, inputs, strict=True)):
            return None, inputs
        shape = broadcast(*[tensor.shape for tensor in inputs])
        if broadcast(*[tensor.shape for tensor in bare]) == shape:
            return None, bare
        small = broadcast(*[tensor.shape for tensor in bare])
        if None not in shape and None not in small:
            # Compute on the small shape first, repeat the result.
            (result,) = self(op, bare, attrs)
            return broadcast_to(result, Constant(np.asarray(shape, "int32"))), inputs
        return None, inputs


def _is_view(op: Op, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> bool:
    """Whether the result shares the input's memory: a reshape of a transposed array, say, does not."""
    if op.name not in ("reshape", "reshape_to"):
        return True
    layout = _layout(inputs[0])
    try:
        np.reshape(layout, op.specs(inputs, attrs)[0].shape, copy=False)  # type: ignore[arg-type, type-var]
    except ValueError:
        return False
    return True


def _layout(tensor: Tensor) -> np.ndarray:
    """An array with the shape and strides the tensor will have, and no memory behind it: never read it."""
    views = []
    while tensor.apply is not None and tensor.apply.op.view:
        views.append(tensor.apply)
        tensor = tensor.apply.inputs[0]
    # Strides as of a C-ordered array, over one element of memory whatever the shape.
    shape = [size or 0 for size in tensor.shape]
    itemsize = np.dtype(tensor.dtype).itemsize
    strides = [itemsize * int(np.prod([max(n, 1) for n in shape[axis + 1 :]])) for axis in range(len(shape))]
    layout = np.lib.stride_tricks.as_strided(np.empty(1, tensor.dtype), shape, strides)
    for apply in reversed(views):
        rest = [t.value for t in apply.inputs[1:]]  # type: ignore[attr-defined]
        layout = apply.op.define(np, layout, *rest, **apply.attrs)
    return layout


def _taken(apply: Apply, phase: int) -> Tensor | None:
    """The side that a switch on the learning phase itself takes, if its shape is the switch's."""
    from lamina.ops.control import phase_switch

    if apply.op is not phase_switch:
        return None
    switch, a, b = apply.inputs
    chosen = a if phase else b
    is_phase = isinstance(switch, Placeholder) and switch.static
    return chosen if is_phase and chosen.shape == apply.outputs[0].shape else None
