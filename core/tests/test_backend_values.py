"""K's functions against NumPy: values, shapes and dtypes, by plain evaluation and by the plan."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4)).astype("float32")
B = RNG.standard_normal((3, 4)).astype("float32")
C = RNG.standard_normal((2, 3, 4)).astype("float32")
P = np.abs(A) + 0.5
EMPTY = np.zeros((0, 4), "float32")
IMAGES = RNG.standard_normal((2, 3, 4, 2)).astype("float32")
PROBABILITIES = (np.exp(A) / np.exp(A).sum(-1, keepdims=True)).astype("float32")
LABELS = np.array([2, 0, 3])
TARGETS = np.eye(4, dtype="float32")[LABELS]


def rows(label, f, expected, *arrays):
    return pytest.param(f, expected, arrays, id=label)


def same_name(*names, numpy=None, arrays=(A,)):
    for name in names:
        for array in arrays:
            yield rows(f"{name} {array.shape}", getattr(K, name), getattr(np, numpy or name), array)


def clipped_crossentropy(t, y, epsilon=1e-7):
    y = np.clip(y / y.sum(-1, keepdims=True), np.float32(epsilon), np.float32(1 - epsilon))
    return -(t * np.log(y)).sum(-1)


def binary(t, y):
    y = np.clip(y, np.float32(1e-7), np.float32(1 - 1e-7)).astype("float64")
    return -(t * np.log(y) + (1 - t) * np.log(1 - y))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def listless(axis):
    """Axes as NumPy takes them: K takes lists too."""
    return tuple(axis) if isinstance(axis, list) else axis


AXES = [None, 0, 1, -1, (0, 2), [0, -1]]
TABLE = [
    *same_name("square", "abs", "exp", "sign", "sin", "cos", "tanh", arrays=(A, C, EMPTY)),
    *same_name("round", numpy="rint"),
    *same_name("sqrt", "log", arrays=(P,)),
    *[rows(n, getattr(K, n), getattr(np, n), A, B) for n in (
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "maximum", "minimum")],
    rows("pow", lambda x: K.pow(x, 3), lambda x: x**3, A),
    rows("clip", lambda x: K.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5), A),
    rows("arithmetic", lambda a, b: 2 * a - b / 3 + 1 - (-a) ** 2, lambda a, b: 2 * a - b / 3 + 1 - (-a) ** 2,
         A, B),
    rows("reflected", lambda a: 1 - 2 / a + 3.0**a, lambda a: 1 - 2 / a + np.float32(3) ** a, P),
    rows("floor and rest", lambda a: a // 0.5 + a % 0.5, lambda a: a // 0.5 + a % 0.5, A),
    rows("matmul operator", lambda a, b: a @ K.transpose(b), lambda a, b: a @ b.T, A, B),
    *[rows(f"{name} {axis} {keep}", lambda x, n=name, a=axis, k=keep: getattr(K, n)(x, a, k),
           lambda x, n=name, a=axis, k=keep: getattr(np, n)(x, axis=listless(a), keepdims=k), C)
      for name in ("sum", "prod", "max", "min", "mean", "var", "std", "any", "all")
      for axis in AXES for keep in (False, True)],
    *[rows(f"{name} {axis}", lambda x, n=name, a=axis: getattr(K, n)(x, a),
           lambda x, n=name, a=axis: getattr(np, n)(x, axis=a), C)
      for name in ("cumsum", "cumprod", "argmax", "argmin") for axis in (0, 1, -1)],
    *[rows(f"logsumexp {axis}", lambda x, a=axis: K.logsumexp(x, a),
           lambda x, a=axis: np.log(np.exp(x.astype("float64")).sum(axis=listless(a))), C) for axis in AXES],
    rows("sums of no rows", lambda x: K.sum(x, axis=0), lambda x: x.sum(0), EMPTY),
    rows("dot", lambda a, b: K.dot(a, K.transpose(b)), lambda a, b: a @ b.T, A, B),
    rows("dot 3D 2D", lambda c, b: K.dot(c, K.transpose(b)), lambda c, b: c @ b.T, C, B),
    rows("dot 2D 3D", lambda b, c: K.dot(K.transpose(b), c), lambda b, c: np.tensordot(b.T, c, (1, 1)), B, C),
    rows("dot of no rows", lambda a, b: K.dot(a, K.transpose(b)), lambda a, b: a @ b.T, EMPTY, B),
    rows("batch_dot", lambda a, b: K.batch_dot(a, b, 1), lambda a, b: (a * b).sum(1, keepdims=True), A, B),
    rows("batch_dot matrices", lambda a: K.batch_dot(a, K.permute_dimensions(a, (0, 2, 1))),
         lambda a: a @ a.transpose(0, 2, 1), C),
    rows("batch_dot 4D", lambda x, y: K.batch_dot(x, y, (2, 1)),
         lambda x, y: np.einsum("bijk,bjl->bikl", x, y), IMAGES,
         RNG.standard_normal((2, 4, 5)).astype("float32")),
    rows("transpose", K.transpose, np.transpose, C),
    rows("permute", lambda x: K.permute_dimensions(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1), C),
    rows("reshape", lambda x: K.reshape(x, (4, -1)), lambda x: x.reshape(4, -1), C),
    rows("flatten", K.flatten, np.ravel, C), rows("flatten nothing", K.flatten, np.ravel, EMPTY),
    rows("batch_flatten", K.batch_flatten, lambda x: x.reshape(2, -1), C),
    rows("batch_flatten nothing", K.batch_flatten, lambda x: x.reshape(0, 12),
         np.zeros((0, 3, 4), "float32")),
    rows("expand_dims", lambda x: K.expand_dims(x, 1), lambda x: x[:, None], C),
    rows("squeeze", lambda x: K.squeeze(x, 1), lambda x: x[:, 0], C[:, :1]),
    rows("concatenate", lambda a, b: K.concatenate([a, b], axis=0), lambda a, b: np.concatenate([a, b]), A,
         B),
    rows("stack", lambda a, b: K.stack([a, b], axis=1), lambda a, b: np.stack([a, b], 1), A, B),
    rows("repeat_elements", lambda x: K.repeat_elements(x, 2, 1), lambda x: np.repeat(x, 2, 1), C),
    rows("repeat", lambda x: K.repeat(x, 3), lambda x: np.repeat(x[:, None], 3, 1), A),
    rows("tile", lambda x: K.tile(x, [2, 1, 3]), lambda x: np.tile(x, [2, 1, 3]), C),
    rows("gather", lambda x, i: K.gather(x, i), lambda x, i: x[i.astype(int)], A,
         np.array([[0, 2]], "float32")),
    rows("reverse", lambda x: K.reverse(x, [0, -1]), lambda x: x[::-1, :, ::-1], C),
    rows("one_hot", lambda i: K.one_hot(K.cast(i, "int32"), 5),
         lambda i: np.eye(5, dtype="float32")[i.astype(int)], LABELS.astype("float32")),
    rows("temporal_padding", lambda x: K.temporal_padding(x, (2, 1)),
         lambda x: np.pad(x, ((0, 0), (2, 1), (0, 0))), C),
    rows("spatial_2d_padding", K.spatial_2d_padding, lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
         IMAGES),
    rows("spatial_2d_padding first", lambda x: K.spatial_2d_padding(x, ((0, 1), (2, 0)), "channels_first"),
         lambda x: np.pad(x, ((0, 0), (0, 0), (0, 1), (2, 0))), IMAGES),
    rows("spatial_3d_padding", K.spatial_3d_padding,
         lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0))), IMAGES[None]),
    rows("resize_images", lambda x: K.resize_images(x, 2, 3, "channels_last"),
         lambda x: x.repeat(2, 1).repeat(3, 2), IMAGES),
    rows("resize_images first", lambda x: K.resize_images(x, 2, 3, "channels_first"),
         lambda x: x.repeat(2, 2).repeat(3, 3), IMAGES),
    rows("resize_volumes", lambda x: K.resize_volumes(x, 2, 1, 3, "channels_last"),
         lambda x: x.repeat(2, 1).repeat(3, 3), IMAGES[None]),
    rows("relu", K.relu, lambda x: np.maximum(x, 0), A),
    rows("relu alpha", lambda x: K.relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x), A),
    rows("relu capped", lambda x: K.relu(x, 0.1, 0.5), lambda x: np.minimum(np.where(x > 0, x, 0.1 * x), 0.5),
         A),
    rows("relu threshold", lambda x: K.relu(x, 0.1, 0.8, 0.3),
         lambda x: np.where(x > 0.3, np.minimum(x, 0.8), 0.1 * (x - np.float32(0.3))), A),
    rows("elu", lambda x: K.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), A),
    rows("softmax", K.softmax, softmax, C),
    rows("softmax axis", lambda x: K.softmax(x, axis=0), lambda x: softmax(x, 0), C),
    rows("softmax of no rows", K.softmax, lambda x: x, EMPTY),
    rows("softplus", K.softplus, lambda x: np.log1p(np.exp(x)), A),
    rows("softsign", K.softsign, lambda x: x / (1 + np.abs(x)), A),
    rows("sigmoid", K.sigmoid, lambda x: 1 / (1 + np.exp(-x)), A),
    rows("hard_sigmoid", K.hard_sigmoid, lambda x: np.clip(0.2 * x + 0.5, 0, 1), A * 4),
    rows("l2_normalize", lambda x: K.l2_normalize(x, 1),
         lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), A),
    rows("categorical", K.categorical_crossentropy, clipped_crossentropy, TARGETS, PROBABILITIES),
    rows("categorical unscaled", K.categorical_crossentropy, clipped_crossentropy, TARGETS, P),
    rows("categorical certain", K.categorical_crossentropy, clipped_crossentropy, TARGETS,
         np.eye(4, dtype="float32")[[2, 1, 3]]),
    rows("categorical logits", lambda t, y: K.categorical_crossentropy(t, y, from_logits=True),
         lambda t, y: -(t * np.log(softmax(y))).sum(-1), TARGETS, A),
    rows("categorical axis", lambda t, y: K.categorical_crossentropy(t, y, axis=0),
         lambda t, y: clipped_crossentropy(t.T, y.T), TARGETS, P),
    rows("sparse", lambda y: K.sparse_categorical_crossentropy(K.constant(LABELS), y),
         lambda y: clipped_crossentropy(TARGETS, y), PROBABILITIES),
    rows("sparse column", lambda y: K.sparse_categorical_crossentropy(K.constant(LABELS[:, None]), y),
         lambda y: clipped_crossentropy(TARGETS, y), PROBABILITIES),
    # Unscaled probabilities are clipped first and divided by their sum then, unlike in the dense form.
    rows("sparse unscaled", lambda y: K.sparse_categorical_crossentropy(K.constant(LABELS), y),
         lambda y: np.log(np.clip(y, 0, 1).sum(-1)) - np.log(np.clip(y, 0, 1)[[0, 1, 2], LABELS]), P),
    rows("sparse sequence", lambda y: K.sparse_categorical_crossentropy(K.constant(LABELS[None, :, None]), y),
         lambda y: clipped_crossentropy(TARGETS, y), PROBABILITIES[None]),
    rows("sparse logits", lambda y: K.sparse_categorical_crossentropy(K.constant(LABELS), y, True),
         lambda y: -np.log(softmax(y))[[0, 1, 2], LABELS], A),
    rows("sparse axis", lambda y: K.sparse_categorical_crossentropy(K.constant([LABELS]), y, axis=1),
         lambda y: clipped_crossentropy(TARGETS, y.transpose(0, 2, 1)), PROBABILITIES.T[None]),
    rows("binary", K.binary_crossentropy, binary, TARGETS, PROBABILITIES),
    rows("binary certain", K.binary_crossentropy, binary, TARGETS, TARGETS[::-1].copy()),
    rows("binary logits", lambda t, y: K.binary_crossentropy(t, y, True),
         lambda t, y: binary(t, 1 / (1 + np.exp(-y))), TARGETS, A),
    rows("in_top_k", lambda y: K.in_top_k(y, K.constant([0, 1, 2], "int32"), 2),
         lambda y: np.array([True, True, False]),
         np.array([[3, 2, 1], [1, 1, 1], [3, 2, 1]], "float32")),
    rows("batch_normalization", lambda x, m, v, b, g: K.batch_normalization(x, m, v, b, g, 1e-3),
         lambda x, m, v, b, g: (x - m) / np.sqrt(v + 1e-3) * g + b, C, A[0], P[0], B[0], B[1]),
    rows("batch_normalization axis", lambda x, m, v: K.batch_normalization(x, m, v, None, None, axis=1),
         lambda x, m, v: (x - m[:, None]) / np.sqrt(v[:, None] + 1e-3), C, A[:, 0], P[:, 0]),
    rows("bias_add", K.bias_add, np.add, C, A[0]), rows("bias_add 2D", K.bias_add, np.add, A, B[0]),
    rows("bias_add first", lambda x, b: K.bias_add(x, b, "channels_first"), lambda x, b: x + b[:, None], C,
         A[:, 0]),
    rows("bias_add everywhere", K.bias_add, np.add, C, A),
    rows("switch rows", lambda c, x, y: K.switch(c > 0, x, y), lambda c, x, y: np.where(c[:, None] > 0, x, y),
         A[:, 0], A, B),
    rows("map_fn", lambda x: K.map_fn(lambda r: K.sum(r) * r, x), lambda x: x.sum(1, keepdims=True) * x, A),
    rows("foldl", lambda x: K.foldl(lambda acc, r: acc * 2 + r, x), lambda x: (x[0] * 2 + x[1]) * 2 + x[2],
         A),
    rows("foldr", lambda x: K.foldr(lambda acc, r: acc * 2 + r, x), lambda x: (x[2] * 2 + x[1]) * 2 + x[0],
         A),
    rows("foldl from 1", lambda x: K.foldl(lambda acc, r: acc * 2 + r, x, K.ones_like(x[0])),
         lambda x: ((2 + x[0]) * 2 + x[1]) * 2 + x[2], A),
    rows("zeros_like", K.zeros_like, np.zeros_like, C), rows("ones_like", K.ones_like, np.ones_like, C),
    rows("shape", K.shape, lambda x: np.array(x.shape, "int32"), C),
    rows("slices", lambda x: x[0, 1:, ::-1] + x[-1, None, 0] + x[..., 1:2][1, :2],
         lambda x: x[0, 1:, ::-1] + x[-1, None, 0] + x[..., 1:2][1, :2], C),
]  # fmt: skip


@pytest.mark.parametrize(("f", "expected", "arrays"), TABLE)
def test_values(f, expected, arrays):
    with np.errstate(all="ignore"):
        want = np.asarray(expected(*arrays))
    constants = [K.constant(a) for a in arrays]
    y = f(*constants)
    have = K.eval(y)
    assert have.dtype.name == y.dtype
    assert y.dtype == ("float32" if want.dtype.kind == "f" else want.dtype.name)
    assert K.int_shape(y) == have.shape == want.shape
    assert_allclose(have, want, rtol=2e-5, atol=2e-6)  # float32 sums of at most 24 terms
    tensors = [K.placeholder((None, *a.shape[1:])) for a in arrays]
    y = f(*tensors)
    (planned,) = K.function(tensors, [y])(list(arrays))
    assert planned.dtype.name == y.dtype
    assert all(known in (None, size) for known, size in zip(K.int_shape(y), planned.shape, strict=True))
    assert_allclose(planned, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("axes", [[0], [0, 1], (0, 2), [-1, 0]])
def test_normalize_batch_in_training_returns_output_mean_and_variance(axes):
    kept = [a for a in range(3) if a not in [axis % 3 for axis in axes]]
    shape = tuple(C.shape[a] for a in kept)
    gamma, beta = np.full(shape, 2.0), np.full(shape, 0.5)
    y, mean, var = (
        K.eval(t)
        for t in K.normalize_batch_in_training(K.constant(C), K.constant(gamma), K.constant(beta), axes)
    )
    keep = C.mean(tuple(axes), keepdims=True), C.var(tuple(axes), keepdims=True)
    assert_allclose(mean, keep[0].reshape(shape), atol=1e-6)
    assert_allclose(var, keep[1].reshape(shape), atol=1e-6)
    assert_allclose(y, (C - keep[0]) / np.sqrt(keep[1] + 1e-3) * 2 + 0.5, atol=1e-5)


def test_bilinear_enlargement_keeps_the_first_corner():
    x = K.constant(np.array([0.0, 2.0, 4.0]).reshape(1, 1, 3, 1))
    y = K.eval(K.resize_images(x, 1, 2, "channels_last", interpolation="bilinear"))
    assert_allclose(y.ravel(), [0, 1, 2, 3, 4, 4])


def test_numbers_take_the_dtype_of_the_tensor():
    for dtype in ("float16", "float32", "float64", "int32", "int64", "uint8"):
        x = K.ones((2,), dtype)
        for y in (
            x + 1,
            2 * x,
            x - True,
            K.maximum(x, 3),
            x**2,
            7 // x,
            7 % x,
            K.sum(x),
            K.max(x),
            -x,
            K.clip(x, 0, 1),
        ):
            assert y.dtype == dtype == K.eval(y).dtype.name
    assert (K.ones((2,), "float64") * np.float32(2)).dtype == "float64"
    assert (K.ones((2,), "float32") * np.ones(2)).dtype == "float32"
    assert (K.ones((2,), "int32") * 0.5).dtype == "float32"
    assert (K.ones((2,), "int32") / 2).dtype == "float32"
    assert (K.ones((2,), "float16") + K.ones((2,), "float32")).dtype == "float32"
    assert (K.ones((2,), "float32") + K.ones((2,), "int64")).dtype == "float32"


def test_means_of_integers_and_booleans_are_floats():
    assert_allclose(K.eval(K.mean(K.constant([0, 1], "int32"))), 0.5)
    assert_allclose(K.eval(K.mean(K.constant([True, False], "bool"))), 0.5)
    assert_allclose(K.eval(K.std(K.constant([1, 3], "int64"))), 1.0)
    assert_allclose(K.eval(K.var(K.constant([True, False], "bool"))), 0.25)
    assert K.eval(K.sum(K.constant([True, True], "bool"))) == 2


def test_logsumexp_at_the_ends():
    assert_allclose(K.eval(K.logsumexp(K.constant([1000.0, 1000.0]))), 1000 + np.log(2), rtol=1e-6)
    assert K.eval(K.logsumexp(K.constant([-np.inf, -np.inf]))) == -np.inf
    assert K.eval(K.logsumexp(K.constant([np.inf, 0.0]))) == np.inf


def test_negative_input_has_the_root_zero():
    x = K.variable([-1.0, 4.0])
    assert_allclose(K.eval(K.sqrt(x)), [0, 2])
    assert_allclose(K.eval(K.gradients(K.sum(K.sqrt(x)), [x])[0]), [0, 0.25])


def test_ranges():
    assert K.eval(K.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert K.eval(K.arange(2, 8, 3)).tolist() == [2, 5]
    assert K.eval(K.arange(-3)).tolist() == []
    assert K.arange(3).dtype == "int32"
    x = K.placeholder((None, 2))
    (y,) = K.function([x], [K.arange(K.shape(x)[0]) * 2])([np.zeros((3, 2))])
    assert y.tolist() == [0, 2, 4]


def test_dropout_scales_what_it_keeps():
    np.random.seed(0)
    y = K.eval(K.dropout(K.ones((200, 200)), 0.25))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01  # four standard deviations of 40000 draws


def test_dropout_shares_its_mask_along_axes_of_one():
    x = K.placeholder((None, 5, 4))
    y = K.dropout(x, 0.5, noise_shape=(K.shape(x)[0], 1, 4), seed=3)
    (found,) = K.function([x], [y])([np.ones((50, 5, 4))])
    assert (found == found[:, :1]).all()
    assert 0.3 < found.mean() / 2 < 0.7


def test_dropout_follows_the_seed_of_numpy():
    def draw():
        np.random.seed(7)
        return K.eval(K.dropout(K.ones((20,)), 0.5))

    assert_allclose(draw(), draw())


@pytest.mark.parametrize(
    ("f", "low", "high", "mean"),
    [
        (lambda: K.random_uniform((200, 300), -1.0, 3.0), -1, 3, 1),
        (lambda: K.random_normal((200, 300), 2.0, 0.5), -2, 6, 2),
        (lambda: K.truncated_normal((200, 300), 2.0, 0.5), 1, 3, 2),
        (lambda: K.random_binomial((200, 300), 0.3), 0, 1, 0.3),
    ],
)
def test_draws(f, low, high, mean):
    np.random.seed(1)
    x = f()
    first, second = K.function([], [x])([])[0], K.eval(x)
    assert x.dtype == "float32" == first.dtype.name
    assert first.min() >= low
    assert first.max() <= high
    assert abs(first.mean() - mean) < 0.02  # 60000 draws: a standard error below 0.005
    assert (first != second).any()
    np.random.seed(1)
    assert_allclose(K.eval(f()), first)


def test_a_seed_fixes_a_draw():
    assert_allclose(K.eval(K.random_normal((3,), seed=5)), K.eval(K.random_normal((3,), seed=5)))
    x = K.placeholder((None, 2))
    y = K.random_uniform(K.shape(x), seed=5)
    assert K.function([x], [y])([np.zeros((4, 2))])[0].shape == (4, 2)


def test_in_top_k_refuses_positions_and_scores_without_meaning():
    y = K.constant([[np.nan, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert K.eval(K.in_top_k(y, K.constant([0, 5, 0], "int32"), 1)).tolist() == [False, False, True]
