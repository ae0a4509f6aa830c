"""Write vectors.npz: wrapped layers as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
from vectors import Vectors, described

MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 1, 0, 1]], bool)
STATE = (3, 3)


def lstm(**config):
    return described("LSTM", units=3, recurrent_activation="hard_sigmoid", implementation=1, **config)


def gru(**config):
    gates = {"recurrent_activation": "hard_sigmoid", "reset_after": False, "implementation": 1}
    return described("GRU", units=3, **gates, **config)


def simple(**config):
    return described("SimpleRNN", units=3, **config)


MODEL = described(
    "Sequential",
    name="inner",
    layers=[
        described("Dense", units=3, activation="tanh", batch_input_shape=[None, 2]),
        described("BatchNormalization"),
        described("Dense", units=2),
    ],
)
STEPS = {
    "Dense": (described("Dense", units=3, activation="tanh"), (4, 2), {}),
    "Conv2D": (described("Conv2D", filters=2, kernel_size=[2, 2]), (3, 3, 4, 2), {}),
    "model": (MODEL, (4, 2), {}),
    "model in training": (MODEL, (4, 2), {"training": True}),
    "LSTM in each step": (lstm(), (2, 3, 2), {}),
}
BOTH_WAYS = {
    "concat": (lstm(), "concat", {}),
    "sum": (gru(), "sum", {}),
    "mul": (simple(), "mul", {}),
    "ave": (lstm(), "ave", {}),
    "None": (gru(), None, {}),
    "sequences": (lstm(return_sequences=True), "concat", {}),
    "backwards": (gru(return_sequences=True, go_backwards=True), "mul", {}),
    "states": (lstm(return_sequences=True, return_state=True), "sum", {}),
    "None with states": (simple(return_sequences=True, return_state=True), None, {}),
    "masked": (lstm(return_sequences=True), "concat", {"masks": [MASK]}),
    "masked, last": (gru(), "sum", {"masks": [MASK]}),
    "from states": (lstm(return_sequences=True, return_state=True), "ave", {"states": [STATE] * 4}),
    "from one state": (gru(), "concat", {"states": [STATE] * 2}),
}


def main():
    vectors = Vectors()
    for id, (layer, shape, how) in STEPS.items():
        vectors.layer("TimeDistributed", {"layer": layer}, (3, *shape), id=f"TimeDistributed {id}", **how)
    for id, (layer, merge_mode, how) in BOTH_WAYS.items():
        config = {"layer": layer, "merge_mode": merge_mode}
        vectors.layer("Bidirectional", config, (3, 5, 2), id=f"Bidirectional {id}", **how)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
