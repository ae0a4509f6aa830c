"""What every layer here promises, and the configs, weights and arguments of Keras."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    CuDNNGRU,
    CuDNNLSTM,
    Dense,
    GRUCell,
    Input,
    Layer,
    LSTMCell,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from lamina.models import Model, Sequential
from lamina.optimizers import Adam
from lamina.testing import Case, parametrize_layers
from lamina.utils import CustomObjectScope

EVERYTHING = {
    "units": 3,
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "glorot_uniform",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "recurrent_regularizer": "l1",
    "bias_regularizer": "l1",
    "activity_regularizer": "l1_l2",
    "kernel_constraint": "max_norm",
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "non_neg",
}
DROPOUT = {"units": 3, "dropout": 0.4, "recurrent_dropout": 0.3}
PASSED, STOPPED = {"mask": "passed"}, {"mask": "stopped"}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(s):
    def reference(x, kernel, recurrent_kernel, bias):
        h = c = np.zeros((len(x), len(recurrent_kernel)))
        for t in range(x.shape[1]):
            i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
            c = s(f) * c + s(i) * np.tanh(g)
            h = s(o) * np.tanh(c)
        return h

    return reference


def gru(x, kernel, recurrent_kernel, bias):
    h, units = np.zeros((len(x), len(recurrent_kernel))), len(recurrent_kernel)
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + bias
        z, r = np.split(hard(a[:, : 2 * units] + h @ recurrent_kernel[:, : 2 * units]), 2, axis=1)
        h = z * h + (1 - z) * np.tanh(a[:, 2 * units :] + (r * h) @ recurrent_kernel[:, 2 * units :])
    return h


def simple(x, kernel, recurrent_kernel, bias):
    h = np.zeros((len(x), len(recurrent_kernel)))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
    return h


@parametrize_layers(
    Case(LSTM, {"units": 3}, shape=(4, 2), **STOPPED, reference=lstm(hard)),
    Case(LSTM, {"units": 3, "recurrent_activation": "sigmoid"}, (4, 2), **STOPPED, reference=lstm(sigmoid)),
    Case(LSTM, {"units": 3, "return_sequences": True}, shape=(None, 2), **PASSED),
    Case(
        LSTM, {"units": 3, "return_state": True, "go_backwards": True, "use_bias": False}, (4, 2), **STOPPED
    ),
    Case(LSTM, {"units": 3, "unroll": True, "activation": "relu", "implementation": 2}, (4, 2), **STOPPED),
    Case(LSTM, {"units": 3, "stateful": True, "unit_forget_bias": False}, (4, 2), batch=3, **STOPPED),
    Case(LSTM, DROPOUT, shape=(4, 2), **STOPPED),
    Case(LSTM, {**DROPOUT, "implementation": 2, "activation": "softsign"}, shape=(4, 2), **STOPPED),
    Case(LSTM, {**EVERYTHING, "return_sequences": True}, (4, 2), **PASSED, id="LSTM with everything"),
    Case(GRU, {"units": 3}, shape=(4, 2), **STOPPED, reference=gru),
    Case(GRU, {"units": 3, "reset_after": True, "recurrent_activation": "sigmoid"}, (None, 2), **STOPPED),
    Case(GRU, {"units": 3, "return_sequences": True, "return_state": True}, (4, 2), mask=None),
    Case(GRU, {"units": 3, "activation": None, "recurrent_activation": None}, shape=(4, 2), **STOPPED),
    Case(GRU, DROPOUT, shape=(4, 2), **STOPPED),
    Case(GRU, {**DROPOUT, "reset_after": True}, shape=(4, 2), **STOPPED),
    Case(GRU, {**DROPOUT, "implementation": 2}, shape=(4, 2), **STOPPED),
    Case(GRU, {**EVERYTHING, "stateful": True}, (4, 2), batch=3, **STOPPED, id="GRU with everything"),
    Case(SimpleRNN, {"units": 3}, shape=(4, 2), **STOPPED, reference=simple),
    Case(SimpleRNN, {"units": 3, "return_sequences": True, "activation": "relu"}, (None, 2), **PASSED),
    Case(SimpleRNN, DROPOUT, shape=(4, 2), **STOPPED),
    Case(SimpleRNN, {**EVERYTHING, "use_bias": False}, (4, 2), **STOPPED, id="SimpleRNN with everything"),
    Case(CuDNNGRU, {"units": 3}, shape=(4, 2), mask="refused"),
    Case(
        CuDNNGRU,
        {**EVERYTHING, "return_sequences": True},
        (None, 2),
        mask="refused",
        id="CuDNNGRU with everything",
    ),
    Case(CuDNNLSTM, {"units": 3, "return_state": True}, shape=(None, 2), mask="refused"),
    Case(
        CuDNNLSTM,
        {**EVERYTHING, "stateful": True},
        (4, 2),
        batch=3,
        mask="refused",
        id="CuDNNLSTM with everything",
    ),
    Case(RNN, lambda: {"cell": LSTMCell(3)}, (4, 2), **STOPPED, reference=lstm(hard), id="RNN of LSTMCell"),
    Case(
        RNN, lambda: {"cell": GRUCell(3), "return_sequences": True}, (None, 2), **PASSED, id="RNN of GRUCell"
    ),
    Case(
        RNN,
        lambda: {"cell": StackedRNNCells([LSTMCell(2), SimpleRNNCell(3)]), "return_state": True},
        shape=(4, 2),
        **STOPPED,
        id="RNN of two cells",
    ),
    Case(LSTMCell, {"units": 3}, shape=[(2,), (3,), (3,)]),
    Case(
        LSTMCell,
        {"units": 3, "implementation": 2, "dropout": 0.5, "recurrent_dropout": 0.5},
        [(2,), (3,), (3,)],
    ),
    Case(GRUCell, {"units": 3, "reset_after": True}, shape=[(2,), (3,)]),
    Case(SimpleRNNCell, {"units": 3, "use_bias": False}, shape=[(2,), (3,)]),
    Case(
        StackedRNNCells,
        lambda: {"cells": [GRUCell(2), LSTMCell(3)]},
        shape=[(4,), (3,), (3,), (2,)],
        id="StackedRNNCells",
    ),
)
def test_conforms(case, check):
    check(case)


# ---- configs


def config(layer):
    return list(json.loads(json.dumps(layer.get_config())).items())


UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}
ZEROS = {"class_name": "Zeros", "config": {}}
FLAGS = [
    ("return_sequences", False),
    ("return_state", False),
    ("go_backwards", False),
    ("stateful", False),
    ("unroll", False),
]
STARTS = [
    ("kernel_initializer", UNIFORM),
    ("recurrent_initializer", ORTHOGONAL),
    ("bias_initializer", ZEROS),
]


def held(*activity):
    return [
        ("kernel_regularizer", None),
        ("recurrent_regularizer", None),
        ("bias_regularizer", None),
        *activity,
        ("kernel_constraint", None),
        ("recurrent_constraint", None),
        ("bias_constraint", None),
    ]


HELD = held(("activity_regularizer", None))
NAME = [("name", "r"), ("trainable", True)]
FUNCTIONS = [
    ("units", 3),
    ("activation", "tanh"),
    ("recurrent_activation", "hard_sigmoid"),
    ("use_bias", True),
]
DROPS = [("dropout", 0.0), ("recurrent_dropout", 0.0)]


def test_the_configs_are_those_of_keras():
    forget, first = ("unit_forget_bias", True), ("implementation", 1)
    assert config(LSTM(3, name="r")) == [*NAME, *FLAGS, *FUNCTIONS, *STARTS, forget, *HELD, *DROPS, first]
    assert config(GRU(3, name="r")) == [
        *NAME, *FLAGS, *FUNCTIONS, *STARTS, *HELD, *DROPS, first, ("reset_after", False)
    ]  # fmt: skip
    plain = [each for each in FUNCTIONS if each[0] != "recurrent_activation"]
    assert config(SimpleRNN(3, name="r")) == [*NAME, *FLAGS, *plain, *STARTS, *HELD, *DROPS]
    assert config(LSTMCell(3, name="r")) == [*NAME, *FUNCTIONS, *STARTS, forget, *held(), *DROPS, first]
    assert config(CuDNNGRU(3, name="r")) == [*NAME, *FLAGS[:4], ("units", 3), *STARTS, *HELD]
    assert config(CuDNNLSTM(3, name="r")) == [*NAME, *FLAGS[:4], ("units", 3), *STARTS, forget, *HELD]


def test_the_config_of_an_rnn_holds_its_cell():
    layer = RNN([LSTMCell(2, name="a"), SimpleRNNCell(3, name="b")], name="r")
    assert [name for name, _ in config(layer)] == ["name", "trainable", *dict(FLAGS), "cell"]
    cell = dict(config(layer))["cell"]
    assert cell["class_name"] == "StackedRNNCells"
    assert [each["class_name"] for each in cell["config"]["cells"]] == ["LSTMCell", "SimpleRNNCell"]


def test_a_subclass_has_the_arguments_of_its_own_too():
    class Mine(LSTM):
        def __init__(self, units, flavour="sweet", **kwargs):
            super().__init__(units, **kwargs)
            self.flavour = flavour

    found = Mine(3, flavour="sour", return_sequences=True, dropout=0.5).get_config()
    assert (found["units"], found["flavour"], found["return_sequences"], found["dropout"]) == (
        3,
        "sour",
        True,
        0.5,
    )
    assert Mine.from_config(found).get_config() == found


def test_implementation_0_of_old_files_is_1():
    assert LSTM.from_config({**LSTM(3).get_config(), "implementation": 0}).implementation == 1


def test_input_dim_and_input_length_are_short_for_input_shape():
    assert LSTM(3, input_dim=5, input_length=7).get_config()["batch_input_shape"] == (None, 7, 5)
    assert SimpleRNN(3, input_dim=5).get_config()["batch_input_shape"] == (None, None, 5)


# ---- arguments and weights


def test_a_layer_has_the_arguments_of_its_cell():
    layer = GRU(3, dropout=0.25, reset_after=True)
    assert (layer.units, layer.dropout, layer.reset_after, layer.use_bias) == (3, 0.25, True, True)
    with pytest.raises(AttributeError, match="'GRU' object has no attribute 'filters'"):
        layer.filters  # noqa: B018


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda: LSTM(3, name="r"), [(2, 12), (3, 12), (12,)]),
        (lambda: GRU(3, name="r"), [(2, 9), (3, 9), (9,)]),
        (lambda: GRU(3, reset_after=True, name="r"), [(2, 9), (3, 9), (2, 9)]),
        (lambda: SimpleRNN(3, name="r"), [(2, 3), (3, 3), (3,)]),
        (lambda: CuDNNGRU(3, name="r"), [(2, 9), (3, 9), (18,)]),
        (lambda: CuDNNLSTM(3, name="r"), [(2, 12), (3, 12), (24,)]),
    ],
)
def test_the_weights_are_kernel_recurrent_kernel_and_bias(make, shapes):
    layer = make()
    layer(Input((4, 2)))
    assert [w.name for w in layer.weights] == ["r/kernel:0", "r/recurrent_kernel:0", "r/bias:0"]
    assert [w.shape for w in layer.weights] == shapes


def test_the_forget_gate_starts_open():
    layers = LSTM(2), LSTM(2, bias_initializer="ones"), LSTM(2, unit_forget_bias=False), CuDNNLSTM(2)
    for layer in layers:
        layer(Input((4, 2)))
    biases = [layer.get_weights()[2].tolist() for layer in layers]
    assert biases[0] == [0, 0, 1, 1, 0, 0, 0, 0]
    assert biases[1] == [1] * 8
    assert biases[2] == [0] * 8
    assert biases[3] == [0] * 10 + [1, 1] + [0] * 4


def test_a_frozen_layer_keeps_its_cell_still():
    layer = LSTM(3, trainable=False)
    layer(Input((4, 2)))
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 3
    with pytest.raises(AttributeError, match="the weights of its cells"):
        layer.trainable_weights = []


def test_penalties_on_the_cell_are_losses_of_the_layer():
    layer = RNN([LSTMCell(2, kernel_regularizer="l2"), GRUCell(2, bias_regularizer="l2")])
    x = Input((4, 3))
    layer(x)
    assert len(layer.losses) == len(layer.get_losses_for(None)) == 2
    layer = GRU(2, kernel_regularizer="l2", activity_regularizer="l2", return_state=True)
    layer(x)
    assert (len(layer.get_losses_for(None)), len(layer.get_losses_for(x))) == (1, 2)


def test_dtype_is_that_of_the_weights():
    layer = LSTM(3, dtype="float64")
    layer(Input((4, 2), dtype="float64"))
    assert {w.dtype for w in layer.weights} == {"float64"}


CELLS = [LSTMCell, GRUCell, SimpleRNNCell]
LAYERS = [LSTM, GRU, SimpleRNN]


@pytest.mark.parametrize("cls", [*LAYERS, *CELLS, CuDNNLSTM, CuDNNGRU])
@pytest.mark.parametrize(
    ("units", "error"),
    [(0, ValueError), (-1, ValueError), (2.5, ValueError), ("3", TypeError), (None, TypeError)],
)
def test_units_are_a_whole_and_positive_number(cls, units, error):
    with pytest.raises(
        error, match=f"r: units is the size of the output, a whole and positive number; met {units!r}"
    ):
        cls(units, name="r")


@pytest.mark.parametrize("cls", [*LAYERS, *CELLS])
@pytest.mark.parametrize("argument", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize(
    ("rate", "error"), [(1.5, ValueError), (float("nan"), ValueError), ("half", TypeError)]
)
def test_a_dropout_is_a_fraction(cls, argument, rate, error):
    with pytest.raises(error, match=f"r: {argument} is a fraction of the .* met {rate!r}"):
        cls(3, **{argument: rate}, name="r")


@pytest.mark.parametrize("cls", [*LAYERS, CuDNNLSTM, CuDNNGRU])
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((4,), "layer r: expected ndim=3, found ndim=2"),
        ((4, 4, 4), "layer r: expected ndim=3, found ndim=4"),
        (
            (4, None),
            r"^r needs one row of its kernel for each input, .* None\) has no fixed size: give it one",
        ),
    ],
)
def test_a_wrong_input_is_named(cls, shape, words):
    with pytest.raises(ValueError, match=words):
        cls(3, name="r")(Input(shape))


class NoStates(Layer):
    """A cell that forgets to answer its states.  size: state_size."""

    def __init__(self, size=3, **kwargs):
        super().__init__(**kwargs)
        self.state_size = size

    def call(self, inputs, states):
        return inputs


class FewStates(NoStates):
    def call(self, inputs, states):
        return inputs, []


class OtherStates(NoStates):
    def call(self, inputs, states):
        return inputs, [K.concatenate([inputs, inputs])]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LSTM(3, implementation=3, name="r"), ValueError, "r: implementation is 1"),
        (lambda: LSTM(3, activation="tanhh"), ValueError, "tanhh"),
        (lambda: LSTM(3, units_too=3), TypeError, "Keyword argument not understood: units_too"),
        (lambda: CuDNNGRU(3, unroll=True), TypeError, "has no unroll"),
        (lambda: RNN(LSTMCell, name="r"), ValueError, "r: a cell is an object, met the class LSTMCell"),
        (lambda: RNN(object(), name="r"), ValueError, "r: a cell has a method call.* which has no `call`"),
        (
            lambda: RNN(None, name="r"),
            ValueError,
            "r: a cell has a method call.* met None, which has no `call`",
        ),
        (
            lambda: RNN(Dense(3), name="r"),
            ValueError,
            "r: a cell has an attribute state_size.* no `state_size`",
        ),
        (lambda: RNN([], name="r"), ValueError, r"is a stack of cells, in a list of at least one; met \[\]"),
        (
            lambda: StackedRNNCells(LSTMCell(2), name="r"),
            ValueError,
            "r is a stack of cells, .* met <LSTMCell",
        ),
        (lambda: StackedRNNCells([LSTMCell(2), 3], name="r"), ValueError, "r: .* met 3, which has no `call`"),
        (lambda: RNN(NoStates("three"), name="r"), ValueError, "r: the state_size of a cell is .* 'three'"),
        (lambda: RNN(NoStates((3, 0)), name="r"), ValueError, r"r: the state_size .* is \(3, 0\)"),
        (
            lambda: RNN(NoStates(), name="r")(Input((4, 3))),
            ValueError,
            "r: the call of a cell answers .* answered <",
        ),
        (
            lambda: RNN(FewStates(), name="r")(Input((4, 3))),
            ValueError,
            "r: the call of a cell .* size.*, 1; ",
        ),
        (
            lambda: RNN(OtherStates(), name="r")(Input((4, 3))),
            ValueError,
            "r: .* state 0 of a loop begins with",
        ),
        (lambda: CuDNNLSTM(3, name="r")(Masking()(Input((4, 2)))), TypeError, "r does not support masking"),
        (
            lambda: CuDNNGRU(3, name="r")(Input((4, 2)), mask=K.ones((1, 4))),
            TypeError,
            "r does not support masking",
        ),
        (lambda: LSTM(3, name="r")(Input((4, 2)), mask=K.ones((1,))), ValueError, r"r: the mask .* \(1,\)"),
        (
            lambda: LSTM(3, name="r")(Input((4, 2)), mask=K.ones((1, 4, 2))),
            ValueError,
            r"r: the mask .*\(1, 4, 2\)",
        ),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_built_layer_refuses_other_inputs():
    layer = SimpleRNN(2)
    layer(Input((None, 3)))
    with pytest.raises(ValueError, match=r"expected shape=\(None, None, 3\)"):
        layer(Input((None, 4)))


# ---- CuDNN


@pytest.mark.parametrize("backwards", [False, True])
def test_cudnn_layers_compute_what_the_others_do_with_their_weights_turned(backwards):
    rng = np.random.default_rng(0)
    x = Input((5, 4))
    pairs = [
        (CuDNNLSTM, LSTM(3, recurrent_activation="sigmoid", go_backwards=backwards), 4),
        (CuDNNGRU, GRU(3, recurrent_activation="sigmoid", reset_after=True, go_backwards=backwards), 3),
    ]
    for cls, plain, gates in pairs:
        layer = cls(3, go_backwards=backwards)
        model = Model(x, [layer(x), plain(x)])
        kernel, recurrent_kernel, bias = (rng.normal(size=w.shape) for w in layer.weights)
        layer.set_weights([kernel, recurrent_kernel, bias])
        # cuDNN reads the memory of each block as (units, rows).
        turned = [
            np.hstack([np.ravel(block).reshape(3, -1).T for block in np.hsplit(w, gates)])
            for w in (kernel, recurrent_kernel)
        ]
        halves = bias.reshape(2, gates * 3)
        plain.set_weights([*turned, halves if gates == 3 else halves.sum(0)])
        met, expected = model.predict(rng.normal(size=(2, 5, 4)))
        assert_allclose(met, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["tanh", "hard_sigmoid"])
def test_a_custom_object_called_like_an_activation_is_what_is_computed(name):
    def half(x):
        return x / 2

    with CustomObjectScope({name: half}):
        model = Sequential([LSTM(3, input_shape=(4, 2))])
    argument = "activation" if name == "tanh" else "recurrent_activation"
    other = Sequential([LSTM(3, input_shape=(4, 2), **{argument: half})])
    other.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 4, 2))
    assert_allclose(model.predict(x), other.predict(x))


# ---- training


@pytest.mark.parametrize("cls", [LSTM, GRU, SimpleRNN])
def test_a_model_learns_with_it(cls):
    np.random.seed(0)
    x = np.random.normal(size=(64, 6, 2)).astype("float32")
    y = x[:, :, :1].mean(axis=1)
    model = Sequential([cls(8, input_shape=(None, 2), return_sequences=True), cls(1, activation=None)])
    model.compile(optimizer=Adam(0.02), loss="mse")
    history = model.fit(x, y, epochs=15, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]
    assert K.int_shape(model.output) == (None, 1)


@pytest.mark.parametrize("config", [{}, {"cells": 3}, {"cells": {"a": 1}}])
def test_a_config_of_stacked_cells_lists_them(config):
    with pytest.raises(ValueError, match="has a list of cells"):
        StackedRNNCells.from_config(config)
