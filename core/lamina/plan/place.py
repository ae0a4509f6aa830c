"""Memory: a slot in one arena for every value, given back when its last reader is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lamina.plan.fuse import Step, may_share
from lamina.tensor import Tensor

ALIGN = 64  # bytes: one cache line, and the widest vector register


@dataclass
class Placement:
    """offsets: id of a value -> byte offset in the arena.  size: bytes of the arena.

    over: id of a value -> the dead value whose slot it takes over in place.
    """

    offsets: dict[int, int] = field(default_factory=dict)
    size: int = 0
    over: dict[int, Tensor] = field(default_factory=dict)


def root_of(tensor: Tensor) -> Tensor:
    """The value whose memory `tensor` is a view of (itself, if it is no view)."""
    while tensor.apply is not None and tensor.apply.op.view:
        tensor = tensor.apply.inputs[0]
    return tensor


def place(
    steps: Sequence[Step], outputs: Sequence[Tensor], pinned: set[int], *, reuse: bool = True
) -> Placement:
    """Slots for all values the steps make, except `pinned` ones (ids), which have memory of their own.

    A value lives from the step that makes it to the last step that reads it or a view of it; the `outputs` live to
    the end.  reuse=False gives every value memory of its own (to test the rest against).
    """
    last: dict[int, int] = {}
    for at, step in enumerate(steps):
        for tensor in step.inputs:
            last[id(root_of(tensor))] = at
        for tensor in step.outputs:
            last.setdefault(id(tensor), at)
    for tensor in outputs:
        last[id(root_of(tensor))] = len(steps)
    placement = Placement()
    free: list[tuple[int, int]] = []  # (offset, bytes), sorted by offset
    sizes: dict[int, int] = {}

    def take(need: int) -> int:
        best = min((block for block in free if block[1] >= need), key=lambda block: block[1], default=None)
        if best is None:
            # Grow the arena; a free block at its very end is part of the new slot.
            if free and sum(free[-1]) == placement.size:
                offset, _ = free.pop()
            else:
                offset = placement.size
            placement.size = offset + need
            return offset
        free.remove(best)
        if best[1] > need:
            _insert(free, (best[0] + need, best[1] - need))
        return best[0]

    for at, step in enumerate(steps):
        taken: set[int] = set()
        for number, tensor in enumerate(step.outputs):
            if id(tensor) in pinned:
                continue
            sizes[id(tensor)] = -(-max(tensor.spec.nbytes, 1) // ALIGN) * ALIGN
            donor = _donor(step, number, at, last, pinned, placement, taken) if reuse else None
            if donor is not None:
                taken.add(id(donor))
                placement.over[id(tensor)] = donor
                placement.offsets[id(tensor)] = placement.offsets[id(donor)]
            else:
                placement.offsets[id(tensor)] = take(sizes[id(tensor)])
        if reuse:
            dead = [t for t in [*map(root_of, step.inputs), *step.outputs] if last[id(t)] == at]
            for tensor in {id(t): t for t in dead}.values():
                if id(tensor) in placement.offsets and id(tensor) not in pinned and id(tensor) not in taken:
                    _insert(free, (placement.offsets[id(tensor)], sizes[id(tensor)]))
                    last[id(tensor)] = -1
            for key in taken:
                last[key] = -1
    return placement


def _donor(
    step: Step,
    number: int,
    at: int,
    last: dict[int, int],
    pinned: set[int],
    placement: Placement,
    taken: set[int],
) -> Tensor | None:
    """An input that dies here and whose slot this output may overwrite."""
    if not step.elementwise:
        return None
    out = step.outputs[number]
    for operand, tensor in enumerate(step.inputs):
        if (
            tensor is root_of(tensor)
            and id(tensor) in placement.offsets
            and id(tensor) not in pinned
            and id(tensor) not in taken
            and last[id(tensor)] == at
            and tensor.shape == out.shape
            and tensor.dtype == out.dtype
            and may_share(step.attrs["program"], number, operand)
            and not _read_through_views(step, tensor)
        ):
            return tensor
    return None


def _read_through_views(step: Step, tensor: Tensor) -> bool:
    return any(other is not tensor and root_of(other) is tensor for other in step.inputs)


def _insert(free: list[tuple[int, int]], block: tuple[int, int]) -> None:
    """Put a free block back, merged with its neighbours."""
    offset, size = block
    at = 0
    while at < len(free) and free[at][0] < offset:
        at += 1
    if at < len(free) and offset + size == free[at][0]:
        size += free.pop(at)[1]
    if at > 0 and sum(free[at - 1]) == offset:
        offset, before = free.pop(at - 1)
        size += before
        at -= 1
    free.insert(at, (offset, size))
