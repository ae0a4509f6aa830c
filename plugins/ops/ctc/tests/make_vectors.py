"""Write vectors.npz: the CTC functions as tf_keras computes them.  scripts/vectors.py says how to run it.

TensorFlow adds up their probabilities in float32, whatever it is given.
"""

import numpy as np
import tf_keras
from vectors import Vectors, given, probabilities


def lengths(*found):
    return given(np.array(found, "int32"))


def ctc_decode(y_pred, input_length, **config):
    """tf_keras's, as wide as the longest row, as in Keras 2.2; tf_keras makes it as wide as there are steps."""
    labels, scores = tf_keras.backend.ctc_decode(y_pred, input_length, **config)
    return [each[:, : np.max(np.sum(each >= 0, axis=1))] for each in labels], scores


def main():
    vectors = Vectors()
    labels = given(np.array([[0, 1, 2], [1, 1, 0], [2, 0, 0]], "int32"))
    p = probabilities(3, 6, 4)
    vectors.function(
        "ops", "ctc_batch_cost", labels, p, lengths([6], [6], [4]), lengths([3], [2], [1]), rtol=1e-6
    )
    vectors.function("ops", "ctc_decode", p, lengths(6, 6, 4), wrt=[], peer=ctc_decode, rtol=1e-6)
    beam = {"greedy": False, "beam_width": 32, "top_paths": 3}
    vectors.function("ops", "ctc_decode", p, lengths(6, 5, 4), wrt=[], peer=ctc_decode, rtol=1e-6, **beam)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
