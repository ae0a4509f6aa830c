"""The numbers of an independent implementation, which make_vectors.py wrote."""

from pathlib import Path

from lamina.testing import parametrize_vectors


def cubed(x, by):
    return by * x**3


@parametrize_vectors(Path(__file__).with_name("vectors.npz"), custom_objects={"cubed": cubed})
def test_numbers_are_those_of_tf_keras(vector, check):
    check(vector)
