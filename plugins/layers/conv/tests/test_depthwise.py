"""Depthwise convolution: against sums written out and central differences; and its kernels."""

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.function import Function
from lamina.gradient import gradients
from lamina.tensor import Constant, Placeholder, Spec
from lamina.testing import Case, parametrize_ops
from lamina_conv.depthwise import depthwise, depthwise_input_grad, depthwise_kernel_grad
from lamina_conv.separable import depthwise_conv2d, separable_conv1d, separable_conv2d


@parametrize_ops(
    Case(
        depthwise,
        {"strides": (2, 1), "padding": "same", "dilation_rate": (1, 1)},
        shape=[(2, 5, 6, 2), (3, 2, 2, 3)],
    ),
    Case(depthwise_conv2d, shape=[(None, 5, 6, 2), (3, 2, 2, 1)]),
    Case(depthwise_conv2d, {"padding": "same", "strides": 2}, shape=[(None, None, None, 2), (3, 3, 2, 2)]),
    Case(depthwise_conv2d, {"dilation_rate": (1, 2)}, shape=[(None, 6, 5, 1), (3, 2, 1, 2)]),
    Case(depthwise_conv2d, {"data_format": "channels_first"}, shape=[(None, 2, 5, 6), (2, 3, 2, 2)]),
    Case(separable_conv1d, {"strides": 2, "padding": "same"}, shape=[(None, 7, 2), (3, 2, 2), (1, 4, 3)]),
    Case(separable_conv2d, shape=[(None, 5, 4, 2), (2, 3, 2, 1), (1, 1, 2, 3)]),
    Case(
        separable_conv2d,
        {"data_format": "channels_first", "padding": "same"},
        shape=[(None, 2, 3, None), (2, 2, 2, 2), (1, 1, 4, 2)],
    ),
)
def test_conforms(case, check):
    check(case)


# ---- numbers


def naive(x, kernel, strides, padding, dilation_rate):
    """The formula, number by number, for two spatial axes."""
    batch, *sizes, _ = x.shape
    spans = [(k - 1) * dilation_rate + 1 for k in kernel.shape[:2]]
    count = [(size - s) // strides + 1 for size, s in zip(sizes, spans, strict=True)]
    before = [0, 0]
    if padding == "same":
        count = [-(-size // strides) for size in sizes]
        before = [
            max((n - 1) * strides + s - size, 0) // 2 for n, s, size in zip(count, spans, sizes, strict=True)
        ]
    multiplier = kernel.shape[-1]
    y = np.zeros((batch, *count, x.shape[-1] * multiplier))
    for b, i, j, o in np.ndindex(y.shape):
        for q, r in np.ndindex(kernel.shape[:2]):
            row, column = (
                i * strides + q * dilation_rate - before[0],
                j * strides + r * dilation_rate - before[1],
            )
            if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
                y[b, i, j, o] += (
                    x[b, row, column, o // multiplier] * kernel[q, r, o // multiplier, o % multiplier]
                )
    return y


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "dilation_rate"), [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_it_is_the_sum_written_out(multiplier, strides, dilation_rate, padding):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 6, 7, 2)), rng.standard_normal((2, 3, 2, multiplier))
    found = K.eval(depthwise_conv2d(Constant(x), Constant(kernel), strides, padding, None, dilation_rate))
    assert_allclose(found, naive(x, kernel, strides, padding, dilation_rate), rtol=1e-12, atol=1e-12)


def test_a_separable_convolution_is_one_with_the_product_of_its_kernels():
    rng = np.random.default_rng(0)
    x, own, mixed = (rng.standard_normal(shape) for shape in ((2, 5, 6, 2), (3, 3, 2, 2), (1, 1, 4, 3)))
    whole = np.einsum("abcm,cmf->abcf", own, mixed.reshape(2, 2, 3))
    found = K.eval(separable_conv2d(Constant(x), Constant(own), Constant(mixed), (2, 2), "same"))
    assert_allclose(
        found, K.eval(K.conv2d(Constant(x), Constant(whole), (2, 2), "same")), rtol=1e-12, atol=1e-12
    )


def test_channels_stay_apart():
    x, kernel = np.ones((1, 2, 2, 2)), np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 1, 2, 2)
    found = K.eval(depthwise_conv2d(Constant(x), Constant(kernel)))
    assert found[0, 0, 0].tolist() == [1, 10, 100, 1000]


def test_the_gradients_are_each_others_gradients():
    x, kernel = Placeholder((1, 4, 4, 1), "float64"), Placeholder((2, 2, 1, 2), "float64")
    y = K.sum(K.square(K.square(depthwise_conv2d(x, kernel))))
    for _ in range(3):
        (g,) = gradients(y, [x])
        y = K.sum(K.square(g))
    assert np.isfinite(Function([x, kernel], [y])([np.ones((1, 4, 4, 1)), np.ones((2, 2, 1, 2))])[0])


# ---- kernels

SHAPES = [
    # (batch, sizes, channels, multiplier, window, stride, dilation, padding)
    (3, (9, 8), 2, 1, (3, 3), 1, 1, "same"),
    (3, (9, 8), 2, 2, (3, 2), 1, 1, "valid"),
    (3, (9, 8), 2, 1, (3, 3), 2, 1, "same"),
    (2, (9, 8), 2, 2, (2, 3), 2, 1, "valid"),
    (2, (9, 8), 1, 1, (2, 2), 3, 1, "valid"),  # pixels that no window sees
    (2, (9, 8), 2, 1, (3, 3), 1, 2, "same"),
    (2, (3, 3), 2, 1, (3, 3), 4, 1, "same"),  # one window, and strides longer than the image
    (2, (7,), 3, 2, (3,), 2, 1, "same"),
    (2, (4, 5, 6), 2, 1, (2, 3, 2), 2, 1, "same"),
    (0, (9, 8), 2, 1, (3, 3), 1, 1, "same"),
]


@pytest.mark.parametrize("layout", ["in order", "channels first", "backwards"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("block", [1, 1 << 10, 1 << 18])
def test_kernels_compute_what_the_definitions_say(block, shape, layout, monkeypatch):
    monkeypatch.setattr("lamina_conv.shifted.BLOCK", block)
    batch, sizes, channels, multiplier, window, stride, dilation, padding = shape
    attrs = {"strides": (stride,) * len(sizes), "padding": padding, "dilation_rate": (dilation,) * len(sizes)}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *sizes, channels))
    kernel = rng.standard_normal((*window, channels, multiplier))
    g = rng.standard_normal(depthwise.define(np, x, kernel, **attrs).shape)
    x, kernel, g = (in_memory(array, layout) for array in (x, kernel, g))
    for op, arrays in of_all(x, kernel, g):
        expected = op.define(np, *arrays, **attrs)
        out = in_memory(np.full(expected.shape, np.nan), layout)
        run = bound(op, out, arrays, attrs)
        for _ in range(2):
            run()
            assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def of_all(x, kernel, g):
    return (
        (depthwise, [x, kernel]),
        (depthwise_input_grad, [g, kernel, np.array(x.shape)]),
        (depthwise_kernel_grad, [x, g, np.array(kernel.shape)]),
    )


def in_memory(array, layout):
    """The same array in another order in memory."""
    if layout == "channels first":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 1)), 1, -1)
    return np.ascontiguousarray(array[:, ::-1])[:, ::-1] if layout == "backwards" else array


def bound(op, out, arrays, attrs):
    """The NumPy kernel of the op, ready to run."""
    specs = [Spec(a.shape, a.dtype.name, tuple(a.tolist()) if a.dtype.kind == "i" else None) for a in arrays]
    return op.kernels["numpy"](*specs, **attrs).bind(out, *arrays)


def test_a_run_allocates_nothing():
    rng = np.random.default_rng(0)
    x, kernel, g = (rng.standard_normal(shape) for shape in ((8, 24, 24, 16), (3, 3, 16, 2), (8, 12, 12, 32)))
    attrs = {"strides": (2, 2), "padding": "same", "dilation_rate": (1, 1)}
    runs = [
        bound(op, np.empty_like(op.define(np, *arrays, **attrs)), arrays, attrs)
        for op, arrays in of_all(x, kernel, g)
    ]
    for run in runs:
        run()
    tracemalloc.start()
    try:
        for run in runs:
            run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4096  # of the megabytes that the arrays have: a few Python objects


def test_integers_are_left_to_the_definition():
    x, kernel = np.arange(12).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1), int)
    places = [Placeholder(array.shape, "int32") for array in (x, kernel)]
    found = Function(places, [depthwise_conv2d(*places)])([x, kernel])[0]
    assert found.dtype == np.int32
    assert found[0, ..., 0].tolist() == [[10, 14, 18], [26, 30, 34]]


def test_the_plan_uses_the_kernels():
    x, kernel = Placeholder((None, 5, 5, 1)), Placeholder((3, 3, 1, 2))
    y = depthwise_conv2d(x, kernel)
    function = Function([x, kernel], [y, *gradients(K.sum(K.square(y)), [x, kernel])])
    steps = [line.split() for line in function.explain([(2, 5, 5, 1), (3, 3, 1, 2)]).splitlines()[1:]]
    kernels = {step[1]: step[2] for step in steps if step[1].startswith("depthwise")}
    assert kernels == dict.fromkeys(("depthwise", "depthwise_input_grad", "depthwise_kernel_grad"), "numpy")


# ---- bad input


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda x, k: depthwise_conv2d(x, k, padding="causal"),
            "depthwise_conv2d: padding is one of 'valid', 'same'",
        ),
        (
            lambda x, k: depthwise_conv2d(x, k, strides=0),
            "depthwise_conv2d: strides is a whole number above 0",
        ),
        (
            lambda x, k: depthwise_conv2d(x, k, data_format="rows"),
            "'rows': it is neither 'channels_last' nor",
        ),
        (lambda x, k: depthwise_conv2d(x, k[0]), r"depthwise_conv2d takes a depthwise kernel of 4 axes"),
        (lambda x, k: depthwise_conv2d(x[..., :2], k), "the images have 2 channels and the kernel is for 3"),
        (lambda x, k: depthwise_conv2d(x[:, :1], k), "a window that spans 2 positions does not fit"),
        (
            lambda x, k: separable_conv2d(x, k, k),
            "separable_conv2d takes a pointwise kernel with windows of one",
        ),
        (
            lambda x, k: separable_conv2d(x, k, k[:1, :1]),
            "conv of .*: the images have 12 channels and the kernel is for 3",
        ),
    ],
)
def test_what_is_wrong_is_said(make, told):
    with pytest.raises(ValueError, match=told):
        make(Placeholder((None, 4, 6, 3)), Placeholder((2, 2, 3, 4)))


def test_one_and_two_axes_agree():
    rng = np.random.default_rng(0)
    x, own, mixed = (rng.standard_normal(shape) for shape in ((2, 7, 2), (3, 2, 2), (1, 4, 3)))
    for strides, padding in itertools.product((1, 2), ("valid", "same")):
        one = separable_conv1d(Constant(x), Constant(own), Constant(mixed), strides, padding)
        two = separable_conv2d(
            Constant(x[:, None]), Constant(own[None]), Constant(mixed[None]), (1, strides), padding
        )
        assert_allclose(K.eval(one), K.eval(two)[:, 0], rtol=1e-12)
