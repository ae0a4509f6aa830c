"""Kernels for GPUs: fused elementwise programs compiled into one kernel each, and products by cuBLAS."""

from __future__ import annotations

import functools
from typing import Any

from lamina.ops.linalg import matmul
from lamina.plan.fuse import fused
from lamina.program import Literal, Program
from lamina.providers import Provider
from lamina_cuda.device import unavailable

provider = Provider("cuda", rank=20, devices=("cuda",), available=unavailable)

_C_TYPES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "float16": "float16", "float32": "float", "float64": "double",
}  # fmt: skip

# NumPy's function -> the expression of its operands {0}, {1}, ... in C.
_EXPRESSIONS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "negative": "-{0}", "absolute": "abs({0})", "square": "{0} * {0}", "reciprocal": "1 / {0}",
    "power": "pow({0}, {1})", "sqrt": "sqrt({0})", "exp": "exp({0})", "log": "log({0})", "log1p": "log1p({0})",
    "expm1": "expm1({0})", "sin": "sin({0})", "cos": "cos({0})", "tan": "tan({0})", "tanh": "tanh({0})",
    "sinh": "sinh({0})", "cosh": "cosh({0})", "arctan": "atan({0})", "arctan2": "atan2({0}, {1})",
    "arcsin": "asin({0})", "arccos": "acos({0})", "floor": "floor({0})", "ceil": "ceil({0})", "rint": "rint({0})",
    "sign": "({0} > 0) - ({0} < 0)",
    # A NaN among the two is the result, as in NumPy.
    "maximum": "({0} != {0} || {0} > {1}) ? {0} : {1}", "minimum": "({0} != {0} || {0} < {1}) ? {0} : {1}",
    "greater": "{0} > {1}", "greater_equal": "{0} >= {1}", "less": "{0} < {1}", "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}", "not_equal": "{0} != {1}", "logical_and": "{0} && {1}", "logical_or": "{0} || {1}",
    "logical_not": "!{0}", "logical_xor": "(bool){0} != (bool){1}", "isnan": "isnan({0})",
    "isfinite": "isfinite({0})", "isinf": "isinf({0})", "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}", "left_shift": "{0} << {1}", "right_shift": "{0} >> {1}",
    "where": "{0} ? {1} : {2}",
}  # fmt: skip


@fused.kernel("cuda")
def _(*specs, program, shape):
    """One launch for the whole program, with every intermediate value in a register."""
    supported = all(
        step.function in _EXPRESSIONS or step.function == "astype" for step in program.instructions
    )
    if not supported or any(dtype not in _C_TYPES for dtype in program.dtypes):
        return None
    kernel = _compile(program)
    size = 1
    for n in shape:
        size *= n

    def run(outs: Any, *arrays: Any) -> None:
        if size:
            kernel(*arrays, *outs)

    return run


@functools.cache
def _compile(program: Program) -> Any:
    import cupy

    names = {number: f"x{number}" for number in range(program.inputs)}
    lines = []
    for step in program.instructions:
        target = program.dtypes[step.target]
        operands = [_operand(ref, names, program, step) for ref in step.operands]
        if step.function == "astype":
            expression = operands[0]
        else:
            expression = _EXPRESSIONS[step.function].format(*operands)
        names[step.target] = f"v{step.target}"
        lines.append(f"{_C_TYPES[target]} v{step.target} = ({_C_TYPES[target]})({expression});")
    lines += [f"y{position} = {names[number]};" for position, number in enumerate(program.outputs)]
    arguments = ", ".join(f"{program.dtypes[number]} x{number}" for number in range(program.inputs))
    results = ", ".join(
        f"{program.dtypes[number]} y{position}" for position, number in enumerate(program.outputs)
    )
    return cupy.ElementwiseKernel(
        arguments, results, "\n".join(lines), f"lamina_{abs(hash(program)) % 10**9}"
    )


def _operand(ref: Any, names: dict[int, str], program: Program, step: Any) -> str:
    if not isinstance(ref, Literal):
        return names[ref]
    if isinstance(ref.value, str):
        return ref.value
    # A number takes the dtype of the values it meets; alone, that of the result.
    met = [program.dtypes[other] for other in step.operands if not isinstance(other, Literal)]
    dtype = met[-1] if met else program.dtypes[step.target]
    if isinstance(ref.value, bool):
        return "true" if ref.value else "false"
    if isinstance(ref.value, float) and (
        ref.value != ref.value or ref.value in (float("inf"), float("-inf"))
    ):
        text = 'nan("")' if ref.value != ref.value else "INFINITY" if ref.value > 0 else "-INFINITY"
        return f"({_C_TYPES[dtype]})({text})"
    if isinstance(ref.value, float) and dtype[0] in "biu":
        dtype = "float64"
    return f"({_C_TYPES[dtype]})({ref.value!r})"


@matmul.kernel("cuda")
def _(a, b):
    if a.dtype != b.dtype or a.dtype not in ("float16", "float32", "float64"):
        return None

    def run(out: Any, x: Any, y: Any) -> None:
        import cupy

        cupy.matmul(x, y, out=out)

    return run
