"""Row updates: elementwise steps that read a gradient of few rows, without ever making the dense one.

The gradient of a look-up in a table is zero but for the rows that were looked up.  A step that reads it, an
optimizer's say, computes all rows as if the gradient were the number 0, which leaves an array less to fill and to
read, and then those few rows again with what they really got.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lamina.op import op
from lamina.ops.kernels import Call, bound
from lamina.ops.positions import check_positions, scatter_add
from lamina.plan.fuse import Step, fused
from lamina.plan.place import root_of
from lamina.program import Literal, Program, Scratch, bind, numbers
from lamina.tensor import Spec, Tensor

LEAST = 1 << 20  # bytes of a table: with smaller ones the dense gradient stays in the cache
FEW = 2  # a table has at least so many times as many rows as are looked up


def is_sparse(tensor: Tensor) -> bool:
    """Whether a value is a large table of zeros but for a few rows."""
    apply = tensor.apply
    if apply is None or apply.op is not scatter_add or apply.attrs["axis"] != 0 or not tensor.spec.known:
        return False
    return tensor.spec.nbytes >= LEAST and apply.inputs[1].spec.size * FEW <= (tensor.shape[0] or 0)


def by_rows(steps: Sequence[Step], wanted: Sequence[Tensor]) -> list[Step]:
    """The same steps, with `fused_rows` instead of a `scatter_add` and the one elementwise step that reads it."""
    readers: dict[int, list[Step]] = {}
    for step in steps:
        for tensor in step.inputs:
            readers.setdefault(id(root_of(tensor)), []).append(step)
    kept = {id(root_of(tensor)) for tensor in wanted}
    found: dict[int, Step] = {}
    for step in steps:
        if step.op is scatter_add and is_sparse(step.outputs[0]) and id(step.outputs[0]) not in kept:
            read = readers.get(id(step.outputs[0]), [])
            if len(read) == 1 and id(read[0]) not in found and _follows_rows(read[0], step.outputs[0]):
                found[id(step)], found[id(read[0])] = _steps(step, read[0])
    return [found.get(id(step), step) for step in steps]


def _follows_rows(step: Step, table: Tensor) -> bool:
    """Whether every row of what a step makes comes from the same row of what it reads."""
    if step.op is not fused or not any(tensor is table for tensor in step.inputs):
        return False
    shape = table.shape
    same_for_all = [len(t.shape) < len(shape) or t.shape[0] == 1 for t in step.inputs if t.shape != shape]
    return all(same_for_all) and all(tensor.shape == shape for tensor in step.outputs)


def _steps(scatter: Step, step: Step) -> tuple[Step, Step]:
    """What looks at the indices, before any variable changes, and what then updates by rows."""
    (table,) = scatter.outputs
    rows, indices, _ = scatter.inputs
    positions = checked(indices, size=table.shape[0])
    first = Step(checked, {"size": table.shape[0]}, [indices], [positions], scatter.applies)
    operand = next(number for number, tensor in enumerate(step.inputs) if tensor is table)
    inputs = [*step.inputs, positions]
    inputs[operand] = rows
    attrs = {**step.attrs, "operand": operand}
    return first, Step(fused_rows, attrs, inputs, step.outputs, step.applies)


def _infer_checked(indices: Spec, *, size: int) -> Spec:
    return Spec((indices.size,), "int64")


@op(infer=_infer_checked)
def checked(xp, indices, *, size):
    """The indices as a vector.  Raises IndexError for one that is not the position of one of `size` rows."""
    check_positions(indices, size)
    return indices.reshape(-1).astype("int64")


def _infer_rows(*specs: Spec, program: Program, shape: tuple[int, ...], operand: int) -> Sequence[Spec]:
    return [Spec(shape, program.dtypes[number]) for number in program.outputs]


@op(infer=_infer_rows)
def fused_rows(xp, *arrays, program, shape, operand):
    """`fused`, whose operand number `operand` is given as rows and, as the last array, their positions in it."""
    operands, indices = list(arrays[:-1]), arrays[-1]
    table = np.broadcast_to(np.empty((), operands[operand].dtype), shape)
    operands[operand] = scatter_add.define(xp, operands[operand], indices, table)
    return fused.define(xp, *operands, program=program, shape=shape)


@fused_rows.kernel("numpy")
def _(*specs: Spec, program: Program, shape: tuple[int, ...], operand: int) -> Callable[..., None]:
    def prepared(outs: Any, *arrays: Any) -> Call:
        outs = outs if isinstance(outs, tuple) else (outs,)
        *operands, where = arrays
        return _RowUpdate(program, shape, operand, outs, operands, where)

    return bound(prepared)


class _RowUpdate:
    """The arrays of a row update, and what runs over them."""

    def __init__(
        self,
        program: Program,
        shape: tuple[int, ...],
        operand: int,
        outs: Sequence[np.ndarray],
        operands: list[np.ndarray],
        where: np.ndarray,
    ) -> None:
        self.where, self.outs = where, outs
        n = where.size
        some = (n, *shape[1:])
        self.gradient = operands[operand].reshape(some)
        self.positions, self.place = np.zeros(n, np.intp), np.zeros(n, np.intp)
        rows: list[np.ndarray] = []
        self.fetch: list[Call] = []
        for number, array in enumerate(operands):
            if number == operand or array.shape != shape:
                rows.append(array)
                continue
            rows.append(np.empty(some, array.dtype))
            self.fetch.append(partial(np.take, array, self.positions, axis=0, out=rows[-1], mode="clip"))
        rows[operand] = np.empty(some, self.gradient.dtype)
        self.results = [np.empty(some, out.dtype) for out in outs]
        spec = Spec(some, self.gradient.dtype.name)
        sum_rows = scatter_add.kernels["numpy"](spec, Spec((n,), "int64"), spec, axis=0)
        assert sum_rows is not None
        self.sum_rows = partial(sum_rows, rows[operand], self.gradient, self.place, None)
        scratch = Scratch()
        self.some_rows = bind(program, rows, self.results, scratch) if math.prod(some) else []
        # All rows, as if the gradient were 0; where what it is multiplied with is finite, nothing needs to be added.
        operands[operand] = np.zeros((), self.gradient.dtype)
        self.prepare: list[Call] = []
        known = numbers(program, operands, self.prepare)
        same = [(o, i) for o, out in enumerate(outs) for i, array in enumerate(operands) if _same(out, array)]
        less, added = _without(program, operand, set(known), same)
        self.added = [known[number] for number in added]
        changed = [out for out, number in zip(outs, less.outputs, strict=True) if number >= program.inputs]
        less = replace(less, outputs=tuple(number for number in less.outputs if number >= program.inputs))
        self.all_rows = bind(program, operands, outs, scratch)
        self.all_rows_at_rest = bind(less, operands, changed, scratch) if changed else []

    def __call__(self) -> None:
        found, place = np.unique(self.where, return_inverse=True)
        count = len(found)
        self.positions[:count], self.positions[count:] = found, 0  # the rest is computed for nothing
        self.place[:] = place
        for call in self.fetch:  # before they are overwritten
            call()
        self.sum_rows()
        for call in self.prepare:
            call()
        at_rest = all(number == 0 for number in self.added)
        for call in self.all_rows_at_rest if at_rest else self.all_rows:
            call()
        for call in self.some_rows:
            call()
        for out, result in zip(self.outs, self.results, strict=True):
            out[found] = result[:count]


def _same(out: np.ndarray, array: np.ndarray) -> bool:
    return array.shape == out.shape and array.ctypes.data == out.ctypes.data and array.strides == out.strides


def _without(
    program: Program, operand: int, known: set[int], same: Sequence[tuple[int, int]]
) -> tuple[Program, set[int]]:
    """The program without additions of what is `known` and comes from `operand`, and what these would have added.

    same: (output, operand) that are one array.  Such an output may be an operand in the answer: nothing changes it.
    """
    still = {operand}  # comes from the operand and from single numbers alone
    alias: dict[int, int] = {}
    added: set[int] = set()
    outputs = list(program.outputs)
    instructions = []
    for step in program.instructions:
        refs: tuple[Any, ...] = tuple(
            ref if isinstance(ref, Literal) else alias.get(ref, ref) for ref in step.operands
        )
        if step.target in known and any(ref in still for ref in refs):
            still.add(step.target)
        first, rest = refs[0], refs[1:]
        if step.function == "add" and first in still:
            first, rest = refs[-1], refs[:1]
        if (
            step.function in ("add", "subtract")
            and rest[0] in still
            and _may_stand_for(first, step.target, program, outputs, same)
        ):
            added.add(rest[0])
            alias[step.target] = first
            outputs = [first if number == step.target else number for number in outputs]
        else:
            instructions.append(replace(step, operands=refs))
    return replace(program, instructions=tuple(instructions), outputs=tuple(outputs)), added


def _may_stand_for(
    value: Any, target: int, program: Program, outputs: Sequence[int], same: Sequence[tuple[int, int]]
) -> bool:
    """Whether `value` may be used, and given back, instead of `target`."""
    if isinstance(value, Literal) or program.dtypes[value] != program.dtypes[target] or value in outputs:
        return False
    if value >= program.inputs:
        return True
    return target in outputs and (outputs.index(target), value) in same
