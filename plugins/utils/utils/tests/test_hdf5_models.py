"""HDF5Matrix wherever a model takes an array: to the bit what the array gives."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina.layers import Dense, Input, concatenate
from lamina.models import Model, Sequential
from lamina.utils import HDF5Matrix, to_categorical

ROWS = 40
draw = np.random.default_rng(0)
ARRAYS = {
    "a": draw.random((ROWS, 3), "float32"),
    "b": draw.random((ROWS, 4)),
    "number": draw.random((ROWS, 1)),
    "kind": draw.integers(0, 3, ROWS),
    "weight": draw.random(ROWS),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.h5"
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file[name] = array
    return path


def two_ended():
    np.random.seed(0)
    a, b = Input((3,), name="a"), Input((4,), name="b")
    both = concatenate([a, b])
    ends = [Dense(1, name="number")(both), Dense(3, activation="softmax", name="kind")(both)]
    model = Model([a, b], ends)
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], metrics=["mae"])
    return model


def classifier():
    np.random.seed(0)
    model = Sequential([Dense(3, activation="softmax", input_shape=(3,))])
    model.compile("adam", "categorical_crossentropy", metrics=["acc"])
    return model


def fitted(model, *data, **arguments):
    history = model.fit(*data, batch_size=7, epochs=2, verbose=0, **arguments)
    return [*model.get_weights(), *history.history.values()]


def one_hot(kinds):
    return to_categorical(kinds, 3)


def lists(data, shuffle):
    x, y = [data("a"), data("b", normalizer=np.sqrt)], [data("number"), data("kind")]
    return fitted(two_ended(), x, y, shuffle=shuffle)


def dicts(data, shuffle):
    def of(*names):
        return {name: data(name, 2, 30) for name in names}

    validation = {name: data(name, 30) for name in "ab"}, [data("number", 30), data("kind", 30)]
    return fitted(
        two_ended(), of("a", "b"), of("number", "kind"), shuffle=shuffle, validation_data=validation
    )


def weighted(data, shuffle):
    x, y, w = [data("a"), data("b")], [data("number"), data("kind")], data("weight")
    validation = x, y, [w, w]
    return fitted(two_ended(), x, y, shuffle=shuffle, sample_weight={"number": w}, validation_data=validation)


def split(data, shuffle):
    x, y = [data("a"), data("b", normalizer=np.sqrt)], [data("number"), data("kind")]
    weights = [data("weight"), None]
    return fitted(two_ended(), x, y, shuffle=shuffle, sample_weight=weights, validation_split=0.3)


def among_arrays(data, shuffle):
    return fitted(two_ended(), [data("a"), ARRAYS["b"]], [ARRAYS["number"], data("kind")], shuffle=shuffle)


def classes(data, shuffle):
    y = data("kind", normalizer=one_hot)
    return fitted(classifier(), data("a"), y, shuffle=shuffle, class_weight={0: 1.0, 1: 2.0, 2: 0.5})


@pytest.mark.parametrize("shuffle", [True, "batch", False])
@pytest.mark.parametrize("fit", [lists, dicts, weighted, split, among_arrays, classes])
def test_fit(path, fit, shuffle):
    same(path, lambda data: fit(data, shuffle))


def test_evaluate_and_predict(path):
    def run(data):
        model = two_ended()
        x = {"a": data("a"), "b": data("b")}
        scores = model.evaluate(
            x, [data("number"), data("kind")], verbose=0, sample_weight=[data("weight"), None]
        )
        return [scores, *model.predict(x, batch_size=9), *model.predict([data("a", 5, 6), data("b", 5, 6)])]

    same(path, run)


def test_single_batches(path):
    def run(data):
        model = two_ended()
        x, y, w = [data("a"), data("b")], {"number": data("number"), "kind": data("kind")}, data("weight")
        trained = model.train_on_batch(x, y, sample_weight=[w, w], class_weight=None)
        tested = model.test_on_batch({"a": x[0], "b": x[1]}, y, sample_weight={"kind": w})
        return [trained, tested, *model.predict_on_batch(x), *model.get_weights()]

    same(path, run)


def test_generators(path):
    def run(data):
        model = classifier()

        def part(first):
            ends = (first, first + 8)
            return data("a", *ends), data("kind", *ends, normalizer=one_hot), data("weight", *ends)

        batches = (part(first) for _ in range(3) for first in range(0, ROWS, 8))
        validation = data("a"), data("kind", normalizer=one_hot)
        history = model.fit_generator(batches, 5, 2, verbose=0, validation_data=validation)
        return [*model.get_weights(), *history.history.values()]

    same(path, run)


def test_a_share_for_validation_is_not_read_at_once(path, monkeypatch):
    longest = 0

    def watched(self, key):
        nonlocal longest
        found = original(self, key)
        longest = max(longest, len(found))
        return found

    original = HDF5Matrix.__getitem__
    monkeypatch.setattr(HDF5Matrix, "__getitem__", watched)
    x, y = HDF5Matrix(path, "a"), HDF5Matrix(path, "kind", normalizer=one_hot)
    fitted(classifier(), x, y, validation_split=0.5)
    assert longest == 7  # the size of a batch


def same(path, run):
    def stored(name, start=0, end=None, normalizer=None):
        return HDF5Matrix(path, name, start, end, normalizer)

    def given(name, start=0, end=None, normalizer=None):
        rows = ARRAYS[name][start:end]
        return rows if normalizer is None else normalizer(rows)

    for one, other in zip(run(stored), run(given), strict=True):
        assert_array_equal(one, other)
