"""Write vectors.npz: batch normalization as tf_keras computes it.  scripts/vectors.py says how to run it.

The moving averages after a step in training are Keras 2.2.4's, written out here: it multiplies the variance by
n / (n - 1 - epsilon), which tf_keras does not.
"""

import numpy as np
from vectors import Vectors, described

WAYS = (
    ({}, (5, 3)),
    ({"axis": 1}, (3, 2, 4)),
    ({"axis": -1, "momentum": 0.5, "epsilon": 0.0625}, (3, 4, 2)),
    ({"axis": 1, "scale": False}, (2, 3, 2, 3)),
    ({"center": False}, (4, 3)),
    ({"axis": 2, "scale": False, "center": False}, (2, 3, 2, 2, 2)),
)


def moved(config, arrays):
    """The weights after a step in training."""
    x, weights = arrays["x0"], [array for key, array in arrays.items() if key[0] == "w"]
    momentum, epsilon = config.get("momentum", 0.99), config.get("epsilon", 1e-3)
    axis = config.get("axis", -1) % x.ndim
    rest = tuple(other for other in range(x.ndim) if other != axis)
    n = x.size / x.shape[axis]
    mean, variance = x.mean(rest), x.var(rest) * n / (n - 1 - epsilon)
    *trained, moving_mean, moving_variance = weights
    return [
        *trained,
        momentum * moving_mean + (1 - momentum) * mean,
        momentum * moving_variance + (1 - momentum) * variance,
    ]


def main():
    vectors = Vectors()
    for config, shape in WAYS:
        # tf_keras fuses what it normalizes of images, and knows no float64 there.
        peer = described("BatchNormalization", fused=False, **config)
        vectors.layer("BatchNormalization", config, shape, peer=peer)
        name = f"BatchNormalization({config}) in training"
        arrays = vectors.layer("BatchNormalization", config, shape, peer=peer, training=True, id=name)
        arrays |= {f"u{at}": np.asarray(weight) for at, weight in enumerate(moved(config, arrays))}
    images = described("BatchNormalization", fused=False)
    vectors.layer("BatchNormalization", {}, (2, 3, 4, 2), peer=images, id="BatchNormalization of images")
    # Without their averages afterwards: those are not the same in float32 and float64.
    vectors.layer(
        "BatchNormalization",
        {},
        (2, 3, 4, 2),
        peer=images,
        training=True,
        id="BatchNormalization of images in training",
    )
    vectors.save(__file__)


if __name__ == "__main__":
    main()
