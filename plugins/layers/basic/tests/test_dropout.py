import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import Dropout, Input, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from lamina.testing import Case, parametrize_layers


@parametrize_layers(
    Case(Dropout, {"rate": 0.5}, shape=(4,), reference=lambda x: x),
    Case(Dropout, {"rate": 0.25, "seed": 7}, shape=(3, 4)),
    Case(Dropout, {"rate": 0.5, "noise_shape": (None, 1, None)}, shape=(3, 4)),
    Case(Dropout, {"rate": 0}, shape=(3, 4), reference=lambda x: x),
    Case(SpatialDropout1D, {"rate": 0.5}, shape=(3, 4), reference=lambda x: x),
    Case(SpatialDropout2D, {"rate": 0.5}, shape=(3, 4, 2), reference=lambda x: x),
    Case(SpatialDropout3D, {"rate": 0.5}, shape=(3, 4, 2, 2), reference=lambda x: x),
)
def test_conforms(case, check):
    check(case)


def in_training(layer, *shape):
    """What becomes of ones in training."""
    x = Input(shape[1:])
    return K.function([x, K.learning_phase()], [layer(x)])([np.ones(shape), 1])[0]


def test_what_stays_makes_up_for_what_goes():
    found = in_training(Dropout(0.25, seed=1), 100, 100)
    assert_allclose(np.unique(found), [0, 4 / 3], rtol=1e-6)
    # 10,000 draws: five standard errors of sqrt(0.25 * 0.75 / 10000).
    assert abs((found == 0).mean() - 0.25) < 5 * 0.00433


@pytest.mark.parametrize("rate", [0, 1])
def test_the_ends_of_the_range_leave_the_inputs_alone(rate):
    assert_array_equal(in_training(Dropout(rate), 2, 3), np.ones((2, 3)))


def test_a_seed_repeats_the_draws():
    assert_array_equal(in_training(Dropout(0.5, seed=3), 5, 9), in_training(Dropout(0.5, seed=3), 5, 9))


def test_each_batch_has_draws_of_its_own():
    x = Input((50,))
    f = K.function([x, K.learning_phase()], [Dropout(0.5)(x)])
    assert not np.array_equal(f([np.ones((4, 50)), 1]), f([np.ones((4, 50)), 1]))


@pytest.mark.parametrize(
    ("layer", "shape", "shared"),
    [
        (Dropout(0.5, noise_shape=(None, 1, None)), (4, 6, 50), (1,)),
        (Dropout(0.5, noise_shape=(4, 6, 1)), (4, 6, 50), (2,)),
        (SpatialDropout1D(0.5), (4, 6, 50), (1,)),
        (SpatialDropout2D(0.5), (4, 6, 5, 50), (1, 2)),
        (SpatialDropout2D(0.5, data_format="channels_first"), (4, 50, 6, 5), (2, 3)),
        (SpatialDropout3D(0.5), (4, 6, 5, 2, 50), (1, 2, 3)),
        (SpatialDropout3D(0.5, data_format="channels_first"), (4, 50, 6, 5, 2), (2, 3, 4)),
    ],
)
def test_shared_axes_have_one_draw(layer, shape, shared):
    found = in_training(layer, *shape)
    one = found.take([0], axis=shared[0])
    for axis in shared[1:]:
        one = one.take([0], axis=axis)
    assert_array_equal(found, np.broadcast_to(one, shape))
    assert set(np.unique(one)) == {0.0, 2.0}


@pytest.mark.parametrize("layer", [Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D])
@pytest.mark.parametrize(
    ("rate", "error"),
    [
        (-0.1, ValueError),
        (1.5, ValueError),
        (float("nan"), ValueError),
        ("half", TypeError),
        (None, TypeError),
    ],
)
def test_a_rate_out_of_range_is_named(layer, rate, error):
    with pytest.raises(error, match=f"drop: rate is the fraction to drop, .* met {rate!r}"):
        layer(rate, name="drop")


@pytest.mark.parametrize("noise_shape", [(None, 1), (None, 1, 7), 3])
def test_a_noise_shape_that_does_not_fit_is_named(noise_shape):
    with pytest.raises(
        ValueError, match="drop: noise_shape=.* one size for each of the 3 axes of .*, 3, 4.*, 1, or"
    ):
        Dropout(0.5, noise_shape=noise_shape, name="drop")(Input((3, 4)))


@pytest.mark.parametrize("seed", ["1", -1, 1.5])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 on, or None"):
        Dropout(0.5, seed=seed)(Input((3, 4)))


@pytest.mark.parametrize(
    ("layer", "ndim"), [(SpatialDropout1D, 3), (SpatialDropout2D, 4), (SpatialDropout3D, 5)]
)
def test_other_axes_and_layouts_are_named(layer, ndim):
    with pytest.raises(ValueError, match=f"layer drop: expected ndim={ndim}, found ndim=2"):
        layer(0.5, name="drop")(Input((3,)))
    if ndim > 3:
        with pytest.raises(
            ValueError, match="drop: Unknown data_format 'last': it is neither 'channels_last' nor"
        ):
            layer(0.5, data_format="last", name="drop")


def test_configs_have_what_keras_reads():
    assert list(SpatialDropout1D(0.5).get_config()) == ["name", "trainable", "rate", "noise_shape", "seed"]
    assert SpatialDropout2D(0.5).get_config()["data_format"] == "channels_last"
