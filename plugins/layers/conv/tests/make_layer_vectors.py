"""Write layer_vectors.npz: convolution layers and their gradients as tf_keras computes them, in float64.

    python plugins/layers/conv/tests/make_layer_vectors.py    # needs tf_keras, which the tests do not

Each case is stored under its own number: x and g as given, w0, w1, ... the weights in Keras's order; y, to_x, to_w0,
... the output and the gradients of sum(y * g).  Layer, arguments and shape are text.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

HOME = Path(__file__).with_name("layer_vectors.npz")
CASES = [
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (7, 2)),
    (
        "Conv1D",
        {"filters": 2, "kernel_size": 4, "padding": "same", "strides": 2, "activation": "tanh"},
        (7, 3),
    ),
    (
        "Conv3D",
        {"filters": 2, "kernel_size": [2, 3, 2], "padding": "same", "strides": [2, 1, 1]},
        (4, 3, 4, 2),
    ),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "activation": "sigmoid"}, (3, 3, 4, 1)),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3}, (4, 3, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": [2, 3], "strides": 2, "padding": "same"}, (3, 4, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}, (3, 2, 3)),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        (3, 4, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": [3, 2], "output_padding": [2, 0], "activation": "elu"},
        (2, 3, 2),
    ),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, (5, 6, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (4, 3, 3)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}, (2, 3, 2, 2)),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": [1, 2, 1], "padding": "same"},
        (3, 2, 3, 1),
    ),
    (
        "Conv3DTranspose",
        {"filters": 1, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        (2, 2, 2, 2),
    ),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}, (5, 4, 3)),
    ("DepthwiseConv2D", {"kernel_size": [2, 3], "strides": 2, "activation": "relu"}, (6, 7, 2)),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "strides": 2, "use_bias": False}, (6, 5, 4)),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}, (6, 2)),
    ("SeparableConv1D", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same"}, (7, 3)),
    (
        "SeparableConv2D",
        {"filters": 3, "kernel_size": 3, "padding": "same", "depth_multiplier": 2},
        (5, 4, 2),
    ),
    ("SeparableConv2D", {"filters": 2, "kernel_size": [3, 2], "strides": 2, "activation": "tanh"}, (7, 6, 3)),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (5, 6, 2)),
]


def main() -> None:
    tf_keras.backend.set_floatx("float64")
    rng = np.random.default_rng(0)
    found = {"cases": np.array(json.dumps(CASES))}
    for number, (name, arguments, shape) in enumerate(CASES):
        layer = getattr(tf_keras.layers, name)(**arguments)
        x = tf.constant(rng.standard_normal((2, *shape)))
        layer(x)
        layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.get_weights()])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            g = rng.standard_normal(y.shape)
            total = tf.reduce_sum(y * g)
        to_x, *to_weights = tape.gradient(total, [x, *layer.trainable_weights])
        arrays = {"x": x, "g": g, "y": y, "to_x": to_x}
        arrays |= {f"w{i}": weight for i, weight in enumerate(layer.get_weights())}
        arrays |= {f"to_w{i}": gradient for i, gradient in enumerate(to_weights)}
        found |= {f"{number}/{key}": np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(HOME, **found)


if __name__ == "__main__":
    main()
