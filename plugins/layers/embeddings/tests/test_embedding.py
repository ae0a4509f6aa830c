import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import Conv1D, Dense, Embedding, Flatten, Input
from lamina.models import Model, Sequential
from lamina.testing import Case, parametrize_layers, predict


def looked_up(x, embeddings):
    return embeddings[x.astype(int)]


@parametrize_layers(
    Case(
        Embedding,
        {"input_dim": 7, "output_dim": 3},
        shape=(4,),
        dtype="int32",
        low=0,
        high=7,
        reference=looked_up,
    ),
    Case(Embedding, {"input_dim": 7, "output_dim": 3}, shape=(2, 4), dtype="int32", low=0, high=7),
    Case(
        Embedding,
        {
            "input_dim": 5,
            "output_dim": 2,
            "embeddings_initializer": "he_normal",
            "embeddings_regularizer": "l2",
            "activity_regularizer": "l1",
            "embeddings_constraint": "unit_norm",
            "mask_zero": True,
            "input_length": 4,
        },
        shape=(4,),
        dtype="int32",
        low=0,
        high=5,
        id="Embedding with everything",
    ),
)
def test_conforms(case, check):
    check(case)


def table(layer, values):
    layer.build((None, None))
    layer.set_weights([np.asarray(values, "float32")])
    return layer


def test_each_index_gives_its_row():
    found = predict(table(Embedding(3, 2), [[0, 1], [2, 3], [4, 5]]), np.array([[2, 0]]))
    assert_array_equal(found, [[[4, 5], [0, 1]]])


WHOLE = [3, -1, 2**30, 2**32, -(2**32), 2**33 + 1]
OUTSIDE = [(bad, dtype) for dtype in ("float32", "float64") for bad in (*WHOLE, np.inf, -np.inf, np.nan)] + [
    (bad, dtype)
    for dtype in ("int32", "int64", "uint8")
    for bad in WHOLE
    if np.iinfo(dtype).min <= bad <= np.iinfo(dtype).max
]


@pytest.mark.parametrize(("bad", "dtype"), OUTSIDE)
def test_an_index_out_of_range_is_an_error_that_names_layer_index_and_size(bad, dtype):
    layer = table(Embedding(3, 2, name="words"), np.zeros((3, 2)))
    with pytest.raises(IndexError) as caught:
        predict(layer, np.array([[0, bad]], dtype))
    told = str(caught.value)
    shown = float(re.search(r"index (\S+) is out of range: there are 3 rows", told)[1])
    assert shown == np.array(bad, dtype) or np.isnan([shown, bad]).all()
    assert told.endswith("of layer words)")


def test_of_floats_the_fraction_is_cut_off():
    layer = table(Embedding(3, 1), [[0], [1], [2]])
    assert predict(layer, [[0.9, 1.0, 2.5, -0.5]]).ravel().tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "int64", "float16", "bool"])
def test_indices_are_of_any_type(dtype):
    x = np.array([[1, 0, 1]]).astype(dtype)
    words, layer = Input((3,), dtype=dtype), Embedding(2, 2)
    model = Model(words, layer(words))
    model.compile("sgd", "mse")
    assert_array_equal(model.predict(x), layer.get_weights()[0][[[1, 0, 1]]])
    model.train_on_batch(x, np.ones((1, 3, 2)))


def test_zero_is_padding_when_asked():
    x = Input((4,))
    layer = Embedding(5, 2, mask_zero=True)
    layer(x)
    (mask,) = K.function([x], [layer.output_mask])([np.array([[1, 0, 3, 0]])])
    assert_array_equal(mask, [[True, False, True, False]])


def test_a_repeated_index_gathers_the_gradients_of_all_its_uses():
    layer = Embedding(3, 2)
    x = Input((3,))
    y = layer(x)
    (g,) = K.function([x], [K.gradients(K.sum(y), layer.embeddings)[0] + 0])([np.array([[1, 1, 2]])])
    assert_allclose(g, [[0, 0], [2, 2], [1, 1]])


def test_input_length_lets_flatten_know_its_size():
    model = Sequential([Embedding(10, 4, input_length=5), Flatten(), Dense(1)])
    assert model.layers[1].output_shape == (None, 20)
    assert model.predict(np.zeros((2, 5))).shape == (2, 1)


def test_another_length_than_input_length_is_refused():
    with pytest.raises(ValueError, match=r'"input_length" is 5, but received input has shape \(None, 6\)'):
        Embedding(10, 4, input_length=5)(Input((6,)))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: Embedding(0, 3, name="e"),
            ValueError,
            "e: input_dim is the size of the vocabulary, .* met 0",
        ),
        (lambda: Embedding("9", 3, name="e"), TypeError, "e: input_dim .* met '9'"),
        (
            lambda: Embedding(9, None, name="e"),
            TypeError,
            "e: output_dim is the size of a vector, .* met None",
        ),
        (lambda: Embedding(9, 2.5, name="e"), ValueError, "e: output_dim .* met 2.5"),
        (lambda: Embedding(9, 3, input_length=-1, name="e"), ValueError, "e: input_shape: .*-1"),
        (
            lambda: Conv1D(2, 2, name="c")(Embedding(9, 3, mask_zero=True)(Input((4,)))),
            TypeError,
            "Layer c does not support masking",
        ),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_training_moves_only_the_rows_that_were_looked_up():
    model = Sequential([Embedding(6, 2, input_length=2), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()[0]
    model.fit(np.array([[1, 3]]), np.ones((1, 1)), verbose=0)
    moved = (model.layers[0].get_weights()[0] != before).any(axis=1)
    assert_array_equal(moved, [False, True, False, True, False, False])


def test_the_empty_batch_gives_no_vectors():
    x = Input((3,))
    model = Model(x, Embedding(4, 2)(x))
    (found,) = K.function(model.inputs, model.outputs)([np.zeros((0, 3))])
    assert found.shape == (0, 3, 2)
