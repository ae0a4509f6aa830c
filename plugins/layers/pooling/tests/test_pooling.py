"""Pooling: PyTorch's numbers, central differences, which of several maxima counts; and its kernels."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.function import Function
from lamina.gradient import gradients
from lamina.tensor import Constant, Placeholder, Spec
from lamina.testing import Case, parametrize_ops
from lamina_pooling.functions import pool2d, pool3d
from lamina_pooling.pooling import average_pool, average_pool_grad, max_pool, max_pool_at, max_pool_grad


def shuffled(rng, shape):
    """Numbers far enough apart that no maximum changes its place in a central difference."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) / 10.0


@parametrize_ops(
    Case(pool2d, {"pool_size": (2, 2), "strides": (2, 2)}, shape=(None, 6, 4, 3), values=shuffled),
    Case(pool2d, {"pool_size": (3, 2), "padding": "same"}, shape=(None, None, None, 2), values=shuffled),
    Case(
        pool2d,
        {"pool_size": 3, "strides": 2, "data_format": "channels_first"},
        shape=(None, 2, 7, 5),
        values=shuffled,
    ),
    Case(pool2d, {"pool_size": 2, "strides": 3, "pool_mode": "avg"}, shape=(None, 6, 7, 3)),
    Case(pool2d, {"pool_size": (3, 2), "padding": "same", "pool_mode": "avg"}, shape=(None, 5, 4, 2)),
    Case(
        pool2d,
        {"pool_size": 3, "strides": 2, "pool_mode": "avg", "data_format": "channels_first"},
        shape=(None, 2, 7, None),
    ),
    Case(pool3d, {"pool_size": 2, "strides": 2}, shape=(None, 4, 3, 5, 2), values=shuffled),
    Case(pool3d, {"pool_size": (2, 3, 2), "padding": "same", "pool_mode": "avg"}, shape=(None, 3, 4, 3, 2)),
)
def test_conforms(case, check):
    check(case)


# ---- numbers


def gradient_of(x, **arguments):
    """The gradient of the sum of pooled images, for one image of one channel."""
    image = Placeholder((1, *np.shape(x), 1))
    y = pool2d(image, **arguments)
    found = Function([image], gradients(K.sum(y), [image]))
    return found([np.reshape(x, (1, *np.shape(x), 1))])[0][0, ..., 0].tolist()


def test_the_first_of_equal_maxima_gets_the_gradient():
    assert gradient_of([[0, 1], [1, 0]], pool_size=2, strides=2) == [[0, 1], [0, 0]]
    assert gradient_of([[0, 0], [0, 0]], pool_size=2, strides=2) == [[1, 0], [0, 0]]
    assert gradient_of([[3, 3, 3]], pool_size=(1, 2)) == [[1, 1, 0]]


def test_gradients_add_up_where_windows_overlap():
    assert gradient_of([[1, 5, 2], [0, 4, 3]], pool_size=2) == [[0, 2, 0], [0, 0, 0]]


def test_pixels_that_no_window_sees_get_none():
    assert gradient_of([[1, 2, 9, 4, 3, 9]], pool_size=(1, 2), strides=(1, 3)) == [[0, 1, 0, 1, 0, 0]]


def test_infinities_lose_no_gradient():
    for extreme in (np.inf, -np.inf):
        assert np.sum(gradient_of([[extreme, extreme], [extreme, extreme]], pool_size=2, strides=2)) == 1


@pytest.mark.parametrize("extreme", [np.inf, -np.inf, np.nan])
def test_nor_do_they_where_windows_overlap(extreme):
    found = np.array(gradient_of([[extreme] * 5] * 4, pool_size=3, strides=2, padding="same"))
    assert found.sum() == 2 * 3
    assert found[0, 0] == 1


def test_padding_is_never_the_largest():
    x = Constant(np.full((1, 3, 3, 1), -7.0))
    assert K.eval(pool2d(x, 3, padding="same")).ravel().tolist() == [-7.0] * 9


def test_a_mean_leaves_padding_out():
    x = Constant(np.arange(9.0).reshape(1, 3, 3, 1))
    found = K.eval(pool2d(x, 2, strides=2, padding="same", pool_mode="avg"))
    assert found[0, ..., 0].tolist() == [[2.0, 3.5], [6.5, 8.0]]


def test_whole_numbers_have_a_largest_and_a_mean():
    x = Placeholder((1, 2, 2, 1), "int32")
    function = Function([x], [pool2d(x, 2), pool2d(x, 2, pool_mode="avg")])
    largest, mean = function([np.array([-4, -3, -2, -1]).reshape(1, 2, 2, 1)])
    assert (largest.dtype, largest.item()) == ("int32", -1)
    assert (mean.dtype, mean.item()) == ("float32", -2.5)


# ---- kernels

SHAPES = [
    # (batch, sizes, channels, pool_size, strides, padding)
    (5, (6, 4), 3, (2, 2), (2, 2), "valid"),
    (5, (7, 5), 3, (2, 2), (2, 2), "valid"),
    (5, (7, 5), 3, (3, 3), (2, 2), "same"),
    (5, (7, 6), 3, (3, 2), (1, 1), "valid"),
    (5, (7, 6), 3, (2, 1), (3, 2), "same"),
    (3, (9,), 2, (4,), (2,), "same"),
    (2, (2,), 2, (6,), (1,), "same"),  # windows wider than the image
    (2, (9,), 2, (260,), (1,), "same"),  # and of more positions than a byte counts
    (2, (3, 4, 5), 2, (2, 2, 3), (1, 2, 2), "same"),
    (0, (6, 4), 3, (2, 2), (2, 2), "valid"),
]


@pytest.mark.parametrize("band", [1, 700, 1 << 20], ids=["a row", "some rows", "everything at a time"])
@pytest.mark.parametrize("ties", [True, False], ids=["ties", "no ties"])
@pytest.mark.parametrize("first", [True, False], ids=["channels first", "channels last"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_compute_what_the_definitions_say(shape, first, ties, band, monkeypatch):
    monkeypatch.setattr("lamina_pooling.blocks.BLOCK", 1)
    monkeypatch.setattr("lamina_pooling.blocks.BAND", band)
    batch, sizes, channels, pool_size, strides, padding = shape
    attrs = {"pool_size": pool_size, "strides": strides, "padding": padding}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *sizes, channels))
    x = np.rint(x) if ties else x
    y = max_pool.define(np, x, **attrs)
    g = rng.standard_normal(y.shape)
    if first:
        x, y, g = (np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 1)), 1, -1) for a in (x, y, g))
    held(max_pool, [x], attrs)
    held(max_pool_grad, [g, x, y], attrs)
    held(average_pool, [x], attrs)
    held(average_pool_grad, [g, np.array(x.shape)], attrs)


def prepared(op, arrays, attrs):
    """The NumPy kernel bound to these arrays, and where it writes."""
    specs = [Spec(a.shape, a.dtype.name, tuple(a.tolist()) if a.dtype.kind == "i" else None) for a in arrays]
    out = np.full(op.define(np, *arrays, **attrs).shape, np.nan)
    return op.kernels["numpy"](*specs, **attrs).bind(out, *arrays), out


def held(op, arrays, attrs):
    """Hold the NumPy kernel against the definition, on its first run and on its second."""
    run, out = prepared(op, arrays, attrs)
    for _ in range(2):
        run()
        assert_allclose(out, op.define(np, *arrays, **attrs), rtol=1e-12, atol=1e-12)


def test_a_run_allocates_nothing():
    attrs = {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"}
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 16))
    y = max_pool.define(np, x, **attrs)
    shape = np.array(x.shape)
    uses = [(max_pool, [x]), (max_pool_grad, [y, x, y]), (average_pool, [x]), (average_pool_grad, [y, shape])]
    runs = [prepared(op, arrays, attrs)[0] for op, arrays in uses]
    for run in runs:
        run()
    tracemalloc.start()
    try:
        for run in runs:
            run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8192  # of the half megabyte that x alone has: a few Python objects, an iterator of NumPy's


def test_second_derivatives_take_what_the_maximum_took():
    attrs = {"pool_size": (2,), "strides": (2,), "padding": "valid"}
    h, x = (np.array(row).reshape(1, 4, 1) for row in ([1.0, 2.0, 3.0, 4.0], [0.0, 5.0, 5.0, 5.0]))
    assert max_pool_at.define(np, h, x, **attrs).ravel().tolist() == [2.0, 3.0]


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"pool_mode": "min"}, "pool2d: pool_mode is 'max' or 'avg'; met 'min'"),
        ({"padding": "causal"}, "pool2d: padding is one of 'valid', 'same'; met 'causal'"),
        ({"pool_size": (2, 2, 2)}, r"pool2d: pool_size is .* a tuple of 2.*met \(2, 2, 2\)"),
        ({"strides": 0}, "pool2d: strides is a whole number above 0.*met 0"),
        ({"data_format": "rows"}, "'rows': it is neither 'channels_last' nor"),
        ({"pool_size": 9}, "spans 9 positions does not fit into spatial axis 0, which has 4"),
    ],
)
def test_what_is_wrong_is_said(arguments, told):
    with pytest.raises(ValueError, match=told):
        pool2d(Placeholder((None, 4, 6, 3)), **{"pool_size": 2, **arguments})


def test_what_is_wrong_with_volumes_is_said():
    x = Placeholder((None, 4, 4, 4, 3))
    with pytest.raises(ValueError, match="pool3d: pool_mode is 'max' or 'avg'; met 'mean'"):
        pool3d(x, 2, pool_mode="mean")
    with pytest.raises(ValueError, match="'rows': it is neither 'channels_last' nor"):
        pool3d(x, 2, data_format="rows")


def test_images_have_a_channels_axis():
    with pytest.raises(ValueError, match=r"pool2d takes images of 4 axes, met shape \(None, 4, 6\)"):
        pool2d(Placeholder((None, 4, 6)), 2)
