"""A Bidirectional is two layers and a merge, for settings drawn at random: with masks, initial states and constants,
states kept, returned, and the layers written out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import config
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    CuDNNLSTM,
    GRUCell,
    Input,
    Lambda,
    Layer,
    LSTMCell,
    Masking,
    SimpleRNN,
    add,
    average,
    concatenate,
    multiply,
)
from lamina.models import Model, model_from_json

ROOM = {"rtol": 1e-8, "atol": 1e-10}  # sums of a few dozen terms in float64, in another order


class Conditioned(Layer):
    """A plain cell, with a weight for each number of a constant if it is given one."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        shape, *constants = input_shape if isinstance(input_shape, list) else [input_shape]
        self.kernel = self.add_weight("kernel", (shape[-1], self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, self.units))
        self.shifts = [self.add_weight("shift", (each[-1], self.units)) for each in constants]
        super().build(input_shape)

    def call(self, inputs, states, constants=None):
        total = K.dot(inputs, self.kernel) + K.dot(states[0], self.recurrent_kernel)
        for constant, shift in zip(constants or (), self.shifts, strict=True):
            total += K.dot(constant, shift)
        output = K.tanh(total)
        return output, [output]


MERGES = {
    "sum": lambda both: [add(both)],
    "mul": lambda both: [multiply(both)],
    "ave": lambda both: [average(both)],
    "concat": lambda both: [concatenate(both)],
    None: lambda both: both,
}
# What makes a layer of some units, and the sizes of its states.
LAYERS = {
    "lstm": (LSTM, lambda n: [n, n]),
    "gru": (GRU, lambda n: [n]),
    "simple": (SimpleRNN, lambda n: [n]),
    "stack": (lambda n, **k: RNN([LSTMCell(n + 1), GRUCell(n)], **k), lambda n: [n, n + 1, n + 1]),
    "conditioned": (lambda n, **k: RNN(Conditioned(n), **k), lambda n: [n]),
    "cudnn": (CuDNNLSTM, lambda n: [n, n]),
}


@pytest.fixture(autouse=True)
def float64():
    before = config.floatx()
    config.set_floatx("float64")
    yield
    config.set_floatx(before)


def some(rng, *choices):
    return choices[rng.integers(len(choices))]


def listed(found):
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("seed", range(30))
def test_it_is_two_layers_and_a_merge(seed):
    rng = np.random.default_rng(seed)
    kind, mode = some(rng, *LAYERS), some(rng, *MERGES)
    make, sizes_of = LAYERS[kind]
    batch, steps, width, units = some(rng, 1, 3), some(rng, 2, 4), some(rng, 1, 3), some(rng, 1, 3)
    flags = {
        name: some(rng, True, False)
        for name in ("return_sequences", "return_state", "go_backwards", "stateful")
    }
    if kind != "cudnn":
        flags["unroll"] = some(rng, True, False, False)
    masked = kind != "cudnn" and some(rng, True, False)
    begun, conditioned = some(rng, True, False), kind == "conditioned" and some(rng, True, True, False)
    by_layers = some(
        rng, True, False
    )  # whether states and constants are inputs of the model, or tensors of our own
    first, second = rng.normal(size=(2, batch, steps, width))
    if masked:
        first[rng.random((batch, steps)) < 0.5] = 0

    sizes = sizes_of(units)
    arrays = [rng.normal(size=(batch, size)) for size in sizes * 2 * begun + [2] * conditioned]
    more = [Input(batch_shape=array.shape) if by_layers else K.variable(array) for array in arrays]
    states, constants = more[: len(sizes) * 2 * begun], more[len(sizes) * 2 * begun :]
    x = Input(batch_shape=(batch, steps, width))
    inner = Masking()(x) if masked else x

    def run(layer, states):
        given = {"initial_state": states} if begun else {}
        return listed(layer(inner, **given, **({"constants": constants} if conditioned else {})))

    layer = Bidirectional(make(units, **flags), merge_mode=mode)
    found = run(layer, states)
    weights = [rng.normal(size=weight.shape) / 2 for weight in layer.weights]
    layer.set_weights(weights)

    ahead, back = make(units, **flags), make(units, **{**flags, "go_backwards": not flags["go_backwards"]})
    (y, *ends), (z, *other_ends) = run(ahead, states[: len(sizes)]), run(back, states[len(sizes) :])
    ahead.set_weights(weights[: len(weights) // 2])
    back.set_weights(weights[len(weights) // 2 :])
    z = Lambda(lambda sequence: K.reverse(sequence, 1))(z) if flags["return_sequences"] else z
    expected = [*MERGES[mode]([y, z]), *ends, *other_ends]
    assert [K.int_shape(each) for each in found] == [K.int_shape(each) for each in expected]

    inputs, fed = [x, *more * by_layers], arrays * by_layers
    model, twin = Model(inputs, found), Model(inputs, expected)
    for data in (first, second):  # a stateful layer goes on
        met, wanted = (listed(each.predict([data, *fed], batch)) for each in (model, twin))
        for one, other in zip(met, wanted, strict=True):
            assert_allclose(one, other, **ROOM)
    if by_layers or not more:
        again = model_from_json(model.to_json(), custom_objects={"Conditioned": Conditioned})
        again.set_weights(model.get_weights())
        if flags["stateful"]:
            model.reset_states()
        for one, other in zip(
            *(listed(each.predict([first, *fed], batch)) for each in (again, model)), strict=True
        ):
            assert_allclose(one, other, **ROOM)
