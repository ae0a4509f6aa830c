"""Functions: symbolic outputs and updates as something to call with arrays."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lamina.devices import current_device
from lamina.evaluate import evaluate
from lamina.plan import Executor, Plan
from lamina.tensor import Apply, Constant, Placeholder, Tensor, Variable, toposort

__all__ = ["Function", "Update", "evaluate"]

# What one function keeps for the next calls; what was not used for longest goes first.
PLANS = 32  # plans, and idle executors; more of them
STEPS = 20_000  # if they have no more steps together, each of which takes a few KB
IDLE_BYTES = 1 << 30  # of all idle executors' buffers, if there are more than two


class Update(Tensor):
    """`variable` takes the value of `value` when the function that carries it runs.

    As a tensor it is the new value.  All updates of one call read what variables held before it, and of several of one
    variable the last counts; but one with a `change`, a function from what the variable holds to what it will, changes
    what the one before it leaves.
    """

    def __init__(
        self, variable: Variable, value: Tensor, change: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        from lamina.ops.elementwise import identity

        # The output of an application of its own, so that it is computed like any other tensor.
        apply = Apply(identity, (value,), {}, [value.spec])
        super().__init__(value.spec, apply)
        apply.outputs = (self,)
        self.variable = variable
        self.value = value
        self.change = change

    def __iter__(self) -> Iterator[Any]:
        return iter((self.variable, self.value))


class Function:
    """Computes `outputs` from arrays for `inputs`, then assigns `updates`.

    inputs: placeholders, in the order their arrays come; the learning phase may be one of them.
    outputs: tensors.  updates: `Update`s or (variable, new value) pairs.

    A call looks up the plan for these shapes, this phase and this device, made once and kept; it may run in many
    threads at once, each with buffers of its own.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        updates: Sequence[Any] = (),
        name: str | None = None,
    ) -> None:
        self.name = name or "function"
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.updates = merged(updates)
        for tensor in self.inputs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{self.name}: an input must be a tensor, met {tensor!r}")
        for tensor in self.outputs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{self.name}: an output must be a tensor, met {tensor!r}")
        self._feeds = [
            tensor for tensor in self.inputs if not (isinstance(tensor, Placeholder) and tensor.static)
        ]
        asked = [*self.outputs, *[value for _, value in self.updates]]
        self.order = toposort(asked, self._feeds)
        read = [*asked, *[tensor for apply in self.order for tensor in apply.inputs]]
        self.uses_phase = any(isinstance(tensor, Placeholder) and tensor.static for tensor in read)
        self.is_random = any(apply.op.stateful for apply in self.order)
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._lock = threading.Lock()  # held while a plan is made
        self._idle: list[Executor] = []  # the one used last is the last
        self._idle_lock = threading.Lock()

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The outputs as NumPy arrays.  Raises ValueError for a wrong number, shape or rank of arrays."""
        phase, values = self._split(arrays)
        with self.bound([value.shape for value in values], phase) as run:
            for buffer, value in zip(run.inputs, values, strict=True):
                buffer[...] = value if run.device.name == "cpu" else run.device.to_device(value)
            run()
            return [np.array(run.device.to_host(output)) for output in run.outputs]

    @contextlib.contextmanager
    def bound(self, shapes: Sequence[Sequence[int]], phase: int | None = None) -> Iterator[Executor]:
        """An executor for inputs of these shapes: fill its `inputs`, call it, read its `outputs`.

        phase: 1 in training, 0 in testing; None takes K.learning_phase() if that was set, else 0.
        The buffers belong to the executor and keep their content until its next call.
        """
        executor = self._acquire(self.plan(shapes, phase))
        try:
            yield executor
        finally:
            self._release(executor)

    def plan(self, shapes: Sequence[Sequence[int]], phase: int | None = None) -> Plan:
        """The plan for inputs of these shapes, made if it is new."""
        device = current_device()
        phase = (_fixed_phase() or 0) if phase is None else int(phase)
        key = (tuple(tuple(shape) for shape in shapes), phase if self.uses_phase else 0, device.name)
        plan = self._plans.get(key)
        if plan is None:
            with self._lock:
                plan = self._plans.get(key)
                if plan is None:
                    self._check(key[0])
                    plan = Plan(self._feeds, self.outputs, self.updates, key[0], phase, device, self.name)
                    self._plans[key] = plan
                    while len(self._plans) > PLANS and sum(map(len, self._plans.values())) > STEPS:
                        _, gone = self._plans.popitem(last=False)
                        with self._idle_lock:
                            self._idle = [executor for executor in self._idle if executor.plan is not gone]
        with contextlib.suppress(KeyError):  # another thread may just have let it go
            self._plans.move_to_end(key)
        return plan

    def explain(self, shapes: Sequence[Sequence[int]], phase: int | None = None) -> str:
        """The plan for inputs of these shapes, as text: ops, kernels chosen, slots, bytes."""
        return str(self.plan(shapes, phase))

    # ---- helpers

    def _acquire(self, plan: Plan) -> Executor:
        """An executor nobody else is using."""
        with self._idle_lock:
            for at in reversed(range(len(self._idle))):
                if self._idle[at].plan is plan:
                    return self._idle.pop(at)
        return Executor(plan)

    def _release(self, executor: Executor) -> None:
        with self._idle_lock:
            self._idle.append(executor)
            while len(self._idle) > 2 and self._crowded():
                del self._idle[0]

    def _crowded(self) -> bool:
        if len(self._idle) > PLANS and sum(len(one.plan) for one in self._idle) > STEPS:
            return True
        return sum(one.nbytes for one in self._idle) > IDLE_BYTES

    def _split(self, arrays: Sequence[Any]) -> tuple[int | None, list[np.ndarray]]:
        if not isinstance(arrays, list | tuple):
            raise TypeError(
                f"{self.name} takes a list of {len(self.inputs)} arrays, met {type(arrays).__name__}"
            )
        if len(arrays) != len(self.inputs):
            raise ValueError(f"{self.name} takes {len(self.inputs)} arrays, met {len(arrays)}")
        phase: int | None = None
        values = []
        for tensor, value in zip(self.inputs, arrays, strict=True):
            if isinstance(tensor, Placeholder) and tensor.static:
                phase = int(value)
            else:
                if getattr(tensor, "sparse", False) and hasattr(value, "toarray"):
                    value = value.toarray()
                try:
                    values.append(np.asarray(value, dtype=tensor.dtype))
                except (TypeError, ValueError) as error:
                    message = f"{self.name}: the input {tensor.name} takes no such value: {error}"
                    raise ValueError(message) from error
        return phase, values

    def _check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        if len(shapes) != len(self._feeds):
            raise ValueError(f"{self.name} takes {len(self._feeds)} arrays, met {len(shapes)}")
        for tensor, shape in zip(self._feeds, shapes, strict=True):
            fits = len(shape) == tensor.ndim and all(
                want in (None, have) for want, have in zip(tensor.shape, shape, strict=True)
            )
            if not fits:
                raise ValueError(
                    f"{self.name}: the input {tensor.name} has shape {tensor.shape}, met an array of {shape}"
                )


def merged(updates: Iterable[Any]) -> list[tuple[Variable, Tensor]]:
    """Each variable that `updates` assign to, with what it will hold after all of them; one given twice counts once."""
    found: dict[int, tuple[Variable, Tensor]] = {}
    for update in {id(update): update for update in updates}.values():
        variable, value = _pair(update)
        change = getattr(update, "change", None)
        if change is not None and id(variable) in found:
            value = change(found[id(variable)][1])
        found[id(variable)] = variable, value
    return list(found.values())


def _pair(update: Any) -> tuple[Variable, Tensor]:
    from lamina.op import as_tensor

    if not isinstance(update, Update) and not (isinstance(update, tuple | list) and len(update) == 2):
        raise TypeError(
            f"an update is what K.update answers, or a pair (variable, new value); met {update!r}"
        )
    variable, value = update
    if not isinstance(variable, Variable):
        raise TypeError(f"only a variable can be updated, met {variable!r}")
    value = as_tensor(value, variable.dtype)
    if value.spec.known and value.shape != variable.shape:
        if value.ndim == 0 and isinstance(value, Constant):
            value = Constant(np.broadcast_to(value.value, variable.value.shape), variable.dtype)
        else:
            variable.check(value.shape)
    return variable, value


def _fixed_phase() -> int | None:
    from lamina.backend import phase

    return phase.fixed()
