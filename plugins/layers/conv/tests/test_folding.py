"""A normalization after a convolution is worked into its kernel and bias where nothing changes the weights."""

import numpy as np
import pytest

from lamina import backend as K
from lamina.function import Function
from lamina.plan.executor import Options


def normalized(bias):
    """A convolution of 12 x 12 images of 3 channels with 4 filters, a normalization, and its variables."""
    rng = np.random.default_rng(0)
    vectors = [K.variable(rng.uniform(0.5, 2, 4), dtype="float64") for _ in range(5)]
    kernel = K.variable(rng.normal(size=(3, 3, 3, 4)), dtype="float64")
    images = K.placeholder((None, 12, 12, 3), dtype="float64")
    made = K.conv2d(images, kernel)
    if bias:
        made = K.bias_add(made, vectors[4])
    mean, variance, beta, gamma = vectors[:4]
    outputs = K.relu(K.batch_normalization(made, mean, variance, beta, gamma))
    return Function([images], [outputs]), made, images, [kernel, *vectors]


@pytest.mark.parametrize("bias", [False, True])
def test_what_is_folded_computes_the_same(bias, monkeypatch):
    function, _, _, variables = normalized(bias)
    x = np.random.default_rng(1).normal(size=(2, 12, 12, 3))
    monkeypatch.setattr(Options, "still", False)
    plain, _, _, _ = normalized(bias)
    (wanted,) = plain([x])
    monkeypatch.setattr(Options, "still", True)
    np.testing.assert_allclose(function([x])[0], wanted, rtol=1e-12, atol=1e-12)
    steps = function.explain([x.shape]).splitlines()
    assert steps[-1].split()[1] == "add+relu", "one sum and no product is left for each output"
    for variable in variables:  # the numbers follow the weights
        K.set_value(variable, K.get_value(variable) * 1.5)
    rescaled = function([x])[0]
    monkeypatch.setattr(Options, "still", False)
    again, _, _, others = normalized(bias)
    for variable, other in zip(variables, others, strict=True):
        K.set_value(other, K.get_value(variable))
    np.testing.assert_allclose(rescaled, again([x])[0], rtol=1e-12, atol=1e-12)


def test_what_is_read_elsewhere_is_not_folded_away():
    _, made, images, variables = normalized(True)
    mean, variance, beta, gamma = variables[1:5]
    outputs = K.batch_normalization(made, mean, variance, beta, gamma)
    x = np.random.default_rng(1).normal(size=(2, 12, 12, 3))
    both = Function([images], [made, outputs])([x])
    scale = K.get_value(gamma) / np.sqrt(K.get_value(variance) + 1e-3)
    wanted = (both[0] - K.get_value(mean)) * scale + K.get_value(beta)
    np.testing.assert_allclose(both[1], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 4), (1, 1, 1, 4), (4,), (1,), ()])
@pytest.mark.parametrize("filters", [1, 4])
def test_a_scale_of_any_shape_gives_the_shape_and_numbers_it_gives_unfolded(shape, filters, monkeypatch):
    rng = np.random.default_rng(0)
    kernel = K.variable(rng.normal(size=(3, 3, 3, filters)), dtype="float64")
    scale = K.variable(rng.uniform(0.5, 2, shape), dtype="float64")
    images = K.placeholder((None, 12, 12, 3), dtype="float64")
    outputs = K.conv2d(images, kernel) * scale
    x = rng.normal(size=(2, 12, 12, 3))
    (found,) = Function([images], [outputs])([x])
    monkeypatch.setattr(Options, "still", False)
    (wanted,) = Function([images], [outputs])([x])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
