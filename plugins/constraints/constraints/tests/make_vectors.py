"""Write vectors.npz: constraints as tf_keras computes them.  scripts/vectors.py says how to run it."""

import tf_keras
from vectors import Vectors, normal


def main():
    vectors = Vectors()
    for name, config, shape in (
        ("MaxNorm", {"max_value": 1.5}, (4, 3)),
        ("MaxNorm", {"max_value": 0.5, "axis": [0, 1, 2]}, (2, 3, 2, 4)),
        ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.0, "rate": 0.75}, (4, 3)),
        ("MinMaxNorm", {"min_value": 2.5, "max_value": 3.0, "axis": 1}, (4, 3)),
        ("NonNeg", {}, (4, 3)),
        ("UnitNorm", {}, (4, 3)),
        ("UnitNorm", {"axis": 1}, (4, 3)),
    ):
        peer = getattr(tf_keras.constraints, name)(**config)
        vectors.function(
            "constraints", name, normal(*shape), peer=lambda w, peer=peer, **_: peer(w), wrt=[], **config
        )
    vectors.save(__file__)


if __name__ == "__main__":
    main()
