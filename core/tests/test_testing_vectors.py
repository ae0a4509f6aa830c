"""Vectors: a file comes back as it was written, right numbers pass, and each wrong one is caught and named."""

from dataclasses import replace

import numpy as np
import pytest

from lamina import backend as K
from lamina.engine.layer import Layer
from lamina.engine.optimizer import Optimizer
from lamina.testing import parametrize_vectors
from lamina.testing.vector_file import read, write
from lamina.testing.vectors import check_vector, vectors


class Scale(Layer):
    """a x, with a learned for each channel, and what it has seen last beside it."""

    supports_masking = True

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        self.a = self.add_weight("a", (channels,), initializer="ones", regularizer=lambda a: K.sum(a * a))
        self.last = self.add_weight("last", (), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs):
        self.add_update([K.update(self.last, K.sum(inputs))], inputs)
        a = K.reshape(self.a, (-1, 1)) if self.data_format == "channels_first" else self.a
        return inputs * a


class Descent(Optimizer):
    """p - g."""

    def get_updates(self, loss, params):
        self.count = K.zeros(())
        self.weights = [self.count]
        gradients = self.get_gradients(loss, params)
        return [
            K.update_add(self.count, 1),
            *(K.update(p, p - g) for p, g in zip(params, gradients, strict=True)),
        ]


X = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
A = np.array([2.0, -1.0])
C = np.arange(6.0).reshape(1, 3, 2)
MASK = np.array([[True, False, True]])
FILE = {
    "scale": (
        {"kind": "layers", "name": "Scale", "config": {}, "training": True},
        {
            "x0": X, "w0": A, "w1": np.array(7.0), "c0": C, "m0": MASK,
            "y0": X * A, "n0": MASK, "gx0": C * A, "gw0": (C * X).sum((0, 1)) + 2 * A, "p0": np.array(5.0),
            "u0": A, "u1": np.array(21.0),
        },
    ),
    "descent": (
        {"kind": "optimizers", "name": "Descent", "config": {}},
        {
            "x0": np.array([1.0, 2.0]), "c0": np.array([[1.0, 0.0], [0.5, 4.0]]),
            "y0": np.array([[0.0, 2.0], [-0.5, -2.0]]), "u0": np.array(2.0),
        },
    ),
    "double": (
        {"kind": "losses", "name": "double", "config": {"times": 3}},
        {"x0": A, "x1": X[0], "c0": C[0], "y0": 3 * A * X[0], "gx1": 3 * A * C[0]},
    ),
    "rows": (
        {"kind": "ops", "name": "gather", "config": {}},
        {
            "x0": X[0], "x1": np.array([2, 0], "int32"), "c0": np.ones((2, 2)), "y0": X[0, [2, 0]],
            "gx0": np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]),
        },
    ),
}  # fmt: skip
OURS = {"Scale": Scale, "Descent": Descent, "double": lambda x, y, times: times * x * y}
EXPECTED = [(name, key) for name, (_, arrays) in FILE.items() for key in arrays if key[0] in "ynpgu"]


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "vectors.npz", "by hand", FILE)
    return tmp_path / "vectors.npz"


def test_a_file_comes_back_as_it_was_written(path):
    before = path.read_bytes()
    peer, found = read(path)
    assert peer == "by hand"
    assert {name: about for name, (about, _) in found.items()} == {
        name: about for name, (about, _) in FILE.items()
    }
    for name, (_, arrays) in FILE.items():
        assert list(found[name][1]) == list(arrays)
        for key, array in arrays.items():
            assert found[name][1][key].dtype == array.dtype
            np.testing.assert_array_equal(found[name][1][key], array)
    write(path, peer, found)
    assert path.read_bytes() == before


@pytest.mark.parametrize("floatx", ["float64", "float32"])
def test_right_numbers_pass(path, floatx):
    for vector in vectors(path, OURS):
        check_vector(vector, floatx)


@pytest.mark.parametrize("floatx", ["float64", "float32"])
@pytest.mark.parametrize(("name", "key"), EXPECTED)
def test_each_wrong_number_is_caught(path, name, key, floatx):
    (vector,) = (vector for vector in vectors(path, OURS) if vector.id == name)
    array = vector.arrays[key].copy()
    array.flat[0] = not array.flat[0] if array.dtype == bool else array.flat[0] + 1e-4 * np.abs(array).max()
    with pytest.raises(AssertionError, match=rf"(?s){name}: {key} against by hand in {floatx}.*expected:"):
        check_vector(replace(vector, arrays={**vector.arrays, key: array}), floatx)


def test_a_number_that_nothing_computes_is_missed(path):
    vector = vectors(path, OURS)[0]
    with pytest.raises(AssertionError, match="numbers to compare"):
        check_vector(replace(vector, arrays={**vector.arrays, "y1": X}))


def test_gradients_need_a_number_for_each_of_the_outputs(path):
    vector = vectors(path, OURS)[0]
    arrays = {key: array for key, array in vector.arrays.items() if key != "c0"}
    with pytest.raises(AssertionError, match="one for each output"):
        check_vector(replace(vector, arrays=arrays))


def test_every_type_and_layout_is_a_test_of_its_own(path):
    parameters = parametrize_vectors(path, OURS).mark.args[1]
    both = [
        f"{name}-{floatx}" for name in ("scale", "scale, channels_first") for floatx in ("float64", "float32")
    ]
    assert [parameter.id for parameter in parameters if parameter.id in both] == both
    for parameter in parameters:
        vector, check = parameter.values
        check(vector)
    first = parameters[both.index("scale, channels_first-float64")].values[0]
    assert first.arrays["x0"].shape == (1, 2, 3) and first.config == {"data_format": "channels_first"}


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=X)
    with pytest.raises(ValueError, match=r"other.npz is no file of vectors.* met \['x'\]"):
        vectors(tmp_path / "other.npz")
