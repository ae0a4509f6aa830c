"""Elementwise ops: arithmetic, comparison, and the functions of one variable.

Each definition is an expression of elementwise `xp` calls, so the plan can fuse chains of them (`lamina.program`).
Gradient rules say nothing of broadcasting: the reverse pass sums what was repeated.
"""

from __future__ import annotations

import math

import numpy as np

from lamina import config
from lamina.op import Op, elementwise
from lamina.tensor import Constant, Tensor

# ---- arithmetic


@elementwise
def add(xp, a, b):
    return a + b


@add.vjp
def _(g, y, a, b):
    return g, g


@elementwise
def subtract(xp, a, b):
    return a - b


@subtract.vjp
def _(g, y, a, b):
    return g, -g


@elementwise
def multiply(xp, a, b):
    return a * b


@multiply.vjp
def _(g, y, a, b):
    return g * b, g * a


@elementwise(result="float")
def divide(xp, a, b):
    return a / b


@divide.vjp
def _(g, y, a, b):
    return g / b, -g * y / b


@elementwise
def floor_divide(xp, a, b):
    return a // b


@floor_divide.vjp
def _(g, y, a, b):
    return None, None


@elementwise
def remainder(xp, a, b):
    """a - b * floor(a / b): the sign of b, as in Python."""
    return a % b


@remainder.vjp
def _(g, y, a, b):
    return g, -g * floor_divide(a, b)


@elementwise
def power(xp, a, b):
    return xp.power(a, b)


@power.vjp
def _(g, y, a, b):
    # Where the base is not positive the exponent has no derivative: 0 there, rather than log of a negative.
    positive = greater(a, 0)
    return g * b * power(a, b - 1), g * where(positive, y * log(where(positive, a, 1)), 0)


@elementwise
def maximum(xp, a, b):
    return xp.maximum(a, b)


@maximum.vjp
def _(g, y, a, b):
    first = greater_equal(a, b)
    return g * cast(first, dtype=g.dtype), g * cast(logical_not(first), dtype=g.dtype)


@elementwise
def minimum(xp, a, b):
    return xp.minimum(a, b)


@minimum.vjp
def _(g, y, a, b):
    first = less_equal(a, b)
    return g * cast(first, dtype=g.dtype), g * cast(logical_not(first), dtype=g.dtype)


@elementwise
def negative(xp, x):
    return -x


@negative.vjp
def _(g, y, x):
    return (-g,)


@elementwise(name="abs")
def absolute(xp, x):
    return xp.abs(x)


@absolute.vjp
def _(g, y, x):
    return (g * sign(x),)


@elementwise
def sign(xp, x):
    return xp.sign(x)


@elementwise
def square(xp, x):
    return xp.square(x)


@square.vjp
def _(g, y, x):
    return (g * 2 * x,)


@elementwise(result="float")
def sqrt(xp, x):
    """The square root; 0 for negative x, as Keras's backend has it."""
    return xp.sqrt(xp.maximum(x, 0))


@sqrt.vjp
def _(g, y, x):
    return (where(greater_equal(x, 0), g * 0.5 / y, 0),)


# ---- functions of one variable


@elementwise(result="float")
def exp(xp, x):
    return xp.exp(x)


@exp.vjp
def _(g, y, x):
    return (g * y,)


@elementwise(result="float")
def expm1(xp, x):
    return xp.expm1(x)


@expm1.vjp
def _(g, y, x):
    return (g * (y + 1),)


@elementwise(result="float")
def log(xp, x):
    return xp.log(x)


@log.vjp
def _(g, y, x):
    return (g / x,)


@elementwise(result="float")
def log1p(xp, x):
    return xp.log1p(x)


@log1p.vjp
def _(g, y, x):
    return (g / (x + 1),)


@elementwise(result="float")
def sin(xp, x):
    return xp.sin(x)


@sin.vjp
def _(g, y, x):
    return (g * cos(x),)


@elementwise(result="float")
def cos(xp, x):
    return xp.cos(x)


@cos.vjp
def _(g, y, x):
    return (-g * sin(x),)


@elementwise(result="float")
def tanh(xp, x):
    return xp.tanh(x)


@tanh.vjp
def _(g, y, x):
    return (g * (1 - square(y)),)


@elementwise(result="float")
def sigmoid(xp, x):
    """1 / (1 + e^-x), by tanh: twice as fast as by exp, and it cannot overflow."""
    return xp.tanh(x * 0.5) * 0.5 + 0.5


@sigmoid.vjp
def _(g, y, x):
    return (g * y * (1 - y),)


@elementwise
def floor(xp, x):
    return xp.floor(x)


@elementwise
def ceil(xp, x):
    return xp.ceil(x)


@elementwise(name="round")
def rint(xp, x):
    """The nearest integer; halves go to the even neighbour."""
    return xp.rint(x)


for _flat in (sign, floor, ceil, rint):
    _flat.vjp(lambda g, y, x: (None,))


# ---- comparison and choice


@elementwise(result="bool")
def equal(xp, a, b):
    return xp.equal(a, b)


@elementwise(result="bool")
def not_equal(xp, a, b):
    return xp.not_equal(a, b)


@elementwise(result="bool")
def greater(xp, a, b):
    return xp.greater(a, b)


@elementwise(result="bool")
def greater_equal(xp, a, b):
    return xp.greater_equal(a, b)


@elementwise(result="bool")
def less(xp, a, b):
    return xp.less(a, b)


@elementwise(result="bool")
def less_equal(xp, a, b):
    return xp.less_equal(a, b)


@elementwise(result="bool")
def logical_and(xp, a, b):
    return xp.logical_and(a, b)


@elementwise(result="bool")
def logical_or(xp, a, b):
    return xp.logical_or(a, b)


@elementwise(result="bool")
def logical_not(xp, x):
    return xp.logical_not(x)


@elementwise(result="bool")
def isnan(xp, x):
    return xp.isnan(x)


@elementwise(result="bool")
def isfinite(xp, x):
    return xp.isfinite(x)


def _where(xp, condition, a, b):
    """a where the condition holds, b elsewhere; the three broadcast."""
    return xp.where(condition, a, b)


class _Where(Op):
    """The condition is bool whatever the branches are, so it takes no part in their common dtype."""

    def convert(self, inputs):
        condition, a, b = inputs
        a, b = add.convert((a, b))
        return cast(condition, dtype="bool"), a, b


def _where_spec(condition, a, b):
    from lamina.op import broadcast
    from lamina.tensor import Spec

    return Spec(broadcast(condition.shape, a.shape, b.shape), a.dtype)


where = _Where(_where, _where_spec, name="where", elementwise=True)


@where.vjp
def _(g, y, condition, a, b):
    return None, where(condition, g, 0), where(condition, 0, g)


class _Cast(Op):
    """Casting keeps its input as it is: no common dtype first."""

    def convert(self, inputs):
        from lamina.op import as_tensor

        return (as_tensor(inputs[0]),)


def _cast_spec(x, *, dtype):
    from lamina.tensor import Spec

    entries = x.value if isinstance(x.value, tuple) else (x.value,)
    fits = np.dtype(dtype).kind in "iu" and all(v is None or v == np.array(v).astype(dtype) for v in entries)
    return Spec(x.shape, np.dtype(dtype).name, x.value if fits else None)


def _cast(xp, x, *, dtype):
    """x in another dtype; fractions lose their part after the point."""
    return x.astype(dtype)


cast = _Cast(_cast, _cast_spec, name="cast", elementwise=True)


@cast.vjp
def _(g, y, x, *, dtype):
    return (cast(g, dtype=x.dtype),)


@cast.simplify
def _(x, *, dtype):
    return x if x.dtype == dtype else None


@elementwise
def identity(xp, x):
    return x


@identity.vjp
def _(g, y, x):
    return (g,)


@identity.simplify
def _(x):
    return x


@elementwise
def stop_gradient(xp, x):
    """x itself, through which no gradient passes."""
    return x


@stop_gradient.vjp
def _(g, y, x):
    return (None,)


@stop_gradient.simplify
def _(x):
    return x


# ---- activations


@elementwise
def relu(xp, x):
    """max(x, 0)."""
    return xp.maximum(x, 0)


@relu.vjp
def _(g, y, x):
    return (g * cast(greater(y, 0), dtype=g.dtype),)


@elementwise(result="float")
def leaky_relu(xp, x, *, alpha):
    """x where x > 0, alpha * x elsewhere."""
    return xp.maximum(x, x * alpha) if 0 <= alpha <= 1 else xp.where(x > 0, x, x * alpha)


@leaky_relu.vjp
def _(g, y, x, *, alpha):
    return (g * where(greater(x, 0), 1, cast(alpha, dtype=g.dtype)),)


@elementwise
def clip(xp, x, *, low, high):
    """x brought into low <= y <= high.  Where low > high the result is low."""
    if low is not None and high is not None and high < low:
        high = low
    y = x if high is None else xp.minimum(x, high)
    return y if low is None else xp.maximum(y, low)


@clip.vjp
def _(g, y, x, *, low, high):
    # The derivative at the bounds is 1, as in TensorFlow's clip_by_value.
    inside = None
    if low is not None:
        inside = greater_equal(x, low)
    if high is not None:
        below = less_equal(x, max(high, low) if low is not None else high)
        inside = below if inside is None else logical_and(inside, below)
    return (g if inside is None else g * cast(inside, dtype=g.dtype),)


@elementwise(result="float")
def softplus(xp, x):
    """log(1 + e^x), finite for every finite x."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


@softplus.vjp
def _(g, y, x):
    return (g * sigmoid(x),)


@elementwise(result="float")
def softsign(xp, x):
    """x / (1 + |x|)."""
    return x / (xp.abs(x) + 1)


@softsign.vjp
def _(g, y, x):
    return (g / square(absolute(x) + 1),)


@elementwise(result="float")
def elu(xp, x, *, alpha):
    """x where x > 0, alpha * (e^x - 1) elsewhere."""
    return xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0)) * alpha)


@elu.vjp
def _(g, y, x, *, alpha):
    return (g * where(greater(x, 0), 1, y + alpha),)


@elementwise(result="float")
def hard_sigmoid(xp, x):
    """0.2 x + 0.5, clipped to 0 <= y <= 1."""
    return xp.maximum(xp.minimum(x * 0.2 + 0.5, 1), 0)


@hard_sigmoid.vjp
def _(g, y, x):
    return (g * where(less_equal(absolute(x), 2.5), 0.2, 0),)


# ---- cross-entropy of two classes


@elementwise(result="float")
def sigmoid_crossentropy(xp, x, target):
    """-target * log(s) - (1 - target) * log(1 - s) with s = sigmoid(x), finite for every finite x."""
    return xp.maximum(x, 0) - x * target + xp.log1p(xp.exp(-xp.abs(x)))


@sigmoid_crossentropy.vjp
def _(g, y, x, target):
    return g * (sigmoid(x) - target), -g * x


@elementwise(result="float")
def binary_crossentropy(xp, p, target, *, epsilon):
    """The same from probabilities, clipped to epsilon <= p <= 1 - epsilon: by way of the logit, as Keras has it."""
    p = xp.maximum(xp.minimum(p, 1 - epsilon), epsilon)
    x = xp.log(p / (1 - p))
    return xp.maximum(x, 0) - x * target + xp.log1p(xp.exp(-xp.abs(x)))


@binary_crossentropy.vjp
def _(g, y, p, target, *, epsilon):
    clipped = clip(p, low=epsilon, high=1 - epsilon)
    d = g * (clipped - target) / (clipped * (1 - clipped))
    return where(equal(p, clipped), d, 0), -g * log(clipped / (1 - clipped))


@binary_crossentropy.vjp_through(sigmoid)
def _(g, y, inner, p, target, *, epsilon):
    # Straight to the logit: no quotient by p (1 - p) that the gradient of the sigmoid multiplies away again.
    return (where(equal(p, clip(p, low=epsilon, high=1 - epsilon)), g * (p - target), 0),)


# ---- simplifications: what leaves the numbers exactly as they are


def _is_constant(x: Tensor, value: float) -> bool:
    return isinstance(x, Constant) and x.value.size == 1 and x.value.item() == value


def _unless_shape_changes(x: Tensor, other: Tensor) -> Tensor | None:
    return x if len(other.shape) <= len(x.shape) and all(size == 1 for size in other.shape) else None


@multiply.simplify
def _(a, b):
    if _is_constant(b, 1):
        return _unless_shape_changes(a, b)
    return _unless_shape_changes(b, a) if _is_constant(a, 1) else None


@divide.simplify
def _(a, b):
    return _unless_shape_changes(a, b) if _is_constant(b, 1) else None


@divide.simplify
def _(a, b):
    # Division by a power of two is exact as a product, which is three times as fast.
    if isinstance(b, Constant) and b.value.ndim == 0 and b.value.item() > 0:
        mantissa, _ = math.frexp(b.value.item())
        if mantissa == 0.5:
            return multiply(a, Constant(1 / b.value, b.dtype))
    return None


@add.simplify
def _(a, b):
    # x + 0 is x for every x but -0., whose sign no formula here depends on.
    if _is_constant(b, 0):
        return _unless_shape_changes(a, b)
    return _unless_shape_changes(b, a) if _is_constant(a, 0) else None


@subtract.simplify
def _(a, b):
    return _unless_shape_changes(a, b) if _is_constant(b, 0) else None


@power.simplify
def _(a, b):
    if _is_constant(b, 2):
        return square(a) if _unless_shape_changes(a, b) is not None else None
    return _unless_shape_changes(a, b) if _is_constant(b, 1) else None


@negative.simplify
def _(x):
    return x.apply.inputs[0] if x.apply is not None and x.apply.op is negative else None


def epsilon_of(x: Tensor) -> Constant:
    """K.epsilon() as it is now, in x's dtype."""
    return Constant(config.epsilon(), x.dtype)
