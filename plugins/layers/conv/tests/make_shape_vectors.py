"""Write shape_vectors.npz: cropping, padding and enlarging, and their gradients, as TensorFlow computes them.

    python plugins/layers/conv/tests/make_shape_vectors.py    # needs tensorflow and tf_keras, which the tests do not

Each case is stored under its own number, x and g as given, y and to_x as found, with the layer and its arguments as
text.  All are tf_keras's layers in float64, but for bilinear enlarging: that is TensorFlow 1's resize_bilinear, which
Keras 2.2 used and which answers float32; tf_keras has the half-pixel centres of later releases.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

HOME = Path(__file__).with_name("shape_vectors.npz")
BILINEAR = {"interpolation": "bilinear"}
CASES = [
    ("Cropping1D", {"cropping": [2, 1]}, (2, 6, 3)),
    ("Cropping2D", {"cropping": [[1, 0], [0, 2]]}, (2, 4, 5, 3)),
    ("Cropping3D", {"cropping": [[1, 0], [1, 1], [0, 2]]}, (1, 3, 4, 5, 2)),
    ("ZeroPadding1D", {"padding": [2, 1]}, (2, 4, 3)),
    ("ZeroPadding2D", {"padding": [[1, 0], [2, 3]]}, (2, 3, 2, 3)),
    ("ZeroPadding3D", {"padding": [[1, 0], [1, 1], [0, 2]]}, (1, 2, 2, 3, 2)),
    ("UpSampling1D", {"size": 3}, (2, 4, 3)),
    ("UpSampling2D", {"size": [2, 3]}, (2, 3, 4, 2)),
    ("UpSampling3D", {"size": [2, 1, 3]}, (1, 2, 3, 2, 2)),
    ("UpSampling2D", {"size": [2, 2], **BILINEAR}, (2, 3, 4, 2)),
    ("UpSampling2D", {"size": [3, 1], **BILINEAR}, (1, 4, 3, 3)),
    ("UpSampling2D", {"size": [4, 5], **BILINEAR}, (1, 2, 1, 2)),
]


def compute(name, config, x):
    if config.get("interpolation") != "bilinear":
        return getattr(tf_keras.layers, name)(**config, dtype="float64")(x)
    sizes = [size * factor for size, factor in zip(x.shape[1:3], config["size"], strict=True)]
    return tf.cast(tf.compat.v1.image.resize_bilinear(tf.cast(x, "float32"), sizes), "float64")


def main() -> None:
    rng = np.random.default_rng(0)
    found = {"cases": np.array(json.dumps([case[:2] for case in CASES]))}
    for number, (name, config, shape) in enumerate(CASES):
        x = tf.Variable(rng.standard_normal(shape))
        with tf.GradientTape() as tape:
            y = compute(name, config, x)
            g = rng.standard_normal(y.shape)
            total = tf.reduce_sum(y * g)
        arrays = {"x": x, "y": y, "g": g, "to_x": tape.gradient(total, x)}
        found |= {f"{number}/{key}": np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(HOME, **found)


if __name__ == "__main__":
    main()
