"""Write vectors.npz: the merge layers as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
from vectors import Vectors


def main():
    vectors = Vectors()
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        vectors.layer(name, {}, *[(2, 3, 4)] * 3)
        vectors.layer(name, {}, (2, 3, 4), (2, 4), id=f"{name} of another number of axes")
    vectors.layer("Subtract", {}, (2, 4), (2, 4))
    vectors.layer("Concatenate", {}, (2, 3, 4), (2, 3, 1), (2, 3, 2))
    vectors.layer("Concatenate", {"axis": 1}, (2, 3, 2), (2, 1, 2))
    vectors.layer("Dot", {"axes": 1}, (2, 4), (2, 4))
    vectors.layer("Dot", {"axes": -1, "normalize": True}, (2, 4), (2, 4))
    vectors.layer("Dot", {"axes": [1, 2]}, (2, 4), (2, 3, 4))
    vectors.layer("Dot", {"axes": [2, 1]}, (2, 3, 4), (2, 4, 5))
    vectors.layer("Dot", {"axes": 2, "normalize": True}, (2, 3, 4), (2, 2, 4))
    masks = [np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[1, 0, 0], [1, 1, 1]], bool)]
    for name in ("Add", "Concatenate"):
        arrays = vectors.layer(name, {}, (2, 3, 2), (2, 3, 2), masks=masks, id=f"{name}, masked")
        arrays["n0"] = masks[0] & masks[1]
    vectors.save(__file__)


if __name__ == "__main__":
    main()
