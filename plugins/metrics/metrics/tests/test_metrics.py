import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import losses, metrics
from lamina.metrics import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from lamina.testing import Case, classes, one_hot, parametrize_metrics, probabilities, uniform


def top(k, t, p):
    return np.mean([t[i] in np.argsort(p[i])[-k:] for i in range(len(p))])


@parametrize_metrics(
    Case(
        binary_accuracy,
        values=[classes(2), uniform(0, 1)],
        reference=lambda t, p: (t == np.round(p)).mean(-1),
    ),
    Case(
        categorical_accuracy,
        values=[one_hot, probabilities],
        reference=lambda t, p: (t.argmax(-1) == p.argmax(-1)).astype(float),
    ),
    Case(
        categorical_accuracy,
        shape=(3, 4),
        values=[one_hot, probabilities],
        reference=lambda t, p: (t.argmax(-1) == p.argmax(-1)).astype(float),
    ),
    Case(
        sparse_categorical_accuracy,
        shape=[(1,), (4,)],
        values=[classes(4), probabilities],
        reference=lambda t, p: (t[..., 0] == p.argmax(-1)).astype(float),
    ),
    Case(
        sparse_categorical_accuracy,
        shape=[(3,), (3, 4)],
        values=[classes(4), probabilities],
        reference=lambda t, p: (t == p.argmax(-1)).astype(float),
    ),
    Case(
        top_k_categorical_accuracy,
        shape=(8,),
        values=[one_hot, probabilities],
        reference=lambda t, p: top(5, t.argmax(-1), p),
    ),
    Case(
        sparse_top_k_categorical_accuracy,
        shape=[(1,), (8,)],
        values=[classes(8), probabilities],
        reference=lambda t, p: top(5, t[:, 0], p),
    ),
)
def test_conforms(case, check):
    check(case)


def test_exactly_one_half_is_a_no():
    found = K.eval(binary_accuracy(K.constant([[0.0], [1.0]]), K.constant([[0.5], [0.5]])))
    assert_allclose(found, [1.0, 0.0])


def test_k_widens_the_choice():
    true, scores = (
        K.constant([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
        K.constant([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]]),
    )
    for k, share in ((1, 0.0), (2, 0.5), (3, 1.0)):
        assert K.eval(top_k_categorical_accuracy(true, scores, k=k)) == share
        assert K.eval(sparse_top_k_categorical_accuracy(K.constant([[1], [0]]), scores, k=k)) == share


def test_labels_may_be_integers():
    scores = K.constant([[0.1, 0.9], [0.8, 0.2]])
    assert_allclose(K.eval(sparse_categorical_accuracy(K.constant([[1], [1]], "int32"), scores)), [1.0, 0.0])


@pytest.mark.parametrize(
    "name",
    [
        "binary_crossentropy", "categorical_crossentropy", "cosine", "hinge", "kullback_leibler_divergence",
        "logcosh", "mae", "MAE", "mape", "MAPE", "mse", "MSE", "msle", "MSLE", "poisson",
        "sparse_categorical_crossentropy", "squared_hinge",
    ],
)  # fmt: skip
def test_losses_are_metrics_too(name):
    assert metrics.get(name) is losses.get(name)
    assert metrics.serialize(metrics.get(name)) == losses.get(name).__name__
