"""Write vectors.npz: activations as tf_keras computes them.  scripts/vectors.py says how to run it."""

from vectors import Vectors, uniform


def main():
    vectors = Vectors()
    wide = uniform(-4, 4, 3, 5)
    for name in (
        "elu", "exponential", "hard_sigmoid", "linear", "relu", "selu", "sigmoid", "softmax", "softplus", "softsign",
        "tanh",
    ):  # fmt: skip
        vectors.function("activations", name, wide)
    vectors.function("activations", "elu", wide, alpha=0.5)
    vectors.function("activations", "softmax", uniform(-4, 4, 2, 3, 4), axis=1)
    vectors.function("activations", "relu", wide, alpha=0.25, max_value=2.0, threshold=0.5)
    vectors.function("activations", "relu", wide, alpha=0.25, threshold=-1.0)
    vectors.function("activations", "relu", wide, max_value=1.5)
    vectors.layer("ELU", {"alpha": 0.5}, wide)
    vectors.layer("LeakyReLU", {"alpha": 0.25}, wide)
    vectors.layer("PReLU", {}, (2, 3, 4))
    vectors.layer("PReLU", {"shared_axes": [1, 2]}, (2, 3, 2, 4))
    vectors.layer("ReLU", {}, wide)
    vectors.layer("ReLU", {"max_value": 2.0, "negative_slope": 0.25, "threshold": 0.5}, wide)
    vectors.layer("Softmax", {}, wide)
    vectors.layer("Softmax", {"axis": 1}, (2, 3, 4))
    vectors.layer("ThresholdedReLU", {"theta": 0.75}, wide)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
