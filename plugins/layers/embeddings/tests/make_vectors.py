"""Write vectors.npz: embeddings as tf_keras computes them.  scripts/vectors.py says how to run it."""

import numpy as np
from vectors import Vectors, described, given, whole


def main():
    vectors = Vectors()
    vectors.layer("Embedding", {"input_dim": 7, "output_dim": 3}, whole(7, 2, 4))
    indices = np.array([[1, 0, 3, 3], [0, 2, 0, 4]], "int32")
    masked = {"input_dim": 5, "output_dim": 2, "mask_zero": True, "input_length": 4}
    vectors.layer("Embedding", masked, given(indices), id="Embedding with a mask")["n0"] = indices != 0
    vectors.layer(
        "Embedding",
        {"input_dim": 6, "output_dim": 2, "embeddings_regularizer": described("L1L2", l1=0.0, l2=0.25)},
        whole(6, 2, 2, 3),
        penalty=lambda layer, y: layer.embeddings_regularizer(layer.embeddings),
        id="Embedding with a penalty",
    )
    vectors.save(__file__)


if __name__ == "__main__":
    main()
