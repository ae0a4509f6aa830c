"""What Keras 2's documentation promises of K, fact by fact, and the errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lamina_registry
from lamina import backend as K
from lamina import config
from lamina.tensor import Tensor, Variable


@pytest.fixture(autouse=True)
def settings():
    """Each test finds and leaves Keras's defaults."""
    before = config.floatx(), config.epsilon(), config.image_data_format()
    K.clear_session()
    yield
    config.set_floatx(before[0])
    config.set_epsilon(before[1])
    config.set_image_data_format(before[2])
    K.clear_session()


# ---- settings


def test_defaults():
    assert (K.epsilon(), K.floatx(), K.image_data_format()) == (1e-7, "float32", "channels_last")
    assert type(K.epsilon()) is float


def test_settings_hold_once_set():
    K.set_epsilon(1e-5)
    K.set_floatx("float16")
    K.set_image_data_format("channels_first")
    assert (K.epsilon(), K.floatx(), K.image_data_format()) == (1e-5, "float16", "channels_first")
    for made in (
        K.variable(1),
        K.constant(1),
        K.placeholder((2,)),
        K.zeros((2,)),
        K.random_normal((2,)),
        K.eye(2),
    ):
        assert K.dtype(made) == "float16"


def test_the_layout_has_a_name_of_keras_1():
    assert K.image_dim_ordering() == "tf"
    K.set_image_dim_ordering("th")
    assert K.image_data_format() == "channels_first"
    assert K.normalize_data_format(None) == "channels_first"
    assert K.normalize_data_format("Channels_Last") == "channels_last"


SETTERS = [K.set_floatx, K.set_image_data_format, K.normalize_data_format, K.set_image_dim_ordering]


@pytest.mark.parametrize("setter", SETTERS)
def test_an_unknown_setting_is_refused(setter):
    with pytest.raises(ValueError, match="Unknown"):
        setter("float31")


def test_cast_to_floatx_works_on_arrays():
    found = K.cast_to_floatx(np.array([1.0, 2.0], dtype="float64"))
    assert isinstance(found, np.ndarray)
    assert found.dtype == "float32"
    assert K.cast_to_floatx([1, 2]).dtype == "float32"


def test_uids_count_from_one_for_each_prefix():
    assert [K.get_uid("dense"), K.get_uid("dense"), K.get_uid()] == [1, 2, 1]
    K.reset_uids()
    assert K.get_uid("dense") == 1
    K.clear_session()
    assert K.get_uid("dense") == 1


def test_the_backend_has_a_name():
    assert isinstance(K.backend(), str)
    K.manual_variable_initialization(True)
    K.manual_variable_initialization(False)


# ---- the learning phase


def test_the_phase_is_an_input_of_functions_until_it_is_fixed():
    x = K.placeholder((2,))
    y = K.in_train_phase(x * 10, x)
    assert y._uses_learning_phase
    f = K.function([x, K.learning_phase()], [y])
    assert_allclose(f([[1, 2], 1])[0], [10, 20])
    assert_allclose(f([[1, 2], 0])[0], [1, 2])
    assert_allclose(f([[1, 2], True])[0], [10, 20])
    assert_allclose(K.function([x], [y])([[1, 2]])[0], [1, 2])
    assert_allclose(y.eval({x: [1, 2]}), [1, 2])


def test_a_fixed_phase_is_a_number():
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    x = K.variable([1.0])
    assert K.in_train_phase(x, 2 * x) is x
    K.clear_session()
    assert isinstance(K.learning_phase(), Tensor)
    with pytest.raises(ValueError, match="0"):
        K.set_learning_phase(2)


def test_in_train_phase_takes_callables_and_flags():
    x, alt = K.variable(1.0), K.variable(2.0)
    assert K.in_train_phase(lambda: x, lambda: alt, training=True) is x
    assert K.in_train_phase(lambda: x, alt, training=0) is alt
    assert K.in_test_phase(x, alt, training=1) is alt
    flag = K.placeholder((), dtype="bool")
    f = K.function([flag], [K.in_train_phase(lambda: x, lambda: alt, training=flag)])
    assert [f([True])[0], f([False])[0]] == [1, 2]
    f = K.function([K.learning_phase()], [K.in_test_phase(lambda: x, lambda: alt)])
    assert [f([0])[0], f([1])[0]] == [1, 2]


# ---- variables


def test_a_variable():
    v = K.variable(np.array([[1, 2], [3, 4]]), dtype="float64", name="example_var")
    assert (K.dtype(v), K.int_shape(v), K.ndim(v)) == ("float64", (2, 2), 2)
    assert "example_var" in v.name
    assert "example_var" in repr(v)
    assert_allclose(K.eval(v), [[1, 2], [3, 4]])
    assert K.dtype(K.variable(np.array([1, 2]))) == "float32"
    assert not K.is_keras_tensor(v)
    assert not K.is_placeholder(v)
    assert K.is_tensor(v)
    assert not v._uses_learning_phase


def test_a_variable_from_anything():
    sparse = pytest.importorskip("scipy.sparse")
    assert_allclose(K.eval(K.variable(3)), 3)
    assert_allclose(K.eval(K.variable([1, 2])), [1, 2])
    assert_allclose(K.eval(K.variable(K.variable([1.0]) * 3)), [3])
    matrix = K.variable(sparse.csr_matrix(np.eye(2)))
    assert K.is_sparse(matrix)
    assert_allclose(K.eval(K.to_dense(matrix)), np.eye(2))
    constraint = lambda w: w  # noqa: E731
    assert K.variable(1.0, constraint=constraint).constraint is constraint


def test_constants_are_filled_to_their_shape():
    assert K.dtype(K.constant(3)) == "float32"
    assert_allclose(K.eval(K.constant(3, shape=(2, 2))), np.full((2, 2), 3))
    assert_allclose(K.eval(K.constant([1, 2, 3, 4], shape=(2, 2), dtype="int32")), [[1, 2], [3, 4]])


def test_placeholders():
    x = K.placeholder(shape=(2, 4, 5))
    assert (x._keras_shape, K.int_shape(x), K.ndim(x), K.dtype(x)) == ((2, 4, 5), (2, 4, 5), 3, "float32")
    assert K.int_shape(K.placeholder(ndim=3)) == (None, None, None)
    assert K.int_shape(K.placeholder((None, 4), ndim=7)) == (None, 4)
    assert K.is_placeholder(x)
    assert not K.is_placeholder(x * 2)
    assert not K.is_keras_tensor(x)
    with pytest.raises(ValueError, match="ndim"):
        K.placeholder()
    with pytest.raises(ValueError, match="symbolic tensor"):
        K.is_keras_tensor(np.zeros(2))


def test_sparse_placeholders_are_fed_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    x, w = K.placeholder((2, 3), sparse=True), K.constant(np.ones((3, 2)))
    assert K.is_sparse(x)
    assert not K.is_sparse(K.placeholder((2, 2)))
    assert not K.is_sparse(K.to_dense(x))
    assert K.to_dense(w) is w
    assert K.is_sparse(K.concatenate([x, x], axis=0))
    value = sparse.csr_matrix(np.arange(6).reshape(2, 3))
    y = K.dot(x, w)
    assert_allclose(K.function([x], [y])([value])[0], [[3, 3], [12, 12]])
    assert_allclose(y.eval({x: value}), [[3, 3], [12, 12]])


def test_filled_variables():
    assert_allclose(K.eval(K.zeros((3, 4))), np.zeros((3, 4)))
    assert_allclose(K.eval(K.ones((3, 4), "float64")), np.ones((3, 4)))
    assert_allclose(K.eval(K.eye(3)), np.eye(3))
    assert isinstance(K.zeros((2,)), Variable)
    assert K.count_params(K.zeros((2, 3))) == 6
    assert K.int_shape(K.zeros(1)) == (1,) and K.int_shape(K.ones(3)) == (3,)
    x = K.placeholder((None, 2))
    assert (
        K.function([x], [K.zeros(K.shape(x)) + K.ones((K.shape(x)[0], 2))])([np.zeros((3, 2))])[0].tolist()
        == [[1, 1]] * 3
    )
    assert K.dtype(K.zeros_like(K.zeros((2,), "int32"))) == "int32"
    assert K.dtype(K.ones_like(K.zeros((2,), "int32"), "float64")) == "float64"
    with pytest.raises(ValueError, match="known"):
        K.count_params(x)


def test_random_variables_are_drawn_once():
    np.random.seed(3)
    x, y = K.random_uniform_variable((2, 3), 0, 1), K.random_normal_variable((2, 3), 0, 1)
    assert_allclose(K.eval(x), K.eval(x))
    assert ((K.eval(x) >= 0) & (K.eval(x) < 1)).all()
    assert isinstance(y, Variable)
    np.random.seed(3)
    assert_allclose(K.eval(K.random_uniform_variable((2, 3), 0, 1)), K.eval(x))


def test_casting_makes_a_new_tensor():
    x = K.placeholder((2, 3), dtype="float32")
    y = K.cast(x, dtype="float16")
    assert (K.dtype(y), K.int_shape(y), K.dtype(x)) == ("float16", (2, 3), "float32")
    assert not isinstance(K.cast(K.variable(1.0), "float32"), Variable)
    assert K.eval(K.cast(K.constant([1.7, -1.7]), "int32")).tolist() == [1, -1]
    assert K.eval(K.cast(K.constant([0.0, 0.5]), "bool")).tolist() == [False, True]


# ---- reading, writing, updating


def test_values_are_read_and_written():
    x, y = K.variable([1.0, 2.0]), K.variable(3.0)
    assert_allclose(K.get_value(x), [1, 2])
    K.set_value(x, [5, 6])
    K.batch_set_value([(y, 7)])
    assert [v.tolist() for v in K.batch_get_value([x, y])] == [[5, 6], 7]
    assert K.batch_get_value([]) == []
    K.batch_set_value([])


def test_a_batch_of_values_is_written_whole_or_not_at_all():
    x, y = K.variable([1.0, 2.0]), K.variable(3.0)
    with pytest.raises(ValueError, match="shape"):
        K.batch_set_value([(x, [8, 8]), (y, [1, 2])])
    assert_allclose(K.get_value(x), [1, 2])
    with pytest.raises(ValueError, match="shape"):
        K.set_value(x, [1, 2, 3])
    with pytest.raises(TypeError, match="variable"):
        K.set_value(x * 2, [1, 2])
    with pytest.raises(TypeError, match="variable"):
        K.get_value(3)


def test_updates_run_with_a_function_and_not_before():
    x, y, count = K.variable(1.0), K.variable(10.0), K.variable(0.0)
    updates = [K.update(x, y), K.update_add(y, x), (count, count + 1)]
    assert K.get_value(x) == 1
    f = K.function([], [x * 1], updates=updates)
    assert f([])[0] == 1  # outputs are read before the updates
    assert (K.get_value(x), K.get_value(y), K.get_value(count)) == (10, 11, 1)
    K.function([], [], updates=[K.update_sub(x, 4)])([])
    assert K.get_value(x) == 6


def test_several_changes_of_a_variable_follow_one_another_and_of_several_values_the_last_counts():
    x, y = K.variable(1.0), K.variable(1.0)
    average = K.moving_average_update(x, 9.0, 0.5)
    K.function([], [], updates=[K.update_add(x, 2), K.update_sub(x, 4), average])([])
    assert K.get_value(x) == (1 + 2 - 4) * 0.5 + 9 * 0.5
    K.function([], [], updates=[K.update_add(y, 2), K.update(y, y + 10)])([])
    assert K.get_value(y) == 11
    K.function([], [], updates=[K.update(y, y + 10), K.update_add(y, 2)])([])
    assert K.get_value(y) == 11 + 10 + 2
    once = K.update_sub(y, 1)
    K.function([], [once], updates=[once])([])
    assert K.get_value(y) == 22


def test_a_moving_average_has_no_bias_correction():
    x = K.variable([1.0])
    K.function([], [], updates=[K.moving_average_update(x, K.constant([2.0]), 0.9)])([])
    assert_allclose(K.get_value(x), [1.1], rtol=1e-6)


def test_an_update_is_the_new_value_as_a_tensor():
    x = K.variable(1.0)
    new = K.update_add(x, 2)
    assert K.eval(new * 2) == 6
    assert K.get_value(x) == 1
    assert K.function([], [new])([])[0] == 3  # fetching it runs it
    assert K.get_value(x) == 3


def test_the_session_runs_tensors_and_updates():
    session = K.get_session()
    x, p = K.variable(2.0), K.placeholder((2,))
    found = session.run({"a": [x * p, x], "b": K.update(x, 5)}, {p: [1, 2]})
    assert found["a"][0].tolist() == [2, 4]
    assert (found["a"][1], found["b"], K.get_value(x)) == (2, 5, 5)
    assert_allclose(K.shape(K.zeros((2, 2))).eval(session=session), [2, 2])
    K.set_session("mine")
    assert K.get_session() == "mine"
    with pytest.raises(TypeError, match="session"):
        session.run("x")


def test_print_tensor_prints_when_its_result_is_computed(capsys):
    x = K.variable([1.0, 2.0])
    y = K.print_tensor(x, message="x is: ")
    assert y is not x
    assert capsys.readouterr().out == ""
    assert_allclose(K.eval(y), [1, 2])
    assert "x is:" in capsys.readouterr().out


# ---- functions


def test_functions():
    x = K.placeholder((None, 2))
    assert K.function([x], [x * 2, x + 1])([np.ones((3, 2))])[1].tolist() == [[2, 2]] * 3
    assert K.function([x], x * 2)([np.ones((1, 2))]).tolist() == [[2, 2]]
    inner = x * 3
    assert K.function([inner], [inner + 1])([np.zeros((1, 2))])[0].tolist() == [[1, 1]]
    with pytest.raises(ValueError, match="sparkle"):
        K.function([x], [x], sparkle=True)
    with pytest.raises(TypeError, match="list"):
        K.function(x, [x])
    with pytest.raises(TypeError, match="list"):
        K.function([x], [x])(np.ones((3, 2)))
    with pytest.raises(ValueError, match="1 arrays, met 2"):
        K.function([x], [x])([1, 2])
    with pytest.raises(ValueError, match=r"\(None, 2\)"):
        K.function([x], [x])([np.ones((3, 3))])


# ---- facts of single functions


def test_get_shape_answers_as_tensorflows_does():
    shape = K.placeholder((None, 3)).get_shape()
    assert shape == (None, 3) and shape.as_list() == [None, 3] and shape.ndims == 2


def test_static_shapes_of_products():
    p = K.placeholder
    assert K.int_shape(K.dot(p((2, 3)), p((3, 4)))) == (2, 4)
    assert K.int_shape(K.dot(p((32, 28, 3)), p((3, 4)))) == (32, 28, 4)
    assert K.int_shape(K.dot(p((None, 28, 3)), p((3, 4)))) == (None, 28, 4)
    assert K.int_shape(K.dot(p((2, 3)), p((4, 3, 5)))) == (2, 4, 5)
    assert K.int_shape(K.batch_dot(p((100, 20)), p((100, 30, 20)), axes=(1, 2))) == (100, 30)
    ones = K.batch_dot(K.ones((32, 20, 1)), K.ones((32, 30, 20)), axes=[1, 2])
    assert K.int_shape(ones) == (32, 1, 30)
    assert_allclose(K.eval(ones), 20)
    assert K.int_shape(K.batch_dot(p((None, 20)), p((None, 20)))) == (None, 1)
    assert K.int_shape(K.transpose(p((2, 3)))) == (3, 2)
    assert_allclose(
        K.eval(K.batch_dot(K.constant([[1, 2], [3, 4]]), K.constant([[5, 6], [7, 8]]), axes=1)), [[17], [53]]
    )


def test_static_shapes_with_unknown_sizes():
    p = K.placeholder
    x = p((None, 4, 5))
    assert K.int_shape(K.batch_flatten(x)) == (None, 20)
    assert K.int_shape(K.batch_flatten(p((None, None, 5)))) == (None, None)
    assert K.int_shape(K.flatten(x)) == (None,)
    assert K.int_shape(K.reshape(x, (K.shape(x)[0], 20))) == (None, 20)
    assert K.int_shape(K.reshape(x, (-1, 2, 10))) == (None, 2, 10)
    assert K.int_shape(K.repeat(p((None, 3)), 2)) == (None, 2, 3)
    assert K.int_shape(K.resize_images(p((None, 4, None, 3)), 2, 2, "channels_last")) == (None, 8, None, 3)
    assert K.int_shape(K.concatenate([x, x], axis=1)) == (None, 8, 5)
    assert K.int_shape(K.shape(x)) == (3,)
    assert K.int_shape(x + p((4, 1))) == (None, 4, 5)
    assert K.int_shape(K.one_hot(p((None, 3), dtype="int32"), 7)) == (None, 3, 7)
    assert K.int_shape(K.gather(K.zeros((9, 2)), p((None, 3), dtype="int32"))) == (None, 3, 2)


def test_a_batch_of_sizes_known_only_when_running():
    x = K.placeholder((None, None, 3))
    f = K.function([x], [K.batch_flatten(x), K.dot(x, K.ones((3, 2))), K.reshape(x, K.shape(x)[::-1])])
    for shape in ((2, 4, 3), (0, 4, 3), (2, 0, 3)):
        flat, product, turned = f([np.ones(shape)])
        assert flat.shape == (shape[0], shape[1] * 3)
        assert product.shape == (*shape[:2], 2)
        assert turned.shape == shape[::-1]


def test_hard_sigmoid_and_relu_at_their_corners():
    x = K.constant([-3.0, -2.5, 0.0, 2.5, 3.0])
    assert_allclose(K.eval(K.hard_sigmoid(x)), [0, 0, 0.5, 1, 1])
    assert_allclose(K.eval(K.relu(K.constant([-2.0, 1.0]), alpha=0.1)), [-0.2, 1], rtol=1e-6)
    assert_allclose(K.eval(K.relu(K.constant([0.0, 1.0, 2.0]), threshold=1.0)), [0, 0, 2])
    assert_allclose(K.eval(K.relu(K.constant([5.0, 7.0]), max_value=6)), [5, 6])


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("max_value", [None, 2.0, 0.5, -1.0])
@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0])
def test_relu_is_its_formula(alpha, max_value, threshold):
    x = np.array([-3, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3], "float32")
    slope = np.where(x > threshold, x, alpha * (x - threshold))
    expected = slope if max_value is None else np.where(x >= max_value, max_value, slope)
    found = K.eval(K.relu(K.constant(x), alpha=alpha, max_value=max_value, threshold=threshold))
    assert_allclose(found, expected, rtol=1e-6)


WHOLE = np.array([[1, 0, 3], [0, 2, 1], [1, 1, 0], [2, 0, 0]])
ONES = np.ones(3, "float32")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize(
    "f",
    [
        K.softmax,
        K.l2_normalize,
        K.var,
        lambda x: K.l2_normalize(x, axis=1),
        lambda x: K.relu(x, alpha=0.5, threshold=1.0),
        lambda x: K.relu(x, max_value=1.5),
        lambda x: K.clip(x, 0.5, 1.5),
        lambda x: K.in_train_phase(K.dropout(x, 0.0), x, training=1),
        lambda x: K.categorical_crossentropy(WHOLE, x, from_logits=True),
        lambda x: K.sparse_categorical_crossentropy([0, 1, 2, 0], x, from_logits=True),
        lambda x: K.binary_crossentropy(WHOLE > 1, x, from_logits=True),
        lambda x: K.batch_normalization(x, ONES, ONES + 1, ONES, ONES, epsilon=0.1),
        lambda x: K.normalize_batch_in_training(x, ONES, ONES, [0])[0],
        lambda x: K.normalize_batch_in_training(x, None, None, [0])[2],
    ],
)
def test_integers_are_computed_as_floats(f, dtype):
    whole = WHOLE.astype(dtype)
    found, expected = f(K.constant(whole, dtype)), f(K.constant(whole.astype("float32")))
    assert found.dtype == expected.dtype == "float32"
    assert_allclose(K.eval(found), K.eval(expected), rtol=1e-6)


def test_crossentropy_of_half_floats_is_finite():
    sure = K.constant([0.0, 1.0, 0.0, 1.0], "float16")
    found = K.eval(K.binary_crossentropy(K.constant([1.0, 0.0, 0.0, 1.0], "float16"), sure))
    assert np.isfinite(found).all()
    assert (found[:2] > 5).all()
    assert (abs(found[2:]) < 0.01).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0, 0)])
@pytest.mark.parametrize("known", [False, True])
def test_the_softmax_of_nothing_is_nothing(shape, known):
    x = K.placeholder(shape if known else (None,) * len(shape))
    y = K.softmax(x)
    found, gradient = K.function([x], [y, *K.gradients(K.sum(y * 2), [x])])([np.zeros(shape)])
    assert found.shape == gradient.shape == shape


def test_sizes_that_are_known_have_a_value():
    assert K.eval(K.shape(K.placeholder((2, 4, 5)))).tolist() == [2, 4, 5]
    assert K.eval(K.shape(K.constant(1.0))).tolist() == []
    assert K.shape(K.placeholder((2, 4))).dtype == "int32"
    with pytest.raises(ValueError, match="placeholder"):
        K.eval(K.shape(K.placeholder((None, 4))))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_volumes_are_padded_and_enlarged_in_both_layouts(data_format):
    x = np.arange(2 * 3 * 4 * 2 * 2, dtype="float32").reshape(2, 3, 4, 2, 2)
    last = data_format == "channels_last"
    given = K.constant(x if last else np.moveaxis(x, -1, 1))

    def back(y):
        return K.eval(y) if last else np.moveaxis(K.eval(y), 1, -1)

    padded = K.spatial_3d_padding(given, ((1, 0), (0, 2), (1, 1)), data_format)
    assert_allclose(back(padded), np.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1), (0, 0))))
    larger = K.resize_volumes(given, 2, 1, 3, data_format)
    assert_allclose(back(larger), x.repeat(2, 1).repeat(3, 3))


def test_axes_of_a_batch_of_products_may_be_of_numpy():
    x, y = K.ones((2, 3)), K.ones((2, 3))
    assert K.int_shape(K.batch_dot(x, y, axes=np.int64(1))) == (2, 1)
    assert K.int_shape(K.batch_dot(x, y, axes=np.array([1, 1]))) == (2, 1)


def test_gathered_positions_may_be_of_any_type():
    table = np.arange(8, dtype="float32").reshape(4, 2)
    for dtype in ("uint8", "int16", "int64", "uint64", "float16", "float32", "float64"):
        where = K.placeholder((None, 2), dtype=dtype)
        found = K.function([where], [K.gather(K.constant(table), where)])([np.array([[3, 0]], dtype)])[0]
        assert_allclose(found, table[[[3, 0]]])
    assert_allclose(K.eval(K.gather(K.constant(table), K.constant([-0.5, 2.9]))), table[[0, 2]])
    assert_allclose(K.eval(K.gather(K.constant(table), K.constant([True, False], "bool"))), table[[1, 0]])


@pytest.mark.parametrize(
    ("dtype", "index"),
    [
        ("int32", -1), ("int64", 2**32), ("int64", -(2**32)), ("uint64", 2**63), ("uint8", 4),
        ("float32", 4), ("float32", -1), ("float32", np.nan), ("float64", np.inf), ("float64", -1e300),
    ],
)  # fmt: skip
@pytest.mark.parametrize("known", [False, True])
def test_a_position_that_is_none_is_an_error_when_computed(dtype, index, known):
    table = K.placeholder((4 if known else None, 2))
    where = K.placeholder((None,), dtype=dtype)
    run = K.function([table, where], [K.gather(table, where)])
    with pytest.raises(IndexError, match="out of range"):
        run([np.zeros((4, 2)), np.array([0, index], dtype)])


def test_rounding_goes_to_the_even_neighbour():
    assert K.eval(K.round(K.constant([0.5, 1.5, 2.5]))).tolist() == [0, 2, 2]


def test_a_maximum_below_the_minimum_counts_as_the_minimum():
    assert K.eval(K.clip(K.constant([0.0, 5.0]), 2, 1)).tolist() == [2, 2]
    assert K.eval(K.clip(K.constant([0.0, 5.0]), 1, None)).tolist() == [1, 5]
    assert K.eval(K.clip(K.constant([0, 5], "int32"), 0.5, 4.5)).tolist() == [0.5, 4.5]


def test_a_zero_vector_stays_zero_when_normalized():
    assert_allclose(
        K.eval(K.l2_normalize(K.constant([[0.0, 0.0], [3.0, 4.0]]), axis=1)), [[0, 0], [0.6, 0.8]], rtol=1e-6
    )


def test_crossentropies_are_clipped_at_epsilon():
    one = K.constant([[1.0, 0.0]])
    assert_allclose(
        K.eval(K.categorical_crossentropy(one, K.constant([[0.0, 1.0]]))), [-np.log(1e-7)], rtol=1e-6
    )
    assert_allclose(
        K.eval(K.sparse_categorical_crossentropy(K.constant([0]), K.constant([[0.0, 1.0]]))),
        [-np.log(1e-7)],
        rtol=1e-6,
    )
    found = K.eval(K.binary_crossentropy(one, K.constant([[0.0, 1.0]])))
    # By way of the logit in float32, where 1 - 1e-7 is 0.99999988.
    assert_allclose(found, [[16.118095, 15.942385]], rtol=1e-6)
    K.set_epsilon(1e-2)
    assert_allclose(
        K.eval(K.categorical_crossentropy(one, K.constant([[0.0, 1.0]]))), [-np.log(1e-2)], rtol=1e-6
    )


def test_switch():
    a, b = K.constant([[1.0, 2.0], [3.0, 4.0]]), K.constant([[5.0, 6.0], [7.0, 8.0]])
    assert_allclose(K.eval(K.switch(K.constant(1, "bool"), a, b)), [[1, 2], [3, 4]])
    assert_allclose(K.eval(K.switch(K.constant(0), lambda: a, lambda: b)), [[5, 6], [7, 8]])
    assert_allclose(K.eval(K.switch(K.constant([1, 0], "bool"), a, b)), [[1, 2], [7, 8]])
    assert_allclose(K.eval(K.switch(K.constant(0, "bool"), a, K.zeros((3, 2)))), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="Rank of `condition`"):
        K.switch(K.ones((2, 2, 2)), a, b)


def test_mapping_and_folding():
    x = K.constant([[1.0, 2.0], [3.0, 4.0]])
    assert_allclose(K.eval(K.map_fn(lambda r: K.sum(r), x)), [3, 7])
    assert_allclose(
        K.eval(K.map_fn(lambda pair: pair[0] * pair[1], (x, K.constant([1.0, 10.0])))), [[1, 2], [30, 40]]
    )
    low, high = K.map_fn(lambda r: (K.min(r), K.max(r)), x)
    assert (K.eval(low).tolist(), K.eval(high).tolist()) == ([1, 3], [2, 4])
    assert K.map_fn(lambda r: r > 0, x, dtype="int32").dtype == "int32"
    assert K.eval(K.map_fn(lambda r: r * 2, K.zeros((0, 2)))).shape == (0, 2)
    assert_allclose(
        K.eval(K.foldl(lambda acc, r: acc + r, x, initializer=K.constant([10.0, 20.0]))), [14, 26]
    )
    rows = K.placeholder((None, 2))
    assert_allclose(K.function([rows], [K.map_fn(lambda r: K.sum(r), rows)])([[[1, 2], [3, 4]]])[0], [3, 7])
    with pytest.raises(ValueError, match="initializer"):
        K.foldl(lambda acc, r: acc, K.zeros((0, 2)))
    with pytest.raises(ValueError, match="scalar"):
        K.foldr(lambda acc, r: acc, K.variable(1.0))


def test_tensors_compare_by_identity_and_have_no_truth():
    a, b = K.variable(1.0), K.variable(1.0)
    assert a == a
    assert a != b
    with pytest.raises(TypeError, match="K.switch"):
        bool(a > b)
    with pytest.raises(TypeError, match="K.eval"):
        np.asarray(a)
    with pytest.raises(TypeError, match="K.eval"):
        np.exp(a)


def test_the_example_of_the_documentation():
    b, c, d = (K.random_uniform_variable((3, 4), 0, 1) for _ in range(3))
    a = b + c * K.abs(d)
    c = K.dot(a, K.transpose(b))
    assert K.int_shape(c) == (3, 3)
    assert K.int_shape(K.sum(b, axis=1)) == (3,)
    assert_allclose(K.eval(K.softmax(b)).sum(-1), 1, rtol=1e-6)
    assert K.int_shape(K.concatenate([b, c], axis=-1)) == (3, 7)


# ---- errors


X = K.placeholder((None, 3))
IMAGE = K.placeholder((None, 4, 4, 3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: K.dot(X, K.zeros((4, 2))), "differ"),
        (lambda: K.dot(X, K.zeros((3,))), "two or more axes"),
        (lambda: K.dot(K.zeros((2, 2, 3)), K.zeros((4, 2))), "differ"),
        (lambda: K.batch_dot(X, X, axes=((1,), (1,))), "Multiple target dimensions"),
        (lambda: K.batch_dot(X, X, axes=0), "axis 0"),
        (lambda: K.batch_dot(X, K.zeros((2, 4))), "differ"),
        (lambda: K.batch_dot(X, X, axes=2), "out of range"),
        (lambda: K.bias_add(X, K.zeros((3,)), "channels"), "data_format"),
        (lambda: K.bias_add(IMAGE, K.zeros((4, 3))), "Unexpected bias dimensions"),
        (lambda: K.resize_images(IMAGE, 2, 2, "channels"), "data_format"),
        (lambda: K.resize_images(IMAGE, 2, 2, "channels_last", "cubic"), "nearest"),
        (lambda: K.resize_volumes(IMAGE, 2, 2, 2, "channels_last"), "5 axes"),
        (lambda: K.spatial_2d_padding(IMAGE, data_format="channels"), "data_format"),
        (lambda: K.spatial_3d_padding(IMAGE), "5 axes"),
        (lambda: K.temporal_padding(X), "3 axes"),
        (lambda: K.repeat(IMAGE, 2), "samples, dim"),
        (lambda: K.squeeze(X, 1), "size 3"),
        (lambda: K.permute_dimensions(X, (0, 0)), "permutation"),
        (lambda: K.reshape(K.zeros((2, 3)), (4, 2)), "6 elements"),
        (lambda: K.reshape(X, (None, 3)), "write -1"),
        (lambda: K.concatenate([X, K.zeros((2, 4))], axis=0), "axis 1"),
        (lambda: K.sum(X, axis=2), "out of range"),
        (lambda: X + K.zeros((4,)), "do not fit"),
        (lambda: K.categorical_crossentropy(X, X, axis=5), "Unexpected channels axis 5"),
        (lambda: K.categorical_crossentropy(K.zeros((3,)), X), "number of dimensions"),
        (lambda: K.dropout(X, 1.5), "0 <= rate < 1"),
        (lambda: K.dropout(X, 0.5, noise_shape=(1,)), "noise_shape"),
        (lambda: K.eval(X * 2), "placeholder"),
        (
            lambda: K.eval(K.sparse_categorical_crossentropy(K.constant([3]), K.zeros((1, 3)))),
            "class number 3",
        ),
        (lambda: X[:, 5], "index 5"),
        (lambda: K.set_epsilon(-1), "epsilon .* -1"),
        (lambda: K.set_epsilon(np.nan), "epsilon .* nan"),
        (lambda: K.variable([[1], [1, 2]]), "array of numbers"),
        (lambda: K.variable("a"), "array of numbers.* 'a'"),
        (lambda: K.constant("a"), "array of numbers.* 'a'"),
        (lambda: K.constant([1, 2, 3], shape=(2, 2)), r"shape \(3,\) .* \(2, 2\)"),
        (lambda: K.placeholder((-1, 2)), "0 or more, None where unknown"),
        (lambda: K.zeros((-1, 2)), "0 or more"),
        (lambda: K.reshape(X, (-2, 3)), "0 or more, or -1"),
        (lambda: K.concatenate([]), "list of one or more tensors"),
        (lambda: K.concatenate(X), "list of one or more tensors"),
        (lambda: K.stack([]), "list of one or more tensors"),
        (lambda: K.repeat(X, -1), "n is a whole number from 0 on, met -1"),
        (lambda: K.repeat_elements(X, 1.5, 1), "rep is a whole number from 0 on, met 1.5"),
        (lambda: K.resize_images(IMAGE, 0, 2, "channels_last"), "whole number from 1 on, met 0"),
        (lambda: K.one_hot(K.constant([1], "int32"), -1), "num_classes is a whole number"),
        (lambda: K.temporal_padding(K.zeros((2, 3, 4)), (-1, 0)), "pair of whole numbers"),
        (lambda: K.temporal_padding(K.zeros((2, 3, 4)), 3), "pair of whole numbers"),
        (lambda: K.spatial_2d_padding(IMAGE, ((1, 1, 1), (1, 1))), "pair of whole numbers"),
        (lambda: K.spatial_2d_padding(IMAGE, ((1, 1),)), "1 pairs"),
        (lambda: K.in_top_k(X, X, 1), r"\(batch, classes\)"),
        (lambda: K.categorical_crossentropy(K.zeros((2, 4)), X), "3 classes and the target 4"),
        (lambda: K.normalize_batch_in_training(X, K.ones((4,)), None, [0]), r"gamma of shape \(4,\)"),
        (lambda: K.random_normal((None, 2)), r"K.shape\(x\)\[0\]"),
        (lambda: K.random_uniform((-1, 2)), "sizes of a draw"),
        (lambda: K.dropout(X, "half"), "rate='half'"),
        (lambda: K.softmax(X, 5), "axis=5"),
        (lambda: K.arange(0, 3, 0), "a step of 0 never arrives"),
    ],
)
def test_errors_say_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: K.sum(X, axis="rows"), "axis='rows' is no axis"),
        (lambda: K.sum(X, axis=1.5), "axis=1.5 is no axis"),
        (lambda: K.argmax(X, axis=None), "axis=None is no axis"),
        (lambda: K.softmax(X, "last"), "axis='last' is no axis"),
        (lambda: K.reshape(X, (-1, 1.5)), r"reshape to \(-1, 1.5\): .*whole numbers"),
        (lambda: K.reshape(X, "ab"), "reshape to 'ab'"),
        (lambda: K.clip(X, "low", 1), "bounds of clip .*'low'"),
        (lambda: K.zeros((None, 2)), "whole numbers; met"),
        (lambda: K.zeros(3.5), r"tuple of sizes, such as .* met 3.5"),
        (lambda: K.placeholder("ab"), "tuple of sizes, such as .* met 'ab'"),
        (lambda: K.placeholder((1.5, 2)), "whole numbers or None; met"),
        (lambda: K.update(K.constant(1.0), 2), "only a variable"),
        (lambda: K.function([X], [X], updates=[1]), r"pair \(variable, new value\); met 1"),
        (lambda: K.gradients(None, [X]), "met None"),
        (lambda: K.random_normal((2,), dtype="foo"), "name of a type of numbers.*'foo'"),
        (lambda: K.variable(None), "met None"),
        (lambda: K.eval(None), "None"),
    ],
)
def test_what_is_of_a_wrong_type_is_told_so(wrong, message):
    with pytest.raises(TypeError, match=message):
        wrong()


@pytest.mark.parametrize("seed", [-1, 1.5, "one", float("nan")])
@pytest.mark.parametrize("f", [K.random_uniform, K.random_normal, K.random_binomial, K.truncated_normal])
def test_a_seed_is_a_whole_number(f, seed):
    with pytest.raises(ValueError, match="a seed is a whole number"):
        f((2,), seed=seed)


def test_an_error_names_the_layer():
    with (
        K.name_scope("dense_7"),
        pytest.raises(ValueError, match=r"dense_7: matmul of float32\[\?, 3\], float32\[4, 2\]"),
    ):
        K.dot(X, K.zeros((4, 2)))


def test_a_row_out_of_range_is_an_error_when_computed():
    with pytest.raises(IndexError, match="3 rows"):
        K.eval(K.gather(K.zeros((3, 2)), K.constant([3], "int32")))


# ---- names


def test_names_that_plugins_bring():
    with lamina_registry.custom_object_scope({"frobnicate": lambda x: x + 1}):
        assert K.eval(K.frobnicate(K.constant(1))) == 2
    assert {"dot", "learning_phase", "function", *lamina_registry.names("ops")} <= set(dir(K))


def test_a_name_nobody_brings_says_so():
    with pytest.raises(AttributeError, match="quantum_pool"):
        _ = K.quantum_pool
    assert not hasattr(K, "__wrapped__")


def test_every_function_is_documented():
    for name in K.__all__:
        assert getattr(K, name).__doc__, name
