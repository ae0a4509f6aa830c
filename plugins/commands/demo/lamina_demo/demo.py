"""A whole program: a convolutional network that reads handwritten digits, trained, tested, saved and loaded."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lamina.datasets import digits
from lamina.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from lamina.models import Sequential, load_model

INK = " .:-=+*#%"


def build() -> Sequential:
    """Two convolutions find strokes, the dense layers read the digit from them."""
    model = Sequential()
    model.add(Conv2D(32, (3, 3), padding="same", activation="relu", input_shape=(8, 8, 1)))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(MaxPooling2D((2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(128, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(argv: Sequence[str] = ()) -> int:
    """train a small convolutional network on handwritten digits, save it and load it again"""
    parser = argparse.ArgumentParser("lamina demo", description=main.__doc__)
    parser.add_argument(
        "--epochs", type=int, default=15, help="passes over the training images (default: 15)"
    )
    parser.add_argument(
        "--save", type=Path, help="where to keep the model; by default it is thrown away at the end"
    )
    arguments = parser.parse_args(argv)

    np.random.seed(0)  # makes the run repeat: weights, order of the images, dropout
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = (x[..., np.newaxis] / 16 for x in (x_train, x_test))

    model = build()
    model.summary()
    model.fit(x_train, y_train, batch_size=32, epochs=arguments.epochs, validation_split=0.1)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"\nOf {len(x_test)} images it has not seen it reads {accuracy:.1%} right.")

    with tempfile.TemporaryDirectory() as folder:
        path = arguments.save or Path(folder) / "digits.h5"
        model.save(path)
        predictions = model.predict(x_test)
        same = np.array_equal(load_model(path).predict(x_test), predictions)
        print(f"Saved to {path} and loaded: the predictions are {'identical' if same else 'DIFFERENT'}.\n")

    shown = slice(None, None, 64)
    show(x_test[shown, ..., 0], y_test[shown], predictions[shown])
    print("Try next: lamina demo --epochs 30 --save digits.h5, lamina plugins list, lamina new my-layers.")
    return 0 if same else 1


def show(images: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> None:
    """Images as text side by side, with what they are and what the model takes them for."""
    for row in range(images.shape[1]):
        lines = ("".join(INK[int(ink * (len(INK) - 1))] * 2 for ink in image[row]) for image in images)
        print("   ".join(lines))
    read, sure = predictions.argmax(axis=-1), predictions.max(axis=-1)
    print(
        "   ".join(f"  {label} read as {digit}".ljust(16) for label, digit in zip(labels, read, strict=True))
    )
    print("   ".join(f"  {chance:.0%} sure".ljust(16) for chance in sure) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
