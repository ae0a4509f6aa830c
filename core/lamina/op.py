"""Ops: the definition on arrays, the rule for shapes, the gradient, and faster kernels, in one stanza.

    @op(infer=same)
    def softplus(xp, x):
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

    @softplus.vjp
    def _(g, y, x):
        return g * sigmoid(x),

Calling an op on tensors records an `Apply` and answers its output.  Arrays are positional, attributes keyword.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import config
from lamina.tensor import Apply, Constant, Spec, Tensor

Infer = Callable[..., "Spec | Sequence[Spec]"]
Kernel = Callable[..., None]
Factory = Callable[..., "Kernel | None"]


class Op:
    """A function on arrays that the engine can differentiate, plan and run.

    define(xp, *arrays, **attrs): plain array code; the meaning every kernel must agree with.
    infer(*specs, **attrs): the Spec of the output, or one for each of several outputs.
    elementwise: the definition is an expression of elementwise `xp` calls, so chains of such ops run fused.
    view: the definition answers a view of its first input; nothing is copied where memory order allows.
    stateful: draws, prints or writes: never merged, folded or dropped.
    spare: its kernels take None for outputs that nobody reads, and then keep no memory for them.
    result: dtype of an elementwise op's output, "same" as the inputs' common type, "float" or "bool".
    """

    def __init__(
        self,
        define: Callable[..., Any],
        infer: Infer,
        *,
        name: str | None = None,
        elementwise: bool = False,
        view: bool = False,
        stateful: bool = False,
        spare: bool = False,
        result: str | None = None,
    ) -> None:
        self.name = name or define.__name__
        self.define = define
        self.infer = infer
        self.elementwise = elementwise
        self.view = view
        self.stateful = stateful
        self.spare = spare
        self.result = result
        self.rule: Callable[..., Any] | None = None
        self.shortcuts: dict[Op, Callable[..., Any]] = {}
        self.simplifications: list[Callable[..., Any]] = []
        self.scaling: Callable[..., Any] | None = None
        self.kernels: dict[str, Factory] = {}
        parameters = inspect.signature(define).parameters.values()
        self.attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.__doc__ = define.__doc__
        self.__name__ = self.name

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    # ---- what a stanza adds

    def vjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the gradient rule(g, y, *inputs, **attrs) -> one cotangent (or None) for each input."""
        self.rule = rule
        return rule

    def vjp_through(self, inner: Op) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: the gradient of self(inner(x), ...) straight to x, where that is simpler or more exact.

        rule(g, y, inner_apply, *inputs, **attrs) -> cotangents of inner's inputs.  It stands for the part of the
        chain rule that passes through the first input; the other inputs keep their own rule.
        """

        def keep(rule: Callable[..., Any]) -> Callable[..., Any]:
            self.shortcuts[inner] = rule
            return rule

        return keep

    def kernel(self, provider: str) -> Callable[[Factory], Factory]:
        """Decorator: a faster form, kernel(*specs, **attrs) -> run(out, *arrays) or None to decline.

        The factory prepares once; `run` writes into `out` (a tuple of arrays for several outputs) and keeps no
        reference to its arguments.  A `run.bind(out, *arrays)` method may answer a zero-argument closure instead.
        """

        def keep(factory: Factory) -> Factory:
            self.kernels[provider] = factory
            return factory

        return keep

    def simplify(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: rule(*inputs, **attrs) -> an equal, cheaper tensor, or None.  Asked when a plan is made."""
        self.simplifications.append(rule)
        return rule

    def scale(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: rule(scale, *inputs, **attrs) -> the output times `scale`, by other inputs but the first, or None.

        scale has one number for each position of the output's last axis.  Asked when a plan is made that changes no
        variable, where all inputs but the first depend on variables alone.
        """
        self.scaling = rule
        return rule

    # ---- use

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        unknown = attrs.keys() - self.attributes.keys()
        if unknown:
            raise TypeError(
                f"{self.name}() has no attribute {sorted(unknown)}; it takes {sorted(self.attributes)}"
            )
        attrs = {**self.attributes, **attrs}
        for name, value in attrs.items():
            if value is inspect.Parameter.empty:
                raise TypeError(f"{self.name}() needs the attribute {name}")
        outputs = self.apply(self.convert(inputs), attrs)
        return outputs[0] if len(outputs) == 1 else outputs

    def convert(self, inputs: Sequence[Any]) -> tuple[Tensor, ...]:
        """The inputs as tensors; those of an elementwise op in one dtype."""
        if not self.elementwise:
            return tuple(as_tensor(value) for value in inputs)
        dtypes = [value.dtype for value in inputs if isinstance(value, Tensor)]
        dtype = promote(dtypes) if dtypes else None
        if dtype is None or (dtype == "bool" and not all(isinstance(v, Tensor | bool) for v in inputs)):
            dtype = promote([as_tensor(value).dtype for value in inputs])
        elif np.dtype(dtype).kind in "iu" and any(_is_fraction(value) for value in inputs):
            dtype = config.floatx()
        if self.result == "float" and np.dtype(dtype).kind != "f":
            dtype = config.floatx()
        return tuple(as_tensor(value, dtype) for value in inputs)

    def apply(self, inputs: tuple[Tensor, ...], attrs: dict[str, Any]) -> tuple[Tensor, ...]:
        """Record one use, on tensors already converted.  While a plan is made, its builder answers instead."""
        builder = _builder.get()
        if builder is not None:
            return builder(self, inputs, attrs)
        return Apply(self, inputs, attrs, self.specs(inputs, attrs)).outputs

    def specs(self, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> Sequence[Spec]:
        """The specs of the outputs.  An impossible shape or attribute raises an error naming op, layer and shapes."""
        try:
            specs = self.infer(*[tensor.spec for tensor in inputs], **attrs)
        except (ValueError, TypeError) as error:
            from lamina.tensor import _scope

            where = "/".join(_scope.get())
            shapes = ", ".join(str(tensor.spec) for tensor in inputs)
            raise type(error)(f"{where + ': ' if where else ''}{self.name} of {shapes}: {error}") from error
        return (specs,) if isinstance(specs, Spec) else tuple(specs)


def op(infer: Infer, **flags: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: make the definition below it an op.  Flags as in `Op`."""
    return lambda define: Op(define, infer, **flags)


def elementwise(
    define: Callable[..., Any] | None = None, *, result: str = "same", name: str | None = None
) -> Any:
    """Decorator: an op whose definition is an elementwise expression; shapes broadcast.

    result: "same" keeps the common dtype of the inputs, "float" computes in a float type, "bool" compares.
    """
    if define is None:
        return functools.partial(elementwise, result=result, name=name)

    def infer(*specs: Spec, **attrs: Any) -> Spec:
        value = _known_value(define, specs, attrs) if result == "same" else None
        dtype = "bool" if result == "bool" else specs[0].dtype
        return Spec(broadcast(*[spec.shape for spec in specs]), dtype, value)

    return Op(define, infer, name=name, elementwise=True, result=result)


def _known_value(define: Callable[..., Any], specs: Sequence[Spec], attrs: dict[str, Any]) -> Any:
    """Arithmetic on sizes: the value of an integer tensor whose inputs' values are known."""
    if any(spec.value is None for spec in specs):
        return None
    flat = [value for spec in specs for value in (spec.value if spec.ndim else (spec.value,))]
    if None in flat:
        return None
    arrays = [np.array(spec.value, spec.dtype) for spec in specs]
    found = np.asarray(define(np, *arrays, **attrs)).astype(specs[0].dtype)
    return found.item() if found.ndim == 0 else tuple(found.tolist()) if found.ndim == 1 else None


def broadcast(*shapes: Sequence[int | None]) -> tuple[int | None, ...]:
    """NumPy's broadcast of shapes; unknown against n > 1 is n.  Raises ValueError where they disagree."""
    ndim = max((len(shape) for shape in shapes), default=0)
    result: list[int | None] = []
    for axis in range(-ndim, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        known = {size for size in sizes if size is not None}
        if len(known) > 1:
            shown = " and ".join(str(tuple(shape)) for shape in shapes)
            raise ValueError(f"shapes {shown} do not fit together: axis {axis} has sizes {sorted(known)}")
        result.append(known.pop() if known else None if sizes else 1)
    return tuple(result)


def promote(dtypes: Sequence[str]) -> str:
    """The common dtype: the widest float if there is one (an integer never widens it), else NumPy's choice."""
    if len(set(dtypes)) == 1:
        return dtypes[0]
    floats = [dtype for dtype in dtypes if np.dtype(dtype).kind == "f"]
    return np.result_type(*(floats or dtypes)).name


def as_tensor(value: Any, dtype: str | None = None) -> Tensor:
    """`value` as a tensor of `dtype`: tensors are cast, numbers and arrays become constants.

    Without a dtype, Python floats and 64-bit float arrays made of lists take floatx, arrays keep their own.
    """
    if isinstance(value, Tensor):
        if dtype is None or value.dtype == dtype:
            return value
        from lamina.ops.elementwise import cast

        return cast(value, dtype=dtype)
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
        from lamina.ops.joining import stack

        return stack(*[as_tensor(item, dtype) for item in value], axis=0)
    if value is None or isinstance(value, str | dict):
        raise TypeError(f"expected a tensor, an array or a number, met {value!r}")
    if dtype is None and not isinstance(value, np.ndarray | np.generic):
        kind = np.asarray(value).dtype.kind
        dtype = {"f": config.floatx(), "i": "int32", "b": "bool"}.get(kind)
        if dtype == "int32" and np.abs(np.asarray(value, "float64")).max(initial=0) >= 2**31:
            dtype = "int64"
    constant = Constant(value, dtype)
    if constant.value.dtype.kind == "O":
        raise TypeError(f"expected a tensor, an array or a number, met {value!r}")
    return constant


def as_float(value: Any) -> Tensor:
    """`value` as a tensor of floats: integers and booleans become floatx, floats keep their type."""
    tensor = as_tensor(value)
    return tensor if np.dtype(tensor.dtype).kind == "f" else as_tensor(tensor, config.floatx())


def _is_fraction(value: Any) -> bool:
    return not isinstance(value, Tensor) and np.asarray(value).dtype.kind == "f"


# The builder of the plan being made in this thread: it sees every op applied meanwhile.
_builder: contextvars.ContextVar[Callable[..., tuple[Tensor, ...]] | None] = contextvars.ContextVar(
    "lamina_builder", default=None
)
