"""Steps: chains of elementwise applications joined into one program each, every other application by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lamina.evaluate import located
from lamina.op import op
from lamina.program import Instruction, Literal, Program, trace
from lamina.tensor import Apply, Constant, Spec, Tensor, toposort


def _infer_fused(*specs: Spec, program: Program, shape: tuple[int, ...]) -> Sequence[Spec]:
    return [Spec(shape, program.dtypes[number]) for number in program.outputs]


MEMBERS = 64  # applications in one step: more gain nothing, and would need ever more registers


@op(infer=_infer_fused)
def fused(xp, *arrays, program, shape):
    """A program of elementwise instructions: what providers compile with `@fused.kernel(name)`."""
    values: dict[int, Any] = dict(enumerate(arrays))
    for step in program.instructions:
        operands = [ref.value if isinstance(ref, Literal) else values[ref] for ref in step.operands]
        if step.function == "astype":
            values[step.target] = xp.asarray(operands[0]).astype(operands[1])
        else:
            values[step.target] = getattr(xp, step.function)(*operands)
    return tuple(xp.broadcast_to(values[number], shape) for number in program.outputs)


@dataclass(eq=False)
class Step:
    """One thing a plan does: an op on inputs, writing outputs.

    applies: the applications it came from; error messages quote the first.
    kernel: name of the provider that runs it, once chosen.
    """

    op: Any
    attrs: dict[str, Any]
    inputs: list[Tensor]
    outputs: list[Tensor]
    applies: list[Apply]
    kernel: str = "?"

    @property
    def elementwise(self) -> bool:
        """Whether it runs the `program` in its attrs, of one output element after the other."""
        return "program" in self.attrs

    def title(self) -> str:
        if not self.elementwise:
            return self.op.name
        return "+".join(dict.fromkeys(apply.op.name for apply in self.applies))


def steps_of(outputs: Sequence[Tensor], *, fuse: bool = True) -> list[Step]:
    """The steps that compute `outputs`, in an order they can run in.  Views make no step: they share memory."""
    order = toposort(outputs)
    groups = _groups(order) if fuse else [[a] for a in order if a.op.elementwise]
    member: dict[int, int] = {id(apply): number for number, group in enumerate(groups) for apply in group}
    wanted = {id(tensor) for tensor in outputs}
    readers: dict[int, list[Apply]] = {}
    for apply in order:
        for tensor in apply.inputs:
            readers.setdefault(id(tensor), []).append(apply)

    def needed(apply: Apply, number: int) -> bool:
        tensor = apply.outputs[0]
        return id(tensor) in wanted or any(member.get(id(r)) != number for r in readers.get(id(tensor), ()))

    built: dict[int, Step] = {}
    for number, group in enumerate(groups):
        built[number] = _fused_step(group, [apply for apply in group if needed(apply, number)])
    # Depth first over steps: each after the steps (and through the views) it reads.
    made: dict[int, Step] = {}
    sequence: list[Step] = []
    done: set[int] = set()

    def step_for(apply: Apply) -> Step | None:
        if id(apply) in member:
            return built[member[id(apply)]]
        if apply.op.view:
            return None
        if id(apply) not in made:
            made[id(apply)] = Step(apply.op, apply.attrs, list(apply.inputs), list(apply.outputs), [apply])
        return made[id(apply)]

    def producers(tensors: Sequence[Tensor]) -> list[Step]:
        found = []
        for tensor in tensors:
            while tensor.apply is not None and tensor.apply.op.view:
                tensor = tensor.apply.inputs[0]
            step = step_for(tensor.apply) if tensor.apply is not None else None
            if step is not None:
                found.append(step)
        return found

    stack = [(step, False) for step in reversed(producers(outputs))]
    while stack:
        step, ready = stack.pop()
        if ready:
            sequence.append(step)
        elif id(step) not in done:
            done.add(id(step))
            stack.append((step, True))
            stack.extend((s, False) for s in reversed(producers(step.inputs)) if id(s) not in done)
    return sequence


def _groups(order: Sequence[Apply]) -> list[list[Apply]]:
    """Sets of elementwise applications of one shape that can run as one step.

    Each application joins those that read it, so that it is computed where it is used: a mask that only the
    backward pass needs is not made, and kept, in the forward pass.  Joining must not make a cycle: no member may
    depend, through something outside, on another member.  Ancestors are bits of an integer, one an application.
    """
    index = {id(apply): number for number, apply in enumerate(order)}
    ancestors: list[int] = []
    readers: list[list[int]] = [[] for _ in order]
    for number, apply in enumerate(order):
        bits = 0
        for tensor in apply.inputs:
            if tensor.apply is not None:
                parent = index[id(tensor.apply)]
                bits |= ancestors[parent] | (1 << parent)
                readers[parent].append(number)
        ancestors.append(bits)
    group_of: dict[int, int] = {}
    groups: dict[int, list[Apply]] = {}
    members: dict[int, int] = {}
    for number in reversed(range(len(order))):
        apply = order[number]
        if not apply.op.elementwise:
            continue
        mine = number
        groups[mine], members[mine], group_of[number] = [apply], 1 << number, mine
        for reader in sorted(set(readers[number])):
            other = group_of.get(reader)
            if other is None or other == mine or order[reader].outputs[0].shape != apply.outputs[0].shape:
                continue
            if len(groups[mine]) + len(groups[other]) > MEMBERS:
                continue
            together = members[mine] | members[other]
            if _reads(groups[other] + groups[mine], together, index, ancestors) & together:
                continue
            for a in groups[mine]:
                group_of[index[id(a)]] = other
            groups[other] += groups.pop(mine)
            members[other] = together
            members.pop(mine)
            mine = other
    found = [sorted(group, key=lambda a: index[id(a)]) for group in groups.values()]
    while True:
        circle = _circle(found, order, index)
        if not circle:
            return found
        # Two groups may wait for each other though neither waits for itself: the one that can start first starts
        # alone, without the members that need something of the others.
        first = min(circle, key=lambda number: index[id(found[number][0])])
        others = sum(1 << index[id(a)] for number in circle if number != first for a in found[number])
        late = [a for a in found[first] if ancestors[index[id(a)]] & others]
        found[first] = [a for a in found[first] if not ancestors[index[id(a)]] & others]
        found.append(late)


def _circle(groups: Sequence[Sequence[Apply]], order: Sequence[Apply], index: dict[int, int]) -> list[int]:
    """Numbers of groups that wait for one another; none if every group can run before or after every other."""
    unit = list(range(len(groups), len(groups) + len(order)))
    for number, group in enumerate(groups):
        for apply in group:
            unit[index[id(apply)]] = number
    waits: dict[int, set[int]] = {number: set() for number in unit}
    readers: dict[int, set[int]] = {number: set() for number in unit}
    for at, apply in enumerate(order):
        for tensor in apply.inputs:
            if tensor.apply is not None and unit[index[id(tensor.apply)]] != unit[at]:
                waits[unit[at]].add(unit[index[id(tensor.apply)]])
                readers[unit[index[id(tensor.apply)]]].add(unit[at])
    # Take away what waits for nothing, then what nothing left waits for: circles, and what lies between, remain.
    for before, after in ((waits, readers), (readers, waits)):
        ready = [number for number, needed in before.items() if not needed]
        while ready:
            number = ready.pop()
            del before[number]
            for other in after.pop(number):
                before[other].discard(number)
                if not before[other]:
                    ready.append(other)
    return [number for number in waits if number < len(groups)]


def _reads(group: Sequence[Apply], members: int, index: dict[int, int], ancestors: list[int]) -> int:
    """Ancestors of everything outside that the group reads (and those things themselves)."""
    bits = 0
    for apply in group:
        for tensor in apply.inputs:
            if tensor.apply is None:
                continue
            number = index[id(tensor.apply)]
            if not members >> number & 1:
                bits |= ancestors[number] | (1 << number)
    return bits


def _fused_step(group: Sequence[Apply], needed: Sequence[Apply]) -> Step:
    """One step for a group: its members' traced definitions, joined and with equal instructions merged."""
    inside = {id(apply.outputs[0]) for apply in group}
    inputs: dict[int, Tensor] = {}
    for apply in group:
        for tensor in apply.inputs:
            if id(tensor) not in inside and not _is_literal(tensor):
                inputs.setdefault(id(tensor), tensor)
    numbers: dict[int, Any] = {key: number for number, key in enumerate(inputs)}
    dtypes = [tensor.dtype for tensor in inputs.values()]
    instructions: list[Instruction] = []
    known: dict[Any, int] = {}

    def make(function: str, operands: tuple[Any, ...], dtype: str) -> int:
        instructions.append(Instruction(function, operands, len(dtypes)))
        dtypes.append(dtype)
        return len(dtypes) - 1

    def once(function: str, operands: tuple[Any, ...], dtype: str) -> int:
        if function == "astype" and isinstance(operands[0], int) and dtypes[operands[0]] == dtype:
            return operands[0]
        key = (function, *operands)
        if key not in known:
            known[key] = make(function, operands, dtype)
        return known[key]

    for apply in group:
        try:
            part = trace(apply.op.define, tuple(t.dtype for t in apply.inputs), tuple(apply.attrs.items()))
        except Exception as error:
            raise located(error, apply) from error
        local: dict[int, Any] = {
            n: Literal(t.value.item()) if _is_literal(t) else numbers[id(t)]  # type: ignore[attr-defined]
            for n, t in enumerate(apply.inputs)
        }
        for step in part.instructions:
            operands = tuple(ref if isinstance(ref, Literal) else local[ref] for ref in step.operands)
            local[step.target] = once(step.function, operands, part.dtypes[step.target])
        # A definition may compute in another type (integers that meet a fraction), or answer a literal as it is.
        (tensor,) = apply.outputs
        numbers[id(tensor)] = once("astype", (local[part.outputs[0]], Literal(tensor.dtype)), tensor.dtype)
    outputs = [apply.outputs[0] for apply in needed]
    results: list[int] = []
    for tensor in outputs:
        number = numbers[id(tensor)]
        if number < len(inputs) or number in results:  # every output has a value of its own
            number = make("astype", (number, Literal(tensor.dtype)), tensor.dtype)
        results.append(number)
    program = Program(len(inputs), tuple(instructions), tuple(dtypes), tuple(results))
    attrs = {"program": program, "shape": group[0].outputs[0].shape}
    return Step(fused, attrs, list(inputs.values()), outputs, list(group))


def _is_literal(tensor: Tensor) -> bool:
    return isinstance(tensor, Constant) and tensor.value.size == 1 and tensor.value.dtype.kind in "fiub"


def may_share(program: Program, out: int, operand: int) -> bool:
    """Whether the output number `out` may be written over input number `operand`: nothing reads it afterwards."""
    written = next(
        (at for at, step in enumerate(program.instructions) if step.target == program.outputs[out]), None
    )
    if written is None:
        return False
    return all(operand not in step.operands for step in program.instructions[written + 1 :])
