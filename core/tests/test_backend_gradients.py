"""Gradients of K's functions, once and twice, against central differences along one random direction in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.evaluate import evaluate
from lamina.ops.control import choose

STEP = 1e-6


class Case:
    """f(*tensors) at normal draws of the given shapes, plus shift; arrays are taken as they are."""

    def __init__(self, label, f, *inputs, shift=0.0, scale=1.0, twice=False):
        self.label, self.f, self.inputs, self.shift, self.scale, self.twice = (
            label,
            f,
            inputs,
            shift,
            scale,
            twice,
        )

    def arrays(self):
        rng = np.random.default_rng(0)
        return [
            rng.standard_normal(x) * self.scale + self.shift
            if isinstance(x, tuple)
            else np.asarray(x, "float64")
            for x in self.inputs
        ]


def shares(*shape):
    e = np.exp(np.random.default_rng(5).standard_normal(shape))
    return e / e.sum(axis=-1, keepdims=True)


def case(label, f, *inputs, **options):
    return pytest.param(Case(label, f, *inputs, **options), id=label)


ELEMENTWISE = [
    case(name, getattr(K, name), (3, 4), twice=True)
    for name in "square abs exp sign sin cos relu elu softplus softsign sigmoid hard_sigmoid tanh softmax".split()
] + [
    case("sqrt", K.sqrt, (3, 4), shift=3.0, scale=0.3, twice=True),
    case("log", K.log, (3, 4), shift=3.0, scale=0.3, twice=True),
    case("pow 3", lambda x: K.pow(x, 3), (3, 4), twice=True),
    case("pow 2.5", lambda x: K.pow(x, 2.5), (3, 4), shift=3.0, scale=0.3, twice=True),
    case("x ** y", lambda x, y: x**y, (3, 4), (4,), shift=3.0, scale=0.3, twice=True),
    case("2 ** x", lambda x: 2.0**x, (3, 4), twice=True),
    case(
        "arithmetic",
        lambda a, b, c: (a + b * c - 2) / (K.square(c) + 1) - (-a) * 3,
        (3, 4),
        (4,),
        (3, 1),
        twice=True,
    ),
    case("x // 2 + x % 2", lambda x: x // 2.0 + x % 2.0, (3, 4)),
    case("maximum", K.maximum, (3, 4), (4,), twice=True),
    case("minimum", K.minimum, (3, 1), (3, 4), twice=True),
    case("clip", lambda x: K.clip(x, -0.5, 0.5), (3, 4)),
    case("clip by tensors", K.clip, (3, 4), (4,), (4,)),
    case("relu alpha", lambda x: K.relu(x, alpha=0.1), (3, 4), twice=True),
    case("relu capped", lambda x: K.relu(x, max_value=0.5), (3, 4)),
    case("relu threshold", lambda x: K.relu(x, alpha=0.2, max_value=0.8, threshold=0.3), (3, 4)),
    case("elu 0.3", lambda x: K.elu(x, 0.3), (3, 4), twice=True),
    case("softmax axis 1", lambda x: K.softmax(x, axis=1), (2, 3, 4), twice=True),
]
AXES = (None, 0, -1, 1, (0, 2), [-1, 0])
REDUCTIONS = [
    case(f"{name} {axis} {keepdims}", lambda x, n=name, a=axis, k=keepdims: getattr(K, n)(x, a, k), (2, 3, 4))
    for name in ("sum", "prod", "max", "min", "mean", "var", "std", "logsumexp")
    for axis in AXES
    for keepdims in (False, True)
] + [
    case("cumsum", lambda x: K.cumsum(x, 1), (3, 4), twice=True),
    case("cumprod", lambda x: K.cumprod(x, -1), (3, 4), shift=1.0, scale=0.2, twice=True),
    case("l2_normalize", lambda x: K.l2_normalize(x, -1), (3, 4), twice=True),
    case("l2_normalize all", K.l2_normalize, (3, 4)),
    case("logsumexp twice", lambda x: K.logsumexp(x, axis=1), (3, 4), twice=True),
    case("var twice", lambda x: K.var(x, axis=0), (3, 4), twice=True),
]
PRODUCTS = [
    case(f"dot {a} {b}", K.dot, a, b, twice=True)
    for a, b in [((2, 3), (3, 4)), ((2, 5, 3), (3, 4)), ((2, 3), (4, 3, 5)), ((2, 1, 3), (2, 4, 3, 5))]
] + [
    case(f"batch_dot {a} {b} {axes}", lambda x, y, axes=axes: K.batch_dot(x, y, axes), a, b, twice=True)
    for a, b, axes in [
        ((4, 3), (4, 3), None), ((4, 3), (4, 3), 1), ((4, 3), (4, 5, 3), (1, 2)), ((4, 2, 3), (4, 3), (2, 1)),
        ((4, 2, 3), (4, 3, 5), None), ((4, 2, 3), (4, 5, 3), 2), ((4, 3, 2), (4, 3, 5), [1, 1]),
        ((4, 3, 2), (4, 5, 3), (1, -1)), ((2, 3, 4, 5), (2, 6, 4), (2, 2)), ((2, 3, 4, 5), (2, 3, 5, 6), None),
        ((4, 3), (4, 3, 2), None),
    ]
] + [case("transpose", lambda x: K.transpose(x) * 2, (2, 3, 4))]  # fmt: skip
SHAPES = [
    case("reshape", lambda x: K.reshape(x, (-1, 2, 2)), (3, 4)),
    case("reshape by tensors", lambda x: K.reshape(x, (K.shape(x)[1], K.shape(x)[0])), (3, 4)),
    case("permute", lambda x: K.permute_dimensions(x, (2, 0, -2)), (2, 3, 4)),
    case("flatten", K.flatten, (2, 3)),
    case("batch_flatten", K.batch_flatten, (2, 3, 4)),
    case("expand_dims squeeze", lambda x: K.squeeze(K.expand_dims(x, 1), -2) * x, (2, 3)),
    case("concatenate", lambda a, b: K.concatenate([a, b, a], axis=1), (2, 3), (2, 1)),
    case("stack", lambda a, b: K.stack([a, b], axis=-1), (2, 3), (2, 3)),
    case("repeat_elements", lambda x: K.repeat_elements(x, 3, -1), (2, 3)),
    case("repeat", lambda x: K.repeat(x, 3), (2, 3)),
    case("tile", lambda x: K.tile(x, [2, 3]), (2, 3)),
    case("gather", lambda x: K.gather(x, K.constant([[0, 2], [2, 2]], dtype="int32")), (3, 4)),
    case("reverse", lambda x: K.reverse(x, (0, -1)), (2, 3)),
    case("temporal_padding", lambda x: K.temporal_padding(x, (1, 2)), (2, 3, 2)),
    case("spatial_2d_padding", lambda x: K.spatial_2d_padding(x, ((1, 2), (0, 1))), (2, 3, 2, 1)),
    case(
        "spatial_3d_padding", lambda x: K.spatial_3d_padding(x, data_format="channels_first"), (1, 2, 2, 1, 2)
    ),
    case("resize_images", lambda x: K.resize_images(x, 2, 3, "channels_last"), (1, 2, 3, 2)),
    case("resize bilinear", lambda x: K.resize_images(x, 2, 3, "channels_first", "bilinear"), (1, 2, 3, 2)),
    case("resize_volumes", lambda x: K.resize_volumes(x, 2, 1, 3, "channels_last"), (1, 2, 3, 2, 1)),
    case("slices", lambda x: x[:, ::-1] + x[..., 0:1] * x[-1, None], (3, 4)),
    case("a position that is a tensor", lambda x: x[:, K.shape(x)[0] - 1] + x[K.argmax(x[:, 0])][0], (3, 4)),
    case("a bound that is a tensor", lambda x: x[: K.shape(x)[0] - 1, 1:], (3, 4)),
    case("identity", K.identity, (2, 3)),
    case("cast", lambda x: K.cast(x, "float64") * 2, (2, 3)),
    case("print_tensor", lambda x: K.print_tensor(x) * 2, (2,)),
]
RGB = (2, 3, 4, 5)
NETWORKS = [
    case("categorical", K.categorical_crossentropy, shares(3, 4), shares(3, 4), twice=True),
    case("categorical axis 1", lambda t, y: K.categorical_crossentropy(t, y, axis=1), shares(2, 3, 4),
         shares(2, 3, 4)),
    case("categorical logits", lambda t, y: K.categorical_crossentropy(t, y, True), shares(3, 4), (3, 4),
         twice=True),
    case("categorical softmax", lambda t, y: K.categorical_crossentropy(t, K.softmax(y)), shares(3, 4),
         (3, 4), twice=True),
    case("of its own softmax", lambda y: K.categorical_crossentropy(K.softmax(y), K.softmax(y)), (3, 4)),
    case("of one tensor twice", lambda y: _own(K.softmax(y)), (3, 4)),
    case("sparse", lambda y: K.sparse_categorical_crossentropy(K.constant([0, 3, 1]), y), shares(3, 4),
         twice=True),
    case("sparse logits", lambda y: K.sparse_categorical_crossentropy(K.constant([0, 3, 1]), y, True), (3, 4),
         twice=True),
    case("sparse softmax",
         lambda y: K.sparse_categorical_crossentropy(K.constant([[0], [3], [1]]), K.softmax(y)), (3, 4), twice=True),
    case("sparse axis 1", lambda y: K.sparse_categorical_crossentropy(K.constant([[0, 1]]), y, axis=1),
         shares(1, 3, 2)),
    case("binary", K.binary_crossentropy, shares(3, 4), shares(3, 4), twice=True),
    case("binary logits", lambda t, y: K.binary_crossentropy(t, y, True), shares(3, 4), (3, 4), twice=True),
    case("binary sigmoid", lambda t, y: K.binary_crossentropy(t, K.sigmoid(y)), shares(3, 4), (3, 4),
         twice=True),
    case("batch_normalization", lambda *a: K.batch_normalization(*a), RGB, (5,), np.full(5, 1.4), (5,), (5,),
         twice=True),
    case("batch_normalization axis 1", lambda *a: K.batch_normalization(*a, axis=1), RGB, (3,),
         np.full(3, 1.4), (3,), (3,)),
    case("batch_normalization bare", lambda x, m, v: K.batch_normalization(x, m, v, None, None), RGB, (5,),
         np.full(5, 1.4)),
    *[case(f"normalize_batch {axes}",
           lambda x, *a, axes=axes: K.concatenate([K.flatten(y) for y in K.normalize_batch_in_training(x, *a,
           axes)]),
           RGB, *[tuple(n for i, n in enumerate(RGB) if i not in axes)] * 2, twice=True)
      for axes in ([0, 1, 2], [0, 2, 3], (0,), [1])],
    case("normalize_batch bare", lambda x: K.normalize_batch_in_training(x, None, None, [0])[0], (5, 3)),
    case("bias_add", K.bias_add, RGB, (5,)),
    case("bias_add first", lambda x, b: K.bias_add(x, b, "channels_first"), RGB, (3,)),
    case("bias_add everywhere", lambda x, b: K.bias_add(x, b, "channels_first"), RGB, (4, 5, 3)),
    case("switch scalar", lambda a, b: K.switch(K.sum(a) > 0, a, b), (3, 4), (3, 4)),
    case("switch rows", lambda a, b: K.switch(a[:, 0] > 0, a, b), (3, 4), (3, 4)),
    case("switch sizes", lambda a, b: K.switch(K.sum(a) > 0, a, b), (3, 4), (2, 4)),
    case("in_train_phase", lambda a, b: K.in_train_phase(a, b) + K.in_test_phase(a * 2, b), (3, 4), (3, 4)),
    case("map_fn", lambda x: K.map_fn(lambda row: K.sum(row) * row, x), (3, 4), twice=True),
    case("foldl", lambda x: K.foldl(lambda acc, row: acc * 0.5 + row, x), (3, 4)),
    case("foldr", lambda x: K.foldr(lambda acc, row: acc * row, x), (3, 4), twice=True),
]  # fmt: skip


def _own(p):
    return K.categorical_crossentropy(p, p)


def check(loss, feeds, seed):
    """K.gradients of a scalar along a random direction; answers the slope as a tensor, None if there is none."""
    rng = np.random.default_rng(seed)
    step = [rng.standard_normal(a.shape) for _, a in feeds]
    grads = K.gradients(loss, [t for t, _ in feeds])
    parts = [K.sum(g * d) for g, d in zip(grads, step, strict=True) if g is not None]
    slope = sum(parts[1:], parts[0]) if parts else K.constant(0.0, "float64")
    ups, downs = ({t: a + s * STEP * d for (t, a), d in zip(feeds, step, strict=True)} for s in (1, -1))
    expected = (evaluate([loss], ups)[0] - evaluate([loss], downs)[0]) / (2 * STEP)
    assert_allclose(evaluate([slope], dict(feeds))[0], expected, rtol=2e-6, atol=3e-8)
    # And by the plan, with its kernels.
    planned = K.function([t for t, _ in feeds], [loss, slope])([a for _, a in feeds])
    assert_allclose(planned[1], expected, rtol=2e-6, atol=3e-8)
    return slope if parts else None


CASES = [*ELEMENTWISE, *REDUCTIONS, *PRODUCTS, *SHAPES, *NETWORKS]
# Of tensors that differ in their first axis, it has to be known.
OPEN = [each for each in CASES if "switch sizes" not in each.values[0].label]


@pytest.mark.parametrize(
    ("case", "known"),
    [
        pytest.param(*each.values, known, id=f"{each.id}-{'known' if known else 'open'}")
        for known, cases in ((True, CASES), (False, OPEN))
        for each in cases
    ],
)
def test_gradients_agree_with_differences(case, known, capsys):
    arrays = case.arrays()
    open_shapes = [(None, *a.shape[1:]) for a in arrays]
    tensors = [
        K.placeholder(a.shape if known else s, dtype="float64")
        for a, s in zip(arrays, open_shapes, strict=True)
    ]
    y = case.f(*tensors)
    feeds = list(zip(tensors, arrays, strict=True))
    loss = K.sum(y * np.random.default_rng(7).standard_normal(evaluate([y], dict(feeds))[0].shape))
    slope = check(loss, feeds, seed=1)
    if case.twice and slope is not None:
        check(slope, feeds, seed=2)


def test_a_single_variable_gives_a_list_too():
    x = K.variable([1.0, 2.0])
    (g,) = K.gradients(K.sum(x * x), x)
    assert_allclose(K.eval(g), [2.0, 4.0])


def test_several_losses_are_added_up():
    x = K.variable([1.0, 2.0])
    (g,) = K.gradients([K.sum(x), x * x], [x])
    assert_allclose(K.eval(g), [3.0, 5.0])


def test_an_unconnected_variable_gives_none():
    x, other = K.variable(1.0), K.variable(2.0)
    assert K.gradients(x * 2, [other, x])[0] is None


def test_gradients_stop_where_they_are_told():
    x = K.variable([3.0])
    (g,) = K.gradients(K.sum(x * K.stop_gradient(x)), [x])
    assert_allclose(K.eval(g), [3.0])
    a, b = K.stop_gradient([x, x * 2])
    assert K.gradients(K.sum(a + b), [x]) == [None]


def test_the_gradient_at_an_inner_tensor_counts_all_its_uses():
    # Also where a shortcut leads past it: cross-entropy goes straight to what softmax was made from.
    x = K.placeholder((2, 3), dtype="float64")
    p = K.softmax(x)
    loss = K.sum(K.categorical_crossentropy(K.constant([[1, 0, 0], [0, 1, 0]], "float64"), p)) + K.sum(p * p)
    inner, outer = K.gradients(loss, [p, x])
    (through,) = K.gradients(K.sum(p * K.stop_gradient(inner)), [x])
    value = {x: np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 0.0]])}
    assert_allclose(through.eval(value), outer.eval(value), atol=1e-12)


def test_clipped_probabilities_have_no_gradient():
    x = K.variable([[40.0, -40.0]])
    for loss in (
        K.categorical_crossentropy(K.constant([[0.0, 1.0]]), K.softmax(x)),
        K.sparse_categorical_crossentropy(K.constant([1]), K.softmax(x)),
        K.binary_crossentropy(K.constant([[0.0, 1.0]]), K.sigmoid(x)),
    ):
        assert_allclose(K.eval(K.gradients(loss, [x])[0]), [[0.0, 0.0]], atol=1e-30)


def test_a_choice_between_sizes_has_the_gradient_of_the_chosen():
    a, b = K.variable(np.ones((2, 2))), K.variable(np.ones((3, 2)))
    grads = K.gradients(K.sum(choose(K.constant(0, "bool"), a, b)), [a, b])
    assert_allclose(K.eval(grads[0]), np.zeros((2, 2)))
    assert_allclose(K.eval(grads[1]), np.ones((3, 2)))


ROWS = {
    "elementwise": lambda x: (
        K.relu(x, 0.1, 6, 0.5) + K.elu(x) * K.sigmoid(x) / K.softplus(x) + K.clip(x, 0, 1) ** 2
    ),
    "softmax": K.softmax,
    "reductions": lambda x: K.sum(x, 1) * K.max(x, 1) + K.logsumexp(x, 1) + K.var(x, 1) + K.prod(x, -1),
    "sum over the batch": lambda x: K.sum(x, axis=0) + K.prod(x, axis=0),
    "cumsum": lambda x: K.cumsum(x, 1) + K.cumsum(x, 0) + K.cumprod(x, 1),
    "dot": lambda x: K.dot(x, K.ones((4, 3))),
    "dot 3D": lambda x: K.dot(K.repeat(x, 2), K.ones((4, 3))),
    "batch_dot": lambda x: K.batch_dot(x, x) + K.batch_dot(K.repeat(x, 2), x, (2, 1)),
    "shapes": lambda x: K.concatenate(
        [K.tile(x, [1, 2]), K.reverse(x, 1), K.repeat_elements(x, 2, 1)], axis=1
    ),
    "pictures": lambda x: K.resize_images(K.reshape(x, (-1, 2, 2, 1)), 2, 2, "channels_last", "bilinear"),
    "padding": lambda x: K.temporal_padding(K.expand_dims(x, 1)),
    "stack": lambda x: K.stack([x, x * 2], axis=1),
    "slices": lambda x: x[:, 1:3] * x[:, ::-1][:, :2],
    "gather": lambda x: K.gather(K.ones((3, 2)), K.cast(x[:, 0], "int32")) * x[:, :2],
    "categorical": lambda x: K.categorical_crossentropy(K.ones_like(x), K.softmax(x)),
    "sparse": lambda x: K.sparse_categorical_crossentropy(K.cast(x[:, 0], "int32"), K.softmax(x)),
    "logits": lambda x: (
        K.sparse_categorical_crossentropy(x[:, 0], x, True) + K.categorical_crossentropy(x, x, True)
    ),
    "binary": lambda x: (
        K.binary_crossentropy(x, K.sigmoid(x)) + K.binary_crossentropy(x, x, from_logits=True)
    ),
    "batch normalization": lambda x: K.batch_normalization(x, *[K.ones((4,))] * 4),
    "batch statistics": lambda x: K.normalize_batch_in_training(x, K.ones((4,)), K.ones((4,)), [0])[0],
    "dropout": lambda x: K.dropout(x, 0.5),
    "switch": lambda x: K.switch(x[:, 0] > 0, x, x * 2),
    "l2_normalize": lambda x: K.l2_normalize(x, 1),
}


@pytest.mark.parametrize("f", ROWS.values(), ids=ROWS.keys())
def test_an_empty_batch_passes_through(f):
    x = K.placeholder((None, 4))
    y = f(x)
    (g,) = K.gradients(y, [x])
    call = K.function([x], [y, g])
    full, empty = call([np.ones((3, 4))]), call([np.zeros((0, 4))])
    assert empty[1].shape == (0, 4)
    assert empty[0].shape in ((0, *full[0].shape[1:]), (4,))
    by_definition = evaluate([y, g], {x: np.zeros((0, 4))})
    assert [a.shape for a in by_definition] == [a.shape for a in empty]


def test_the_gradient_of_a_look_up_is_fetched_as_its_rows_and_computes_as_a_table():
    table = K.variable(np.zeros((4, 2)))
    indices = K.placeholder((2, 2), dtype="int32")
    weights = K.constant(np.arange(8.0).reshape(2, 2, 2))
    (g,) = K.gradients(K.sum(K.gather(table, indices) * weights), table)
    assert K.int_shape(g) == (4, 2)
    rows, dense, size = K.function([indices], [g, g + 0, K.sum(g)])([[[3, 1], [3, 0]]])
    np.testing.assert_array_equal(rows, np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(rows.values, rows)
    assert rows.indices.tolist() == [3, 1, 3, 0] and rows.dense_shape.tolist() == [4, 2]
    np.testing.assert_array_equal(dense, [[6, 7], [2, 3], [0, 0], [4, 6]])
    assert size == 28


def test_rows_of_several_look_ups_follow_each_other():
    table, scaled = K.variable(np.zeros((3, 1))), K.variable(np.ones((3, 1)))
    first, second = K.placeholder((1,), dtype="int32"), K.placeholder((2,), dtype="int32")
    loss = K.sum(K.gather(table, first)) + K.sum(2.0 * K.gather(table, second))
    both = K.function([first, second], K.gradients(loss, table))([[0], [2, 0]])[0]
    assert both.shape == (3, 1)
    dense = np.zeros(3)
    np.add.at(dense, both.indices, both.values[:, 0])
    assert dense.tolist() == [3, 0, 2]
    (mixed,) = K.gradients(loss + K.sum(K.gather(scaled, first) * scaled), scaled)
    assert K.function([first, second], [mixed])([[1], [0, 0]])[0].shape == (3, 1)


# ---- branches that the learning phase chooses


def of_phases(f, array):
    """The gradients of f in training and in testing, and the plans for them."""
    x = K.placeholder(array.shape, dtype="float64")
    function = K.function([x, K.learning_phase()], K.gradients(f(x), [x]))
    return [(function([array, phase])[0], function.explain([array.shape], phase)) for phase in (1, 0)]


def test_the_branch_that_a_phase_does_not_take_has_no_part_in_the_gradient():
    x = np.array([0.5, 1000.0])
    (training, plan), (testing, _) = of_phases(lambda x: K.in_train_phase(3 * x, K.exp(x)), x)
    assert_allclose(training, [3, 3])  # and not 3 + 0 * inf
    assert "exp" not in plan
    assert_allclose(testing, [np.exp(0.5), np.inf])


def test_what_both_branches_and_others_use_has_the_gradient_of_all_that_is_taken():
    def f(x):
        shared = K.square(x)  # before both branches, and beside them
        inner = K.in_train_phase(K.exp(shared), lambda: shared * x)
        again = K.in_train_phase(inner * x, K.in_test_phase(inner, x))  # the choice of a choice
        return K.sum(again + shared)

    x = np.array([0.3, -0.7])
    (training, _), (testing, _) = of_phases(f, x)
    e = np.exp(x**2)
    assert_allclose(training, e + 2 * x**2 * e + 2 * x)
    assert_allclose(testing, 3 * x**2 + 2 * x)


def test_a_branch_may_be_smaller_than_the_other():
    (training, _), (testing, _) = of_phases(lambda x: K.in_train_phase(x, K.sum(x, axis=0)), np.ones((3, 2)))
    assert_allclose(training, np.ones((3, 2)))
    assert_allclose(testing, np.full((3, 2), 3.0))


def test_a_gradient_of_one_phase_is_zero_in_the_other_and_has_a_gradient_itself():
    def slope(x):
        (g,) = K.gradients(K.in_train_phase(x**3, 1.0 + 0 * K.stop_gradient(x)), [x])
        return g

    (training, _), (testing, _) = of_phases(slope, np.array([2.0]))
    assert (training, testing) == (12.0, 0.0)
