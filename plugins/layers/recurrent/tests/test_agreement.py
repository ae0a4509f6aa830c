"""However a sequence is gone through, whole, step by step or written out, the numbers are the same: for settings drawn
at random, with masks, initial states, constants, and states kept."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import config
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    CuDNNGRU,
    CuDNNLSTM,
    GRUCell,
    Input,
    LSTMCell,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
)
from lamina.models import Model
from lamina.testing import predict

CELLS = {LSTM: LSTMCell, GRU: GRUCell, SimpleRNN: SimpleRNNCell}
ROOM = {"rtol": 1e-8, "atol": 1e-10}  # sums of a few dozen terms in float64, in another order


@pytest.fixture
def float64():
    before = config.floatx()
    config.set_floatx("float64")
    yield
    config.set_floatx(before)


def some(rng, *choices):
    return choices[rng.integers(len(choices))]


def drawn(rng):
    """A layer, the arguments of its cell, and those of the layer."""
    layer = some(rng, *CELLS)
    cell = {
        "units": int(rng.integers(1, 5)),
        "use_bias": some(rng, True, True, False),
        "activation": some(rng, "tanh", "relu", "linear", "softsign"),
    }
    if layer is not SimpleRNN:
        cell["implementation"] = some(rng, 1, 2)
        cell["recurrent_activation"] = some(rng, "hard_sigmoid", "sigmoid", "relu")
    if layer is GRU:
        cell["reset_after"] = some(rng, True, False)
    flags = ("return_sequences", "return_state", "go_backwards", "stateful")
    return layer, cell, {flag: some(rng, True, False) for flag in flags}


def listed(found):
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("seed", range(16))
def test_every_way_through_a_sequence_agrees(seed, float64):
    rng = np.random.default_rng(seed)
    layer, arguments, flags = drawn(rng)
    batch, steps, width = some(rng, 1, 3), some(rng, 2, 5), some(rng, 1, 3)
    masked, begun = some(rng, True, False), some(rng, True, False)
    sizes = [arguments["units"]] * (2 if layer is LSTM else 1)
    first, second = rng.normal(size=(2, batch, steps, width))
    if masked:
        first[rng.random((batch, steps)) < 0.5] = 0
        first[0] = 0
    start = [rng.normal(size=(batch, size)) for size in sizes] if begun else []

    def numbers(made):
        """Outputs of two batches, one after the other, and the gradients for the first."""
        x = Input(batch_shape=(batch, steps, width))
        states = [Input(batch_shape=(batch, size)) for size in sizes] if begun else []
        inner = Masking()(x) if masked else x
        outputs = listed(made(inner, initial_state=states) if begun else made(inner))
        made.set_weights(weights or made.get_weights())
        weights[:] = made.get_weights()
        model = Model([x, *states], outputs)
        found = [
            array for batch_ in (first, second) for array in listed(model.predict([batch_, *start], batch))
        ]
        if flags["stateful"]:
            made.reset_states()
        loss = sum(K.sum(K.sin(output)) * (1 + at) for at, output in enumerate(outputs))
        slopes = K.gradients(loss, [x, *states, *made.trainable_weights])
        return found + K.function([x, *states], slopes)([first, *start])

    weights = []
    whole = numbers(layer(**arguments, **flags))
    for unroll in (False, True):
        for made in (
            RNN(CELLS[layer](**arguments), unroll=unroll, **flags),
            layer(**arguments, unroll=unroll, **flags),
        ):
            for met, expected in zip(numbers(made), whole, strict=True):
                assert_allclose(met, expected, **ROOM)
    assert all(np.isfinite(array).all() for array in whole)


# ---- what there is nothing of

EVERY = {
    "LSTM": lambda **k: LSTM(3, **k),
    "GRU": lambda **k: GRU(3, **k),
    "GRU, reset after": lambda **k: GRU(3, reset_after=True, **k),
    "SimpleRNN": lambda **k: SimpleRNN(3, **k),
    "LSTM of relu": lambda **k: LSTM(3, activation="relu", **k),
    "LSTM with dropout": lambda **k: LSTM(3, dropout=0.5, recurrent_dropout=0.5, **k),
    "LSTM written out": lambda **k: LSTM(3, unroll=True, **k),
    "RNN of two cells": lambda **k: RNN([LSTMCell(2), GRUCell(3)], **k),
}


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_sequence_of_padding_gives_zeros_and_teaches_nothing(make, backwards):
    x = Input((4, 2))
    layer = make(return_state=True, go_backwards=backwards)
    outputs = layer(Masking()(x))
    model = Model(x, outputs)
    for array in model.predict(np.zeros((2, 4, 2))):
        assert_array_equal(array, np.zeros_like(array))
    slopes = K.gradients(K.sum(K.square(outputs[0] - 1)), layer.trainable_weights)
    for slope in K.function([x, K.learning_phase()], slopes)([np.zeros((2, 4, 2)), 1]):
        assert_array_equal(slope, np.zeros_like(slope))


@pytest.mark.parametrize("make", [*EVERY.values(), lambda: CuDNNLSTM(3), lambda: CuDNNGRU(3)])
def test_inputs_of_no_features_are_inputs(make):
    layer = make()
    assert predict(layer, np.zeros((2, 4, 0))).shape == (2, 3)
    x = Input((4, 0))
    slopes = K.function([x], K.gradients(K.sum(make()(x)), [x]))([np.zeros((2, 4, 0))])
    assert slopes[0].shape == (2, 4, 0)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
@pytest.mark.parametrize("make", [*EVERY.values(), lambda: CuDNNLSTM(3), lambda: CuDNNGRU(3)])
def test_whole_numbers_are_numbers(make, dtype):
    array = np.random.default_rng(0).integers(0, 3, (2, 4, 2)).astype(dtype)
    layer, twin = make(), make()
    expected = predict(layer, array.astype("float32"))
    whole = Input((4, 2), dtype=dtype)
    y = twin(whole)
    twin.set_weights(layer.get_weights())
    assert_allclose(Model(whole, y).predict(array), expected, rtol=1e-5, atol=1e-6)
    assert all(slope is not None for slope in K.gradients(K.sum(y), twin.trainable_weights))
