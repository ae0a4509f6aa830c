"""The numbers of an independent implementation: numbers.npz, which make_numbers.py wrote."""

import json
import pathlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import layers
from lamina.layers import Input
from lamina.testing.graph import fresh

with np.load(pathlib.Path(__file__).with_name("numbers.npz")) as file:
    NUMBERS = dict(file)


@pytest.mark.parametrize(("floatx", "rtol"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize(("way", "made_of"), json.loads(str(NUMBERS["ways"])).items())
def test_outputs_and_gradients_are_those_of_tf_keras(way, made_of, floatx, rtol):
    config, shape, how = made_of
    known = {
        key.removeprefix(way + "/"): array for key, array in NUMBERS.items() if key.startswith(way + "/")
    }
    with fresh(floatx):
        layer, x = layers.deserialize(config), Input(shape)
        states = [Input((3,)) for _ in range(how.get("states", 0))]
        arguments = {"initial_state": states} if states else {}
        if "m" in known:
            arguments["mask"] = K.constant(known["m"], dtype="bool")
        if how.get("training"):
            arguments["training"] = True
        made = layer(x, **arguments)
        outputs = made if isinstance(made, list) else [made]
        layer.set_weights(series(known, "w"))
        terms = [K.sum(y * K.constant(c)) for y, c in zip(outputs, series(known, "c"), strict=True)]
        wrt = [x, *states, *layer.trainable_weights]
        f = K.function([x, *states], [*outputs, *K.gradients(sum(terms[1:], terms[0]), wrt)])
        met = f([known["x"], *series(known, "s")])
    expected = [*series(known, "y"), known["gx"], *series(known, "h"), *series(known, "g")]
    for array, want in zip(met, expected, strict=True):
        assert array.dtype == floatx
        assert_allclose(array, want, rtol=rtol, atol=rtol * 10)


def series(known, letter):
    """The arrays x0, x1, ... of a letter x."""
    return [known[f"{letter}{at}"] for at in range(len(known)) if f"{letter}{at}" in known]
