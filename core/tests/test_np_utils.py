"""lamina.utils.np_utils: class numbers as rows, arrays of norm 1."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lamina
from lamina.utils.np_utils import normalize, to_categorical


def test_they_are_where_keras_has_them():
    assert lamina.utils.to_categorical is to_categorical and lamina.utils.normalize is normalize


def test_a_class_is_a_row_with_a_single_one():
    rows = to_categorical([0, 2, 1])
    assert rows.dtype == "float32"
    assert_array_equal(rows, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert_array_equal(to_categorical([[0], [2]], num_classes=4), [[1, 0, 0, 0], [0, 0, 1, 0]])


@pytest.mark.parametrize(
    ("shape", "found"),
    [((5,), (5, 3)), ((5, 1), (5, 3)), ((5, 4), (5, 4, 3)), ((1,), (1, 3)), ((0,), (0, 3))],
)
def test_only_a_last_axis_of_one_is_dropped(shape, found):
    assert to_categorical(np.zeros(shape, int), 3).shape == found


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        ([0, 3], IndexError, "class number 3 .* num_classes=3"),
        ([-1, 0], IndexError, "class number -1"),
        ([0.5], ValueError, r"class numbers, whole .* \[0.5\]"),
        ([np.nan], ValueError, "class numbers"),
        (["a"], ValueError, "class numbers"),
    ],
)
def test_what_is_no_class_is_refused(y, error, words):
    with pytest.raises(error, match=words):
        to_categorical(y, 3)


def test_vectors_are_divided_by_their_norm():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert_allclose(normalize(x), [[0.6, 0.8], [0, 0]])
    assert_allclose(normalize(x, axis=0, order=1), [[1, 1], [0, 0]])
    assert_array_equal(x, [[3, 4], [0, 0]])


def test_the_topology_of_older_programs_has_what_they_import():
    from lamina.engine import topology

    assert topology.Layer is lamina.layers.Layer and topology.Input is lamina.layers.Input
