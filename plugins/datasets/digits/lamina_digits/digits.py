"""Handwritten digits, 8 x 8 pixels each: small enough to train on in seconds."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

__all__ = ["load_data"]

Images = tuple[np.ndarray, np.ndarray]


def load_data() -> tuple[Images, Images]:
    """((x_train, y_train), (x_test, y_test)): 1,438 images to train on and 359 to test with.

    x: (n, 8, 8), uint8, how much of the pixel is ink, 0 <= x <= 16.  y: (n,), uint8, the digit, 0 to 9.
    Every fifth image is a test image, so both parts have the handwriting of all writers.

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    doi:10.24432/C50P49, CC BY 4.0.
    """
    with (
        files("lamina_digits").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as data,
    ):
        x, y = data["x"], data["y"]
    test = np.arange(len(x)) % 5 == 4
    return (x[~test], y[~test]), (x[test], y[test])
