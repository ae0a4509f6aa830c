import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.backend import ctc_batch_cost, ctc_decode, ctc_label_dense_to_sparse
from lamina.testing import Case, parametrize_ops


def merged(path, blank):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def by_enumeration(p, labels):
    """-log of the summed probability of every path that makes the labels: the definition."""
    steps, classes = p.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        if merged(path, classes - 1) == tuple(labels):
            total += np.prod([p[t, c] for t, c in enumerate(path)])
    return -np.log(total)


def probabilities(rng, *shape):
    p = rng.random(shape) + 0.1
    return p / p.sum(axis=-1, keepdims=True)


def cost(p, labels, inputs, lengths):
    arrays = [np.asarray(a) for a in (labels, p, inputs, lengths)]
    return K.eval(K.ctc_batch_cost(*[K.constant(a, dtype=a.dtype.name) for a in arrays]))


def labels_of_two(rng, shape):
    return rng.integers(0, 3, shape)


def outcomes(rng, shape):
    return probabilities(rng, *shape)


def whole(rng, shape):
    return np.full(shape, 2)


@parametrize_ops(
    Case(
        ctc_batch_cost,
        shape=[(2, 2), (2, 7, 4), (2, 1), (2, 1)],
        dtype=["int32", None, "int32", "int32"],
        values=[labels_of_two, outcomes, lambda rng, shape: np.full(shape, 6), whole],
        fails={"check_second_gradient": "the gradient of the loss is an op without a gradient of its own"},
    ),
    Case(
        ctc_decode,
        {"greedy": False, "top_paths": 2},
        shape=[(2, 5, 4), (2,)],
        dtype=[None, "int32"],
        values=[outcomes, whole],
        fails={"check_gradient": "decoding picks labels; its scores are not differentiated"},
        id="ctc_decode by beam search",
    ),
    Case(
        ctc_label_dense_to_sparse,
        shape=[(3, 4), (3,)],
        dtype=["int32", "int32"],
        values=[labels_of_two, whole],
    ),
)
def test_conforms(case, check):
    check(case)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_loss_is_that_of_all_paths_together(rng):
    p = probabilities(rng, 4, 5, 4)
    labels = [[0, 1, 2], [1, 1, 0], [2, 0, 0], [0, 0, 0]]
    inputs, lengths = [[5], [5], [4], [3]], [[3], [2], [1], [0]]
    found = cost(p, labels, inputs, lengths)
    expected = [
        by_enumeration(row[: n[0]], label[: m[0]])
        for row, label, n, m in zip(p, labels, inputs, lengths, strict=True)
    ]
    assert found.shape == (4, 1)
    assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_the_gradient_is_that_of_the_loss(rng):
    y = K.placeholder((2, 6, 4), dtype="float64")
    loss = K.ctc_batch_cost(K.constant([[0, 0], [2, 1]]), y, K.constant([[6], [4]]), K.constant([[2], [2]]))
    f = K.function(
        [y], [K.sum(loss * K.constant([[1.0], [2.0]], dtype="float64")), *K.gradients(K.sum(loss), [y])]
    )
    g = K.function([y], K.gradients(K.sum(loss * K.constant([[1.0], [2.0]], dtype="float64")), [y]))
    p = probabilities(rng, 2, 6, 4)
    direction = rng.normal(size=p.shape)
    step = 1e-6
    difference = (f([p + step * direction])[0] - f([p - step * direction])[0]) / (2 * step)
    assert_allclose((g([p])[0] * direction).sum(), difference, rtol=1e-6)
    assert not g([p])[0][1, 4:].any()  # steps beyond input_length


@pytest.mark.parametrize(
    ("labels", "inputs", "lengths", "told"),
    [
        ([[0, 1, 2]], [[2]], [[3]], "sequence 0 .* not enough steps"),
        ([[1, 1]], [[2]], [[2]], "not enough steps"),
        ([[0, 3]], [[4]], [[2]], r"0 <= label < 3"),
        ([[0, -1]], [[4]], [[2]], r"0 <= label < 3"),
        ([[0, 1]], [[5]], [[2]], "input_length is not within 0 and the 4 steps"),
        ([[0, 1]], [[4]], [[3]], "label_length is not within"),
    ],
)
def test_a_sequence_without_a_loss_is_named(rng, labels, inputs, lengths, told):
    with pytest.raises(ValueError, match=told):
        cost(probabilities(rng, 1, 4, 4), labels, inputs, lengths)


def decode(p, inputs, **options):
    paths, score = K.ctc_decode(K.constant(p), K.constant(inputs, dtype="int32"), **options)
    return [K.eval(path) for path in paths], K.eval(score)


def one_hot_path(path, classes, sure=0.97):
    p = np.full((len(path), classes), (1 - sure) / (classes - 1))
    p[np.arange(len(path)), path] = sure
    return p


def test_greedy_merges_repeats_and_drops_blanks():
    p = np.stack([one_hot_path([0, 0, 3, 0, 1], 4), one_hot_path([3, 2, 2, 3, 3], 4)])
    (labels,), score = decode(p, [5, 5])
    assert_array_equal(labels, [[0, 0, 1], [2, -1, -1]])
    assert_allclose(score, [[-5 * np.log(0.97)]] * 2, rtol=1e-4)


def test_steps_beyond_the_length_do_not_count():
    (labels,), score = decode(one_hot_path([0, 1, 2], 4)[None], [2])
    assert_array_equal(labels, [[0, 1]])
    assert_allclose(score, [[-2 * np.log(0.97)]], rtol=1e-4)


def test_a_wide_beam_finds_the_most_probable_labellings(rng):
    p = probabilities(rng, 1, 4, 3)
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(3), repeat=4):
        key = merged(path, 2)
        totals[key] = totals.get(key, 0) + np.prod([p[0, t, c] for t, c in enumerate(path)])
    best = sorted(totals.items(), key=lambda item: -item[1])[:3]
    paths, score = decode(p, [4], greedy=False, beam_width=1000, top_paths=3)
    assert [tuple(path[0][path[0] >= 0]) for path in paths] == [labels for labels, _ in best]
    assert_allclose(score, np.log([[value for _, value in best]]), rtol=1e-4)


def test_a_beam_narrower_than_the_paths_asked_for_is_refused():
    with pytest.raises(ValueError, match="top_paths=3"):
        K.ctc_decode(K.placeholder((1, 4, 3)), K.placeholder((1,)), greedy=False, beam_width=2, top_paths=3)


def test_sparse_labels_keep_what_counts():
    labels = K.ctc_label_dense_to_sparse(K.constant([[1, 2, 3], [4, 5, 6]]), K.constant([2, 1]))
    assert K.is_sparse(labels)
    assert_array_equal(K.eval(K.to_dense(labels)), [[1, 2, 0], [4, 0, 0]])
