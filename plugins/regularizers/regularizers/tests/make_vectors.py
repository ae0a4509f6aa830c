"""Write vectors.npz: regularizers as tf_keras computes them.  scripts/vectors.py says how to run it."""

import tf_keras
from vectors import Vectors


def main():
    vectors = Vectors()
    for name, config, peer in (
        ("L1L2", {"l1": 0.25, "l2": 0.5}, tf_keras.regularizers.L1L2(0.25, 0.5)),
        ("l1", {"l": 0.25}, tf_keras.regularizers.L1(0.25)),
        ("l2", {"l": 0.125}, tf_keras.regularizers.L2(0.125)),
        ("l1_l2", {"l1": 0.5, "l2": 0.25}, tf_keras.regularizers.L1L2(0.5, 0.25)),
    ):
        vectors.function("regularizers", name, (4, 3), peer=lambda w, peer=peer, **_: peer(w), **config)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
