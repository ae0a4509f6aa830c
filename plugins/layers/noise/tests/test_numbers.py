"""The numbers of an independent implementation, which make_vectors.py wrote."""

from pathlib import Path

from lamina.testing import parametrize_vectors


@parametrize_vectors(Path(__file__).with_name("vectors.npz"))
def test_numbers_are_those_of_tf_keras(vector, check):
    check(vector)
