"""Write vectors.npz: functions of K as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
import tensorflow as tf
import tf_keras
from vectors import Vectors, bits, given, probabilities, uniform, whole

LAST = {"data_format": "channels_last"}
FUNCTIONS = (
    ("batch_dot", {}, (2, 3, 4), (2, 4, 2)),
    ("batch_dot", {"axes": [2, 2]}, (2, 3, 4), (2, 5, 4)),
    ("batch_dot", {"axes": 1}, (2, 4), (2, 4)),
    ("batch_dot", {"axes": [1, 2]}, (2, 3), (2, 4, 3)),
    ("batch_normalization", {"axis": -1}, (3, 2, 4), (4,), uniform(0.25, 2, 4), (4,), (4,)),
    ("bias_add", LAST, (2, 3, 2, 4), (4,)),
    ("categorical_crossentropy", {}, probabilities(3, 4), uniform(0.25, 1, 3, 4)),
    ("categorical_crossentropy", {"from_logits": True}, probabilities(3, 4), (3, 4)),
    ("binary_crossentropy", {}, bits(3, 4), uniform(0.0625, 0.9375, 3, 4)),
    ("binary_crossentropy", {"from_logits": True}, bits(3, 4), (3, 4)),
    ("clip", {"min_value": -0.5, "max_value": 0.75}, (3, 4)),
    ("cumprod", {"axis": 1}, (2, 4)),
    ("cumsum", {"axis": 0}, (3, 4)),
    ("dot", {}, (2, 3, 4), (4, 5)),
    ("dot", {}, (2, 3), (4, 3, 2)),
    ("elu", {"alpha": 0.5}, (3, 4)),
    ("exp", {}, (3, 4)),
    ("gather", {}, (5, 2), whole(5, 2, 3)),
    ("hard_sigmoid", {}, uniform(-4, 4, 3, 4)),
    ("l2_normalize", {"axis": 1}, (2, 3, 4)),
    ("log", {}, uniform(0.25, 4, 3, 4)),
    ("logsumexp", {"axis": 1}, (2, 3, 4)),
    ("max", {"axis": -1}, (2, 3, 4)),
    ("mean", {"axis": [0, 2]}, (2, 3, 4)),
    ("normalize_batch_in_training", {"reduction_axes": [0, 1]}, (3, 4, 2), (2,), (2,)),
    ("normalize_batch_in_training", {"reduction_axes": [0, 2], "epsilon": 0.0625}, (3, 2, 4), (2,), (2,)),
    ("pow", {"a": 3}, (3, 4)),
    ("prod", {"axis": 1}, (2, 4)),
    ("relu", {"alpha": 0.25, "max_value": 1.0, "threshold": 0.5}, (3, 8)),
    ("repeat", {"n": 3}, (2, 4)),
    ("repeat_elements", {"rep": 2, "axis": 1}, (2, 3, 2)),
    ("resize_images", {"height_factor": 2, "width_factor": 3, **LAST}, (2, 2, 3, 2)),
    ("resize_volumes", {"depth_factor": 2, "height_factor": 1, "width_factor": 3, **LAST}, (1, 2, 3, 2, 2)),
    ("reverse", {"axes": [1]}, (2, 3, 2)),
    ("sigmoid", {}, uniform(-4, 4, 3, 4)),
    ("softmax", {}, (2, 3, 4)),
    ("softmax", {"axis": 1}, (2, 3, 4)),
    ("softplus", {}, uniform(-4, 4, 3, 4)),
    ("softsign", {}, (3, 4)),
    ("sparse_categorical_crossentropy", {}, whole(4, 3), uniform(0.25, 1, 3, 4)),
    ("sparse_categorical_crossentropy", {"from_logits": True}, whole(4, 3), (3, 4)),
    ("spatial_2d_padding", {"padding": ((1, 0), (0, 2)), **LAST}, (2, 2, 3, 2)),
    ("spatial_3d_padding", {"padding": ((1, 0), (0, 1), (1, 1)), **LAST}, (1, 2, 2, 1, 2)),
    ("sqrt", {}, uniform(0.25, 4, 3, 4)),
    ("std", {"axis": 1}, (2, 3, 4)),
    ("tanh", {}, uniform(-4, 4, 3, 4)),
    ("temporal_padding", {"padding": (2, 1)}, (2, 3, 2)),
    ("var", {"axis": [0, 2], "keepdims": True}, (2, 3, 4)),
)


def binary_crossentropy(target, output, from_logits=False):
    """Keras 2.2.4's, by way of the logits; tf_keras adds epsilon inside the logarithms once more."""
    p = tf.clip_by_value(output, 1e-7, 1 - 1e-7)
    logits = output if from_logits else tf.math.log(p / (1 - p))
    return tf.nn.sigmoid_cross_entropy_with_logits(target, logits)


def recurrence(x, h, mask=None, **how):
    """tf_keras's rnn of h' = tanh(0.5 x + 0.75 h)."""

    def step(inputs, states):
        after = tf.tanh(0.5 * inputs + 0.75 * states[0])
        return 2 * after, [after]

    last, outputs, states = tf_keras.backend.rnn(step, x, [h], mask=mask, **how)
    return [last, outputs, *states]


# Where tf_keras.backend has none.
PEERS = {"binary_crossentropy": binary_crossentropy, "logsumexp": tf.reduce_logsumexp}


def main():
    vectors = Vectors()
    for name, config, *inputs in FUNCTIONS:
        wrt = [1] if name.endswith("crossentropy") else None
        id = f"{name}({config}) of {', '.join(map(str, inputs))}" if name in ("batch_dot", "dot") else None
        vectors.function("ops", name, *inputs, id=id, wrt=wrt, peer=PEERS.get(name), **config)
    steps, state, mask = (2, 4, 3), (2, 3), given(np.array([[0, 1, 0, 1], [1, 1, 0, 0]], bool))
    for how in ({}, {"go_backwards": True}, {"unroll": True}):
        vectors.function("ops", "recurrence", steps, state, peer=recurrence, **how)
        id = f"recurrence({how}), masked"
        vectors.function("ops", "recurrence", steps, state, mask, peer=recurrence, id=id, **how)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
