"""The models that are timed, written once with the Keras API and run on whichever library is imported.

A workload is a function of the library's modules that answers (model, x, y, batch size): compiled, on random data.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

Workload = Callable[[SimpleNamespace], tuple[Any, np.ndarray, np.ndarray, int]]


def _classes(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return np.eye(classes, dtype="float32")[rng.integers(0, classes, n)]


def tiny(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """20-64-64-10 network, batch 32: what a step costs beside its arithmetic."""
    rng = np.random.default_rng(0)
    model = k.Sequential(
        [
            k.layers.Dense(64, activation="relu", input_shape=(20,)),
            k.layers.Dense(64, activation="relu"),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model, rng.normal(size=(32 * 500, 20)).astype("float32"), _classes(rng, 32 * 500, 10), 32


def mlp(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """784-512-512-10 network with dropout 0.2, batch 128: products of matrices, dropout and Adam."""
    rng = np.random.default_rng(0)
    model = k.Sequential(
        [
            k.layers.Dense(512, activation="relu", input_shape=(784,)),
            k.layers.Dropout(0.2),
            k.layers.Dense(512, activation="relu"),
            k.layers.Dropout(0.2),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model, rng.normal(size=(128 * 40, 784)).astype("float32"), _classes(rng, 128 * 40, 10), 128


def mnist_cnn(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """The convolutional network of Keras's MNIST example, batch 128."""
    rng = np.random.default_rng(0)
    model = k.Sequential(
        [
            k.layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
            k.layers.Conv2D(64, (3, 3), activation="relu"),
            k.layers.MaxPooling2D((2, 2)),
            k.layers.Dropout(0.25),
            k.layers.Flatten(),
            k.layers.Dense(128, activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model, rng.normal(size=(128 * 6, 28, 28, 1)).astype("float32"), _classes(rng, 128 * 6, 10), 128


def cifar_cnn(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """The convolutional network of Keras's CIFAR10 example, batch 32."""
    rng = np.random.default_rng(0)
    model = k.Sequential(
        [
            k.layers.Conv2D(32, (3, 3), padding="same", activation="relu", input_shape=(32, 32, 3)),
            k.layers.Conv2D(32, (3, 3), activation="relu"),
            k.layers.MaxPooling2D((2, 2)),
            k.layers.Dropout(0.25),
            k.layers.Conv2D(64, (3, 3), padding="same", activation="relu"),
            k.layers.Conv2D(64, (3, 3), activation="relu"),
            k.layers.MaxPooling2D((2, 2)),
            k.layers.Dropout(0.25),
            k.layers.Flatten(),
            k.layers.Dense(512, activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    return model, rng.normal(size=(32 * 8, 32, 32, 3)).astype("float32"), _classes(rng, 32 * 8, 10), 32


def resnet50(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """A residual network of 50 layers (He et al., 2015), batch 8 of 224 x 224."""
    layers, rng = k.layers, np.random.default_rng(0)

    def normalized(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, size, strides=strides, padding="same")(x)
        return layers.BatchNormalization()(x)

    def block(x: Any, filters: int, strides: int, project: bool) -> Any:
        y = layers.Activation("relu")(normalized(x, filters, 1, strides))
        y = layers.Activation("relu")(normalized(y, filters, 3))
        y = normalized(y, 4 * filters, 1)
        shortcut = normalized(x, 4 * filters, 1, strides) if project else x
        return layers.Activation("relu")(layers.add([y, shortcut]))

    image = layers.Input((224, 224, 3))
    x = layers.Activation("relu")(normalized(image, 64, 7, 2))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for number in range(blocks):
            x = block(x, filters, 2 if stage and not number else 1, not number)
    x = layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = k.Model(image, x)
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    return model, rng.normal(size=(16, 224, 224, 3)).astype("float32"), _classes(rng, 16, 1000), 8


def embedding(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """Vectors of 128 numbers for 100,000 words, trained by Adam, 50 words a text, batch 128."""
    rng = np.random.default_rng(0)
    words = k.layers.Input((50,), dtype="int32")
    means = k.layers.GlobalAveragePooling1D()(k.layers.Embedding(100_000, 128)(words))
    model = k.Model(words, k.layers.Dense(1, activation="sigmoid")(means))
    model.compile(optimizer="adam", loss="binary_crossentropy")
    x = rng.integers(0, 100_000, (128 * 8, 50)).astype("int32")
    return model, x, rng.integers(0, 2, (len(x), 1)).astype("float32"), 128


def _recurrent(k: SimpleNamespace, layer: Any) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """A recurrent layer over 80 steps of 128 numbers and one output, batch 32."""
    rng = np.random.default_rng(0)
    model = k.Sequential([layer, k.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    x = rng.normal(size=(32 * 8, 80, 128)).astype("float32")
    return model, x, rng.integers(0, 2, (len(x), 1)).astype("float32"), 32


def lstm(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """LSTM 128, with the sigmoid that all libraries have in common."""
    return _recurrent(k, k.layers.LSTM(128, recurrent_activation="sigmoid", input_shape=(80, 128)))


def gru(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """GRU 128, in the form that all libraries have in common."""
    layer = k.layers.GRU(128, recurrent_activation="sigmoid", reset_after=True, input_shape=(80, 128))
    return _recurrent(k, layer)


def simple_rnn(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """SimpleRNN 128."""
    return _recurrent(k, k.layers.SimpleRNN(128, input_shape=(80, 128)))


def char_lstm(k: SimpleNamespace) -> tuple[Any, np.ndarray, np.ndarray, int]:
    """The network of Keras's text generation example: LSTM 128 over 40 characters of 57, batch 128."""
    rng = np.random.default_rng(0)
    model = k.Sequential(
        [
            k.layers.LSTM(128, recurrent_activation="sigmoid", input_shape=(40, 57)),
            k.layers.Dense(57, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    x = _classes(rng, 128 * 6 * 40, 57).reshape(-1, 40, 57)
    return model, x, _classes(rng, len(x), 57), 128


WORKLOADS: dict[str, Workload] = {
    "tiny": tiny,
    "mlp": mlp,
    "mnist_cnn": mnist_cnn,
    "cifar_cnn": cifar_cnn,
    "resnet50": resnet50,
    "embedding": embedding,
    "lstm": lstm,
    "gru": gru,
    "simple_rnn": simple_rnn,
    "char_lstm": char_lstm,
}
