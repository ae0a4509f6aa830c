"""The plan, its steps bound to arrays, and the loop that runs them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.devices import Device
from lamina.evaluate import compute, leaf, located, on_device
from lamina.op import _builder
from lamina.plan.fuse import Step, fused, may_share, steps_of
from lamina.plan.pack import FlatBuffer, laying, offsets_of, pack, pack_updates
from lamina.plan.place import Placement, place, root_of
from lamina.plan.rewrite import Builder, hold
from lamina.plan.rows import by_rows
from lamina.plan.still import folded, still_first
from lamina.program import Scratch, bind
from lamina.providers import providers_for
from lamina.tensor import Apply, Constant, Tensor, Variable, toposort


class Options:
    """Which parts of planning are on.  All are; tests turn them off one by one and expect the same numbers."""

    rewrite = True
    still = True
    pack = True
    fuse = True
    reuse = True
    kernels = True


class Plan:
    """The steps of one function for one set of input shapes.

    feeds, outputs, updates: of the function.  shapes: of the arrays for feeds, in order.
    A plan is immutable once made; executors bind it to memory of their own, so it may run in many threads at once.
    """

    def __init__(
        self,
        feeds: Sequence[Tensor],
        outputs: Sequence[Tensor],
        updates: Sequence[tuple[Variable, Tensor]],
        shapes: Sequence[tuple[int, ...]],
        phase: int,
        device: Device,
        name: str = "function",
    ) -> None:
        self.name, self.device = name, device
        self.kernels = Options.kernels
        builder = Builder(rewrite=Options.rewrite)
        found, self.inputs = builder.rebuild([*outputs, *[v for _, v in updates]], feeds, shapes, phase)
        self.outputs = found[: len(outputs)]
        if Options.still and Options.rewrite and not updates:
            token = _builder.set(builder)
            try:
                self.outputs = folded(self.outputs)
            finally:
                _builder.reset(token)
        self.updates = list(zip([v for v, _ in updates], found[len(outputs) :], strict=True))
        for variable, value in self.updates:
            if value.spec.known:
                variable.check(value.shape)
        self._hold_old_values()
        # Sizes that depend on data.
        self.dynamic = any(not tensor.spec.known for apply in toposort(found) for tensor in apply.outputs)
        if Options.pack and not self.dynamic:
            token = _builder.set(builder)
            try:
                self.updates = pack_updates(self.updates, device, self)
            finally:
                _builder.reset(token)
        everything = [*self.outputs, *[value for _, value in self.updates]]
        self.order = toposort(everything)
        self.first = 0  # steps that make still values: they lead, and need not run each time
        read = [*everything, *[tensor for apply in self.order for tensor in apply.inputs]]
        known = [variable for variable, _ in self.updates] + [t for t in read if isinstance(t, Variable)]
        self.variables = list({id(variable): variable for variable in known}.values())
        if not self.dynamic:
            self._place(everything)

    def _hold_old_values(self) -> None:
        """Copy, before any update, what is asked of a variable that this very call changes."""
        changed = {id(variable) for variable, _ in self.updates}

        def held(tensor: Tensor) -> Tensor:
            return hold(tensor) if id(root_of(tensor)) in changed else tensor

        self.outputs = [held(tensor) for tensor in self.outputs]
        self.updates = [(variable, held(value)) for variable, value in self.updates]

    def _place(self, everything: Sequence[Tensor]) -> None:
        """Steps, and memory for what they make."""
        steps = steps_of(everything, fuse=Options.fuse)
        if self.kernels and self.device.xp is np:
            steps = by_rows(steps, everything)
        kept: list[Tensor] = []
        if Options.still and not self.updates:
            first, rest, kept = still_first(steps, everything)
            self.first, steps = len(first), first + rest
        self.steps = _updates_last(steps, [value for _, value in self.updates])
        self.packs = [step for step in self.steps if step.op is pack]
        self.direct = self._direct_updates()
        self.copies = [(var, value) for var, value in self.updates if self.direct.get(id(value)) is not var]
        # A value that is packed is written into the packed buffer to begin with.
        self.slots: dict[int, tuple[Tensor, int]] = {}
        makers = {id(tensor): step for step in self.steps for tensor in step.outputs}
        for step in self.packs:
            offsets, _ = offsets_of([tensor.spec.size for tensor in step.inputs])
            for tensor, offset in zip(step.inputs, offsets, strict=True):
                free = id(tensor) in makers and makers[id(tensor)].op is not pack
                if free and id(tensor) not in self.direct and id(tensor) not in self.slots:
                    self.slots[id(tensor)] = (step.outputs[0], offset)
        read = {id(root_of(tensor)) for step in self.steps for tensor in step.inputs}
        read |= {id(root_of(tensor)) for tensor in everything}
        spare = [tensor for step in self.steps if step.op.spare for tensor in step.outputs]
        self.unread = {id(tensor) for tensor in spare} - read
        pinned = {*self.direct, *self.slots, *self.unread, *[id(step.outputs[0]) for step in self.packs]}
        self.placement: Placement = place(
            self.steps,
            [*self.outputs, *[value for _, value in self.copies], *kept],
            pinned,
            reuse=Options.reuse,
        )

    def _direct_updates(self) -> dict[int, Variable]:
        """New values that may be computed straight into their variable: nothing reads the old value later.

        Elementwise ones only: any other step may fail, and would leave a variable half written.
        """
        direct: dict[int, Variable] = {}
        makers = {
            id(tensor): (at, number, step)
            for at, step in enumerate(self.steps)
            if step.elementwise
            for number, tensor in enumerate(step.outputs)
        }
        reads = [(at, tensor) for at, step in enumerate(self.steps) for tensor in step.inputs]
        reads += [(len(self.steps), tensor) for tensor in [*self.outputs, *[v for _, v in self.updates]]]
        last = {part: at for at, tensor in reads for part in _parts(tensor)}
        for variable, value in self.updates:
            if id(value) not in makers or id(value) in direct:
                continue
            at, number, step = makers[id(value)]
            parts = _parts(variable)
            if any(last.get(part, -1) > at for part in parts):
                continue
            here = [n for n, tensor in enumerate(step.inputs) if not parts.isdisjoint(_parts(tensor))]
            if all(step.inputs[n] is variable and may_share(step.attrs["program"], number, n) for n in here):
                direct[id(value)] = variable
        return direct

    def __len__(self) -> int:
        """How many steps it has."""
        return len(self.order) if self.dynamic else len(self.steps)

    def __str__(self) -> str:
        """The steps in order: what each computes, with which kernel, where its outputs lie."""
        if self.dynamic:
            return f"{self.name}: sizes depend on data; {len(self.order)} ops run one after another"
        executor = Executor(self)  # chooses the kernels
        head = (
            f"{self.name} on {self.device.name}: {len(self.steps)} steps of {len(self.order)} ops, "
            f"{len(executor.first_calls) + len(executor.calls)} calls, arena {self.placement.size} bytes"
        )
        lines = [head]
        if self.first:
            lines.append(f"      steps before {self.first} run again only after a variable was written")
        for at, step in enumerate(self.steps):
            outs = ", ".join(f"{tensor.spec}{self._home(tensor)}" for tensor in step.outputs)
            lines.append(f"{at:4d}  {step.title()[:60]:60s} {step.kernel:8s} -> {outs}")
        for variable, value in self.copies:
            lines.append(f"      copy {value.spec} -> {variable.name}")
        return "\n".join(lines)

    def _home(self, tensor: Tensor) -> str:
        if id(tensor) in self.direct:
            return f" in {self.direct[id(tensor)].name}"
        if id(tensor) in self.slots:
            return " in a flat buffer"
        if id(tensor) in self.unread:
            return " unread"
        if id(tensor) in self.placement.over:
            return f" @{self.placement.offsets[id(tensor)]} in place"
        return f" @{self.placement.offsets[id(tensor)]}" if id(tensor) in self.placement.offsets else ""


def _parts(tensor: Tensor) -> set[int]:
    """Ids of the values, and of the variables in a flat buffer, whose memory `tensor` is or is a view of."""
    root = root_of(tensor)
    return {id(root), *map(id, root.parts)} if isinstance(root, FlatBuffer) else {id(root)}


def _updates_last(steps: list[Step], values: Sequence[Tensor]) -> list[Step]:
    """The same steps, the elementwise ones that make new values of variables (and what reads these) after all others.

    Whatever can fail has then run before the first variable changes.
    """
    wanted = {id(value) for value in values}
    late: set[int] = set()
    made: set[int] = set()
    for step in steps:
        makes = step.elementwise and any(id(tensor) in wanted for tensor in step.outputs)
        if makes or any(id(root_of(tensor)) in made for tensor in step.inputs):
            late.add(id(step))
            made |= {id(t) for t in step.outputs}
    return [step for step in steps if id(step) not in late] + [step for step in steps if id(step) in late]


class Executor:
    """A plan bound to memory: fill `inputs`, call it, read `outputs`.

    inputs: arrays of the plan's shapes, owned by this executor.  They keep their content.
    outputs: arrays that hold the results until the next call.
    nbytes: of the memory it owns, without what kernels keep.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.device = plan.device
        self.inputs = [
            self.device.allocate(max(t.spec.nbytes, 1))[: t.spec.nbytes].view(t.dtype).reshape(t.shape)
            for t in plan.inputs
        ]
        self.outputs: list[Any] = []
        self.nbytes = 0
        self.calls: list[Callable[[], Any]] = []
        self.first_calls: list[Callable[[], Any]] = []  # of still values: again once a variable was written
        self.written = -1
        self.moved = -1
        self.stamp: list[int] = []
        self.owners: list[tuple[Callable[[], Any], Step]] = []
        self.bind()

    @property
    def stale(self) -> bool:
        """Whether a variable of this plan has moved since the steps were bound."""
        moved = Variable.moved
        if self.moved == moved:
            return False
        if self.stamp != [variable.moves for variable in self.plan.variables]:
            return True
        self.moved = moved
        return False

    def bind(self) -> None:
        """Bind every step to arrays."""
        plan, device = self.plan, self.device
        with laying:
            for variable in plan.variables:
                if isinstance(variable, FlatBuffer):
                    variable.gather()
                else:
                    on_device(variable, device)
        # Noted before any array is taken: a variable that moves meanwhile makes this executor stale.
        moved, stamp = Variable.moved, [variable.moves for variable in plan.variables]
        if not plan.dynamic:
            self._bind_steps()
        self.moved, self.stamp = moved, stamp

    def _bind_steps(self) -> None:
        plan, device = self.plan, self.device
        self.arrays: dict[int, Any] = {id(t): a for t, a in zip(plan.inputs, self.inputs, strict=True)}
        self.calls.clear()
        self.first_calls.clear()
        self.written = -1
        self.owners.clear()
        self.arena = device.allocate(max(plan.placement.size, 1))
        packed = [step.outputs[0] for step in plan.packs]
        for whole in packed:
            self.arrays[id(whole)] = device.allocate(whole.spec.nbytes).view(whole.dtype)
        self.nbytes = plan.placement.size + sum(tensor.spec.nbytes for tensor in [*plan.inputs, *packed])
        scratch = Scratch()
        providers = providers_for(device) if plan.kernels else []
        for at, step in enumerate(plan.steps):
            outs = [self._home(tensor) for tensor in step.outputs]
            arrays = [self.array(tensor) for tensor in step.inputs]
            try:
                first = self._still_inputs(step) if at >= plan.first else set()
                prepare, calls = self._bind_step(step, arrays, outs, scratch, providers, first)
            except Exception as error:
                raise located(error, step.applies[0]) from error
            self.owners += [(call, step) for call in [*prepare, *calls]]
            self.first_calls += prepare
            (self.first_calls if at < plan.first else self.calls).extend(calls)
        for variable, value in plan.copies:
            self.calls.append(functools.partial(device.xp.copyto, variable.storage, self.array(value)))
        self.outputs = [self.array(tensor) for tensor in plan.outputs]

    def array(self, tensor: Tensor) -> Any:
        """The array of a value: made by a step already bound, a leaf, or a view of one of these."""
        views: list[Tensor] = []
        while id(tensor) not in self.arrays and tensor.apply is not None and tensor.apply.op.view:
            views.append(tensor)
            tensor = tensor.apply.inputs[0]
        found = self.arrays[id(tensor)] = leaf(tensor, self.arrays, self.device)
        for view in reversed(views):
            found = self.arrays[id(view)] = self._view(view.apply, found)  # type: ignore[arg-type]
        return found

    def _view(self, apply: Apply, array: Any) -> Any:
        rest = [self.array(tensor) for tensor in apply.inputs[1:]]
        found = apply.op.define(self.device.xp, array, *rest, **apply.attrs)
        if found.size and not self.device.xp.may_share_memory(found, array):
            raise located(TypeError("it is declared a view of its first input and answered a copy"), apply)
        return found

    def _home(self, tensor: Tensor) -> Any:
        plan = self.plan
        if id(tensor) in self.arrays:
            return self.arrays[id(tensor)]
        if id(tensor) in plan.unread:
            return None
        if id(tensor) in plan.direct:
            array = plan.direct[id(tensor)].storage
        elif id(tensor) in plan.slots:
            whole, offset = plan.slots[id(tensor)]
            array = self.arrays[id(whole)][offset : offset + tensor.spec.size].reshape(tensor.shape)
        else:
            start = plan.placement.offsets[id(tensor)]
            array = self.arena[start : start + tensor.spec.nbytes].view(tensor.dtype).reshape(tensor.shape)
        self.arrays[id(tensor)] = array
        return array

    def _still_inputs(self, step: Step) -> set[int]:
        """Numbers of the inputs of a step that depend on variables alone, in a plan that changes none."""
        if self.plan.updates or not Options.still:
            return set()
        made = {id(tensor) for first in self.plan.steps[: self.plan.first] for tensor in first.outputs}
        roots = [root_of(tensor) for tensor in step.inputs]
        return {
            n for n, root in enumerate(roots) if isinstance(root, Variable | Constant) or id(root) in made
        }

    def _bind_step(
        self,
        step: Step,
        arrays: list[Any],
        outs: list[Any],
        scratch: Scratch,
        providers: Sequence[str],
        still: set[int],
    ) -> tuple[list[Any], list[Any]]:
        """The calls that run a step: of the first provider that offers a kernel, else of the definition.

        The first ones need to run again only where inputs changed whose numbers are in `still`.
        """
        if step.op is pack:
            step.kernel = "in place"
            return [], self._bind_pack(step, arrays, outs[0])
        if any(tensor.spec.size == 0 for tensor in step.outputs) and step.op is fused:
            return [], []
        out = outs[0] if len(outs) == 1 and step.op is not fused else tuple(outs)
        specs = [tensor.spec for tensor in step.inputs]
        for provider in providers:
            factory = step.op.kernels.get(provider)
            run = factory(*specs, **step.attrs) if factory is not None else None
            if run is not None:
                step.kernel = provider
                if still and hasattr(run, "split"):
                    first, call = run.split(still, out, *arrays)
                    return first, [call]
                prepare = getattr(run, "bind", None)
                return [], [prepare(out, *arrays) if prepare else functools.partial(run, out, *arrays)]
        if step.op is fused and self.device.xp is np:
            step.kernel = "numpy"
            return [], bind(step.attrs["program"], arrays, outs, scratch)
        step.kernel = "define"
        return [], [functools.partial(_define, step.op, self.device.xp, step.attrs, outs, arrays)]

    def _bind_pack(self, step: Step, arrays: list[Any], whole: Any) -> list[Any]:
        """Only what could not be written into the flat buffer to begin with is copied there."""
        offsets, _ = offsets_of([tensor.spec.size for tensor in step.inputs])
        calls = []
        for tensor, array, offset in zip(step.inputs, arrays, offsets, strict=True):
            if self.plan.slots.get(id(tensor)) != (step.outputs[0], offset):
                target = whole[offset : offset + tensor.spec.size].reshape(tensor.shape)
                calls.append(functools.partial(self.device.xp.copyto, target, array))
        return calls

    def __call__(self) -> None:
        """Run every step once.

        An error names the op and the layer it happened in.  Updates come last: a failing step leaves the variables as
        they were.
        """
        if self.plan.dynamic:
            self._evaluate()
            return
        if self.stale:
            self.bind()
        call = None
        with np.errstate(all="ignore"):
            try:
                if self.first_calls and self.written != Variable.written:
                    written = Variable.written  # before they run: what is written meanwhile counts as later
                    for call in self.first_calls:
                        call()
                    self.written = written
                for call in self.calls:
                    call()
            except Exception as error:
                raise self._located(error, call) from error
            finally:
                if self.plan.updates:
                    Variable.was_written()

    def _located(self, error: Exception, call: Any) -> Exception:
        step = next((step for other, step in self.owners if other is call), None)
        return located(error, step.applies[0]) if step is not None else error

    def _evaluate(self) -> None:
        """Sizes depend on data: the definitions, one after another."""
        plan = self.plan
        values = {id(t): a.copy() for t, a in zip(plan.inputs, self.inputs, strict=True)}
        compute(plan.order, values, self.device)
        self.outputs = [self.device.xp.array(leaf(t, values, self.device)) for t in plan.outputs]
        new = [(variable, self.device.xp.array(leaf(v, values, self.device))) for variable, v in plan.updates]
        for variable, array in new:
            variable.check(array.shape)
        for variable, array in new:
            on_device(variable, self.device)[...] = array
        if new:
            Variable.was_written()


def _define(op: Any, xp: Any, attrs: dict[str, Any], outs: list[Any], arrays: list[Any]) -> None:
    """The definition as a kernel: it allocates its result, which is copied to where the plan wants it."""
    found = op.define(xp, *arrays, **attrs)
    several = found if isinstance(found, tuple | list) else (found,)
    for out, array in zip(outs, several, strict=True):
        if out is not None:
            out[...] = array
