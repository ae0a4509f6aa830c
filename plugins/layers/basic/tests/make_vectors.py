"""Write vectors.npz: the basic layers as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
import tensorflow as tf
import tf_keras
from vectors import Vectors, described, normal

MASK = np.array([[1, 0, 1], [0, 1, 1]], bool)


def weight_penalties(layer, y):
    return layer.kernel_regularizer(layer.kernel) + layer.bias_regularizer(layer.bias)


def activity_penalty(layer, y):
    # Keras 2.2 adds up over the batch; tf_keras divides that by the size of the batch before it is in layer.losses.
    return layer.activity_regularizer(y)


def masked_values(rng):
    """Time steps of which two are 0.5 all over."""
    x = normal(2, 3, 2)(rng)
    x[~MASK] = 0.5
    return x


def cubed(x, by):
    return by * x**3


def main():
    vectors = Vectors()
    vectors.layer("Dense", {"units": 3}, (2, 4))
    vectors.layer("Dense", {"units": 3, "use_bias": False}, (2, 3, 4))
    for activation in (
        "relu",
        "elu",
        "selu",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
        "softmax",
        "softplus",
        "softsign",
    ):
        vectors.layer("Dense", {"units": 3, "activation": activation}, (2, 4))
    vectors.layer(
        "Dense",
        {
            "units": 2,
            "kernel_regularizer": described("L1L2", l1=0.25, l2=0.5),
            "bias_regularizer": described("L1L2", l1=0.0, l2=0.125),
        },
        (3, 4),
        penalty=weight_penalties,
        id="Dense with penalties on its weights",
    )
    vectors.layer(
        "Dense",
        {"units": 2, "activity_regularizer": described("L1L2", l1=0.25, l2=0.5)},
        (3, 4),
        penalty=activity_penalty,
        id="Dense with a penalty on its output",
    )
    vectors.layer("ActivityRegularization", {"l1": 0.25, "l2": 0.5}, (3, 4), penalty=activity_penalty)
    vectors.layer("Activation", {"activation": "softmax"}, (2, 3, 4))
    vectors.layer("Activation", {"activation": "softplus"}, (2, 4))
    vectors.layer("Flatten", {}, (2, 3, 4, 2))
    vectors.layer("Permute", {"dims": [3, 1, 2]}, (2, 3, 4, 2))
    vectors.layer("Reshape", {"target_shape": [2, -1]}, (2, 3, 4))
    vectors.layer("RepeatVector", {"n": 3}, (2, 4))
    vectors.layer("Masking", {"mask_value": 0.5}, masked_values)["n0"] = MASK
    for name, config, shape in (
        ("Dropout", {"rate": 0.5}, (2, 4)),
        ("SpatialDropout1D", {"rate": 0.5}, (2, 3, 4)),
        ("SpatialDropout2D", {"rate": 0.5}, (2, 3, 2, 4)),
        ("SpatialDropout3D", {"rate": 0.5}, (2, 3, 2, 2, 4)),
    ):
        vectors.layer(name, config, shape, id=f"{name} out of training")
    vectors.layer(
        "Lambda",
        {"function": "cubed", "function_type": "function", "arguments": {"by": 0.5}},
        (2, 4),
        peer=tf_keras.layers.Lambda(cubed, arguments={"by": tf.constant(0.5, "float64")}),
    )
    vectors.save(__file__)


if __name__ == "__main__":
    main()
