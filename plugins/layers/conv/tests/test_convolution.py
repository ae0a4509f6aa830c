"""Convolution: against sums written out, PyTorch's numbers and central differences; and its kernels."""

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.evaluate import evaluate
from lamina.function import Function
from lamina.gradient import gradients
from lamina.tensor import Constant, Placeholder, Spec
from lamina.testing import Case, parametrize_ops
from lamina_conv.convolution import conv, conv_input_grad, conv_kernel_grad
from lamina_conv.functions import conv1d, conv2d, conv3d
from lamina_conv.windows import slides
from lamina_conv.winograd import tile_for


@parametrize_ops(
    Case(conv1d, {"strides": 2}, shape=[(None, 7, 2), (3, 2, 3)]),
    Case(conv1d, {"padding": "causal", "dilation_rate": 2}, shape=[(None, 7, 2), (3, 2, 3)]),
    Case(conv1d, {"data_format": "channels_first", "padding": "same"}, shape=[(None, 2, None), (4, 2, 3)]),
    Case(conv2d, shape=[(None, 5, 6, 2), (3, 2, 2, 4)]),
    Case(conv2d, {"padding": "same", "strides": (2, 3)}, shape=[(None, None, None, 3), (3, 2, 3, 2)]),
    Case(conv2d, {"padding": "same", "dilation_rate": 2}, shape=[(None, 6, 5, 1), (3, 3, 1, 2)]),
    Case(conv2d, {"data_format": "channels_first"}, shape=[(None, 2, 5, 6), (3, 3, 2, 3)]),
    Case(conv2d, shape=[(None, 4, 4, 3), (1, 1, 3, 2)], id="conv2d 1 x 1"),
    Case(conv2d, shape=[(None, 3, 4, 2), (3, 4, 2, 5)], id="conv2d with a window as large as the image"),
    Case(conv3d, {"padding": "same"}, shape=[(None, 3, 4, 3, 2), (2, 3, 2, 2, 2)]),
    Case(conv3d, {"strides": (1, 2, 2)}, shape=[(None, 3, 4, 5, 1), (2, 2, 2, 1, 2)]),
)
def test_conforms(case, check):
    check(case)


# ---- numbers


def naive(x, kernel, strides, padding, dilation_rate):
    """The formula, number by number, for two spatial axes."""
    batch, *sizes, _ = x.shape
    spans = [(k - 1) * dilation_rate + 1 for k in kernel.shape[:2]]
    if padding == "same":
        count = [-(-size // strides) for size in sizes]
        before = [
            max((n - 1) * strides + s - size, 0) // 2 for n, s, size in zip(count, spans, sizes, strict=True)
        ]
    else:
        count = [(size - s) // strides + 1 for size, s in zip(sizes, spans, strict=True)]
        before = [0, 0]
    y = np.zeros((batch, *count, kernel.shape[-1]))
    for b, i, j, f in np.ndindex(y.shape):
        for m, n, c in np.ndindex(kernel.shape[:3]):
            row = i * strides + m * dilation_rate - before[0]
            column = j * strides + n * dilation_rate - before[1]
            if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
                y[b, i, j, f] += x[b, row, column, c] * kernel[m, n, c, f]
    return y


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "dilation_rate"), [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("window", [(1, 1), (3, 3), (2, 3)])
def test_it_is_the_sum_written_out(window, strides, dilation_rate, padding):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 6, 7, 2)), rng.standard_normal((*window, 2, 3))
    found = K.eval(conv2d(Constant(x), Constant(kernel), strides, padding, None, dilation_rate))
    assert_allclose(found, naive(x, kernel, strides, padding, dilation_rate), rtol=1e-12, atol=1e-12)


def test_a_kernel_is_not_turned_round():
    x = np.array([[[0.0], [0.0], [1.0], [0.0], [0.0]]])
    kernel = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    assert K.eval(conv1d(Constant(x), Constant(kernel), padding="same")).ravel().tolist() == [0, 3, 2, 1, 0]


def test_causal_outputs_do_not_depend_on_later_inputs():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((1, 9, 2)), Constant(rng.standard_normal((3, 2, 2)))
    changed = x.copy()
    changed[:, 5:] = 7
    one, other = (
        K.eval(conv1d(Constant(a), kernel, padding="causal", dilation_rate=2)) for a in (x, changed)
    )
    assert one.shape == (1, 9, 2)
    assert np.array_equal(one[:, :5], other[:, :5])
    assert not np.isclose(one[:, 5:], other[:, 5:]).any()


def test_the_dtype_of_the_wider_factor_is_that_of_the_result():
    assert (
        conv2d(Placeholder((1, 4, 4, 1), "float32"), Placeholder((2, 2, 1, 1), "float64")).dtype == "float64"
    )


def test_the_gradients_are_each_others_gradients():
    """Third derivatives of x, kernel -> sum(y^4) exist, and no op but the three takes part in a convolution."""
    x, kernel = Placeholder((1, 4, 4, 1), "float64"), Placeholder((2, 2, 1, 1), "float64")
    y = K.sum(K.square(K.square(conv2d(x, kernel))))
    for _ in range(3):
        (g,) = gradients(y, [x])
        y = K.sum(K.square(g))
    assert np.isfinite(Function([x, kernel], [y])([np.ones((1, 4, 4, 1)), np.ones((2, 2, 1, 1))])[0])


# ---- kernels

SHAPES = [
    # (batch, sizes, channels, filters, window, stride, dilation, padding)
    (3, (9, 8), 1, 4, (3, 3), 1, 1, "valid"),  # laid out in columns
    (3, (9, 8), 1, 4, (3, 3), 2, 1, "same"),
    (2, (9, 8), 20, 4, (3, 3), 1, 1, "same"),  # laid out in rows
    (2, (9, 8), 20, 4, (3, 3), 2, 1, "valid"),  # gradients added up where windows overlap
    (2, (9, 8), 20, 4, (3, 2), 1, 2, "same"),
    (3, (5, 6), 6, 4, (1, 1), 1, 1, "valid"),  # in place
    (3, (5, 6), 6, 4, (1, 1), 2, 1, "valid"),
    (3, (5, 6), 6, 4, (5, 6), 1, 1, "valid"),
    (1, (3, 3), 4, 90, (3, 3), 1, 1, "same"),  # more filters than windows
    (2, (7,), 3, 4, (2,), 2, 1, "valid"),  # in place, and one pixel that no window sees
    (2, (4, 5, 6), 2, 3, (2, 3, 2), 1, 1, "same"),
    (0, (9, 8), 2, 4, (3, 3), 1, 1, "same"),
]


@pytest.mark.parametrize("layout", ["in order", "channels first", "backwards"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("small", [True, False], ids=["many blocks", "one block"])
def test_kernels_compute_what_the_definitions_say(shape, layout, small, monkeypatch):
    if small:  # blocks of a few windows: several images, single ones and parts of one
        monkeypatch.setattr("lamina_conv.patches.BLOCK", 1)
        monkeypatch.setattr("lamina_conv.im2col.ROWS", 20)
    batch, sizes, channels, filters, window, stride, dilation, padding = shape
    attrs = {"strides": (stride,) * len(sizes), "padding": padding, "dilation_rate": (dilation,) * len(sizes)}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *sizes, channels))
    kernel = rng.standard_normal((*window, channels, filters))
    g = rng.standard_normal(conv.define(np, x, kernel, **attrs).shape)
    x, kernel, g = (in_memory(array, layout) for array in (x, kernel, g))
    held(conv, [x, kernel], attrs)
    held(conv_input_grad, [g, kernel, np.array(x.shape)], attrs)
    held(conv_kernel_grad, [x, g, np.array(kernel.shape)], attrs)


def in_memory(array, layout):
    """The same array in another order in memory."""
    if layout == "channels first":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 1)), 1, -1)
    return np.ascontiguousarray(array[:, ::-1])[:, ::-1] if layout == "backwards" else array


def held(op, arrays, attrs):
    """Hold the NumPy kernel against the definition, on its first run and on its second."""
    specs = [Spec(a.shape, a.dtype.name, tuple(a.tolist()) if a.dtype.kind == "i" else None) for a in arrays]
    expected = op.define(np, *arrays, **attrs)
    out = np.full(expected.shape, np.nan)
    run = op.kernels["numpy"](*specs, **attrs).bind(out, *arrays)
    for _ in range(2):
        run()
        assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_a_run_allocates_nothing():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((8, 12, 12, 8)), rng.standard_normal((3, 3, 8, 16))
    attrs = {"strides": (1, 1), "padding": "same", "dilation_rate": (1, 1)}
    g = np.ones((8, 12, 12, 16))
    runs = []
    for op, arrays in (
        (conv, [x, kernel]),
        (conv_input_grad, [g, kernel, np.array(x.shape)]),
        (conv_kernel_grad, [x, g, np.array(kernel.shape)]),
    ):
        specs = [
            Spec(a.shape, a.dtype.name, tuple(a.tolist()) if a.dtype.kind == "i" else None) for a in arrays
        ]
        out = np.empty_like(op.define(np, *arrays, **attrs))
        runs.append(op.kernels["numpy"](*specs, **attrs).bind(out, *arrays))
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


@pytest.fixture
def winograd(monkeypatch):
    """Has the kernels tile whatever they can, in tiles of the given m, in any number of blocks."""

    def tile(m, block):
        monkeypatch.setenv("LAMINA_WINOGRAD", str(m))
        monkeypatch.setattr("lamina_conv.winograd.FEWEST", 1)
        monkeypatch.setattr("lamina_conv.winograd.TILES", 0)
        monkeypatch.setattr("lamina_conv.winograd.LEAST", 1)
        monkeypatch.setattr("lamina_conv.winograd.BLOCK", block)

    return tile


@pytest.mark.parametrize("layout", ["in order", "channels first", "backwards"])
@pytest.mark.parametrize("padding", ["valid", "same", ((2, 0), (0, 1))])
@pytest.mark.parametrize("sizes", [(8, 8), (10, 13), (7, 6), (12, 10)])
@pytest.mark.parametrize("block", [1, 1 << 21])
@pytest.mark.parametrize("m", [2, 4])
def test_tiles_compute_what_the_definition_says(m, block, sizes, padding, layout, winograd):
    winograd(m, block)
    rng = np.random.default_rng(0)
    attrs = {"strides": (1, 1), "padding": padding, "dilation_rate": (1, 1)}
    x = rng.standard_normal((3, *sizes, 5)).astype("float32")
    kernel = rng.standard_normal((3, 3, 5, 6)).astype("float32")
    g = rng.standard_normal(conv.define(np, x, kernel, **attrs).shape).astype("float32")
    x, kernel, g = (in_memory(array, layout) for array in (x, kernel, g))
    for op, arrays in ((conv, [x, kernel]), (conv_input_grad, [g, kernel, np.array(x.shape)])):
        wide = [array.astype("float64") if array.dtype == "float32" else array for array in arrays]
        expected = op.define(np, *wide, **attrs)
        specs = [
            Spec(a.shape, a.dtype.name, tuple(a.tolist()) if a.dtype.kind == "i" else None) for a in arrays
        ]
        out = np.full(expected.shape, np.nan, "float32")
        run = op.kernels["numpy"](*specs, **attrs).bind(out, *arrays)
        for _ in range(2):
            run()
            assert np.abs(out - expected).max() < 5e-6 * np.abs(expected).max()


@pytest.mark.parametrize(("setting", "most"), [("0", 1e-6), ("2", 2e-6), ("4", 1e-5), ("", 1e-5)])
def test_tiles_are_as_exact_as_promised(setting, most, monkeypatch):
    monkeypatch.setenv("LAMINA_WINOGRAD", setting)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 16, 16, 256)).astype("float32")
    kernel = rng.standard_normal((3, 3, 256, 64)).astype("float32")
    attrs = {"strides": (1, 1), "padding": "same", "dilation_rate": (1, 1)}
    expected = conv.define(np, x.astype("float64"), kernel.astype("float64"), **attrs)
    out = np.empty_like(expected, "float32")
    conv.kernels["numpy"](*[Spec(a.shape, "float32") for a in (x, kernel)], **attrs).bind(out, x, kernel)()
    assert np.abs(out - expected).max() < most * np.abs(expected).max()


@pytest.mark.parametrize(
    ("shape", "filters", "m"),
    [
        ((8, 28, 28, 128), 128, 4),
        ((32, 32, 32, 32), 32, 4),
        ((8, 28, 28, 16), 128, None),  # too few channels
        ((1, 14, 14, 256), 256, None),  # too few tiles
        ((8, 9, 9, 64), 64, None),  # tiles too empty
        ((8, 16, 16, 512), 512, None),  # too large a kernel
    ],
)
def test_tiles_are_taken_where_they_are_faster(shape, filters, m, monkeypatch):
    monkeypatch.delenv("LAMINA_WINOGRAD", raising=False)
    axes = slides(shape[1:-1], (3, 3), (1, 1), (1, 1), "same")
    assert tile_for(Spec(shape, "float32"), shape[-1], filters, axes) == m
    assert tile_for(Spec(shape, "float64"), shape[-1], filters, axes) is None
    monkeypatch.setenv("LAMINA_WINOGRAD", "0")
    assert tile_for(Spec(shape, "float32"), shape[-1], filters, axes) is None


def test_only_3_by_3_windows_with_stride_1_are_tiled(monkeypatch):
    monkeypatch.delenv("LAMINA_WINOGRAD", raising=False)
    for window, stride, dilation in ((1, 1, 1), (5, 1, 1), (3, 2, 1), (3, 1, 2)):
        axes = slides((28, 28), (window,) * 2, (stride,) * 2, (dilation,) * 2, "same")
        assert tile_for(Spec((8, 28, 28, 64), "float32"), 64, 64, axes) is None
    axes = slides((28,), (3,), (1,), (1,), "same")
    assert tile_for(Spec((8, 28, 64), "float32"), 64, 64, axes) is None


def test_a_run_in_tiles_allocates_nothing(winograd):
    winograd(4, 1 << 16)
    x, kernel = np.ones((8, 12, 12, 8), "float32"), np.ones((3, 3, 8, 16), "float32")
    out = np.empty((8, 12, 12, 16), "float32")
    attrs = {"strides": (1, 1), "padding": "same", "dilation_rate": (1, 1)}
    run = conv.kernels["numpy"](*[Spec(a.shape, "float32") for a in (x, kernel)], **attrs).bind(
        out, x, kernel
    )
    run()
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4096


def test_integers_are_left_to_the_definition():
    x, kernel = np.arange(12).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1), int)
    places = [Placeholder(array.shape, "int32") for array in (x, kernel)]
    found = Function(places, [conv2d(*places)])([x, kernel])[0]
    assert found.dtype == np.int32
    assert found[0, ..., 0].tolist() == [[10, 14, 18], [26, 30, 34]]


def test_the_plan_uses_the_kernels():
    x, kernel = Placeholder((None, 5, 5, 1)), Placeholder((3, 3, 1, 2))
    y = conv2d(x, kernel)
    function = Function([x, kernel], [y, *gradients(K.sum(K.square(y)), [x, kernel])])
    steps = [line.split() for line in function.explain([(2, 5, 5, 1), (3, 3, 1, 2)]).splitlines()[1:]]
    kernels = {step[1]: step[2] for step in steps if step[1].startswith("conv")}
    assert kernels == {"conv": "numpy", "conv_input_grad": "numpy", "conv_kernel_grad": "numpy"}


# ---- bad input


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x, k: conv2d(x, k, padding="full"), "conv2d: padding is one of 'valid', 'same'; met 'full'"),
        (
            lambda x, k: conv2d(x, k, padding="causal"),
            "conv2d: padding is one of 'valid', 'same'; met 'causal'",
        ),
        (
            lambda x, k: conv2d(x, k, strides=(1, 0)),
            r"conv2d: strides is a whole number above 0.*met \(1, 0\)",
        ),
        (lambda x, k: conv2d(x, k, strides=(1, 1, 1)), r"a tuple of 2, one for each spatial axis"),
        (lambda x, k: conv2d(x, k, dilation_rate=1.5), r"dilation_rate is a whole number above 0.*met 1.5"),
        (lambda x, k: conv2d(x, k, data_format="rows"), "'rows': it is neither 'channels_last' nor"),
        (lambda x, k: conv2d(x, k[0]), r"conv2d takes a kernel of 4 axes, met shape \(5, 3, 4\)"),
        (lambda x, k: conv1d(x, k), r"conv1d takes images of 3 axes, met shape \(None, 4, 6, 3\)"),
        (lambda x, k: conv2d(x[..., :2], k), "the images have 2 channels and the kernel is for 3"),
        (
            lambda x, k: conv2d(x, k),
            "a window that spans 5 positions does not fit into spatial axis 0, which has 4",
        ),
    ],
)
def test_what_is_wrong_is_said(make, told):
    with pytest.raises(ValueError, match=told):
        make(Placeholder((None, 4, 6, 3)), Placeholder((5, 5, 3, 4)))


def test_sizes_that_turn_out_too_small_are_an_error_when_running():
    x, kernel = Placeholder((None, None, None, 1)), Placeholder((3, 3, 1, 1))
    function = Function([x, kernel], [conv2d(x, kernel)])
    with pytest.raises(ValueError, match="spatial axis 1, which has 2"):
        function([np.ones((1, 4, 2, 1)), np.ones((3, 3, 1, 1))])


def test_outputs_must_be_those_of_the_images():
    g, kernel = Placeholder((1, 4, 4, 2)), Placeholder((3, 3, 1, 2))
    shape = Constant(np.array([1, 5, 5, 1], "int32"))
    with pytest.raises(ValueError, match="an image axis of 5 makes 3 outputs, not 4"):
        conv_input_grad(g, kernel, shape, strides=(1, 1), padding="valid", dilation_rate=(1, 1))


def test_plain_evaluation_agrees_for_every_rank():
    for rank, padding in itertools.product((1, 2, 3), ("valid", "same")):
        x, kernel = np.ones((1, *[4] * rank, 2)), np.ones((*[3] * rank, 2, 1))
        y = {1: conv1d, 2: conv2d, 3: conv3d}[rank](Constant(x), Constant(kernel), padding=padding)
        centre = evaluate([y])[0][(0, *[1] * rank, 0)]
        assert centre == 2 * 3**rank
