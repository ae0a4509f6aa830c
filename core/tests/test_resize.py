"""Enlarging by interpolation: the points by hand, the gradient, and the kernels against the definitions."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.ops.resize import interpolate, interpolate_grad
from lamina.tensor import Constant, Placeholder, Spec
from lamina.testing import Case, parametrize_ops


@parametrize_ops(
    Case(interpolate, {"factor": 3, "axis": 1}, shape=(None, 3, 2)),
    Case(interpolate, {"factor": 2, "axis": -1}, shape=(2, None)),
    Case(interpolate_grad, {"factor": 2, "axis": 1}, shape=(None, 6, 2)),
)
def test_conforms(case, check):
    check(case)


def test_points_lie_on_the_lines_between_neighbours():
    x = Constant([[0.0, 3.0, -3.0]])
    assert K.eval(interpolate(x, factor=3, axis=1)).tolist() == [[0, 1, 2, 3, 1, -1, -3, -3, -3]]


def test_each_point_gives_to_its_two_neighbours():
    g = Constant([[1.0, 4.0, 8.0, 16.0]])
    assert K.eval(interpolate_grad(g, factor=2, axis=1)).tolist() == [[3.0, 26.0]]


def prepared(op, x, **attrs):
    expected = op.define(np, x, **attrs)
    out = np.full(expected.shape, np.nan, x.dtype)
    return op.kernels["numpy"](Spec(x.shape, x.dtype.name), **attrs).bind(out, x), out, expected


@pytest.mark.parametrize("backwards", [True, False])
@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 6, 3), 1), ((2, 6, 3), 0), ((4, 1), 0), ((3, 6), -1), ((0, 6), 1)]
)
@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("op", [interpolate, interpolate_grad])
def test_kernels_compute_what_the_definitions_say(op, factor, shape, axis, backwards):
    x = np.random.default_rng(0).standard_normal(shape)
    x = np.ascontiguousarray(x.T).T if backwards else x
    run, out, expected = prepared(op, x, factor=factor, axis=axis)
    for _ in range(2):
        run()
        assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_a_run_allocates_nothing():
    x = np.ones((4, 32, 32, 16))
    runs = [prepared(op, x, factor=2, axis=2)[0] for op in (interpolate, interpolate_grad)]
    for run in runs:
        run()
    tracemalloc.start()
    try:
        for run in runs:
            run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4096  # of the half megabyte that x alone has: a few Python objects


def test_whole_numbers_have_points_between_them():
    images = Placeholder((1, 1, 2, 1), "int32")
    y = K.resize_images(images, 1, 2, "channels_last", interpolation="bilinear")
    assert (y.dtype, y.shape) == ("float32", (1, 1, 4, 1))
