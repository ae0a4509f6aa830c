"""Every op of core, by one table of samples: its shape rule, gradient and kernels are held against its definition.

An op without a sample fails, so a new op enters the table with its first use.
"""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import gradient, ops
from lamina.devices import Seed, current_device
from lamina.evaluate import evaluate
from lamina.op import Op
from lamina.tensor import Constant, Placeholder, Spec

STEP = 1e-6  # of central differences in float64, whose error is then about 1e-9


def every_op():
    found = {}
    for module in ops.__all__:
        for value in vars(getattr(ops, module)).values():
            if isinstance(value, Op):
                found[value.name] = value
    return found


OPS = every_op()


class Sample:
    """Inputs and attributes of one use.

    inputs: arrays as they are; a shape stands for normal draws.  shift: added to draws, to keep away from edges.
    twice: whether second derivatives are checked too.
    """

    def __init__(self, *inputs, shift=0.0, twice=True, **attrs):
        self.inputs, self.attrs, self.shift, self.twice = inputs, attrs, shift, twice

    def arrays(self, seed=0):
        rng = np.random.default_rng(seed)
        return [
            rng.standard_normal(x) * (0.3 if self.shift else 1) + self.shift
            if isinstance(x, tuple)
            else np.asarray(x)
            for x in self.inputs
        ]

    def __repr__(self):
        shapes = [x if isinstance(x, tuple) else np.shape(x) for x in self.inputs]
        return f"{shapes}{self.attrs or ''}"


def shares(*shape):
    """Positive rows that sum to 1."""
    e = np.exp(np.random.default_rng(5).standard_normal(shape))
    return e / e.sum(axis=-1, keepdims=True)


BOTH = ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((0, 3), (3,))
ONE = (3, 4), (2, 3, 4), (), (0, 3)
binary = [Sample(a, b) for a, b in BOTH]
unary = [Sample(x) for x in ONE]
positive = [Sample(x, shift=2.0) for x in ONE]
AXES = (None, 0, 1, -1, (0, 1), (-1, 0), (0, 2), (1, 2), (0, 1, 2))
reductions = [Sample((2, 3, 4), axis=axis, keepdims=k) for axis, k in itertools.product(AXES, (False, True))]
reductions += [Sample((0, 3), axis=1, keepdims=False), Sample((5,), axis=0, keepdims=True)]
INTS = np.array([[0, 2], [1, 2]])
BOOLS = np.array([[True, False, True], [False, False, True]])
FLOATS = ("float32", "float64")
KEYS = [
    (("slice", None, None, None), 1), (0,), (-1, None, ("slice", 0, 2, None)),
    (("slice", None, None, -1), ("slice", 1, None, 2)), (None, ("slice", -2, None, None)),
]  # fmt: skip
CHANNELS = [
    ((6, 5), (0,)),
    ((2, 3, 4, 5), (0, 1, 2)),
    ((3, 4, 2, 5), (0, 2, 3)),
    ((4, 2, 3), (0,)),
    ((4, 3, 2), (1,)),
]
norm = [Sample(x, *[tuple(n for a, n in enumerate(x) if a not in axes)] * 2, axes=axes, epsilon=1e-3)
        for x, axes in [*CHANNELS, ((4, 2, 3), (0, 2)), ((2, 3, 4), (1,)), ((2, 3, 4), (0, 2))]]  # fmt: skip
norm_grad = [
    Sample(s.inputs[0], s.inputs[0], s.inputs[1], s.inputs[1], np.full(s.inputs[1], 1.3), **s.attrs)
    for s in norm
]

SAMPLES = {
    "add": binary, "subtract": binary, "multiply": binary,
    "divide": [Sample(a, b, shift=2.0) for a, b in BOTH],
    "floor_divide": [Sample((3, 4), (4,), shift=2.0)],
    "remainder": [Sample(np.array([[5.3, -5.3]]), np.array([[2.1], [-2.1]]))],
    "power": [Sample(a, b, shift=2.0) for a, b in BOTH] + [Sample((3,), np.array(2)),
        Sample((3,), np.array(3))],
    "maximum": binary, "minimum": binary,
    "negative": unary, "abs": unary, "sign": unary, "square": unary, "identity": unary, "stop_gradient": unary,
    "sqrt": positive, "exp": unary, "expm1": unary, "log": positive, "log1p": positive,
    "sin": unary, "cos": unary, "tanh": unary, "sigmoid": unary, "softplus": unary, "softsign": unary,
    "floor": unary, "ceil": unary, "round": unary, "isnan": unary, "isfinite": unary, "relu": unary,
    "hard_sigmoid": [Sample(x) for x in ONE] + [Sample(np.array([-3.0, -2.4, 2.4, 3.0]))],
    "leaky_relu": [Sample((3, 4), alpha=0.3), Sample((3, 4), alpha=1.7), Sample((3, 4), alpha=-0.2)],
    "elu": [Sample((3, 4), alpha=1.0), Sample((3, 4), alpha=0.4)],
    "clip": [Sample((3, 4), low=-0.5, high=0.7), Sample((3, 4), low=None, high=0.1),
        Sample((3, 4), low=0.1, high=None),
             Sample((3, 4), low=0.5, high=0.1), Sample((3, 4), low=None, high=None)],
    **{name: [Sample(BOOLS, BOOLS[:, ::-1]), Sample((2, 3), (3,))] for name in (
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or")},
    "logical_not": [Sample(BOOLS)],
    "where": [Sample(BOOLS, (2, 3), (2, 3)), Sample(BOOLS, (3,), ()), Sample(BOOLS[:, :1], (1, 3), (2, 1))],
    "cast": [Sample((2, 3), dtype="float64"), Sample((2, 3), dtype="int32"), Sample(BOOLS, dtype="float32")],
    "sigmoid_crossentropy": [Sample((3, 4), shares(3, 4)), Sample((3, 4), shares(4))],
    "binary_crossentropy": [Sample(shares(3, 4), shares(3, 4), epsilon=1e-7),
                            Sample(np.array([0.0, 1e-9, 0.3, 1.0]), np.array([0.0, 1.0, 0.4, 1.0]), epsilon=1e-3)],
    # reductions
    "sum": [*reductions, Sample((70_000,), axis=0, keepdims=False),
        Sample((3, 1, 4), axis=(0, 2), keepdims=False)],
    "prod": [*reductions,
        Sample(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]]), axis=1, keepdims=False, twice=False)],
    "max": reductions, "min": reductions,
    "any": [Sample(BOOLS, axis=a, keepdims=k) for a in (None, 0, 1) for k in (False, True)],
    "all": [Sample(BOOLS, axis=a, keepdims=k) for a in (None, 0, 1) for k in (False, True)],
    "argmax": [Sample((3, 4), axis=a) for a in (0, 1, -1)], "argmin": [Sample((3, 4), axis=a) for a in (0, 1, -1)],
    "cumsum": [Sample((3, 4), axis=a, reverse=r) for a in (0, 1, -1) for r in (False, True)],
    "cumprod": [Sample((3, 4), axis=a, shift=1.0) for a in (0, 1, -1)],
    "count": [Sample((3, 4), axis=a, dtype="float32") for a in (None, 0, (0, 1))],
    # shapes
    "shape_of": [Sample((2, 3)), Sample(())],
    "reshape": [Sample((2, 6), shape=(3, -1)), Sample((2, 6), shape=(12,)), Sample((0, 4), shape=(0, 2, 2))],
    "reshape_to": [Sample((2, 6), np.array([3, 4], "int32"))],
    "expand_axes": [Sample((2, 3), axes=(0, 2)), Sample((), axes=(0,))],
    "drop_axes": [Sample((1, 3, 1), axes=(0, 2)), Sample((1, 3), axes=(0,))],
    "transpose": [Sample((2, 3, 4), axes=(2, 0, 1)), Sample((2, 3), axes=(1, 0))],
    "broadcast_to": [Sample((3, 1), np.array([2, 3, 4], "int32")), Sample((), np.array([2], "int32"))],
    "sum_to_like": [Sample((2, 3, 4), (3, 1)), Sample((2, 3), (2, 3)), Sample((2, 3), ()),
        Sample((1, 3), (2, 3))],
    "slice": [Sample((2, 3), key=key) for key in KEYS],
    "slice_grad": [Sample(np.zeros((2, 3))[0], (2, 3), key=(0,)), Sample((2,), (2, 3), key=KEYS[0])],
    "concatenate": [Sample((2, 3), (2, 1), axis=1), Sample((2, 3), (0, 3), (4, 3), axis=0)],
    "stack": [Sample((2, 3), (2, 3), axis=a) for a in (0, 1, 2, -1)] + [Sample((), (), axis=0)],
    "repeat_elements": [Sample((2, 3), repeats=3, axis=a) for a in (0, 1, -1)],
    "tile": [Sample((2, 3), np.array([2, 1], "int32")), Sample((3,), np.array([2, 2], "int32")),
        Sample((2, 3), np.array([3], "int32"))],
    "pad": [Sample((2, 3), padding=((1, 0), (0, 2))), Sample((2, 3), padding=((1, 1), (0, 0)), value=3)],
    "gather": [Sample((3, 4), INTS, axis=0), Sample((2, 3), INTS, axis=1), Sample((3,), np.array(2), axis=0)],
    "whole_positions": [Sample(np.array([[0.0, 2.9], [1.0, -0.5]]), size=3), Sample(np.array([7.0]), size=None)],
    "scatter_add": [
        Sample((2, 2, 4), INTS, (3, 4), axis=0), Sample((2, 2, 2), INTS, (2, 3), axis=1),
        Sample((6, 2), np.array([1, 0, 1, 1, 2, 0]), (4, 2), axis=0),
        Sample((90, 2), np.arange(90) % 4 // 3, (3, 2), axis=0), Sample((0, 2), np.zeros(0, "int32"), (3, 2), axis=0),
    ],
    "one_hot": [Sample(INTS, size=3, dtype="float32"), Sample(np.array([-1, 5, 1]), size=3, dtype="float64")],
    "arange": [Sample(np.array(0), np.array(5), np.array(2), dtype="int32")],
    # products
    "matmul": [Sample((2, 3), (3, 4)), Sample((5, 2, 3), (5, 3, 4)), Sample((5, 2, 3), (3, 4)),
        Sample((0, 3), (3, 4)),
               Sample((1, 2, 3), (5, 3, 4)), Sample((2, 1, 2, 3), (4, 3, 2))],
    # networks
    "softmax": [Sample((3, 4), axis=-1), Sample((3, 4, 2), axis=1), Sample((0, 3), axis=-1)],
    "categorical_crossentropy": [Sample(shares(3, 4), shares(3, 4), epsilon=1e-7),
        Sample(shares(2, 4, 3), shares(2, 4, 3), epsilon=0.05, axis=1),
                                 Sample(shares(2, 4, 3), shares(2, 4, 3), epsilon=0.1),
                                 Sample(shares(0, 4), shares(0, 4), epsilon=1e-7)],
    "crossentropy_to_logits": [Sample((3,), shares(3, 4), shares(3, 4), epsilon=0.05, axis=-1),
        Sample((2, 3), shares(2, 4, 3), shares(2, 4, 3), epsilon=1e-7, axis=1)],
    "sparse_categorical_crossentropy": [Sample(shares(2, 3), np.array([0, 2]), epsilon=1e-7),
        Sample(shares(2, 2, 3), INTS, epsilon=0.2),
                                        Sample(shares(0, 3), np.zeros(0, "int64"), epsilon=1e-7)],
    "sparse_crossentropy_to_logits": [Sample((2,), shares(2, 3), np.array([0, 2]), epsilon=1e-7),
        Sample((2, 2), shares(2, 2, 3), INTS, epsilon=0.2)],
    "softmax_crossentropy": [Sample((3, 4), shares(3, 4)), Sample((2, 4, 3), shares(2, 4, 3), axis=1),
        Sample((0, 3), shares(0, 3))],
    "sparse_softmax_crossentropy": [Sample((2, 3), np.array([0, 2])), Sample((2, 2, 3), INTS)],
    "batch_normalization": norm, "batch_normalization_grad": norm_grad,
    "dropout": [Sample((30, 40), np.array(7, "uint32"), rate=0.3, noise_shape=None),
        Sample((4, 5, 3), np.array(9, "uint32"), rate=0.5, noise_shape=(None, 1, 3))],
    "phase_switch": [Sample(np.array(1, "int32"), (2, 3), (3,)),
        Sample(np.array(0, "int32"), (2, 3), (2, 3))],
    "choose": [Sample(np.array(True), (2, 3), (4, 3)), Sample(np.array(False), (2, 3), (4, 3))],
    "print_tensor": [Sample((2,), message="x:")],
    # draws
    "random_uniform": [Sample(np.array([3, 4], "int32"), low=-1.0, high=2.0, dtype=d, seed=Seed(3)) for d in FLOATS],
    "random_normal": [Sample(np.array([3, 4], "int32"), mean=1.0, stddev=2.0, dtype=d, seed=Seed(3)) for d in FLOATS],
    "truncated_normal": [Sample(np.array([30, 4], "int32"), mean=1.0, stddev=2.0, dtype="float32", seed=Seed(3))],
    "random_binomial": [Sample(np.array([3, 4], "int32"), p=0.3, dtype=d, seed=Seed(3)) for d in ("float32", "int32")],
    "random_key": [Sample(seed=Seed(3))],
}  # fmt: skip

# No derivative to check, in any input: positions, sizes, comparisons, draws.
FLAT = {
    "floor_divide", "sign", "floor", "ceil", "round", "argmax", "argmin", "any", "all", "shape_of", "count", "one_hot",
    "arange", "stop_gradient", "isnan", "isfinite", "equal", "not_equal", "greater", "greater_equal", "less",
    "less_equal", "logical_and", "logical_or", "logical_not", "random_uniform", "random_normal", "truncated_normal",
    "random_binomial", "random_key", "whole_positions",
}  # fmt: skip

# The size of the result depends on data.
DYNAMIC = {"choose"}

ALL = [pytest.param(name, s, id=f"{name}-{s}") for name, samples in SAMPLES.items() for s in samples]
SMOOTH = [
    pytest.param(name, s, id=f"{name}-{s}")
    for name, samples in SAMPLES.items()
    if name not in FLAT
    for s in samples
    if np.dtype(s.attrs.get("dtype", "float64")).kind == "f" and any(a.dtype.kind == "f" for a in s.arrays())
]


def define(op, arrays, attrs):
    if op.stateful:
        current_device().reseed(0)
    with np.errstate(all="ignore"):
        found = op.define(np, *arrays, **attrs)
    return found if isinstance(found, tuple) else (found,)


def attributes(op, sample):
    return {**op.attributes, **sample.attrs}


def test_every_op_has_a_sample():
    assert sorted(OPS) == sorted(SAMPLES)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_the_shape_rule_foretells_the_definition(name, sample):
    op, arrays = OPS[name], sample.arrays()
    inputs = op.convert([Constant(a) for a in arrays])
    found = define(
        op, [a.astype(t.dtype) for a, t in zip(arrays, inputs, strict=True)], attributes(op, sample)
    )
    for spec, array in zip(op.specs(inputs, attributes(op, sample)), found, strict=True):
        assert spec.shape == np.shape(array) or name in DYNAMIC
    open_inputs = [
        Placeholder((None,) * a.ndim, a.dtype.name) if a.dtype.kind == "f" else Constant(a) for a in arrays
    ]
    for spec, array in zip(op.specs(op.convert(open_inputs), attributes(op, sample)), found, strict=True):
        assert len(spec.shape) == np.ndim(array)
        assert all(known in (None, size) for known, size in zip(spec.shape, np.shape(array), strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("name", "sample"), [case for case in ALL if OPS[case.values[0]].kernels])
def test_kernels_agree_with_the_definition(name, sample, dtype):
    op = OPS[name]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in sample.arrays()]
    attrs = attributes(op, sample)
    expected = define(op, arrays, attrs)
    specs = [Constant(a).spec for a in arrays]
    # Once with arrays as the plan lays them out, once with strided ones, which views bring.
    for layout in (np.ascontiguousarray, spread_out):
        for provider, factory in op.kernels.items():
            run = factory(*specs, **attrs)
            if provider != "numpy" or run is None:
                continue
            outs = [np.full(np.shape(e), 77, np.asarray(e).dtype) for e in expected]
            out = tuple(outs) if len(outs) > 1 else outs[0]
            laid = [layout(a).reshape(a.shape) for a in arrays]
            calls = [lambda: run(out, *laid)]  # noqa: B023
            if hasattr(run, "bind"):
                calls.append(run.bind(out, *laid))
                calls.append(calls[-1])  # a bound call may be repeated
            for call in calls:
                if op.stateful:
                    current_device().reseed(0)
                with np.errstate(all="ignore"):
                    call()
                for have, want in zip(outs, expected, strict=True):
                    # A few roundings of sums of up to 70000 terms of order 1.
                    tolerance = {"float64": 1e-12, "float32": 3e-5, "float16": 2e-2}[dtype]
                    assert_allclose(have, want, rtol=tolerance, atol=tolerance)


def spread_out(array):
    """The same array, with gaps between its elements."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]) if array.ndim else (), array.dtype)
    if not array.ndim:
        return array
    wide[..., ::2] = array
    return wide[..., ::2]


def direction_of(feeds, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(array.shape) for _, array in feeds]


def weighted(outputs, feeds, seed=2):
    """A scalar that depends on every element of every float output."""
    rng = np.random.default_rng(seed)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    outputs = [out for out in outputs if np.dtype(out.dtype).kind == "f"]
    parts = [
        ops.reduction.sum_(out * rng.standard_normal(value.shape))
        for out, value in zip(outputs, evaluate(outputs, feeds), strict=True)
    ]
    return sum(parts[1:], parts[0])


def difference(loss, feeds, step):
    """The central difference of a scalar along `step`."""
    up = evaluate([loss], {t: a + STEP * d for (t, a), d in zip(feeds, step, strict=True)})[0]
    down = evaluate([loss], {t: a - STEP * d for (t, a), d in zip(feeds, step, strict=True)})[0]
    return (up - down) / (2 * STEP)


def check_gradient(loss, feeds, seed):
    """gradients(loss) along a random direction against central differences; answers the slope as a tensor."""
    step = direction_of(feeds, seed)
    grads = gradient.gradients(loss, [tensor for tensor, _ in feeds])
    parts = [ops.reduction.sum_(g * Constant(d)) for g, d in zip(grads, step, strict=True) if g is not None]
    slope = sum(parts[1:], parts[0]) if parts else Constant(0.0, "float64")
    assert_allclose(evaluate([slope], dict(feeds))[0], difference(loss, feeds, step), rtol=1e-6, atol=2e-8)
    return slope if parts else None


@pytest.mark.parametrize("known", [True, False], ids=["known", "open"])
@pytest.mark.parametrize(("name", "sample"), SMOOTH)
def test_gradients_agree_with_differences(name, sample, known):
    op, arrays = OPS[name], sample.arrays()
    # Arrays of integers say where and how much; they stay constants.
    tensors = [
        Placeholder(a.shape if known else (None,) * a.ndim, "float64") if a.dtype.kind == "f" else Constant(a)
        for a in arrays
    ]
    outputs = op(*tensors, **sample.attrs)
    feeds = [(t, a) for t, a in zip(tensors, arrays, strict=True) if isinstance(t, Placeholder)]
    slope = check_gradient(weighted(outputs, dict(feeds)), feeds, seed=1)
    if sample.twice and slope is not None:
        check_gradient(slope, feeds, seed=3)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_dtypes_are_kept(name, sample):
    op = OPS[name]
    arrays = [a.astype("float32") if a.dtype.kind == "f" else a for a in sample.arrays()]
    inputs = op.convert([Constant(a) for a in arrays])
    if not any(a.dtype == "float32" for a in arrays) or op.result == "bool" or "dtype" in sample.attrs:
        return
    found = define(
        op, [a.astype(t.dtype) for a, t in zip(arrays, inputs, strict=True)], attributes(op, sample)
    )
    for spec, array in zip(op.specs(inputs, attributes(op, sample)), found, strict=True):
        if np.dtype(spec.dtype).kind == "f":
            assert np.asarray(array).dtype == "float32" == spec.dtype


def test_a_spec_compares_by_shape_and_dtype():
    assert Spec((2,), "int32", (1, 2)) == Spec((2,), "int32")
