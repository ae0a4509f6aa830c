"""Elementwise programs: what a chain of elementwise ops does, as a short list of array instructions.

Tracing the definition of an elementwise op once, with `xp` replaced by a recorder, gives its instructions; the
plan joins those of neighbouring ops into one `Program`.  The NumPy executor below runs it with `out=` in
cache-sized blocks; providers compile the same program into one loop (numba) or one kernel (CUDA).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# What a definition may call: name -> NumPy's function.  Operators on traced values use the same names.
VOCABULARY: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        "add subtract multiply divide power maximum minimum negative absolute sign square sqrt exp log log1p "
        "expm1 sin cos tan tanh sinh cosh arctan arctan2 arcsin arccos floor ceil rint floor_divide remainder "
        "greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not logical_xor "
        "isnan isfinite isinf bitwise_and bitwise_or bitwise_xor left_shift right_shift reciprocal "
        "where astype"
    ).split()
}
_SYNONYMS = {"abs": "absolute", "mod": "remainder", "true_divide": "divide", "pow": "power"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """target = function(operands).  Operands and target are value numbers; a `Literal` is a plain number."""

    function: str
    operands: tuple[Any, ...]
    target: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number written in a definition; it takes the dtype of what it meets.

    1, 1.0 and True differ, and so do 0.0 and -0.0.
    """

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


@dataclass(frozen=True, slots=True)
class Program:
    """instructions over values: 0 .. inputs-1 are the operands, then one new value an instruction.

    dtypes: NumPy's name of every value's dtype.  outputs: the values the caller wants, in order.
    """

    inputs: int
    instructions: tuple[Instruction, ...]
    dtypes: tuple[str, ...]
    outputs: tuple[int, ...]

    def __str__(self) -> str:
        return "; ".join(
            f"v{i.target}={i.function}({', '.join(map(_show, i.operands))})" for i in self.instructions
        )


def _show(operand: Any) -> str:
    return repr(operand.value) if isinstance(operand, Literal) else f"v{operand}"


class _Traced:
    """A value inside a definition being traced."""

    __array_ufunc__ = None

    def __init__(self, trace: _Trace, number: int) -> None:
        self.trace = trace
        self.number = number

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.trace.dtypes[self.number])

    def astype(self, dtype: Any) -> _Traced:
        return self.trace.call("astype", self, np.dtype(dtype).name)


def _operator(name: str, reflected: bool = False) -> Callable[[_Traced, Any], _Traced]:
    def method(self: _Traced, other: Any) -> _Traced:
        return self.trace.call(name, other, self) if reflected else self.trace.call(name, self, other)

    return method


for _symbol, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}.items():  # fmt: skip
    setattr(_Traced, f"__{_symbol}__", _operator(_name))
    setattr(_Traced, f"__r{_symbol}__", _operator(_name, reflected=True))
for _symbol, _name in {
    "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal",
}.items():  # fmt: skip
    setattr(_Traced, f"__{_symbol}__", _operator(_name))
_Traced.__neg__ = lambda self: self.trace.call("negative", self)  # type: ignore[attr-defined, operator]
_Traced.__abs__ = lambda self: self.trace.call("absolute", self)  # type: ignore[attr-defined]
_Traced.__invert__ = lambda self: self.trace.call("logical_not", self)  # type: ignore[attr-defined, operator]


class _Trace:
    """The recorder that stands for `xp` while a definition is traced."""

    def __init__(self, dtypes: Sequence[str]) -> None:
        self.dtypes = list(dtypes)
        self.instructions: list[Instruction] = []
        self.known: dict[tuple[Any, ...], int] = {}

    def __getattr__(self, name: str) -> Callable[..., _Traced]:
        name = _SYNONYMS.get(name, name)
        if name not in VOCABULARY:
            raise AttributeError(
                f"an elementwise definition may not call xp.{name}; it may call {', '.join(VOCABULARY)}"
            )
        return functools.partial(self.call, name)

    def call(self, name: str, *operands: Any) -> _Traced:
        refs = tuple(o.number if isinstance(o, _Traced) else Literal(o) for o in operands)
        key = (name, *refs)
        if key not in self.known:
            dtype = _result_dtype(name, [self._sample(ref) for ref in refs])
            if name == "where":  # executors move bits: by a condition that is bool, of values of one type
                refs = tuple(map(self._cast, refs, ("bool", dtype, dtype)))
            target = self.known[key] = len(self.dtypes)
            self.dtypes.append(dtype)
            self.instructions.append(Instruction(name, refs, target))
        return _Traced(self, self.known[key])

    def _cast(self, ref: Any, dtype: str) -> Any:
        if isinstance(ref, Literal) or self.dtypes[ref] == dtype:
            return ref
        return self.call("astype", _Traced(self, ref), dtype).number

    def _sample(self, ref: Any) -> Any:
        return ref.value if isinstance(ref, Literal) else np.ones(1, self.dtypes[ref])


def _result_dtype(name: str, samples: list[Any]) -> str:
    if name == "astype":
        return samples[1]
    with np.errstate(all="ignore"):
        return VOCABULARY[name](*samples).dtype.name


@functools.lru_cache(maxsize=4096)
def trace(define: Callable[..., Any], dtypes: tuple[str, ...], attrs: tuple[tuple[str, Any], ...]) -> Program:
    """The program of one elementwise definition for inputs of these dtypes."""
    recorder = _Trace(dtypes)
    result = define(recorder, *[_Traced(recorder, number) for number in range(len(dtypes))], **dict(attrs))
    if not isinstance(result, _Traced):
        raise TypeError(
            f"the elementwise definition {define.__name__} answered {result!r}, which uses no input"
        )
    return Program(len(dtypes), tuple(recorder.instructions), tuple(recorder.dtypes), (result.number,))


# ---- the NumPy executor

BLOCK_BYTES = 1 << 17  # one operand of one block: several of them fit in the second-level cache together


class Scratch:
    """Block-sized registers that all fused steps of one executor share: they run one after another."""

    def __init__(self) -> None:
        self.registers: dict[tuple[str, int], np.ndarray] = {}

    def get(self, dtype: str, number: int, size: int) -> np.ndarray:
        key = (dtype, number)
        if key not in self.registers or self.registers[key].size < size:
            self.registers[key] = np.empty(size, dtype)
        return self.registers[key][:size]


def bind(
    program: Program, arrays: Sequence[np.ndarray], outs: Sequence[np.ndarray], scratch: Scratch
) -> list[Any]:
    """The calls, with every argument bound, that run `program` on these very arrays.

    arrays broadcast to the shape of the outs.  An out may be the same memory as an input of its shape (the plan
    allows it where the input dies here): the calls read every element before they write it.
    """
    shape = outs[0].shape
    calls: list[Any] = []
    values = numbers(program, arrays, calls) if outs[0].size > 1 else dict(enumerate(arrays))
    operands = [np.broadcast_to(array, shape) for array in values.values()]
    operands, results, shape = _coalesce(operands, list(outs), shape)
    limit = max(1, BLOCK_BYTES // max(np.dtype(dtype).itemsize for dtype in program.dtypes))
    for sources, targets in _lengthened(operands, results, shape, scratch, calls):
        for block in _blocks(targets[0].shape, limit):
            some = {number: source[block] for number, source in zip(values, sources, strict=True)}
            calls += _bind_block(program, some, [target[block] for target in targets], scratch)
    return calls


def numbers(program: Program, arrays: Sequence[np.ndarray], calls: list[Any]) -> dict[int, np.ndarray]:
    """The values that are known to every block: operands, and what `calls` compute from single numbers beforehand."""
    values = dict(enumerate(arrays))
    for step in program.instructions:
        operands = [ref for ref in step.operands if not isinstance(ref, Literal)]
        single = all(ref in values and values[ref].size == 1 for ref in operands)
        if single and step.target not in program.outputs and step.function != "where":
            out = values[step.target] = np.empty((), program.dtypes[step.target])
            arguments = [
                ref.value if isinstance(ref, Literal) else values[ref].reshape(()) for ref in step.operands
            ]
            calls += _call(step.function, arguments, out, None, {})
    return values


def _lengthened(
    operands: list[np.ndarray],
    results: list[np.ndarray],
    shape: tuple[int, ...],
    scratch: Scratch,
    calls: list[Any],
) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """The same work as parts with longer rows, where a vector is used again for every short row of a matrix.

    The vector is written down several times, one after the other, as `calls` begin.  NumPy copies rows that are
    shorter than its buffers into these, and takes almost twice as long.
    """
    whole = [(operands, results)]
    if len(shape) != 2:
        return whole
    rows, length = shape
    times = -(-np.getbufsize() // max(length, 1))
    if times < 2 or rows < 4 * times:
        return whole
    vectors = [operand.strides == (0, operand.itemsize) for operand in operands]
    flat = [
        operand.strides in ((length * operand.itemsize, operand.itemsize), (0, 0))
        for operand, vector in zip([*operands, *results], [*vectors, *[False] * len(results)], strict=True)
        if not vector
    ]
    if not any(vectors) or not all(flat):
        return whole

    def part(array: np.ndarray, first: int, last: int, times: int, writeable: bool) -> np.ndarray:
        """Rows first to last, `times` of them made one."""
        step = array.itemsize if array.strides[1] else 0
        strides = (times * length * step, step)
        long = ((last - first) // times, times * length)
        return np.lib.stride_tricks.as_strided(array[first:last], long, strides, writeable=writeable)

    repeated: list[np.ndarray] = []
    for number, (operand, vector) in enumerate(zip(operands, vectors, strict=True)):
        if vector:
            tiles = scratch.get(operand.dtype.name, -1 - number, times * length)
            calls.append(functools.partial(np.copyto, tiles.reshape(times, length), operand[0]))
            repeated.append(tiles)
        else:
            repeated.append(operand)
    parts = []
    whole_rows = rows // times * times
    for first, last, count in ((0, whole_rows, times), (whole_rows, rows, rows - whole_rows)):
        if first < last:
            size = count * length
            parts.append(
                (
                    [
                        np.broadcast_to(array[:size], ((last - first) // count, size))
                        if vector
                        else part(array, first, last, count, False)
                        for array, vector in zip(repeated, vectors, strict=True)
                    ],
                    [part(array, first, last, count, True) for array in results],
                )
            )
    return parts


def _coalesce(
    operands: list[np.ndarray], results: list[np.ndarray], shape: tuple[int, ...]
) -> tuple[list[np.ndarray], list[np.ndarray], tuple[int, ...]]:
    """Merge neighbouring axes that every array steps through evenly: fewer, longer inner loops."""
    everything = [*operands, *results]
    axes: list[list[int]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if axes and all(a.strides[axes[-1][-1]] == a.strides[axis] * size for a in everything):
            axes[-1].append(axis)
        else:
            axes.append([axis])
    merged = tuple(int(np.prod([shape[axis] for axis in group])) for group in axes) or (1,)
    if 0 in shape:
        merged = (0,)

    def view(array: np.ndarray, writeable: bool) -> np.ndarray:
        strides = tuple(array.strides[group[-1]] for group in axes) or (array.dtype.itemsize,)
        return np.lib.stride_tricks.as_strided(array, merged, strides[: len(merged)], writeable=writeable)

    return [view(o, False) for o in operands], [view(r, True) for r in results], merged


def _blocks(shape: tuple[int, ...], limit: int) -> list[tuple[slice, ...]]:
    """Index tuples that cover `shape` in pieces of at most about `limit` elements, in memory order."""
    if 0 in shape:
        return []
    inner = 1
    for axis in reversed(range(len(shape))):
        if inner * shape[axis] > limit:
            rows = max(1, limit // inner)
            heads: list[tuple[slice, ...]] = [()]
            for size in shape[:axis]:
                heads = [(*head, slice(i, i + 1)) for head in heads for i in range(size)]
            cuts = [slice(i, min(i + rows, shape[axis])) for i in range(0, shape[axis], rows)]
            return [(*head, cut) for head in heads for cut in cuts]
        inner *= shape[axis]
    return [()]


def _bind_block(
    program: Program, values: dict[int, np.ndarray], results: list[np.ndarray], scratch: Scratch
) -> list[Any]:
    shape = results[0].shape
    size = results[0].size
    last = {
        ref: at
        for at, step in enumerate(program.instructions)
        for ref in step.operands
        if isinstance(ref, int)
    }
    targets = dict(zip(program.outputs, results, strict=True))
    free: dict[str, list[np.ndarray]] = {}
    count: dict[str, int] = {}
    owned: dict[int, np.ndarray] = {}
    calls: list[Any] = []

    def register(dtype: str) -> np.ndarray:
        if free.get(dtype):
            return free[dtype].pop()
        count[dtype] = count.get(dtype, 0) + 1
        return scratch.get(dtype, count[dtype], size).reshape(shape)

    for at, step in enumerate(program.instructions):
        if step.target in values:
            continue
        dtype = program.dtypes[step.target]
        dying = [ref for ref in step.operands if isinstance(ref, int) and last[ref] == at and ref in owned]
        # Select reads its operands after the first write, so it never shares a register with them.
        if step.function != "where":
            for ref in dict.fromkeys(dying):
                free.setdefault(program.dtypes[ref], []).append(owned.pop(ref))
        out = targets.get(step.target)
        if out is None:
            out = owned[step.target] = register(dtype)
        arguments = [ref.value if isinstance(ref, Literal) else values[ref] for ref in step.operands]
        calls += _call(step.function, arguments, out, register, free)
        values[step.target] = out
        for ref in dict.fromkeys(dying):
            if ref in owned:
                free.setdefault(program.dtypes[ref], []).append(owned.pop(ref))
        if step.target in owned and step.target not in last:
            free.setdefault(dtype, []).append(owned.pop(step.target))
    return calls


def _call(
    function: str, arguments: list[Any], out: np.ndarray, register: Any, free: dict[str, Any]
) -> list[Any]:
    """One instruction as bound calls."""
    if function == "astype":
        return [functools.partial(np.copyto, out, arguments[0], casting="unsafe")]
    if function == "where":
        condition, a, b = arguments
        return _select(condition, a, b, out, register, free)
    if function in ("maximum", "minimum"):
        # With a scalar operand NumPy leaves its vector code: a filled array is five times as fast.
        return [
            functools.partial(
                VOCABULARY[function], *[_filled(argument, out) for argument in arguments], out=out
            )
        ]
    if function == "square":
        function, arguments = "multiply", [arguments[0], arguments[0]]
    # `out` by position costs half of what it costs by keyword.
    return [functools.partial(VOCABULARY[function], *_typed(arguments, out), out)]


def _typed(arguments: list[Any], out: np.ndarray) -> list[Any]:
    """Plain numbers as 0-d arrays of the right dtype: NumPy then has nothing to look up at each call."""
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    dtype = arrays[0].dtype if arrays else out.dtype
    return [a if isinstance(a, np.ndarray) else np.asarray(a, _literal_dtype(a, dtype)) for a in arguments]


def _literal_dtype(value: Any, dtype: np.dtype) -> Any:
    """A Python number takes the dtype it meets, unless it is a fraction meeting integers (NEP 50)."""
    return np.result_type(dtype, value) if isinstance(value, int | float | bool) else None


@functools.lru_cache(maxsize=64)
def _constant_block(value: Any, dtype: np.dtype, size: int) -> np.ndarray:
    block = np.full(size, value, dtype)
    block.flags.writeable = False
    return block


def _filled(argument: Any, out: np.ndarray) -> Any:
    if isinstance(argument, np.ndarray):
        return argument
    return _constant_block(argument, out.dtype, out.size).reshape(out.shape)


def _select(
    condition: Any, a: Any, b: Any, out: np.ndarray, register: Any, free: dict[str, Any]
) -> list[Any]:
    """where(condition, a, b) by bit masks: no branch, so no misprediction, and nothing is allocated.

    out = b ^ ((a ^ b) & mask), with mask all ones where the condition holds.
    """
    integer = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}[out.dtype.itemsize]
    mask = register(integer)
    difference = register(integer)

    def bits(value: Any) -> np.ndarray:
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        return array.astype(out.dtype, copy=False).view(integer)

    condition = condition if isinstance(condition, np.ndarray) else np.asarray(condition, bool)
    calls = [
        functools.partial(np.negative, condition.view("int8"), out=mask, casting="unsafe", dtype=integer),
        functools.partial(np.bitwise_xor, bits(a), bits(b), out=difference),
        functools.partial(np.bitwise_and, difference, mask, out=mask),
        functools.partial(np.bitwise_xor, bits(b), mask, out=out.view(integer)),
    ]
    for array in (mask, difference):
        free.setdefault(integer, []).append(array)
    return calls
