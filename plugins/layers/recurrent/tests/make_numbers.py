"""Write numbers.npz: what tf_keras makes of recurrent layers, in float64.

    pip install tensorflow tf_keras        # in an environment of its own: Lamina needs neither
    python make_numbers.py

For each way in WAYS, which the file holds as JSON: x, its mask m and initial states s0, s1, ... where there are any,
weights w0, w1, ... as get_weights orders them, outputs y0, y1, ..., cotangents c0, c1, ..., and the gradients of the
sum of all y * c: gx of the input, h0, h1, ... of the states, g0, g1, ... of the weights.
"""

import json
import pathlib

import numpy as np


def described(class_name, **config):
    return {"class_name": class_name, "config": config}


def lstm(**config):
    return {"units": 3, "recurrent_activation": "hard_sigmoid", "implementation": 1, **config}


def gru(**config):
    return {
        "units": 3,
        "recurrent_activation": "hard_sigmoid",
        "reset_after": False,
        "implementation": 1,
        **config,
    }


def cells(*found):
    return described("StackedRNNCells", cells=list(found))


AFTER = {"recurrent_activation": "sigmoid", "reset_after": True}
WAYS = {
    "LSTM": (described("LSTM", **lstm()), {}),
    "LSTM, sigmoid": (described("LSTM", **lstm(recurrent_activation="sigmoid", return_sequences=True)), {}),
    "LSTM, other functions": (described("LSTM", **lstm(activation="softsign", implementation=2)), {}),
    "LSTM, states": (described("LSTM", **lstm(return_sequences=True, return_state=True)), {"states": 2}),
    "LSTM, backwards": (described("LSTM", **lstm(go_backwards=True, return_sequences=True)), {}),
    "LSTM, masked": (described("LSTM", **lstm(return_sequences=True, return_state=True)), {"masked": True}),
    "GRU": (described("GRU", **gru()), {}),
    "GRU, implementation 2": (described("GRU", **gru(implementation=2, return_sequences=True)), {}),
    "GRU, reset after": (
        described("GRU", **gru(**AFTER, return_sequences=True, return_state=True)),
        {"states": 1},
    ),
    "GRU, reset after, hard": (described("GRU", **gru(reset_after=True, use_bias=False)), {}),
    "GRU, other functions": (described("GRU", **gru(activation="relu", recurrent_activation="tanh")), {}),
    "GRU, masked": (described("GRU", **gru(return_sequences=True, go_backwards=True)), {"masked": True}),
    "SimpleRNN": (described("SimpleRNN", units=3), {}),
    "SimpleRNN, relu": (described("SimpleRNN", units=3, activation="relu", return_sequences=True), {}),
    "SimpleRNN, masked": (described("SimpleRNN", units=3, return_state=True, unroll=True), {"masked": True}),
    "RNN": (described("RNN", cell=described("LSTMCell", **lstm()), return_state=True), {"states": 2}),
    "RNN of three cells": (
        described(
            "RNN",
            cell=cells(
                described("LSTMCell", **lstm()),
                described("GRUCell", **gru(units=2)),
                described("SimpleRNNCell", units=3),
            ),
            return_sequences=True,
        ),
        {"masked": True},
    ),
}
"""{name: (layer, how it is called)}"""


def main():
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.set_floatx("float64")
    rng = np.random.default_rng(0)
    found = {"ways": np.array(json.dumps(WAYS))}
    for name, (config, how) in WAYS.items():
        layer = tf_keras.layers.deserialize(config)
        layer.zero_output_for_mask = False  # Keras 2.2 repeats the output before a masked step
        x = tf.constant(rng.standard_normal((3, 5, 2)))
        states = [tf.constant(rng.standard_normal((3, 3))) for _ in range(how.get("states", 0))]
        arguments = {"initial_state": states} if states else {}
        if how.get("masked"):
            arguments["mask"] = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 1, 0, 1]], bool)
        layer(x, **arguments)
        layer.set_weights([rng.uniform(-1.0, 1.0, weight.shape) for weight in layer.get_weights()])
        weights = [np.array(weight) for weight in layer.get_weights()]
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = layer(x, **arguments)
            outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
            cotangents = [rng.standard_normal(y.shape) for y in outputs]
            loss = tf.add_n([tf.reduce_sum(y * c) for y, c in zip(outputs, cotangents, strict=True)])
        gradients = tape.gradient(loss, [x, *states, *layer.trainable_weights])
        arrays = {"x": x, "gx": gradients[0]}
        if "mask" in arguments:
            arrays["m"] = arguments["mask"]
        series = {
            "s": states,
            "w": weights,
            "y": outputs,
            "c": cotangents,
            "h": gradients[1 : len(states) + 1],
            "g": gradients[len(states) + 1 :],
        }
        arrays |= {f"{key}{i}": each for key, listed in series.items() for i, each in enumerate(listed)}
        found |= {f"{name}/{key}": np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(pathlib.Path(__file__).parent / "numbers.npz", **found)


if __name__ == "__main__":
    main()
