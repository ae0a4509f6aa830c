import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import initializers
from lamina.initializers import (
    Constant,
    Identity,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
from lamina.testing import Case, parametrize_initializers

N = 200 * 300
SCALED = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform")


@parametrize_initializers(
    Case(Constant, {"value": 0.3}, shape=(3, 4)),
    Case(Identity, {"gain": 2.0}, shape=(3, 3)),
    Case(Ones, shape=(3, 4)),
    Case(Orthogonal, shape=(3, 4)),
    Case(Orthogonal, {"gain": 2.0}, shape=(2, 3, 4)),
    Case(RandomNormal, shape=(3, 4)),
    Case(RandomUniform, {"minval": 1.0, "maxval": 2.0}, shape=(3,)),
    Case(TruncatedNormal, shape=(3, 4)),
    Case(VarianceScaling, shape=(3, 4)),
    Case(VarianceScaling, {"mode": "fan_out", "distribution": "uniform"}, shape=(3, 3, 4, 5)),
    Case(Zeros, shape=(3, 4)),
    Case(Zeros, shape=()),
    *[Case(getattr(initializers, name), shape=(3, 4)) for name in SCALED],
)
def test_conforms(case, check):
    check(case)


def values(initializer, *shape):
    return K.eval(initializer(shape))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("zero", Zeros), ("zeros", Zeros), ("one", Ones), ("ones", Ones), ("constant", Constant),
        ("uniform", RandomUniform), ("random_uniform", RandomUniform), ("normal", RandomNormal),
        ("random_normal", RandomNormal), ("truncated_normal", TruncatedNormal), ("identity", Identity),
        ("orthogonal", Orthogonal), ("VarianceScaling", VarianceScaling),
    ],
)  # fmt: skip
def test_names_in_lower_case_are_the_classes(name, cls):
    assert isinstance(initializers.get(name), cls)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("glorot_normal", {"scale": 1.0, "mode": "fan_avg", "distribution": "normal", "seed": None}),
        ("glorot_uniform", {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}),
        ("he_normal", {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": None}),
        ("he_uniform", {"scale": 2.0, "mode": "fan_in", "distribution": "uniform", "seed": None}),
        ("lecun_normal", {"scale": 1.0, "mode": "fan_in", "distribution": "normal", "seed": None}),
        ("lecun_uniform", {"scale": 1.0, "mode": "fan_in", "distribution": "uniform", "seed": None}),
    ],
)
def test_the_scaled_ones_are_written_as_keras_writes_them(name, config):
    found = initializers.serialize(initializers.get(name))
    assert found == {"class_name": "VarianceScaling", "config": config}
    assert list(found["config"]) == list(config)


def normal(x):
    """The share of standard normal draws below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def cut(x):
    """The share of standard normal draws below x, of those within two standard deviations."""
    return (normal(min(max(x, -2), 2)) - normal(-2)) / (normal(2) - normal(-2))


def even(x):
    """The share of draws from -1 to 1 below x."""
    return (min(max(x, -1), 1) + 1) / 2


@pytest.mark.parametrize(
    ("initializer", "share", "centre", "scale"),
    [
        (RandomNormal(), normal, 0, 0.05),
        (RandomNormal(3.0, 2.0), normal, 3, 2),
        (RandomUniform(), even, 0, 0.05),
        (RandomUniform(1.0, 5.0), even, 3, 2),
        (TruncatedNormal(), cut, 0, 0.05),
        (TruncatedNormal(3.0, 2.0), cut, 3, 2),
        (initializers.glorot_normal(), cut, 0, np.sqrt(2 / 500)),
        (initializers.glorot_uniform(), even, 0, np.sqrt(6 / 500)),
        (initializers.he_normal(), cut, 0, np.sqrt(2 / 200)),
        (initializers.he_uniform(), even, 0, np.sqrt(6 / 200)),
        (initializers.lecun_normal(), cut, 0, np.sqrt(1 / 200)),
        (initializers.lecun_uniform(), even, 0, np.sqrt(3 / 200)),
    ],
)
def test_draws_are_distributed_as_they_are_called(initializer, share, centre, scale):
    np.random.seed(1)
    draws = values(initializer, 200, 300)
    for x in (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0):
        # Of N draws, to five standard errors of a share, which is at most sqrt(0.25 / N).
        assert abs((draws < centre + scale * x).mean() - share(x)) <= 2.5 / np.sqrt(N), x


@pytest.mark.parametrize("mode, n", [("fan_in", 200), ("fan_out", 300), ("fan_avg", 250)])
def test_uniform_draws_fill_their_range(mode, n):
    limit = np.sqrt(3 * 2 / n)
    draws = values(VarianceScaling(2.0, mode, "uniform", seed=1), 200, 300)
    assert abs(draws).max() <= limit
    # Mean and variance of N draws, to five standard errors.
    assert abs(draws.mean()) < 5 * limit / np.sqrt(3 * N)
    assert_allclose(draws.var(), 2 / n, rtol=5 / np.sqrt(N))


def test_normal_draws_have_the_stddev_before_the_tails_are_cut():
    draws = values(VarianceScaling(1.0, "fan_in", "normal", seed=1), 200, 300)
    stddev = np.sqrt(1 / 200)
    assert abs(draws).max() <= 2 * stddev
    # A normal cut at two standard deviations keeps 0.87962566 of its own.
    assert_allclose(draws.std(), 0.87962566 * stddev, rtol=5 / np.sqrt(N))


def test_a_convolution_counts_its_positions():
    # 3 * 3 positions of 4 channels in and 5 out: limit = sqrt(3 / ((36 + 45) / 2)).
    draws = values(initializers.glorot_uniform(seed=3), 3, 3, 4, 5)
    limit = np.sqrt(3 / 40.5)
    assert 0.9 * limit < abs(draws).max() <= limit


def test_other_shapes_count_the_root_of_their_size():
    draws = values(VarianceScaling(1.0, "fan_in", "uniform", seed=3), 10000)
    limit = np.sqrt(3 / 100)
    assert 0.99 * limit < abs(draws).max() <= limit


def test_an_empty_axis_counts_as_one():
    assert values(initializers.he_normal(), 0, 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scale": 0.0}, "scale"),
        ({"mode": "fan_middle"}, "fan_middle"),
        ({"distribution": "cauchy"}, "cauchy"),
    ],
)
def test_a_wrong_argument_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        VarianceScaling(**arguments)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 3, 4, 10)])
def test_orthogonal_columns_or_rows_are_orthonormal(shape):
    q = values(Orthogonal(gain=2.0, seed=0), *shape).reshape(-1, shape[-1])
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_orthogonal_needs_a_matrix():
    with pytest.raises(ValueError, match="two or more axes"):
        Orthogonal()((3,))


def test_identity_is_square():
    assert_array_equal(values(Identity(3.0), 2, 2), [[3, 0], [0, 3]])
    for shape in ((2, 3), (2, 2, 2)):
        with pytest.raises(ValueError, match="2D square"):
            Identity()(shape)


def test_a_constant_may_be_an_array():
    assert_array_equal(values(Constant([[1, 2], [3, 4]]), 2, 2), [[1, 2], [3, 4]])


def test_random_draws_follow_np_random():
    np.random.seed(5)
    first = values(RandomNormal(), 4), values(RandomNormal(), 4)
    np.random.seed(5)
    again = values(RandomNormal(), 4), values(RandomNormal(), 4)
    assert_array_equal(first, again)
    assert not np.array_equal(*first)
