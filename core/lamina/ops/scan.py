"""Loops: a step, traced once as a graph of its own, applied at each position of sequences in turn.

    def step(elements, states):
        (x,), (total,) = elements, states
        return [total + x], [total + x]

    (sums,), (last,) = scan(step, [x], [K.zeros(3)])

The step may use anything from outside (weights, constants): it becomes an input of the op.  Random draws inside are
made anew at every position.  The gradient is a loop in the other direction, whose step is the gradient of the step.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from lamina.devices import current_device
from lamina.op import Op, _builder, as_tensor, op
from lamina.ops.elementwise import cast
from lamina.ops.kernels import Call, bound
from lamina.ops.reduction import sum_
from lamina.ops.rules import axis_of, total
from lamina.ops.shape import broadcast_to, zeros_like
from lamina.ops.slices import getitem, slice_grad
from lamina.tensor import Apply, Constant, Placeholder, Spec, Tensor, toposort

Step = Callable[[list[Tensor], list[Tensor]], tuple[Sequence[Any], Sequence[Any]]]


def scan(
    step: Step,
    sequences: Sequence[Tensor],
    states: Sequence[Tensor] = (),
    *,
    axis: int = 0,
    reverse: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """step(elements, states) -> (outputs, new states), from one position of `axis` to the next.

    sequences: tensors of one size along `axis`; `elements` has one element of each, without that axis.
    states: what the first step finds; each keeps its shape and dtype.
    reverse: from the last position to the first.  Outputs stay at the position they were made from.

    Answers the outputs of all steps, stacked along `axis`, and the states that the last step left.  Over no
    positions those are empty, and the initial states.

    Raises ValueError where sizes along `axis` differ or a state changes its shape, TypeError where it changes its type.
    """
    sequences, states = [as_tensor(x) for x in sequences], [as_tensor(x) for x in states]
    axes = tuple(axis_of(axis, x.ndim) for x in sequences)
    elements = [_element(x.spec, a) for x, a in zip(sequences, axes, strict=True)]
    body, captured = _trace(step, elements, [state.spec for state in states])
    attrs = {
        "body": body,
        "axes": axes,
        "out_axes": tuple(axis_of(axis, output.ndim + 1) for output in body.outputs),
        "reverse": reverse,
        "keep": True,
    }
    found = body.op.apply((*sequences, *states, *captured), attrs)
    outputs, last, *_ = body.split(found)
    return outputs, last


# ---- the step


@dataclass(frozen=True, eq=False)
class Body:
    """One step of a loop: placeholders in, tensors made of these out.

    sequences, states, captured: what is fed: an element of each sequence, the states before the step, and what the
        step uses from outside the loop, the same at every step.
    outputs: stacked over the steps.  new_states: the states after the step.  totals: summed over the steps.
    draws: the random numbers made inside, kept for the gradient, which must not draw again.
    """

    sequences: tuple[Tensor, ...]
    states: tuple[Tensor, ...]
    captured: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    new_states: tuple[Tensor, ...]
    totals: tuple[Tensor, ...] = ()
    draws: tuple[Tensor, ...] = ()
    stateful: bool = False
    _ready: OrderedDict[Any, _Ready] = field(default_factory=OrderedDict)
    _adjoints: dict[Any, _Adjoint] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<step of {len(self.order)} ops>"

    @property
    def op(self) -> Op:
        """The op that loops over this step."""
        return _random_loop if self.stateful else _loop

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (*self.sequences, *self.states, *self.captured)

    @property
    def results(self) -> tuple[Tensor, ...]:
        return (*self.outputs, *self.new_states, *self.totals, *self.draws)

    @functools.cached_property
    def order(self) -> list[Apply]:
        return toposort(self.results, self.inputs)

    def split(self, found: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any], list[Any], list[Any]]:
        """What belongs to outputs, last states, totals, states before each step, and draws."""
        parts, start = [], 0
        for size in map(len, (self.outputs, self.states, self.totals, self.states, self.draws)):
            parts.append(list(found[start : start + size]))
            start += size
        return tuple(parts)  # type: ignore[return-value]

    def parts(self, found: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """What belongs to outputs, new states, totals and draws, of the results of one step."""
        outputs, states, totals, _, _ = self.split(found)
        return outputs, states, totals, list(found[len(outputs) + len(states) + len(totals) :])

    def specs(self, inputs: Sequence[Spec]) -> list[Spec]:
        """The specs of the results for inputs of these."""
        if all(spec.known for spec in inputs) and all(
            spec.value is not None for spec, x in zip(inputs, self.inputs, strict=True) if _is_static(x)
        ):
            return [tensor.spec for tensor in self.ready(inputs).plan.outputs]
        return [tensor.spec for tensor in self.results]

    def ready(self, inputs: Sequence[Spec]) -> _Ready:
        """The plan of one step for inputs of these specs.  Small integers that are known become part of it."""
        key = (tuple((spec.shape, _content(spec)) for spec in inputs), current_device().name)
        found = self._ready.get(key)
        if found is None:
            token = _builder.set(None)  # the step is a graph of its own, also while another plan is made
            try:
                found = self._ready[key] = self._plan(inputs)
            finally:
                _builder.reset(token)
            if len(self._ready) > PLANS:
                self._ready.popitem(last=False)
        return found

    def _plan(self, inputs: Sequence[Spec]) -> _Ready:
        from lamina.plan import Plan
        from lamina.training.substitute import substitute

        phase = 0
        given: dict[Tensor, Tensor] = {}
        fed: list[int] = []
        for number, (x, spec) in enumerate(zip(self.inputs, inputs, strict=True)):
            value = _content(spec)
            if _is_static(x):
                phase = int(spec.value)
            elif value is not None:
                given[x] = Constant(np.asarray(value, spec.dtype).reshape(spec.shape))
            else:
                fed.append(number)
        shapes: list[Any] = [inputs[number].shape for number in fed]
        feeds = [self.inputs[number] for number in fed]
        plan = Plan(feeds, substitute(self.results, given), (), shapes, phase, current_device(), "step")
        return _Ready(plan, fed)

    def adjoint(self, given: tuple[bool, ...]) -> _Adjoint:
        """The gradient of the step, when there are cotangents for those outputs of the loop that `given` says."""
        if given not in self._adjoints:
            self._adjoints[given] = _adjoint(self, given)
        return self._adjoints[given]


PLANS = 32  # plans kept by one step; the oldest goes first


@dataclass(frozen=True)
class _Ready:
    """A plan of one step, and which of the step's inputs it is fed with."""

    plan: Any
    fed: list[int]


def _is_static(x: Tensor) -> bool:
    return isinstance(x, Placeholder) and x.static


def _content(spec: Spec) -> Any:
    """What is known of a small integer tensor, if all of it is."""
    unknown = spec.value is None or (isinstance(spec.value, tuple) and None in spec.value)
    return None if unknown else spec.value


def _trace(step: Step, sequences: Sequence[Spec], states: Sequence[Spec]) -> tuple[Body, list[Tensor]]:
    """The step as a body, and the tensors from outside that it uses."""
    places: list[Tensor] = [_place(spec) for spec in (*sequences, *states)]
    elements, before = places[: len(sequences)], places[len(sequences) :]
    made: set[int] = set()

    def record(op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any]) -> tuple[Tensor, ...]:
        apply = Apply(op, inputs, attrs, op.specs(inputs, attrs))
        made.add(id(apply))
        kept.append(apply)  # as long as its identity is looked for
        return apply.outputs

    kept: list[Apply] = []
    token = _builder.set(record)
    try:
        outputs, after = step(elements, before)
        outputs, after = [as_tensor(x) for x in outputs], [as_tensor(x) for x in after]
        after = [_same_type(new, old, at) for at, (new, old) in enumerate(zip(after, before, strict=True))]
    finally:
        _builder.reset(token)
    results, captured = _closed([*outputs, *after], places, made)
    order = toposort(results, [*places, *captured.values()])
    body = Body(
        tuple(elements),
        tuple(before),
        tuple(captured.values()),
        tuple(results[: len(outputs)]),
        tuple(results[len(outputs) :]),
        draws=tuple(tensor for apply in order if _is_draw(apply) for tensor in apply.outputs),
        stateful=any(apply.op.stateful for apply in order),
    )
    return body, list(captured)


def _place(spec: Spec) -> Placeholder:
    return Placeholder(spec.shape, spec.dtype)


def _same_type(new: Tensor, old: Tensor, at: int) -> Tensor:
    if new.dtype == old.dtype:
        return new
    if np.dtype(new.dtype).kind == np.dtype(old.dtype).kind == "f":
        return cast(new, dtype=old.dtype)
    raise TypeError(f"state {at} of a loop begins as {old.dtype} and a step makes {new.dtype} of it")


def _closed(
    results: Sequence[Tensor], places: Sequence[Tensor], made: set[int]
) -> tuple[list[Tensor], dict[Tensor, Tensor]]:
    """The same computation with placeholders for what it takes from outside, and these by what they stand for.

    Inside is what depends on `places`, and whatever is drawn or printed by one of the applications `made` meanwhile:
    all else can be computed once, before the loop.
    """
    from lamina.training.substitute import substitute

    inside = {id(place) for place in places}
    captured: dict[Tensor, Tensor] = {}
    given: dict[Tensor, Tensor] = {}
    order = toposort(results, places)
    for apply in order:
        drawn = apply.op.stateful and id(apply) in made
        if drawn or any(id(x) in inside for x in apply.inputs):
            inside.update(id(output) for output in apply.outputs)
    readers = [x for apply in order if id(apply.outputs[0]) in inside for x in apply.inputs]
    for x in [*readers, *results]:
        if id(x) in inside or x in given or isinstance(x, Constant):
            continue
        if _content(x.spec) is not None:
            given[x] = Constant(np.asarray(x.spec.value, x.dtype).reshape(x.shape))  # type: ignore[arg-type]
            continue
        place = Placeholder(x.shape, x.dtype, x.name, static=_is_static(x))
        place.spec = x.spec
        captured[x] = given[x] = place
    token = _builder.set(None)
    try:
        return substitute(results, given), captured
    finally:
        _builder.reset(token)


def _is_draw(apply: Apply) -> bool:
    """Whether this makes random numbers: of sizes at most, of no values that a gradient could go to."""
    return apply.op.stateful and not any(np.dtype(x.dtype).kind == "f" for x in apply.inputs)


# ---- the op


def _element(spec: Spec, axis: int) -> Spec:
    return Spec((*spec.shape[:axis], *spec.shape[axis + 1 :]), spec.dtype)


def _of_one_step(specs: Sequence[Spec], body: Body, axes: Sequence[int]) -> list[Spec]:
    """The specs of what one step is fed, of those of the op's inputs.  A state's value is its first one only."""
    rest = specs[len(axes) :]
    return [
        *map(_element, specs, axes),
        *[Spec(spec.shape, spec.dtype) for spec in rest[: len(body.states)]],
        *rest[len(body.states) :],
    ]


def _length(sequences: Sequence[Spec], axes: Sequence[int]) -> int | None:
    """The number of steps."""
    if not sequences:
        raise ValueError("a loop needs a sequence to go along")
    sizes = {spec.shape[axis] for spec, axis in zip(sequences, axes, strict=True)} - {None}
    if len(sizes) > 1:
        raise ValueError(f"the sequences have different lengths, {sorted(map(int, sizes))}")  # type: ignore[arg-type]
    return sizes.pop() if sizes else None


def _infer(*specs, body, axes, out_axes, reverse, keep):
    count = len(axes)
    length = _length(specs[:count], axes)
    found = iter(body.specs(_of_one_step(specs, body, axes)))

    def stacked(spec: Spec, axis: int) -> Spec:
        return Spec((*spec.shape[:axis], length, *spec.shape[axis:]), spec.dtype)

    outputs = [stacked(next(found), axis) for axis in out_axes]
    before = specs[count : count + len(body.states)]
    states = [_kept(old, next(found), at) for at, old in enumerate(before)]
    totals = [next(found) for _ in body.totals]
    return [
        *outputs,
        *states,
        *[Spec(spec.shape, spec.dtype) for spec in totals],
        *[stacked(spec, 0) for spec in (*states, *found) if keep],
    ]


def _kept(old: Spec, new: Spec, at: int) -> Spec:
    """The spec of a state that a step makes `new` of."""
    agree = old.ndim == new.ndim and all(
        a == b or None in (a, b) for a, b in zip(old.shape, new.shape, strict=True)
    )
    if not agree:
        raise ValueError(
            f"state {at} of a loop begins with shape {old.shape} and a step makes {new.shape} of it"
        )
    return Spec(tuple(b if a is None else a for a, b in zip(old.shape, new.shape, strict=True)), old.dtype)


def _define(xp, *arrays, body, axes, out_axes, reverse, keep):
    """Outputs of all steps, last states, totals; with `keep` also the states before each step, and the draws."""
    from lamina.evaluate import compute, leaf

    device = current_device()
    sequences, rest = arrays[: len(axes)], arrays[len(axes) :]
    states, captured = list(rest[: len(body.states)]), rest[len(body.states) :]
    positions = range(sequences[0].shape[axes[0]])
    steps = []
    for position in reversed(positions) if reverse else positions:
        elements = [_at(x, axis, position) for x, axis in zip(sequences, axes, strict=True)]
        values = dict(zip(map(id, body.inputs), (*elements, *states, *captured), strict=True))
        compute(body.order, values, device)
        outputs, after, totals, draws = body.parts([leaf(tensor, values, device) for tensor in body.results])
        steps.append((outputs, states, totals, draws))
        states = after
    if steps:
        several = [
            list(zip(*part, strict=True)) for part in zip(*(steps[::-1] if reverse else steps), strict=True)
        ]
        outputs = [xp.stack(each, axis) for each, axis in zip(several[0], out_axes, strict=True)]
        before, draws = ([xp.stack(each) for each in several[at]] for at in (1, 3))
        totals = [functools.reduce(xp.add, each) for each in several[2]]
    else:
        specs = _infer(
            *map(_spec_of, arrays), body=body, axes=axes, out_axes=out_axes, reverse=reverse, keep=True
        )
        zeros = [xp.zeros([size or 0 for size in spec.shape], spec.dtype) for spec in specs]
        outputs, _, totals, before, draws = body.split(zeros)
    return (*outputs, *states, *totals, *((*before, *draws) if keep else ()))


def _spec_of(array: Any) -> Spec:
    small = array.dtype.kind in "iu" and array.size <= 64 and array.ndim <= 1
    value = array.tolist() if small else None
    return Spec(array.shape, array.dtype.name, tuple(value) if isinstance(value, list) else value)


def _at(array: Any, axis: int, position: int) -> Any:
    """The element at a position of an axis, as a view."""
    return array[(*[slice(None)] * axis, position, ...)]


# ---- the gradient


@dataclass(frozen=True)
class _Adjoint:
    """The gradient of a step: a step of the loop back.

    Its sequences are those of the step, the states before each step, the draws, and the cotangents that were given
    for the outputs and for the states before each step; its states are the cotangents of the step's float states; it
    captures what the step does, and the cotangents given for the totals.
    sequences, captured: of which of the step's there is a gradient.
    """

    body: Body
    sequences: list[int]
    captured: list[int]


def _adjoint(body: Body, given: tuple[bool, ...]) -> _Adjoint:
    from lamina.gradient import gradients
    from lamina.training.substitute import substitute

    nested = [apply for apply in body.order if apply.op is _random_loop]
    if nested:
        raise NotImplementedError(
            f"{nested[0]!r}: a loop with random draws inside another loop has no gradient; draw them before it"
        )

    def cotangents(results: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
        return [_place(x.spec) if there else None for x, there in zip(results, wanted, strict=True)]

    outputs, _, totals, before, _ = body.split(given)
    to_outputs, to_totals = cotangents(body.outputs, outputs), cotangents(body.totals, totals)
    to_states = cotangents(body.new_states, [_is_float(x) for x in body.states])
    to_before = cotangents(body.states, before)
    pairs = zip([*to_outputs, *to_states, *to_totals], body.results, strict=False)
    loss = total([sum_(g * result) for g, result in pairs if g is not None])
    wrt = [x for x in body.inputs if _is_float(x)]
    found = dict(zip(wrt, gradients(loss, wrt), strict=True)) if loss is not None else {}
    carried = [x for x in body.states if _is_float(x)]
    back = [total([found.get(x), g]) for x, g in zip(body.states, to_before, strict=True) if _is_float(x)]
    back = [zeros_like(x) if g is None else g for x, g in zip(carried, back, strict=True)]
    sequences = [at for at, x in enumerate(body.sequences) if found.get(x) is not None]
    captured = [at for at, x in enumerate(body.captured) if found.get(x) is not None]
    draws = {x: _place(x.spec) for x in body.draws}
    results = [
        *[found[body.sequences[at]] for at in sequences], *back, *[found[body.captured[at]] for at in captured]
    ]  # fmt: skip
    results = substitute(results, draws)  # type: ignore[arg-type]
    first, second = len(sequences), len(sequences) + len(back)
    return _Adjoint(
        Body(
            (*body.sequences, *body.states, *draws.values(), *_present(to_outputs), *_present(to_before)),
            tuple(_present(to_states)),
            (*body.captured, *_present(to_totals)),
            tuple(results[:first]),
            tuple(results[first:second]),
            tuple(results[second:]),
        ),
        sequences,
        captured,
    )


def _is_float(x: Tensor) -> bool:
    return np.dtype(x.dtype).kind == "f"


def _present(found: Sequence[Tensor | None]) -> list[Tensor]:
    return [x for x in found if x is not None]


def _vjp(g, y, *inputs, body, axes, out_axes, reverse, keep):
    g, y = (x if isinstance(x, tuple) else (x,) for x in (g, y))
    if not keep:
        again = {"body": body, "axes": axes, "out_axes": out_axes, "reverse": reverse, "keep": True}
        y = body.op.apply(inputs, again)
        g = (*g, *[None] * (len(y) - len(g)))
    _, last, _, before, draws = body.split(y)
    to_outputs, to_last, to_totals, to_before, _ = body.split(g)
    adjoint = body.adjoint(tuple(x is not None for x in g))
    count, kept = len(axes), len(body.states)
    floats = [at for at, x in enumerate(body.states) if _is_float(x)]
    start = [to_last[at] if to_last[at] is not None else zeros_like(last[at]) for at in floats]
    found = adjoint.body.op.apply(
        (
            *inputs[:count], *before, *draws, *_present(to_outputs), *_present(to_before),
            *start,
            *inputs[count + kept :], *_present(to_totals),
        ),
        {
            "body": adjoint.body,
            "axes": (
                *axes, *[0] * (kept + len(draws)),
                *[axis for axis, x in zip(out_axes, to_outputs, strict=True) if x is not None],
                *[0] * len(_present(to_before)),
            ),
            "out_axes": tuple(axes[at] for at in adjoint.sequences),
            "reverse": not reverse,
            "keep": False,
        },
    )  # fmt: skip
    to_sequences, to_states, to_captured, *_ = adjoint.body.split(found)
    cotangents: list[Tensor | None] = [None] * len(inputs)
    places = [
        *adjoint.sequences,
        *[count + at for at in floats],
        *[count + kept + at for at in adjoint.captured],
    ]
    for at, cotangent in zip(places, (*to_sequences, *to_states, *to_captured), strict=True):
        cotangents[at] = cotangent
    return tuple(cotangents)


# ---- the kernel


def _kernel(*specs, body, axes, out_axes, reverse, keep):
    ready = body.ready(_of_one_step(specs, body, axes))
    if ready.plan.dynamic:
        return None

    def bind(outs: Any, *arrays: Any) -> Call:
        outs = outs if isinstance(outs, tuple) else (outs,)
        return _Run(ready, body, axes, out_axes, reverse, outs, arrays).run

    return bound(bind)


class _Run:
    """A loop bound to its arrays: the plan of the step in memory of its own, and all calls of all steps in order."""

    def __init__(
        self,
        ready: _Ready,
        body: Body,
        axes: Sequence[int],
        out_axes: Sequence[int],
        reverse: bool,
        outs: Sequence[Any],
        arrays: Sequence[Any],
    ) -> None:
        from lamina.plan import Executor

        self.executor = executor = Executor(ready.plan)
        count, kept = len(axes), len(body.states)
        buffers: dict[int, Any] = {}
        calls: list[Call] = []
        copy = executor.device.xp.copyto
        for place, number in enumerate(ready.fed):
            if number >= count + kept and arrays[number].flags.c_contiguous:
                executor.inputs[place] = arrays[
                    number
                ]  # read where it is: nothing writes to what is captured
            elif number >= count + kept:
                calls.append(partial(copy, executor.inputs[place], arrays[number]))
            buffers[number] = executor.inputs[place]
        executor.bind()
        outputs, last, totals, before, draws = body.split(outs)
        made, after, added, drawn = body.parts(executor.outputs)
        states = [buffers.get(count + at) for at in range(kept)]
        initial = arrays[count : count + kept]
        calls += [partial(copy, state, start) for state, start in zip(states, initial, strict=True)]
        calls += [partial(array.fill, 0) for array in totals]
        calls += executor.first_calls
        move = _moves(states, after, executor.device.xp)
        positions = range(arrays[0].shape[axes[0]])
        for position in reversed(positions) if reverse else positions:
            for number, axis in enumerate(axes):
                calls.append(partial(copy, buffers[number], _at(arrays[number], axis, position)))
            calls += [
                partial(copy, _at(x, 0, position), state) for x, state in zip(before, states, strict=False)
            ]
            calls += executor.calls
            for x, axis, array in zip(outputs, out_axes, made, strict=True):
                calls.append(partial(copy, _at(x, axis, position), array))
            calls += [
                partial(copy, _at(x, 0, position), array) for x, array in zip(draws, drawn, strict=False)
            ]
            for x, array in zip(totals, added, strict=True):
                calls.append(partial(executor.device.xp.add, x, array, x))
            calls += move
        calls += [partial(copy, x, state) for x, state in zip(last, states, strict=True)]
        self.calls = calls

    def run(self) -> None:
        call = None
        try:
            for call in self.calls:
                call()
        except Exception as error:
            if any(call is other for other in [*self.executor.first_calls, *self.executor.calls]):
                raise self.executor._located(error, call) from error
            raise


def _moves(states: Sequence[Any], after: Sequence[Any], xp: Any) -> list[Call]:
    """The calls that make new states the current ones; a new state may lie where another one still is."""
    aside, moves = [], []
    for state, new in zip(states, after, strict=True):
        if new is state:
            continue
        if any(other is not state and xp.may_share_memory(new, other) for other in states):
            spare = xp.empty_like(new)
            aside.append(partial(xp.copyto, spare, new))
            new = spare
        moves.append(partial(xp.copyto, state, new))
    return [*aside, *moves]


def _make(stateful: bool) -> Op:
    made = Op(_define, _infer, name="scan", stateful=stateful)
    made.vjp(_vjp)
    for provider in ("numpy", "cuda"):
        made.kernel(provider)(_kernel)
    return made


_loop, _random_loop = _make(stateful=False), _make(stateful=True)


# ---- the ends of a sequence


def _infer_edge(x, *, axis, last):
    return _element(x, axis)


@op(infer=_infer_edge)
def edge(xp, x, *, axis, last):
    """The first or the last element along `axis`; zeros where there is none."""
    if x.shape[axis]:
        return _at(x, axis, -1 if last else 0)
    return xp.zeros((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype)


@edge.vjp
def _(g, y, x, *, axis, last):
    return (edge_grad(g, x, axis=axis, last=last),)


@edge.simplify
def _(x, *, axis, last):
    if not x.spec.known:
        return None
    if not x.shape[axis]:
        return zeros(_element(x.spec, axis))
    return getitem(x, (*[slice(None)] * axis, -1 if last else 0))


def _infer_edge_grad(g, x, *, axis, last):
    return Spec(x.shape, g.dtype)


@op(infer=_infer_edge_grad)
def edge_grad(xp, g, x, *, axis, last):
    """Zeros in the shape of x, with g where `edge` looks."""
    out = xp.zeros(x.shape, g.dtype)
    if x.shape[axis]:
        out[(*[slice(None)] * axis, -1 if last else 0)] = g
    return out


@edge_grad.vjp
def _(g, y, inner, x, *, axis, last):
    return edge(g, axis=axis, last=last), None


@edge_grad.simplify
def _(g, x, *, axis, last):
    if not x.spec.known:
        return None
    if not x.shape[axis]:
        return zeros(Spec(x.shape, g.dtype))
    return slice_grad(g, x, key=(*[("slice", None, None, None)] * axis, -1 if last else 0))


def zeros(spec: Spec) -> Tensor:
    """Zeros of a known spec."""
    return broadcast_to(Constant(0, spec.dtype), Constant(np.asarray(spec.shape, "int32")))
