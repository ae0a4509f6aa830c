"""Write vectors.npz: losses as tf_keras computes them.  scripts/vectors.py says how to run it."""

import tensorflow as tf
import tf_keras
from vectors import Vectors, bits, one_hot, probabilities, signs, uniform, whole


def binary_crossentropy(true, predicted):
    """Keras 2.2.4's, by way of the logits; tf_keras adds epsilon inside the logarithms once more."""
    p = tf.clip_by_value(predicted, 1e-7, 1 - 1e-7)
    logits = tf.math.log(p / (1 - p))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(true, logits), axis=-1)


def logcosh(true, predicted):
    """Its name; tf_keras knows log 2 in float32 only."""
    return tf.reduce_mean(tf.math.log(tf.math.cosh(predicted - true)), axis=-1)


def main():
    vectors = Vectors()
    for name in ("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"):
        vectors.function("losses", name, (4, 3), (4, 3))
    vectors.function("losses", "mean_squared_error", (4, 3, 2), (4, 3, 2), id="mean_squared_error of rows")
    vectors.function("losses", "logcosh", (4, 3), (4, 3), peer=logcosh)
    counts, rates = uniform(0.5, 3, 4, 3), uniform(0.25, 3, 4, 3)
    vectors.function("losses", "mean_squared_logarithmic_error", counts, rates)
    vectors.function(
        "losses", "mean_squared_logarithmic_error", (4, 3), (4, 3),
        id="mean_squared_logarithmic_error of negative numbers",
    )  # fmt: skip
    vectors.function("losses", "poisson", counts, rates)
    # tf_keras calls it by the cosine alone, with the same sign.
    vectors.function("losses", "cosine_proximity", (4, 3), (4, 3), peer=tf_keras.losses.cosine_similarity)
    p = probabilities(4, 5)
    vectors.function("losses", "categorical_crossentropy", one_hot(4, 5), p, wrt=[1])
    vectors.function(
        "losses", "categorical_crossentropy", probabilities(4, 3, 5), uniform(0.25, 1, 4, 3, 5),
        id="categorical_crossentropy of shares and predictions that do not add up to 1",
    )  # fmt: skip
    vectors.function("losses", "sparse_categorical_crossentropy", whole(5, 4, 1), p, wrt=[1])
    vectors.function(
        "losses", "sparse_categorical_crossentropy", whole(5, 4, 3, 1), uniform(0.25, 1, 4, 3, 5), wrt=[1],
        id="sparse_categorical_crossentropy of sequences",
    )  # fmt: skip
    share = uniform(0.0625, 0.9375, 4, 5)
    vectors.function("losses", "binary_crossentropy", bits(4, 5), share, peer=binary_crossentropy, wrt=[1])
    vectors.function("losses", "kullback_leibler_divergence", p, probabilities(4, 5))
    vectors.function("losses", "hinge", signs(4, 3), (4, 3), wrt=[1])
    vectors.function("losses", "squared_hinge", signs(4, 3), (4, 3), wrt=[1])
    vectors.function("losses", "categorical_hinge", one_hot(4, 5), (4, 5), wrt=[1])
    vectors.save(__file__)


if __name__ == "__main__":
    main()
