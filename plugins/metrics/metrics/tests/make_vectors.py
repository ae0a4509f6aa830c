"""Write vectors.npz: metrics as tf_keras computes them.  scripts/vectors.py says how to run it."""

import tensorflow as tf
import tf_keras
from vectors import Vectors, bits, one_hot, probabilities, uniform, whole


def over_the_batch(metric):
    """Keras 2.2's answer the share of the batch, where tf_keras's answer a number for each sample, and of float32."""
    return lambda true, scores, k: tf.reduce_mean(
        tf.cast(metric(true, tf.cast(scores, "float32"), k=k), "float64")
    )


def main():
    vectors = Vectors()
    p = probabilities(8, 6)
    vectors.function("metrics", "binary_accuracy", bits(6, 5), uniform(0, 1, 6, 5), wrt=[])
    vectors.function("metrics", "categorical_accuracy", one_hot(8, 6), p, wrt=[])
    vectors.function("metrics", "sparse_categorical_accuracy", whole(6, 8, 1), p, wrt=[])
    vectors.function(
        "metrics",
        "sparse_categorical_accuracy",
        whole(6, 4, 3),
        probabilities(4, 3, 6),
        wrt=[],
        id="sparse_categorical_accuracy of rows",
    )
    for name, true in (("top_k", one_hot(8, 6)), ("sparse_top_k", whole(6, 8, 1))):
        name += "_categorical_accuracy"
        for k in (2, 5):
            vectors.function(
                "metrics", name, true, p, k=k, peer=over_the_batch(getattr(tf_keras.metrics, name)), wrt=[]
            )
    vectors.save(__file__)


if __name__ == "__main__":
    main()
