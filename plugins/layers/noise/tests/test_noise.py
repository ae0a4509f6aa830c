import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import AlphaDropout, GaussianDropout, GaussianNoise, Input
from lamina.testing import Case, parametrize_layers


@parametrize_layers(
    Case(GaussianNoise, {"stddev": 0.5}, shape=(3, 4), reference=lambda x: x),
    Case(GaussianNoise, {"stddev": 0}, shape=(4,), reference=lambda x: x),
    Case(GaussianDropout, {"rate": 0.3}, shape=(3, 4), reference=lambda x: x),
    Case(GaussianDropout, {"rate": 1}, shape=(4,), reference=lambda x: x),
    Case(AlphaDropout, {"rate": 0.3}, shape=(3, 4), reference=lambda x: x),
    Case(AlphaDropout, {"rate": 0.3, "noise_shape": (None, 1, None), "seed": 3}, shape=(3, 4)),
)
def test_conforms(case, check):
    check(case)


def in_training(layer, array):
    x = Input(array.shape[1:])
    return K.function([x, K.learning_phase()], [layer(x)])([array, 1])[0]


# 100,000 draws: the mean of standard normal ones is within 5 / sqrt(1e5) = 0.016 of 0 but once in two million.
ONES = np.ones((1000, 100))


def test_gaussian_noise_has_its_standard_deviation():
    found = in_training(GaussianNoise(0.5), ONES)
    assert abs(found.mean() - 1) < 0.008
    assert abs(found.std() - 0.5) < 0.008


def test_gaussian_dropout_has_the_variance_of_dropout():
    found = in_training(GaussianDropout(0.2), ONES)
    assert abs(found.mean() - 1) < 0.008
    assert abs(found.std() - 0.5) < 0.008


def test_alpha_dropout_keeps_mean_and_variance():
    array = np.random.default_rng(0).normal(size=(1000, 100))
    found = in_training(AlphaDropout(0.3, seed=1), array)
    assert abs(found.mean()) < 0.03
    assert abs(found.std() - 1) < 0.03


def test_alpha_dropout_shares_the_draw_along_axes_of_size_1():
    found = in_training(AlphaDropout(0.5, noise_shape=(None, 1), seed=1), np.ones((50, 8)))
    assert_array_equal(found, np.repeat(found[:, :1], 8, axis=1))
    assert len(np.unique(found)) == 2


@pytest.mark.parametrize("layer", [GaussianDropout(0), GaussianDropout(1), AlphaDropout(0), AlphaDropout(1)])
def test_the_ends_of_the_range_leave_the_inputs_alone(layer):
    assert_allclose(in_training(layer, np.ones((2, 3))), 1)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: GaussianNoise(-1, name="n"),
            ValueError,
            "n: stddev is a standard deviation, at least 0; met -1",
        ),
        (lambda: GaussianNoise(None, name="n"), TypeError, "n: stddev .* met None"),
        (
            lambda: GaussianDropout(1.5, name="n"),
            ValueError,
            "n: rate is a fraction, at least 0 and at most 1",
        ),
        (lambda: GaussianDropout("half", name="n"), TypeError, "n: rate .* met 'half'"),
        (lambda: AlphaDropout(np.nan, name="n"), ValueError, "n: rate .* met nan"),
        (
            lambda: AlphaDropout(0.5, noise_shape=(1,), name="n")(Input((3, 4))),
            ValueError,
            r"n: noise_shape=\(1,\) needs one size for each of the 3 axes",
        ),
    ],
)
def test_impossible_amounts_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()
