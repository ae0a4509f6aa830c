"""Write vectors.npz: recurrent layers as tf_keras computes them.  scripts/vectors.py says how to run it.

tf_keras has no CuDNN layers where there is no GPU: it computes them as LSTM and GRU, from the same weights laid out
otherwise.
"""

from copy import deepcopy

import numpy as np
import tf_keras
from vectors import Vectors, described, generator, uniform

MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 1, 0, 1]], bool)
STATE = (3, 3)
AFTER = {"recurrent_activation": "sigmoid", "reset_after": True}


def lstm(**config):
    return {"units": 3, "recurrent_activation": "hard_sigmoid", "implementation": 1, **config}


def gru(**config):
    gates = {"recurrent_activation": "hard_sigmoid", "reset_after": False, "implementation": 1}
    return {"units": 3, **gates, **config}


CELLS = [
    described("LSTMCell", **lstm()),
    described("GRUCell", **gru(units=2)),
    described("SimpleRNNCell", units=3),
]
WAYS = {
    "LSTM": ("LSTM", lstm(), {}),
    "LSTM, sigmoid": ("LSTM", lstm(recurrent_activation="sigmoid", return_sequences=True), {}),
    "LSTM, other functions": ("LSTM", lstm(activation="softsign", implementation=2), {}),
    "LSTM, states": ("LSTM", lstm(return_sequences=True, return_state=True), {"states": [STATE, STATE]}),
    "LSTM, backwards": ("LSTM", lstm(go_backwards=True, return_sequences=True), {}),
    "LSTM, masked": ("LSTM", lstm(return_sequences=True, return_state=True), {"masks": [MASK]}),
    "GRU": ("GRU", gru(), {}),
    "GRU, implementation 2": ("GRU", gru(implementation=2, return_sequences=True), {}),
    "GRU, reset after": ("GRU", gru(**AFTER, return_sequences=True, return_state=True), {"states": [STATE]}),
    "GRU, reset after, hard": ("GRU", gru(reset_after=True, use_bias=False), {}),
    "GRU, other functions": ("GRU", gru(activation="relu", recurrent_activation="tanh"), {}),
    "GRU, masked": ("GRU", gru(return_sequences=True, go_backwards=True), {"masks": [MASK]}),
    "SimpleRNN": ("SimpleRNN", {"units": 3}, {}),
    "SimpleRNN, relu": ("SimpleRNN", {"units": 3, "activation": "relu", "return_sequences": True}, {}),
    "SimpleRNN, masked": ("SimpleRNN", {"units": 3, "return_state": True, "unroll": True}, {"masks": [MASK]}),
    "RNN": ("RNN", {"cell": CELLS[0], "return_state": True}, {"states": [STATE, STATE]}),
    "RNN of three cells": (
        "RNN",
        {"cell": described("StackedRNNCells", cells=CELLS), "return_sequences": True},
        {"masks": [MASK]},
    ),
}
CUDNN = {
    "CuDNNLSTM": {"units": 3},
    "CuDNNLSTM, sequences": {
        "units": 3,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
    },
    "CuDNNGRU": {"units": 3},
    "CuDNNGRU, sequences": {"units": 3, "return_sequences": True, "return_state": True, "go_backwards": True},
}


def turned(kernel, gates):
    """The kernel as cuDNN has it: the block of each gate is (units, rows) in memory, not (rows, units)."""
    return np.concatenate([block.T.reshape(block.shape) for block in np.split(kernel, gates, axis=1)], axis=1)


def cudnn(name, config, id):
    """The numbers of a CuDNN layer: those of LSTM or GRU, with weights and their gradients laid out anew."""
    after = {"reset_after": True} if name == "CuDNNGRU" else {}
    plain = described(name.removeprefix("CuDNN"), recurrent_activation="sigmoid", **after, **config)
    arrays = Vectors().layer(name, config, (3, 5, 2), id=id, peer=plain)
    gates = {"CuDNNLSTM": 4, "CuDNNGRU": 3}[name]
    for key in ("w0", "w1", "gw0", "gw1"):
        arrays[key] = turned(arrays[key], gates)
    if name == "CuDNNGRU":  # two biases, one above the other
        arrays |= {key: arrays[key].ravel() for key in ("w2", "gw2")}
    else:  # LSTM has one, which is the sum of both
        of_inputs = uniform(-1, 1, 12)(generator(f"bias of {id}"))
        arrays["w2"] = np.concatenate([of_inputs, arrays["w2"] - of_inputs])
        arrays["gw2"] = np.tile(arrays["gw2"], 2)
    return arrays


class Step(tf_keras.layers.Layer):
    """A cell, called on a list of inputs and states."""

    def __init__(self, cell):
        super().__init__()
        self.cell = tf_keras.layers.deserialize(deepcopy(cell))

    def call(self, inputs):
        return self.cell(inputs[0], inputs[1:])


def main():
    vectors = Vectors()
    for cell, states in zip(CELLS, ([3, 3], [2], [3]), strict=True):
        shapes = [(3, size) for size in (2, *states)]
        vectors.layer(cell["class_name"], cell["config"], *shapes, peer=Step(cell), id=cell["class_name"])
    for id, (name, config, how) in WAYS.items():
        vectors.layer(name, config, (3, 5, 2), id=id, **how)
    for id, config in CUDNN.items():
        name = id.partition(",")[0]
        vectors.add(id, "layers", name, config, cudnn(name, config, id))
    vectors.save(__file__)


if __name__ == "__main__":
    main()
