"""The numbers of an independent implementation, which make_vectors.py wrote."""

from pathlib import Path

from lamina import backend as K
from lamina.testing import parametrize_vectors


def recurrence(x, h, mask=None, **how):
    """K.rnn of h' = tanh(0.5 x + 0.75 h)."""

    def step(inputs, states):
        after = K.tanh(0.5 * inputs + 0.75 * states[0])
        return 2 * after, [after]

    last, outputs, states = K.rnn(step, x, [h], mask=mask, **how)
    return [last, outputs, *states]


@parametrize_vectors(Path(__file__).with_name("vectors.npz"), custom_objects={"recurrence": recurrence})
def test_numbers_are_those_of_tf_keras(vector, check):
    check(vector)
