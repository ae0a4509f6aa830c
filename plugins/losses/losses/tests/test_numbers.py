"""The numbers of an independent implementation, which make_vectors.py wrote, also under sample weights."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.layers import Activation, Input
from lamina.models import Model
from lamina.testing import parametrize_vectors
from lamina.testing.graph import fresh
from lamina.testing.vectors import vectors

HOME = Path(__file__).with_name("vectors.npz")
WEIGHTS = np.array([2.0, 0.0, 0.5, 1.0])


@parametrize_vectors(HOME)
def test_numbers_are_those_of_tf_keras(vector, check):
    check(vector)


@pytest.mark.parametrize("vector", vectors(HOME), ids=str)
def test_sample_weights_count_as_in_keras_2(vector):
    """A weight of zero leaves its sample out: the mean is over the others, where tf_keras's is over all samples."""
    losses, slopes = vector.arrays["y0"], vector.arrays["gx1"] / vector.arrays["c0"][..., None]
    shares = WEIGHTS / np.count_nonzero(WEIGHTS)
    with fresh("float64"):
        predictions = Input(vector.arrays["x1"].shape[1:])
        model = Model(predictions, Activation("linear")(predictions))
        model.compile("sgd", vector.name)
        true, predicted = vector.series("x")
        met = model.test_on_batch(predicted, true, sample_weight=WEIGHTS)
        places = [*model.inputs, *model.targets, *model.sample_weights]
        f = K.function(places, K.gradients(model.total_loss, model.inputs))
        (slope,) = f([predicted, true, WEIGHTS])
    assert_allclose(met, np.sum(shares * losses.reshape(4, -1).mean(1)), rtol=1e-9)
    by_sample = shares.reshape(4, *[1] * (slopes.ndim - 1)) / losses[0].size
    assert_allclose(slope, by_sample * slopes, rtol=1e-9, atol=1e-9)
