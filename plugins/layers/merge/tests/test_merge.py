import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import layers
from lamina.layers import Add, Average, Concatenate, Dot, Input, Masking, Maximum, Minimum, Multiply, Subtract
from lamina.testing import Case, parametrize_layers, predict
from lamina_merge.base import Merge


def cosine(x, y):
    return (x * y).sum(-1, keepdims=True) / (
        np.linalg.norm(x, axis=-1, keepdims=True) * np.linalg.norm(y, axis=-1, keepdims=True)
    )


@parametrize_layers(
    Case(Add, shape=[(3, 4)] * 3, reference=lambda x, y, z: x + y + z),
    Case(Add, shape=[(3, 4), (4,)], reference=lambda x, y: x + y[:, None]),
    Case(Subtract, shape=[(4,)] * 2, reference=lambda x, y: x - y),
    Case(Multiply, shape=[(3, 4)] * 2, reference=lambda x, y: x * y),
    Case(Multiply, shape=[(3, 4), (3, 1)], reference=lambda x, y: x * y),
    Case(Average, shape=[(None, 4)] * 3, reference=lambda x, y, z: (x + y + z) / 3),
    Case(Maximum, shape=[(3, 4)] * 2, reference=np.maximum),
    Case(Minimum, shape=[(3, 4)] * 3, reference=lambda x, y, z: np.minimum(np.minimum(x, y), z)),
    Case(Concatenate, shape=[(3, 4), (3, 2)], reference=lambda x, y: np.concatenate([x, y], -1)),
    Case(Concatenate, {"axis": 1}, shape=[(3, 4), (5, 4)], reference=lambda x, y: np.concatenate([x, y], 1)),
    Case(Dot, {"axes": 1}, shape=[(4,)] * 2, reference=lambda x, y: (x * y).sum(1, keepdims=True)),
    Case(Dot, {"axes": -1, "normalize": True}, shape=[(4,)] * 2, reference=cosine),
    Case(Dot, {"axes": (1, 2)}, shape=[(4,), (3, 4)], reference=lambda x, y: np.einsum("bk,bjk->bj", x, y)),
    Case(Dot, {"axes": 2}, shape=[(3, 4), (5, 4)], reference=lambda x, y: np.einsum("bik,bjk->bij", x, y)),
    Case(
        Dot, {"axes": [1, 1]}, shape=[(3, 4), (3, 5)], reference=lambda x, y: np.einsum("bki,bkj->bij", x, y)
    ),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", {}, [[4.0, 7.0]]),
        ("subtract", {}, [[-2.0, 3.0]]),
        ("multiply", {}, [[3.0, 10.0]]),
        ("average", {}, [[2.0, 3.5]]),
        ("maximum", {}, [[3.0, 5.0]]),
        ("minimum", {}, [[1.0, 2.0]]),
        ("concatenate", {}, [[1.0, 5.0, 3.0, 2.0]]),
        ("dot", {"axes": 1}, [[13.0]]),
    ],
)
def test_the_functions_make_and_call_a_layer(name, arguments, expected):
    x, y = Input((2,)), Input((2,))
    merged = getattr(layers, name)([x, y], name="m", **arguments)
    assert merged._keras_history[0].name == "m"
    assert_allclose(K.function([x, y], [merged])([[[1.0, 5.0]], [[3.0, 2.0]]])[0], expected)


def test_fewer_axes_are_lined_up_after_the_batch():
    assert Add()([Input((3, 4)), Input((4,))]).shape == (None, 3, 4)
    # A vector of 2 and one of 2 at each of 3 steps, not a batch of 2 by chance.
    found = predict(Add(), [np.array([[1.0, 2.0]]), np.zeros((1, 3, 2))])
    assert_array_equal(found, [[[1, 2], [1, 2], [1, 2]]])


def masked(shape, value=0.0):
    x = Input(shape)
    return x, Masking(value)(x)


def mask_of(layer, tensors, inputs, arrays):
    (mask,) = [layer(tensors)._keras_history[0]._inbound_nodes[-1].output_masks[0]]
    return K.function(inputs, [mask])(arrays)[0]


def test_a_merge_layer_of_ones_own_writes_its_merge_function():
    class Halfway(Merge):
        def _merge_function(self, inputs):
            return inputs[0] / 2 + inputs[1] / 2

    inputs = [np.ones((1, 2, 3)), np.full((1, 3), 3.0)]
    assert_array_equal(predict(Halfway(), inputs), np.full((1, 2, 3), 2.0))


def test_a_step_counts_where_no_input_masks_it():
    (x, mx), (y, my) = masked((3, 2)), masked((3, 2))
    a = np.array([[[0, 0], [1, 1], [1, 1]]])
    b = np.array([[[1, 1], [0, 0], [1, 1]]])
    for layer in (Add(), Concatenate()):
        assert_array_equal(mask_of(layer, [mx, my], [x, y], [a, b]), [[False, False, True]])
        assert_array_equal(mask_of(layer, [mx, y], [x, y], [a, b]), [[False, True, True]])


def test_masks_follow_each_other_in_time():
    (x, mx), y = masked((2, 2)), Input((1, 2))
    a, b = np.array([[[0, 0], [1, 1]]]), np.zeros((1, 1, 2))
    assert_array_equal(mask_of(Concatenate(axis=1), [mx, y], [x, y], [a, b]), [[False, True, True]])


def test_a_dot_product_has_no_mask():
    (_, mx), (_, my) = masked((3, 2)), masked((3, 2))
    layer = Dot(2)
    layer([mx, my])
    assert layer.output_mask is None


SUMS = [Add, Average, Maximum, Minimum, Multiply]
TWO = [Subtract, lambda **k: Dot(1, **k)]


@pytest.mark.parametrize("layer", [*SUMS, *TWO, Concatenate])
def test_a_list_of_inputs_is_wanted(layer):
    for inputs in (Input((3,)), [Input((3,))]):
        with pytest.raises(
            ValueError, match="m: a merge layer should be called on a list of at least 2 inputs"
        ):
            layer(name="m")(inputs)
    with pytest.raises(ValueError, match="m: can not merge tensors with different batch sizes, met shapes"):
        layer(name="m")([Input(batch_shape=(2, 3)), Input(batch_shape=(4, 3))])
    with pytest.raises(
        ValueError, match="Layer m was called with an input that isn't a symbolic tensor: ndarray"
    ):
        layer(name="m")([Input((3,)), np.ones((2, 3))])


@pytest.mark.parametrize("layer", TWO)
def test_a_difference_is_of_two(layer):
    with pytest.raises(ValueError, match="m: a .* layer should be called on exactly 2 inputs, met 3"):
        layer(name="m")([Input((3,))] * 3)


@pytest.mark.parametrize("layer", [*SUMS, Subtract])
def test_shapes_that_do_not_fit_are_named(layer):
    with pytest.raises(ValueError, match=r"^m: .*\(None, 3\) and \(None, 4\) do not fit together"):
        layer(name="m")([Input((3,)), Input((4,))])


@pytest.mark.parametrize("name", ["add", "average", "concatenate", "dot", "maximum", "multiply", "subtract"])
def test_a_function_wants_two_or_more(name):
    with pytest.raises(ValueError, match="m: a merge layer should be called on a list of at least 2 inputs"):
        getattr(layers, name)([Input((3,))], **({"axes": 1} if name == "dot" else {}), name="m")


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (Concatenate(name="m"), [(3, 4), (2, 4)], "m: .* matching shapes except for the concat axis"),
        (Concatenate(name="m"), [(3, 4), (4,)], "m: .* matching shapes"),
        (Concatenate(axis=3, name="m"), [(3, 4), (3, 4)], "m: axis=3 is none of the 3 axes"),
        (Dot(1, name="m"), [(3,), (4,)], "m: dimension incompatibility 3 != 4"),
        (Dot(2, name="m"), [(3,), (3,)], "m: axes=2 .* sums another axis"),
        (Dot(0, name="m"), [(3,), (3,)], "m: axes=0 .* sums another axis"),
    ],
)
def test_inputs_that_do_not_fit_are_named(layer, shapes, words):
    with pytest.raises(ValueError, match=words):
        layer([Input(shape) for shape in shapes])


def test_axes_of_another_kind_are_named():
    for axes in ("last", ("last", 1), 1.5, None):
        with pytest.raises(TypeError, match="m: axes .*a whole number; met"):
            Dot(axes, name="m")
    with pytest.raises(ValueError, match=r"m: .* two elements; met \(1, 1, 1\)"):
        Dot((1, 1, 1), name="m")
    with pytest.raises(TypeError, match="m: axis .* a whole number; met None"):
        Concatenate(None, name="m")


def test_an_axis_may_be_a_number_of_numpy():
    x, y = Input((3,)), Input((3,))
    assert Dot(np.int64(1))([x, y]).shape == Dot((np.int64(1), 1))([x, y]).shape == (None, 1)
    assert Concatenate(np.int64(1))([x, y]).shape == (None, 6)
