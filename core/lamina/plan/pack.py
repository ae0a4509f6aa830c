"""Flat buffers: variables with equal update rules side by side, updated as one.

An optimizer writes the same elementwise expression for every weight.  Here such expressions are found, the weights
(and their slots) are moved into one buffer each, the gradients are written into one, and the expression is computed
once over all of them.  Variables stay what they were: views of the buffer.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.devices import Device
from lamina.evaluate import on_device
from lamina.op import op
from lamina.plan.rows import is_sparse
from lamina.tensor import Constant, Spec, Tensor, Variable

STRIDE = 16  # elements: every part starts on a cache line in float32 and wider
LIMIT = 128  # applications in one update expression, and how deep they nest; larger ones are left alone
laying = threading.RLock()  # held by whoever decides where variables lie


class FlatBuffer(Variable):
    """A variable that is several variables end to end, in one array.  Gaps between them stay zero."""

    def __init__(self, parts: Sequence[Variable], device: Device) -> None:
        self.parts = list(parts)
        self.offsets, total = offsets_of([part.spec.size for part in parts])
        Tensor.__init__(self, Spec((total,), parts[0].dtype), name="flat:0")
        self.constraint = None
        self.device = device
        self.moves = 0
        self.flat = None
        self.storage = device.allocate(total * np.dtype(self.dtype).itemsize).view(self.dtype)
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self.gather()

    def gather(self) -> None:
        """Bring the parts here, those too that were moved elsewhere meanwhile."""
        for part, offset in zip(self.parts, self.offsets, strict=True):
            if part.flat is not self:
                view = self.storage[offset : offset + part.spec.size].reshape(part.shape)
                view[...] = on_device(part, self.device)
                part.move(view, self.device)
                part.flat = self


def flat_buffer(parts: Sequence[Variable], device: Device) -> FlatBuffer | None:
    """The buffer that holds exactly `parts`, if there is one."""
    flat = parts[0].flat
    if flat is None or flat.device is not device or len(flat.parts) != len(parts):
        return None
    here = all(part is other and part.flat is flat for part, other in zip(parts, flat.parts, strict=True))
    return flat if here else None


def _is_free(part: Variable) -> bool:
    """Whether no plan relies on where `part` lies."""
    return part.flat is None or not part.flat.users


def offsets_of(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where parts of these sizes start, and the size of the whole."""
    offsets, total = [], 0
    for size in sizes:
        offsets.append(total)
        total += -(-size // STRIDE) * STRIDE
    return offsets, total


def _infer_pack(*parts: Spec, total: int) -> Spec:
    return Spec((total,), parts[0].dtype)


@op(infer=_infer_pack)
def pack(xp, *parts, total):
    """The parts end to end, each from its own offset, zeros between.  The plan writes them there to begin with."""
    out = xp.zeros(total, parts[0].dtype)
    offsets, _ = offsets_of([part.size for part in parts])
    for part, offset in zip(parts, offsets, strict=True):
        out[offset : offset + part.size] = part.reshape(-1)
    return out


Updates = list[tuple[Variable, Tensor]]


def pack_updates(updates: Updates, device: Device, plan: Any) -> Updates:
    """`updates` with groups of equal ones replaced by one update of a flat buffer each.

    Called while the plan's builder is active, so the packed expression is merged and simplified like any other.
    """
    groups: dict[Any, list[_Bundle]] = {}
    rest: Updates = []
    for bundle in _bundles(updates):
        key = bundle.signature()
        if key is None:
            rest += bundle.updates
        else:
            groups.setdefault(key, []).append(bundle)
    packed: Updates = []
    for group in groups.values():
        with laying:
            done = _pack_group(group, device, plan) if len(group) > 1 else None
        if done is None:
            rest += [update for bundle in group for update in bundle.updates]
        else:
            packed += done
    return rest + packed


class _Bundle:
    """The updates of one weight and its slots: they read each other."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.leaves: list[Tensor] = []
        self.keys: dict[int, Any] = {}

    def signature(self) -> Any:
        """What is computed, whatever the sizes: equal signatures can be computed together.  None: not at all."""
        shape = self.updates[0][0].shape
        dtype = self.updates[0][0].dtype
        if shape == () or np.dtype(dtype).kind != "f":
            return None
        if any(v.shape != shape or v.dtype != dtype for v, _ in self.updates):
            return None
        if not any(value.apply is not None and value.apply.op.elementwise for _, value in self.updates):
            return None  # nothing to compute together
        parts: list[Any] = [dtype]
        for variable, value in self.updates:
            found = self._walk(value, shape)
            if found is None:
                return None
            parts += [self._leaf(variable), found]
        return tuple(parts)

    def _leaf(self, tensor: Tensor) -> Any:
        if id(tensor) not in self.keys:
            self.keys[id(tensor)] = ("leaf", len(self.leaves), isinstance(tensor, Variable), tensor.dtype)
            self.leaves.append(tensor)
        return self.keys[id(tensor)]

    def _walk(self, tensor: Tensor, shape: tuple[int | None, ...], depth: int = 0) -> Any:
        known = self.keys.get(id(tensor))
        if known is not None:
            return known
        if isinstance(tensor, Constant) and tensor.value.size == 1:
            return ("constant", tensor.dtype, tensor.value.item(), tensor.ndim)
        if tensor.shape == ():
            return ("shared", id(tensor))
        if tensor.shape != shape:
            return None
        apply = tensor.apply
        if apply is not None and apply.op.elementwise:
            if depth > LIMIT or len(self.keys) > LIMIT:
                return None
            inside = [self._walk(t, shape, depth + 1) for t in apply.inputs]
            if None in inside:
                return None
            found = ("op", len(self.keys), apply.op, tuple(apply.attrs.items()), tuple(inside))
            # The number names the node, so that a shared node is one thing in the signature too.
            self.keys[id(tensor)] = ("node", found[1])
            return found
        # A gradient of few rows is not worth being written into a buffer with others.
        return None if is_sparse(tensor) else self._leaf(tensor)


def _bundles(updates: Updates) -> list[_Bundle]:
    """Updates grouped by the variables they read among the updated ones of their own shape."""
    updated = {id(variable): number for number, (variable, _) in enumerate(updates)}
    parent = list(range(len(updates)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for number, (variable, value) in enumerate(updates):
        if variable.shape == ():
            continue
        seen: set[int] = set()
        stack = [value]
        while stack:
            tensor = stack.pop()
            if id(tensor) in seen or len(seen) > LIMIT:
                continue
            seen.add(id(tensor))
            other = updated.get(id(tensor))
            if other is not None and tensor.shape == variable.shape:
                parent[find(other)] = find(number)
            elif tensor.apply is not None and tensor.apply.op.elementwise and tensor.shape == variable.shape:
                stack.extend(tensor.apply.inputs)
    members: dict[int, Updates] = {}
    for number, update in enumerate(updates):
        members.setdefault(find(number), []).append(update)
    return [_Bundle(found) for found in members.values()]


def _pack_group(group: Sequence[_Bundle], device: Device, plan: Any) -> Updates | None:
    """One bundle over flat buffers for a group of bundles with equal signatures."""
    first = group[0]
    sizes = [bundle.updates[0][0].spec.size for bundle in group]
    _, total = offsets_of(sizes)
    columns = [[bundle.leaves[position] for bundle in group] for position in range(len(first.leaves))]
    # Decide before anything is moved: a column of variables that cannot be laid out leaves the group as it is.
    variables: list[Any] = [column for column in columns if isinstance(column[0], Variable)]
    parts = [part for column in variables for part in column]
    if len({id(part) for part in parts}) < len(parts):
        return None
    if not all(flat_buffer(c, device) is not None or all(map(_is_free, c)) for c in variables):
        return None
    made: dict[int, Tensor] = {}
    for leaf, column in zip(first.leaves, columns, strict=True):
        if isinstance(leaf, Variable):
            flat = flat_buffer(column, device)  # type: ignore[arg-type]
            if flat is None:
                flat = FlatBuffer(column, device)  # type: ignore[arg-type]
            flat.users.add(plan)
            made[id(leaf)] = flat
        else:
            made[id(leaf)] = pack(*column, total=total)

    def rebuild(tensor: Tensor) -> Tensor:
        if id(tensor) in made:
            return made[id(tensor)]
        apply = tensor.apply
        if apply is None or tensor.shape == ():
            # A constant of one element may have the variable's number of axes.
            return Constant(tensor.value.reshape(())) if isinstance(tensor, Constant) else tensor
        made[id(tensor)] = apply.op.apply(tuple(rebuild(t) for t in apply.inputs), apply.attrs)[0]
        return made[id(tensor)]

    return [(made[id(variable)], rebuild(value)) for variable, value in first.updates]  # type: ignore[misc]
