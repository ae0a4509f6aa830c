"""Write vectors.npz: the noise layers as tf_keras computes them.  scripts/vectors.py says how to run it.

Out of training only: in training they draw numbers of their own, and what the tests know of those is how they are
distributed.
"""

from vectors import Vectors


def main():
    vectors = Vectors()
    vectors.layer("AlphaDropout", {"rate": 0.5}, (2, 3, 4))
    vectors.layer("GaussianDropout", {"rate": 0.25}, (2, 3, 4))
    vectors.layer("GaussianNoise", {"stddev": 0.5}, (2, 3, 4))
    vectors.save(__file__)


if __name__ == "__main__":
    main()
