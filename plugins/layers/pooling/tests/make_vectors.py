"""Write vectors.npz: poolings as tf_keras computes them.  scripts/vectors.py says how to run it.

Of 3D windows TensorFlow finds the maximum in float32 only, where that of these numbers and its gradient are exact, and
the average of float64 only when compiled.
"""

import tensorflow as tf
import tf_keras
from vectors import Vectors

SAME = {"padding": "same"}
WINDOWS = (
    ("1D", {"pool_size": 2}, (7, 3)),
    ("1D", {"pool_size": 3, "strides": 2, **SAME}, (8, 3)),
    ("2D", {"pool_size": [2, 2]}, (6, 4, 3)),
    ("2D", {"pool_size": [3, 2], "strides": [2, 3]}, (5, 7, 2)),
    ("2D", {"pool_size": 3, "strides": 1, **SAME}, (5, 6, 2)),
    ("2D", {"pool_size": [3, 4], "strides": 2, **SAME}, (5, 6, 2)),
    ("3D", {"pool_size": [2, 2, 2], "strides": [2, 1, 2], **SAME}, (4, 5, 3, 2)),
    ("3D", {"pool_size": [1, 2, 2]}, (2, 3, 4, 2)),
)
OPS = (
    ("pool2d", {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}, (2, 5, 4, 2)),
    ("pool3d", {"pool_size": (2, 2, 3), "strides": (1, 2, 2)}, (2, 3, 4, 5, 2)),
)


def pool3d(x, pool_size, strides=None, padding="valid", pool_mode="max"):
    """K.pool3d of float64."""
    window = tuple(pool_size), tuple(strides or pool_size), padding.upper()
    if pool_mode == "avg":
        return averaged(x, *window)
    return tf.cast(tf.nn.max_pool3d(tf.cast(x, "float32"), *window), "float64")


@tf.function(jit_compile=True)
def averaged(x, *window):
    return tf.nn.avg_pool3d(x, *window)


class Pooling3D(tf_keras.layers.Layer):
    """MaxPooling3D or AveragePooling3D."""

    def __init__(self, **config):
        super().__init__()
        self.config = config

    def call(self, inputs):
        return pool3d(inputs, **self.config)


def main():
    vectors = Vectors()
    for kind in ("MaxPooling", "AveragePooling"):
        for rank, config, shape in WINDOWS:
            pool_mode = {"MaxPooling": "max", "AveragePooling": "avg"}[kind]
            peer = Pooling3D(pool_mode=pool_mode, **config) if rank == "3D" else None
            vectors.layer(kind + rank, config, (2, *shape), peer=peer)
    for kind in ("GlobalMaxPooling", "GlobalAveragePooling"):
        for rank, shape in (("1D", (5, 3)), ("2D", (4, 3, 2)), ("3D", (3, 2, 4, 3))):
            vectors.layer(kind + rank, {}, (2, *shape))
    for name, config, shape in OPS:
        for pool_mode in ("max", "avg"):
            peer = pool3d if name == "pool3d" else None
            vectors.function("ops", name, shape, **config, pool_mode=pool_mode, peer=peer)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
