"""The ops for whole sequences: the numbers of the cells step by step, of their own definitions, and of differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import config
from lamina.devices import current_device
from lamina.evaluate import evaluate
from lamina.gradient import gradients
from lamina.layers import GRU, LSTM, SimpleRNN
from lamina.op import as_tensor
from lamina.ops.rules import total
from lamina.tensor import toposort
from lamina.testing import Case, parametrize_ops
from lamina_recurrent import gates
from lamina_recurrent.gates import NO_MASK, bias_grad, kernel_grad, rows_grad
from lamina_recurrent.gru_sequence import gru_sequence
from lamina_recurrent.lstm_sequence import lstm_sequence
from lamina_recurrent.simple_rnn_sequence import simple_rnn_sequence

T, B, D, H = 4, 3, 2, 5


@pytest.fixture
def float64():
    before = config.floatx()
    K.set_floatx("float64")
    yield
    K.set_floatx(before)


# ---- each op by itself


def on_whole(op, states, gates, biases=1, **attrs):
    """The op's h and last states, without mask and dropout, as a function of what it has a gradient for."""
    shapes = [(T, B, D), (D, gates * H), (H, gates * H), *[(gates * H,)] * biases, *[(B, H)] * states]
    absent = [0.0] if op is gru_sequence and biases == 1 else []

    def target(*inputs):
        weights, begin = inputs[: 3 + biases], inputs[3 + biases :]
        rest = [as_tensor(value, weights[0].dtype) for value in (*absent, 1.0, 1.0)]
        return list(op(*weights, *rest[:-2], *begin, NO_MASK, *rest[-2:], **attrs)[: 1 + states])

    return Case(target, shape=shapes, id=f"{op.name} {attrs}")


@parametrize_ops(
    on_whole(lstm_sequence, 2, 4, recurrent="sigmoid"),
    on_whole(lstm_sequence, 2, 4, recurrent="hard_sigmoid"),
    on_whole(gru_sequence, 1, 3, 2, recurrent="sigmoid", reset_after=True),
    on_whole(gru_sequence, 1, 3, recurrent="hard_sigmoid", reset_after=False),
    on_whole(simple_rnn_sequence, 1, 1),
    Case(
        rows_grad,
        {"order": (1, 0)},
        shape=[(2, T, B, H), (D, 2 * H), (2, B, D)],
    ),
    Case(kernel_grad, {"order": (1, 0)}, shape=[(T, B, D), (2, T, B, H), (1, B, D)]),
    Case(kernel_grad, {"order": (0,)}, shape=[(T, B, D), (1, T, B, H), ()]),
    Case(bias_grad, {"order": (1, 0)}, shape=(2, T, B, H)),
)
def test_conforms(case, check):
    check(case)


# ---- layers with the op, and step by step


LAYERS = {
    "lstm": lambda **k: LSTM(H, **k),
    "lstm, sigmoid": lambda **k: LSTM(H, recurrent_activation="sigmoid", **k),
    "lstm, no bias": lambda **k: LSTM(H, use_bias=False, **k),
    "lstm, sigmoid, no bias": lambda **k: LSTM(H, recurrent_activation="sigmoid", use_bias=False, **k),
    "gru": lambda **k: GRU(H, **k),
    "gru, sigmoid": lambda **k: GRU(H, recurrent_activation="sigmoid", **k),
    "gru, reset after": lambda **k: GRU(H, reset_after=True, **k),
    "gru, reset after, no bias": lambda **k: GRU(H, reset_after=True, use_bias=False, **k),
    "gru, reset after, sigmoid": lambda **k: GRU(H, reset_after=True, recurrent_activation="sigmoid", **k),
    "gru, no bias": lambda **k: GRU(H, use_bias=False, **k),
    "simple": lambda **k: SimpleRNN(H, **k),
    "simple, no bias": lambda **k: SimpleRNN(H, use_bias=False, **k),
}
# What the layer is given, and whether there are a mask and initial states.
WAYS = {
    "plain": ({}, False, False),
    "masked from states": ({}, True, True),
    "backwards, masked": ({"go_backwards": True}, True, False),
    "dropout from states": ({"dropout": 0.3, "recurrent_dropout": 0.4}, False, True),
    "one dropout for all gates, masked": (
        {"dropout": 0.3, "recurrent_dropout": 0.4, "implementation": 2},
        True,
        True,
    ),
}


def numbers(make, way, masked, begun, evaluated):
    """Outputs, states, their gradients, and the gradients of these, in training; and the ops that made them."""
    np.random.seed(0)
    rng = np.random.default_rng(1)
    layer = make(return_sequences=True, return_state=True, **way)
    layer.build((None, None, D))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    states = [K.placeholder((None, H)) for _ in layer.states]
    x, mask = K.placeholder((None, None, D)), K.placeholder((None, None))
    feeds = {x: rng.normal(size=(B, T, D)), mask: rng.integers(0, 2, (B, T)), K.learning_phase(): 1}
    feeds.update({state: rng.normal(size=(B, H)) for state in states})
    given = {"mask": mask if masked else None, "initial_state": states if begun else None}
    outputs = layer.call(x, **given)
    layer.return_sequences = False
    outputs += layer.call(x, **given)[:1]
    wrt = [x, *(states if begun else []), *layer.weights]
    slopes = gradients(
        total(K.sum(y * weights) for y, weights in zip(outputs, draws(rng), strict=False)), wrt
    )
    again = gradients(total(K.sum(K.square(slope)) for slope in slopes), wrt)
    wanted = [*outputs, *slopes, *again]
    current_device().reseed(0)
    found = evaluate(wanted, feeds) if evaluated else K.function(list(feeds), wanted)(list(feeds.values()))
    return found, {apply.op.name for apply in toposort(wanted)}


def draws(rng):
    yield rng.normal(size=(B, T, H))
    while True:
        yield rng.normal(size=(B, H))


# With one dropout for all gates, only LSTM has an op.
RUNS = [
    (layer, way)
    for layer in LAYERS
    for way in WAYS
    if layer.startswith("lstm") or not way.startswith("one dropout")
]


@pytest.mark.parametrize(("layer", "way"), RUNS)
def test_the_op_computes_what_the_cell_does_step_by_step(layer, way, monkeypatch, float64):
    case = (LAYERS[layer], *WAYS[way])
    fast, ops = numbers(*case, evaluated=False)
    plain, _ = numbers(*case, evaluated=True)
    for cls in (LSTM, GRU, SimpleRNN):
        monkeypatch.setattr(cls, "is_standard", lambda *_: False)
    slow, others = numbers(*case, evaluated=False)
    assert any(name.endswith("_sequence") for name in ops)
    assert not any(name.endswith("_sequence") for name in others)
    for met, expected, defined in zip(fast, slow, plain, strict=True):
        assert_allclose(met, expected, rtol=1e-9, atol=1e-9)
        assert_allclose(met, defined, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cache", [1, 2000])  # a step at a time; two LSTM steps, with another left over
@pytest.mark.parametrize(("layer", "way"), [run for run in RUNS if "dropout" not in run[1]])
def test_values_that_nobody_reads_take_no_room(layer, way, cache, monkeypatch, float64):
    monkeypatch.setattr(gates, "CACHE", cache)
    arguments, masked, begun = WAYS[way]
    rng = np.random.default_rng(0)
    layer = LAYERS[layer](return_sequences=True, return_state=True, **arguments)
    x, mask = K.placeholder((B, 5, D)), K.placeholder((B, 5))
    states = [K.placeholder((B, H)) for _ in range(2 if isinstance(layer, LSTM) else 1)]
    layer.build((None, None, D))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    outputs = layer.call(x, mask=mask if masked else None, initial_state=states if begun else None)
    feeds = {x: rng.normal(size=(B, 5, D)), mask: rng.integers(0, 2, (B, 5))}
    feeds.update({state: rng.normal(size=(B, H)) for state in states})
    wanted = evaluate(outputs, feeds)
    for number, output in enumerate(outputs):
        function = K.function(list(feeds), [output])
        (found,) = function(list(feeds.values()))
        assert_allclose(found, wanted[number], rtol=1e-12, atol=1e-12)
        (step,) = [
            line
            for line in str(function.explain([a.shape for a in feeds.values()])).splitlines()
            if "_sequence" in line
        ]
        assert step.count(" unread") == step.count("float64[") - 1
