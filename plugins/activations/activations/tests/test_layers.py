import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina.constraints import NonNeg
from lamina.initializers import Constant
from lamina.layers import ELU, Input, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(ELU, {"alpha": 0.7}, shape=(5,), reference=lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    Case(LeakyReLU, shape=(3, 5), reference=lambda x: np.where(x > 0, x, 0.3 * x)),
    Case(LeakyReLU, {"alpha": 0.0}, shape=(5,), reference=lambda x: np.maximum(x, 0)),
    Case(PReLU, shape=(5,), reference=lambda x, alpha: np.where(x > 0, x, alpha * x)),
    Case(PReLU, {"shared_axes": [1, 2]}, shape=(4, 4, 3)),
    Case(PReLU, {"shared_axes": 1, "alpha_regularizer": "l2"}, shape=(None, 3)),
    Case(PReLU, {"alpha_initializer": "ones", "alpha_constraint": "non_neg"}, shape=(2, 3)),
    Case(ReLU, shape=(5,), reference=lambda x: np.maximum(x, 0)),
    Case(
        ReLU,
        {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2},
        shape=(3, 5),
        reference=lambda x: np.where(x >= 0.5, 0.5, np.where(x > 0.2, x, 0.1 * (x - 0.2))),
    ),
    Case(Softmax, shape=(5,)),
    Case(Softmax, {"axis": 1}, shape=(3, 5)),
    Case(ThresholdedReLU, {"theta": 0.5}, shape=(3, 5), reference=lambda x: np.where(x > 0.5, x, 0)),
)
def test_conforms(case, check):
    check(case)


def test_negative_inputs_are_scaled_by_alpha():
    layer = PReLU(alpha_initializer=Constant(0.25))
    assert_allclose(predict(layer, [[-4.0, 0.0, 2.0]]), [[-1.0, 0.0, 2.0]])


def test_alpha_is_shared_along_shared_axes():
    layer = PReLU(shared_axes=[1, 2], alpha_constraint="non_neg")
    layer(Input((4, 4, 3)))
    assert layer.alpha.shape == (1, 1, 3)
    assert isinstance(layer.alpha.constraint, NonNeg)


def test_an_unknown_axis_names_the_remedy():
    with pytest.raises(ValueError, match="axis 1 of .* add it to shared_axes"):
        PReLU()(Input((None, 3)))


def test_the_threshold_itself_gives_zero():
    assert_allclose(predict(ThresholdedReLU(1.0), [[1.0, 1.5]]), [[0.0, 1.5]])


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.7])
@pytest.mark.parametrize("max_value", [None, 0.0, 0.6, 2.0])
@pytest.mark.parametrize("negative_slope", [0.0, 0.3, 2.0])
def test_the_ceiling_comes_before_the_threshold(max_value, negative_slope, threshold):
    x = np.array([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]])
    expected = np.where(x > threshold, x, negative_slope * (x - threshold))
    if max_value is not None:
        expected = np.where(x >= max_value, max_value, expected)
    assert_allclose(predict(ReLU(max_value, negative_slope, threshold), x), expected, rtol=1e-6)


@pytest.mark.parametrize("slope", [-0.5, 0.0, 1.0, 2.0])
def test_any_slope_will_do(slope):
    x = np.array([[-3.0, -0.5, 0.0, 2.0]])
    assert_allclose(predict(LeakyReLU(slope), x), np.where(x > 0, x, slope * x))
    assert_allclose(predict(ELU(slope), x), np.where(x > 0, x, slope * np.expm1(x)))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
@pytest.mark.parametrize(
    "make",
    [
        ELU,
        LeakyReLU,
        lambda: PReLU(alpha_initializer=Constant(0.25)),
        lambda: ReLU(0.7, 0.1, 0.2),
        Softmax,
        lambda: ThresholdedReLU(0.5),
    ],
)
def test_whole_numbers_are_numbers(make, dtype):
    x = np.array([[0, 1, 2]]).astype(dtype)
    assert_allclose(predict(make(), x), predict(make(), x.astype("float32")), rtol=1e-6)


def test_a_softmax_of_no_steps_has_no_steps():
    assert predict(Softmax(axis=1), np.zeros((2, 0, 3))).shape == (2, 0, 3)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: ReLU(max_value=-1.0, name="r"),
            ValueError,
            "r: max_value is the ceiling, at least 0; met -1.0",
        ),
        (
            lambda: ReLU(negative_slope=-1.0, name="r"),
            ValueError,
            "r: negative_slope .* at least 0; met -1.0",
        ),
        (lambda: ReLU(threshold="0", name="r"), TypeError, "r: threshold .* met '0'"),
        (
            lambda: LeakyReLU(None, name="r"),
            TypeError,
            "r: alpha is the slope of the negative part, .* met None",
        ),
        (lambda: ELU(np.nan, name="r"), ValueError, "r: alpha .* met nan"),
        (lambda: ThresholdedReLU("1", name="r"), TypeError, "r: theta is the threshold, a number; met '1'"),
        (lambda: Softmax("last", name="r"), TypeError, "r: axis .* met 'last'"),
        (lambda: Softmax(3, name="r")(Input((4,))), ValueError, "r: axis=3 is none of the 2 axes"),
        (lambda: Softmax(name="r")(Input(())), ValueError, "layer r: .*min_ndim=2, found ndim=1"),
        (lambda: PReLU(shared_axes=[3], name="r")(Input((4,))), ValueError, r"r: shared_axes=\[3\]"),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
