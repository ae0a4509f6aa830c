"""Write numbers.npz: what tf_keras makes of locally connected layers, in float64.

    pip install tensorflow tf_keras        # in an environment of its own: Lamina needs neither
    python make_numbers.py

For each way in WAYS, which the file holds as JSON: x, weights w0, w1, ..., output y, a cotangent c, and the gradients
gx, g0, g1, ... of sum(y * c).
"""

import json
import pathlib

import numpy as np

WAYS = {
    "1d": ("LocallyConnected1D", {"filters": 3, "kernel_size": 3, "strides": 2}, (7, 2)),
    "1d channels_first": (
        "LocallyConnected1D",
        {"filters": 3, "kernel_size": 2, "data_format": "channels_first", "activation": "tanh"},
        (2, 5),
    ),
    "2d": (
        "LocallyConnected2D",
        {"filters": 3, "kernel_size": [2, 3], "strides": [2, 1], "activation": "sigmoid"},
        (5, 5, 2),
    ),
    "2d channels_first": (
        "LocallyConnected2D",
        {"filters": 4, "kernel_size": 2, "data_format": "channels_first"},
        (2, 4, 3),
    ),
    "2d without bias": (
        "LocallyConnected2D",
        {"filters": 2, "kernel_size": [1, 2], "use_bias": False},
        (2, 4, 3),
    ),
}
"""{name: (layer, arguments, shape of a sample)}"""


def main():
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.set_floatx("float64")
    rng = np.random.default_rng(0)
    found = {"ways": np.array(json.dumps(WAYS))}
    for name, (layer, arguments, shape) in WAYS.items():
        layer = getattr(tf_keras.layers, layer)(**arguments)
        x = tf.constant(rng.standard_normal((3, *shape)))
        layer(x)
        layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.get_weights()])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            c = rng.standard_normal(y.shape)
            loss = tf.reduce_sum(y * c)
        gx, *gradients = tape.gradient(loss, [x, *layer.trainable_weights])
        arrays = {"x": x, "y": y, "c": c, "gx": gx}
        arrays |= {f"w{i}": weight for i, weight in enumerate(layer.get_weights())}
        arrays |= {f"g{i}": gradient for i, gradient in enumerate(gradients)}
        found |= {f"{name}/{key}": np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(pathlib.Path(__file__).parent / "numbers.npz", **found)


if __name__ == "__main__":
    main()
