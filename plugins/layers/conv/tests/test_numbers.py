"""The layers of this plugin against the numbers of tf_keras, forward and backward, in both data formats."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import layers
from lamina.function import Function
from lamina.gradient import gradients
from lamina.tensor import Placeholder

VECTORS = np.load(Path(__file__).with_name("layer_vectors.npz"))
CASES = json.loads(str(VECTORS["cases"]))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("number", range(len(CASES)))
def test_numbers_are_those_of_tf_keras(number, dtype, tolerance, data_format):
    name, arguments, _ = CASES[number]
    first = data_format == "channels_first"
    if first and arguments.get("padding") == "causal":
        pytest.skip("causal is for channels_last")
    stored = {
        key.split("/")[1]: VECTORS[key].astype(dtype) for key in VECTORS if key.startswith(f"{number}/")
    }
    images = [np.moveaxis(stored[key], -1, 1) if first else stored[key] for key in ("x", "g", "y", "to_x")]
    x, g, y, to_x = images
    before = K.floatx()
    K.set_floatx(dtype)
    try:
        layer = getattr(layers, name)(**arguments, data_format=data_format)
        place, cotangent = Placeholder(x.shape, dtype), Placeholder(g.shape, dtype)
        output = layer(place)
        weights = len(layer.weights)
        layer.set_weights([stored[f"w{i}"] for i in range(weights)])
        found = gradients(K.sum(output * cotangent), [place, *layer.weights])
        met = Function([place, cotangent], [output, *found])([x, g])
    finally:
        K.set_floatx(before)
    expected = [y, to_x, *[stored[f"to_w{i}"] for i in range(weights)]]
    for array, want in zip(met, expected, strict=True):
        assert array.dtype == dtype
        assert_allclose(array, want, rtol=tolerance, atol=tolerance * np.abs(want).max())
