"""Write numbers.npz: what tf_keras makes of wrapped layers, in float64.

    pip install tensorflow tf_keras        # in an environment of its own: Lamina needs neither
    python make_numbers.py

For each way in WAYS, which the file holds as JSON: x, its mask m and initial states s0, s1, ... where there are any,
weights w0, w1, ... as get_weights orders them (a model's layer by layer), outputs y0, y1, ..., cotangents c0, c1, ...,
and the gradients of the sum of all y * c: gx of the input, h0, h1, ... of the states, g0, g1, ... of the trainable
weights.
"""

import json
import pathlib

import numpy as np


def described(class_name, **config):
    return {"class_name": class_name, "config": config}


def time_distributed(layer):
    return described("TimeDistributed", layer=layer)


def both_ways(layer, merge_mode):
    return described("Bidirectional", layer=layer, merge_mode=merge_mode)


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

WAYS = {
    "Dense": (time_distributed(described("Dense", units=3, activation="tanh")), (4, 2), {}),
    "Conv2D": (time_distributed(described("Conv2D", filters=2, kernel_size=[2, 2])), (3, 3, 4, 2), {}),
    "model": (time_distributed(MODEL), (4, 2), {}),
    "model in training": (time_distributed(MODEL), (4, 2), {"training": True}),
    "LSTM in each step": (time_distributed(lstm()), (2, 3, 2), {}),
    "concat": (both_ways(lstm(), "concat"), (4, 2), {}),
    "sum": (both_ways(gru(), "sum"), (4, 2), {}),
    "mul": (both_ways(simple(), "mul"), (4, 2), {}),
    "ave": (both_ways(lstm(), "ave"), (4, 2), {}),
    "None": (both_ways(gru(), None), (4, 2), {}),
    "sequences": (both_ways(lstm(return_sequences=True), "concat"), (4, 2), {}),
    "backwards": (both_ways(gru(return_sequences=True, go_backwards=True), "mul"), (4, 2), {}),
    "states": (both_ways(lstm(return_sequences=True, return_state=True), "sum"), (4, 2), {}),
    "None with states": (both_ways(simple(return_sequences=True, return_state=True), None), (4, 2), {}),
    "masked": (both_ways(lstm(return_sequences=True), "concat"), (5, 2), {"masked": True}),
    "masked, last": (both_ways(gru(), "sum"), (5, 2), {"masked": True}),
    "from states": (both_ways(lstm(return_sequences=True, return_state=True), "ave"), (4, 2), {"states": 4}),
    "from one state": (both_ways(gru(), "concat"), (4, 2), {"states": 2}),
}
"""{name: (layer, shape of a sample, how it is called)}"""


def main():
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.set_floatx("float64")
    rng = np.random.default_rng(0)
    found = {"ways": np.array(json.dumps(WAYS))}
    for name, (config, shape, how) in WAYS.items():
        layer = tf_keras.layers.deserialize(config)
        inner = layer.layer if config["class_name"] == "TimeDistributed" else layer
        for way in () if inner is not layer else (layer.forward_layer, layer.backward_layer):
            way.zero_output_for_mask = False  # Keras 2.2 repeats the output before a masked step
        x = tf.constant(rng.standard_normal((3, *shape)))
        states = [tf.constant(rng.standard_normal((3, 3))) for _ in range(how.get("states", 0))]
        arguments = {"initial_state": states} if states else {}
        if how.get("masked"):
            arguments["mask"] = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 1, 0, 1]], bool)
        if how.get("training"):
            arguments["training"] = True
        layer(x, **arguments)
        inner.set_weights([rng.uniform(0.1, 1.0, weight.shape) for weight in inner.get_weights()])
        weights = [np.array(weight) for weight in inner.get_weights()]
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
