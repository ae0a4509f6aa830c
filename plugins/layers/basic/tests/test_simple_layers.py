import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.layers import (
    Activation,
    ActivityRegularization,
    Flatten,
    Input,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
)
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(Activation, {"activation": "relu"}, shape=(3, 4), reference=lambda x: np.maximum(x, 0)),
    Case(Activation, {"activation": "softmax"}, shape=(4,)),
    Case(ActivityRegularization, {"l1": 0.1, "l2": 0.2}, shape=(3,), reference=lambda x: x),
    Case(Flatten, shape=(3, 4, 2), reference=lambda x: x.reshape(len(x), 24)),
    Case(Flatten, shape=(3,), reference=lambda x: x),
    Case(Masking, shape=(3, 4)),
    Case(Masking, {"mask_value": 2.0}, shape=(None, 4), reference=lambda x: x),
    Case(Permute, {"dims": (2, 1)}, shape=(3, 4), reference=lambda x: x.transpose(0, 2, 1)),
    Case(Permute, {"dims": [3, 1, 2]}, shape=(None, 4, 2), reference=lambda x: x.transpose(0, 3, 1, 2)),
    Case(RepeatVector, {"n": 3}, shape=(4,), reference=lambda x: np.stack([x] * 3, 1)),
    Case(Reshape, {"target_shape": (2, 6)}, shape=(3, 4), reference=lambda x: x.reshape(len(x), 2, 6)),
    Case(Reshape, {"target_shape": [-1, 2, 2]}, shape=(6, 2), reference=lambda x: x.reshape(len(x), 3, 2, 2)),
    Case(Reshape, {"target_shape": (-1, 2)}, shape=(None, 4)),
    Case(Reshape, {"target_shape": ()}, shape=(1,), reference=lambda x: x[:, 0]),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    ("layer", "shape", "out"),
    [
        (Reshape((3, 4)), (12,), (None, 3, 4)),
        (Reshape((-1, 2, 2)), (6, 2), (None, 3, 2, 2)),
        (Permute((2, 1)), (10, 64), (None, 64, 10)),
        (RepeatVector(3), (32,), (None, 3, 32)),
        (Flatten(), (3, 32, 64), (None, 6144)),
    ],
)
def test_shapes_are_those_of_the_manual(layer, shape, out):
    assert layer(Input(shape)).shape == out
    assert layer.compute_output_shape((None, *shape)) == out


def test_flatten_keeps_the_order_of_channels_last():
    # Two channels, (1, 2) and (3, 4), interleaved.
    found = predict(Flatten(data_format="channels_first"), [[[1.0, 2.0], [3.0, 4.0]]])
    assert_array_equal(found, [[1.0, 3.0, 2.0, 4.0]])


def test_a_step_is_masked_where_all_its_features_have_the_value():
    x = np.array([[[7.0, 7.0], [7.0, 1.0], [0.0, 0.0]]])
    layer = Masking(7.0)
    assert_array_equal(predict(layer, x), [[[0, 0], [7, 1], [0, 0]]])
    assert_array_equal(K.eval(layer.compute_mask(K.constant(x))), [[False, True, True]])


def test_an_activity_penalty_is_summed_over_the_batch():
    layer, x = ActivityRegularization(l1=0.5, l2=0.25), Input((2,))
    layer(x)
    (loss,) = layer.get_losses_for(x)
    # 0.5 * (1 + 2 + 3 + 4) + 0.25 * (1 + 4 + 9 + 16).
    assert K.function([x], [loss])([np.array([[1, -2], [3, -4]])])[0] == 12.5


def test_an_infinite_mask_value_makes_no_nan():
    x = np.array([[[np.inf, np.inf], [np.inf, 1.0]]])
    assert_array_equal(predict(Masking(np.inf), x), [[[0, 0], [np.inf, 1]]])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: Flatten(name="f")(Input((None, 3))),
            ValueError,
            '"f" is not fully defined .*None, 3.* input_shape',
        ),
        (lambda: Flatten("middle", name="f"), ValueError, "f: Unknown data_format 'middle': it is neither"),
        (lambda: Flatten(name="f")(Input(())), ValueError, "layer f: expected min_ndim=2, found ndim=1"),
        (lambda: Reshape((-1, -1), name="r"), ValueError, "r: target_shape=.* more than one size open"),
        (lambda: Reshape(12, name="r"), TypeError, r"r: target_shape is a tuple of sizes, such as .* met 12"),
        (
            lambda: Reshape((5, 2), name="r")(Input((3, 4))),
            ValueError,
            r"r: total size of new array must be unchanged: .* 12 elements, which do not fill target_shape=\(5, 2\)",
        ),
        (lambda: Reshape((-1, 5), name="r")(Input((3, 4))), ValueError, "r: .* do not fill"),
        (lambda: Permute((0, 1), name="p"), ValueError, r"p: dims=\(0, 1\) .* once, counted from 1"),
        (lambda: Permute(2, name="p"), TypeError, "p: dims is a tuple of axes, .* met 2"),
        (
            lambda: Permute((2, 1), name="p")(Input((3,))),
            ValueError,
            "layer p: expected ndim=3, found ndim=2",
        ),
        (lambda: RepeatVector(0, name="r"), ValueError, "r: n is .* a whole and positive number; met 0"),
        (
            lambda: RepeatVector(2, name="r")(Input((3, 4))),
            ValueError,
            "layer r: expected ndim=2, found ndim=3",
        ),
        (lambda: Activation("rellu"), ValueError, "rellu"),
        (lambda: Masking(np.nan, name="m"), ValueError, "m: mask_value .* met nan"),
        (lambda: Masking("pad", name="m"), TypeError, "m: mask_value .* met 'pad'"),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("layer", [Flatten(), Reshape((12,)), Permute((2, 1))])
def test_a_layer_that_moves_steps_refuses_their_mask(layer):
    with pytest.raises(
        TypeError, match=f"Layer {layer.name} does not support masking, .* Put it where no mask"
    ):
        layer(Masking()(Input((3, 4))))
