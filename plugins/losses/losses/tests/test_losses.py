import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import losses
from lamina.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    cosine_proximity,
    hinge,
    kullback_leibler_divergence,
    logcosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from lamina.testing import Case, classes, one_hot, parametrize_losses, probabilities, signs, uniform

EPSILON = 1e-7


def mean(x):
    return x.mean(-1)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@parametrize_losses(
    Case(mean_squared_error, reference=lambda t, p: mean((p - t) ** 2)),
    Case(mean_squared_error, shape=(3, 4), reference=lambda t, p: mean((p - t) ** 2)),
    Case(mean_absolute_error, reference=lambda t, p: mean(abs(p - t))),
    Case(mean_absolute_percentage_error, reference=lambda t, p: mean(100 * abs((p - t) / t))),
    Case(
        mean_squared_logarithmic_error,
        low=0.1,
        reference=lambda t, p: mean((np.log(p + 1) - np.log(t + 1)) ** 2),
    ),
    Case(logcosh, low=-9, high=9, reference=lambda t, p: mean(np.log(np.cosh(p - t)))),
    Case(poisson, low=0.1, reference=lambda t, p: mean(p - t * np.log(p + EPSILON))),
    Case(cosine_proximity, reference=lambda t, p: -(unit(t) * unit(p)).sum(-1)),
    Case(
        categorical_crossentropy,
        values=[one_hot, probabilities],
        reference=lambda t, p: -(t * np.log(p)).sum(-1),
    ),
    Case(
        categorical_crossentropy,
        shape=(3, 4),
        values=[probabilities, uniform(0.1, 1.0)],
        reference=lambda t, p: -(t * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
        id="categorical_crossentropy of soft targets and unscaled predictions",
    ),
    Case(
        sparse_categorical_crossentropy,
        shape=[(1,), (4,)],
        values=[classes(4), probabilities],
        reference=lambda t, p: -np.log(np.take_along_axis(p, t.astype(int), -1))[..., 0],
    ),
    Case(
        sparse_categorical_crossentropy,
        shape=[(3, 1), (3, 4)],
        values=[classes(4), probabilities],
        reference=lambda t, p: -np.log(np.take_along_axis(p, t.astype(int), -1))[..., 0],
    ),
    Case(
        binary_crossentropy,
        low=0.05,
        high=0.95,
        reference=lambda t, p: -mean(t * np.log(p) + (1 - t) * np.log(1 - p)),
    ),
    Case(
        kullback_leibler_divergence,
        values=[probabilities, probabilities],
        reference=lambda t, p: (t * np.log(t / p)).sum(-1),
    ),
    Case(hinge, values=[signs, uniform(-2, 2)], reference=lambda t, p: mean(np.maximum(1 - t * p, 0))),
    Case(
        squared_hinge,
        values=[signs, uniform(-2, 2)],
        reference=lambda t, p: mean(np.maximum(1 - t * p, 0) ** 2),
    ),
    Case(
        categorical_hinge,
        values=[one_hot, uniform(-2, 2)],
        reference=lambda t, p: np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0),
    ),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    ("names", "function"),
    [
        (("mse", "MSE"), mean_squared_error),
        (("mae", "MAE"), mean_absolute_error),
        (("mape", "MAPE"), mean_absolute_percentage_error),
        (("msle", "MSLE"), mean_squared_logarithmic_error),
        (("kld", "KLD"), kullback_leibler_divergence),
        (("cosine",), cosine_proximity),
    ],
)
def test_short_names_are_the_functions(names, function):
    for name in names:
        assert losses.get(name) is function
        assert getattr(losses, name) is function
    assert losses.serialize(function) == function.__name__


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="Unknown loss function"):
        losses.get("mean_squared_err")


def test_logcosh_is_finite_far_out():
    # log(cosh(1000)) = 1000 - log(2).
    assert_allclose(
        K.eval(logcosh(K.constant([[0.0]]), K.constant([[1000.0]]))), [1000 - np.log(2)], rtol=1e-6
    )


def test_a_probability_of_zero_costs_minus_log_epsilon():
    true, wrong = K.constant([[1.0, 0.0]]), K.constant([[0.0, 1.0]])
    assert_allclose(K.eval(categorical_crossentropy(true, wrong)), [-np.log(EPSILON)], rtol=1e-5)
    # Near 1, float32 knows 1 - epsilon only as 1 - 2^-23, so one of the two terms is -log(2^-23).
    expected = (-np.log(EPSILON) - np.log(2.0**-23)) / 2
    assert_allclose(K.eval(binary_crossentropy(true, wrong)), [expected], rtol=1e-5)


def test_epsilon_is_read_when_the_loss_is_made():
    before = K.epsilon()
    try:
        K.set_epsilon(1e-3)
        found = K.eval(categorical_crossentropy(K.constant([[1.0, 0.0]]), K.constant([[0.0, 1.0]])))
    finally:
        K.set_epsilon(before)
    assert_allclose(found, [-np.log(1e-3)], rtol=1e-5)


def test_a_percentage_of_zero_counts_from_epsilon():
    found = K.eval(mean_absolute_percentage_error(K.constant([[0.0]]), K.constant([[1.0]])))
    assert_allclose(found, [100 / EPSILON], rtol=1e-6)


def test_a_margin_that_is_just_met_pulls_no_further():
    scores = K.variable([[-1.0, 0.0, -2.0]])
    loss = categorical_hinge(K.constant([[0.0, 1.0, 0.0]]), scores)
    (slope,) = K.gradients(loss, [scores])
    assert K.eval(loss) == 1 and K.eval(slope).tolist() == [
        [0, -1, 0]
    ]  # the best wrong score is a true one's 0
    K.set_value(scores, [[-1.0, 1.0, -2.0]])
    assert K.eval(loss) == 0 and not K.eval(slope).any()
