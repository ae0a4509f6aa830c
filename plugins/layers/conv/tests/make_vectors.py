"""Write vectors.npz: convolutions, and what else is done to images, as tf_keras computes them.

scripts/vectors.py says how to run it.  Bilinear enlarging is TensorFlow 1's resize_bilinear, which Keras 2.2 used:
tf_keras has the half-pixel centres of later releases.  It computes in float32, where these factors are exact.
"""

import tensorflow as tf
import tf_keras
from vectors import Vectors

SAME = {"padding": "same"}
LAYERS = (
    ("Conv1D", {"filters": 3, "kernel_size": 3, "strides": 2}, (7, 2)),
    (
        "Conv1D",
        {
            "filters": 2,
            "kernel_size": 3,
            "padding": "causal",
            "dilation_rate": 2,
            "data_format": "channels_last",
        },
        (7, 2),
    ),
    ("Conv1D", {"filters": 2, "kernel_size": 4, "strides": 2, "activation": "tanh", **SAME}, (7, 3)),
    ("Conv2D", {"filters": 3, "kernel_size": [3, 2]}, (5, 4, 2)),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "use_bias": False, **SAME}, (5, 6, 3)),
    (
        "Conv2D",
        {"filters": 2, "kernel_size": [2, 3], "dilation_rate": 2, "activation": "sigmoid", **SAME},
        (5, 6, 2),
    ),
    ("Conv2D", {"filters": 4, "kernel_size": 1, "activation": "relu"}, (4, 3, 3)),
    ("Conv3D", {"filters": 2, "kernel_size": [2, 3, 2], "strides": [2, 1, 1], **SAME}, (4, 3, 4, 2)),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "activation": "sigmoid"}, (3, 3, 4, 1)),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3}, (4, 3, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": [2, 3], "strides": 2, **SAME}, (3, 4, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}, (3, 2, 3)),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1, **SAME},
        (3, 4, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": [3, 2], "output_padding": [2, 0], "activation": "elu"},
        (2, 3, 2),
    ),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, **SAME}, (5, 6, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (4, 3, 3)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}, (2, 3, 2, 2)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 3, "strides": [1, 2, 1], **SAME}, (3, 2, 3, 1)),
    (
        "Conv3DTranspose",
        {"filters": 1, "kernel_size": 3, "strides": 2, "output_padding": 1, **SAME},
        (2, 2, 2, 2),
    ),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, **SAME}, (5, 4, 3)),
    ("DepthwiseConv2D", {"kernel_size": [2, 3], "strides": 2, "activation": "relu"}, (6, 7, 2)),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "use_bias": False, **SAME}, (6, 5, 4)),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}, (6, 2)),
    ("SeparableConv1D", {"filters": 2, "kernel_size": 2, "strides": 2, **SAME}, (7, 3)),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, **SAME}, (5, 4, 2)),
    ("SeparableConv2D", {"filters": 2, "kernel_size": [3, 2], "strides": 2, "activation": "tanh"}, (7, 6, 3)),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (5, 6, 2)),
    ("Cropping1D", {"cropping": [2, 1]}, (6, 3)),
    ("Cropping2D", {"cropping": [[1, 0], [0, 2]]}, (4, 5, 3)),
    ("Cropping3D", {"cropping": [[1, 0], [1, 1], [0, 2]]}, (3, 4, 5, 2)),
    ("ZeroPadding1D", {"padding": [2, 1]}, (4, 3)),
    ("ZeroPadding2D", {"padding": [[1, 0], [2, 3]]}, (3, 2, 3)),
    ("ZeroPadding3D", {"padding": [[1, 0], [1, 1], [0, 2]]}, (2, 2, 3, 2)),
    ("UpSampling1D", {"size": 3}, (4, 3)),
    ("UpSampling2D", {"size": [2, 3]}, (3, 4, 2)),
    ("UpSampling3D", {"size": [2, 1, 3]}, (2, 3, 2, 2)),
)
OPS = (
    ("conv1d", {"strides": 2, "padding": "same"}, (2, 7, 2), (3, 2, 3)),
    (
        "conv1d",
        {"padding": "causal", "dilation_rate": 2, "data_format": "channels_last"},
        (2, 8, 2),
        (3, 2, 2),
    ),
    ("conv2d", {}, (2, 5, 6, 2), (3, 2, 2, 3)),
    ("conv2d", {"strides": (2, 2), "padding": "same"}, (2, 5, 6, 3), (3, 2, 3, 2)),
    ("conv2d", {"padding": "same", "dilation_rate": (2, 2)}, (1, 7, 6, 2), (2, 3, 2, 2)),
    ("conv3d", {"padding": "same"}, (1, 3, 4, 5, 2), (2, 3, 2, 2, 2)),
    ("conv3d", {"strides": (2, 2, 2)}, (1, 4, 4, 5, 1), (2, 2, 3, 1, 2)),
    ("depthwise_conv2d", {"strides": (2, 2), "padding": "same"}, (2, 5, 4, 2), (3, 2, 2, 2)),
    ("separable_conv2d", {"padding": "same"}, (2, 4, 5, 2), (2, 3, 2, 2), (1, 1, 4, 3)),
    (
        "conv2d_transpose",
        {"output_shape": (2, 6, 8, 3), "strides": (2, 2), "padding": "same", "data_format": "channels_last"},
        (2, 3, 4, 2),
        (3, 2, 3, 2),
    ),
)


class Bilinear(tf_keras.layers.Layer):
    """UpSampling2D of TensorFlow 1."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, x):
        sizes = [size * factor for size, factor in zip(x.shape[1:3], self.size, strict=True)]
        return tf.cast(tf.compat.v1.image.resize_bilinear(tf.cast(x, "float32"), sizes), "float64")


def separable_conv1d(x, depthwise_kernel, pointwise_kernel):
    """In 2D, with one row: tf_keras has none of its own that works."""
    one_row = [tf.expand_dims(x, 1), tf.expand_dims(depthwise_kernel, 0), tf.expand_dims(pointwise_kernel, 0)]
    return tf.squeeze(tf.nn.separable_conv2d(*one_row, (1, 1, 1, 1), "VALID"), 1)


def conv3d_transpose(x, kernel, output_shape, data_format):
    """TensorFlow's; tf_keras keeps its own to itself."""
    return tf.nn.conv3d_transpose(x, kernel, output_shape, 1, "VALID")


def main():
    vectors = Vectors()
    for name, config, shape in LAYERS:
        vectors.layer(name, config, (2, *shape))
    for size in ([2, 2], [4, 2], [1, 8]):
        config = {"size": size, "interpolation": "bilinear"}
        vectors.layer("UpSampling2D", config, (2, 3, 4, 2), peer=Bilinear(size))
    for name, config, *shapes in OPS:
        vectors.function("ops", name, *shapes, **config)
    vectors.function("ops", "separable_conv1d", (2, 6, 2), (3, 2, 2), (1, 4, 3), peer=separable_conv1d)
    vectors.function(
        "ops", "conv3d_transpose", (1, 2, 3, 4, 2), (2, 2, 2, 2, 2), peer=conv3d_transpose,
        output_shape=(1, 3, 4, 5, 2), data_format="channels_last",
    )  # fmt: skip
    vectors.save(__file__)


if __name__ == "__main__":
    main()
