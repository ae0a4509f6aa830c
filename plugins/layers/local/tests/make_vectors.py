"""Write vectors.npz: locally connected layers as tf_keras computes them.  scripts/vectors.py says how to run it.

The kernels have another layout in each data_format, so that each vector says which it is.
"""

from vectors import Vectors

LAST, FIRST = {"data_format": "channels_last"}, {"data_format": "channels_first"}


def main():
    vectors = Vectors()
    for name, config, shape in (
        ("LocallyConnected1D", {"filters": 3, "kernel_size": 3, "strides": 2, **LAST}, (7, 2)),
        ("LocallyConnected1D", {"filters": 3, "kernel_size": 2, "activation": "tanh", **FIRST}, (2, 5)),
        (
            "LocallyConnected2D",
            {"filters": 3, "kernel_size": [2, 3], "strides": [2, 1], "activation": "sigmoid", **LAST},
            (5, 5, 2),
        ),
        ("LocallyConnected2D", {"filters": 4, "kernel_size": 2, **FIRST}, (2, 4, 3)),
        ("LocallyConnected2D", {"filters": 2, "kernel_size": [1, 2], "use_bias": False, **LAST}, (2, 4, 3)),
    ):
        vectors.layer(name, config, (2, *shape))
    # 4 positions of 2 channels under each of 2 windows; 3 x 2 positions of 2 channels under windows of 2 x 2.
    vectors.function(
        "ops",
        "local_conv1d",
        (2, 5, 2),
        (4, 4, 3),
        kernel_size=(2,),
        strides=(1,),
        data_format="channels_last",
    )
    vectors.function(
        "ops", "local_conv2d", (2, 4, 3, 2), (6, 8, 3),
        kernel_size=(2, 2), strides=(1, 1), output_shape=(3, 2), data_format="channels_last",
    )  # fmt: skip
    vectors.save(__file__)


if __name__ == "__main__":
    main()
