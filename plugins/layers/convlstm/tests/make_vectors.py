"""Write vectors.npz: convolutional LSTMs as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
import tensorflow as tf
import tf_keras
from vectors import Vectors

MASK = np.array([[1, 0, 1], [1, 1, 0]], bool)


def described(**config):
    return {"filters": 2, "kernel_size": 2, "recurrent_activation": "hard_sigmoid", **config}


class Step(tf_keras.layers.Layer):
    """A cell, called on a list of input and states: the layer, on a sequence of one."""

    def __init__(self, config):
        super().__init__()
        self.layer = tf_keras.layers.ConvLSTM2D(**config, return_state=True)

    def call(self, inputs):
        x, *states = inputs
        return self.layer(tf.expand_dims(x, 1), initial_state=states)


def main():
    vectors = Vectors()
    shape, channels = (2, 3, 4, 3, 2), {"channels": 2}  # of channels_first, behind batch and time
    vectors.layer("ConvLSTM2D", described(), shape, **channels)
    config = described(kernel_size=[3, 2], strides=[2, 1], padding="same", return_sequences=True)
    vectors.layer("ConvLSTM2D", config, shape, **channels)
    config = described(dilation_rate=2, go_backwards=True, recurrent_activation="sigmoid", use_bias=False)
    vectors.layer("ConvLSTM2D", config, shape, **channels)
    config = described(return_sequences=True, return_state=True, data_format="channels_last")
    state = (2, 3, 2, 2)
    vectors.layer("ConvLSTM2D", config, shape, states=[state, state], id="ConvLSTM2D from states")
    config = described(return_sequences=True)
    vectors.layer("ConvLSTM2D", config, shape, masks=[MASK], id="ConvLSTM2D, masked", **channels)
    config = described(padding="same", data_format="channels_last")
    state = (2, 4, 3, 2)
    vectors.layer("ConvLSTM2DCell", config, (2, 4, 3, 2), state, state, peer=Step(config))
    vectors.save(__file__)


if __name__ == "__main__":
    main()
