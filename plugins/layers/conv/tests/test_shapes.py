"""Cropping, ZeroPadding and UpSampling: the promises of a layer, TensorFlow's numbers, every form of argument."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import layers
from lamina.function import Function
from lamina.layers import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Input,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from lamina.models import Model
from lamina.tensor import Placeholder
from lamina.testing import Case, parametrize_layers, parametrize_ops, predict
from lamina_conv.borders import crop

CROPPING = [Cropping1D, Cropping2D, Cropping3D]
PADDING = [ZeroPadding1D, ZeroPadding2D, ZeroPadding3D]
ENLARGING = [UpSampling1D, UpSampling2D, UpSampling3D]


def rank_of(layer):
    return int(layer.__name__[-2])


@parametrize_layers(
    Case(Cropping1D, shape=(5, 3), reference=lambda x: x[:, 1:-1]),
    Case(Cropping1D, {"cropping": (0, 2)}, shape=(None, 2)),
    Case(Cropping2D, shape=(3, 4, 2), reference=lambda x: x),
    Case(
        Cropping2D,
        {"cropping": ((2, 0), (1, 1))},
        shape=(5, 4, 2),
        reference=lambda x: x[:, 2:, 1:-1],
    ),
    Case(Cropping2D, {"cropping": 1}, shape=(None, None, 2)),
    Case(Cropping3D, shape=(3, 4, 5, 2), reference=lambda x: x[:, 1:-1, 1:-1, 1:-1]),
    Case(Cropping3D, {"cropping": (0, 1, 0)}, shape=(None, 4, None, 2)),
    Case(ZeroPadding1D, shape=(3, 2)),
    Case(ZeroPadding1D, {"padding": (2, 0)}, shape=(None, 2)),
    Case(ZeroPadding2D, shape=(3, 2, 2)),
    Case(ZeroPadding2D, {"padding": ((1, 0), (0, 2))}, shape=(None, None, 2)),
    Case(ZeroPadding3D, shape=(2, 3, 1, 2)),
    Case(ZeroPadding3D, {"padding": ((1, 0), (0, 2), (1, 1))}, shape=(None, 2, None, 2)),
    Case(UpSampling1D, shape=(4, 3), reference=lambda x: x.repeat(2, axis=1)),
    Case(UpSampling1D, {"size": 3}, shape=(None, 2)),
    Case(UpSampling2D, shape=(3, 2, 2), reference=lambda x: x.repeat(2, axis=1).repeat(2, axis=2)),
    Case(UpSampling2D, {"size": (1, 3)}, shape=(None, None, 2)),
    Case(UpSampling2D, {"interpolation": "bilinear"}, shape=(3, 4, 2)),
    Case(UpSampling2D, {"size": (3, 2), "interpolation": "bilinear"}, shape=(None, None, 2)),
    Case(UpSampling3D, shape=(2, 3, 1, 2)),
    Case(UpSampling3D, {"size": (2, 1, 3)}, shape=(None, 2, None, 2)),
)
def test_conforms(case, check):
    check(case)


@parametrize_ops(
    Case(crop, {"cropping": ((0, 0), (1, 2), (0, 1))}, shape=(None, 5, 3)),
    Case(crop, {"cropping": ((0, 0), (2, 0))}, shape=(2, None)),
)
def test_the_op_conforms(case, check):
    check(case)


# ---- numbers


def at(x, row, column):
    """The pixel, or the point on the lines between pixels, at fractions of rows and columns."""
    top, left = int(row), int(column)
    bottom, right = min(top + 1, x.shape[1] - 1), min(left + 1, x.shape[2] - 1)
    down, aside = row - top, column - left
    upper = x[:, top, left] * (1 - aside) + x[:, top, right] * aside
    lower = x[:, bottom, left] * (1 - aside) + x[:, bottom, right] * aside
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("size", [(2, 2), (3, 4), (1, 5)])
def test_bilinear_points_lie_at_whole_multiples_of_one_by_the_factor(size):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2))
    images = Placeholder(x.shape, "float64")
    found = Function([images], [UpSampling2D(size, interpolation="bilinear")(images)])([x])[0]
    expected = np.empty_like(found)
    for i, j in np.ndindex(found.shape[1:3]):
        expected[:, i, j] = at(x, i / size[0], j / size[1])
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_row_enlarged_by_hand():
    x = np.array([0.0, 2.0, 6.0], "float32").reshape(1, 1, 3, 1)
    near, between = (UpSampling2D((1, 2), interpolation=how) for how in ("nearest", "bilinear"))
    assert predict(near, x).ravel().tolist() == [0, 0, 2, 2, 6, 6]
    assert predict(between, x).ravel().tolist() == [0, 1, 2, 4, 6, 6]


def test_zeros_are_added_where_they_should_be():
    x = np.ones((1, 1, 2, 1), "float32")
    found = predict(ZeroPadding2D(((1, 0), (0, 2))), x)
    assert found[0, ..., 0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0]]


# ---- arguments


@pytest.mark.parametrize(
    ("layer", "given", "kept"),
    [
        (Cropping1D, 2, (2, 2)),
        (Cropping1D, [0, 3], (0, 3)),
        (Cropping2D, 2, ((2, 2), (2, 2))),
        (Cropping2D, (1, 2), ((1, 1), (2, 2))),
        (Cropping2D, [[0, 1], [2, 3]], ((0, 1), (2, 3))),
        (Cropping3D, 0, ((0, 0), (0, 0), (0, 0))),
        (Cropping3D, (1, 2, 3), ((1, 1), (2, 2), (3, 3))),
        (ZeroPadding1D, 2, (2, 2)),
        (ZeroPadding1D, (0, 3), (0, 3)),
        (ZeroPadding2D, np.int64(2), ((2, 2), (2, 2))),
        (ZeroPadding2D, (1, 2), ((1, 1), (2, 2))),
        (ZeroPadding2D, ((0, 1), (2, 3)), ((0, 1), (2, 3))),
        (ZeroPadding3D, ((0, 1), (2, 3), (4, 5)), ((0, 1), (2, 3), (4, 5))),
    ],
)
def test_every_form_of_borders_is_kept_as_pairs(layer, given, kept):
    made = layer(given)
    assert (made.cropping if layer in CROPPING else made.padding) == kept
    assert predict(made, np.ones((1, *[8] * rank_of(layer), 1), "float32")).size > 0


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Cropping1D, {"cropping": [1, 1]}),
        (Cropping2D, {"cropping": [[0, 0], [0, 0]], "data_format": "channels_last"}),
        (Cropping3D, {"cropping": [[1, 1]] * 3, "data_format": "channels_last"}),
        (ZeroPadding1D, {"padding": [1, 1]}),
        (ZeroPadding2D, {"padding": [[1, 1]] * 2, "data_format": "channels_last"}),
        (ZeroPadding3D, {"padding": [[1, 1]] * 3, "data_format": "channels_last"}),
        (UpSampling1D, {"size": 2}),
        (UpSampling2D, {"size": [2, 2], "data_format": "channels_last", "interpolation": "nearest"}),
        (UpSampling3D, {"size": [2, 2, 2], "data_format": "channels_last"}),
    ],
)
def test_the_config_is_that_of_keras(layer, expected):
    config = json.loads(json.dumps(layer(name="p").get_config()))
    assert list(config.items()) == [("name", "p"), ("trainable", True), *expected.items()]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Cropping1D((1, 2, 3), name="p"), r"p: cropping is .*a pair \(before.*met \(1, 2, 3\)"),
        (lambda: Cropping1D(((1, 2),), name="p"), "p: cropping is a whole number from 0 on"),
        (lambda: Cropping2D((1, 2, 3), name="p"), r"p: cropping is .*a tuple of 2.*met \(1, 2, 3\)"),
        (lambda: Cropping2D(((1, 2), (1, 2, 3)), name="p"), "p: cropping is .*pairs"),
        (lambda: Cropping3D((1, 2), name="p"), "p: cropping is .*a tuple of 3"),
        (lambda: Cropping3D(-1, name="p"), "p: cropping is .*from 0 on.*met -1"),
        (lambda: Cropping2D("12", name="p"), "p: cropping is .*met '12'"),
        (lambda: ZeroPadding1D((1, -1), name="p"), r"p: padding is .*met \(1, -1\)"),
        (lambda: ZeroPadding2D(1.5, name="p"), "p: padding is a whole number from 0 on.*met 1.5"),
        (lambda: ZeroPadding2D(None, name="p"), "p: padding is .*met None"),
        (lambda: ZeroPadding3D({"left": 1}, name="p"), "p: padding is .*a tuple of 3"),
        (lambda: UpSampling1D(0, name="p"), "p: size is a whole number above 0.*met 0"),
        (lambda: UpSampling2D((2, 2, 2), name="p"), "p: size is .*a tuple of 2"),
        (lambda: UpSampling3D((2, 2, 0.5), name="p"), "p: size is .*a tuple of 3"),
        (
            lambda: UpSampling2D(interpolation="cubic", name="p"),
            "p: interpolation is 'nearest' or 'bilinear'",
        ),
    ],
)
def test_a_wrong_argument_is_named(make, told):
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize("layer", [*CROPPING, *PADDING, *ENLARGING])
def test_inputs_of_other_axes_and_masks_are_refused(layer):
    rank = rank_of(layer)
    with pytest.raises(ValueError, match=f"layer p: expected ndim={rank + 2}, found ndim={rank + 3}"):
        layer(name="p")(Input((4,) * (rank + 2)))
    with pytest.raises(TypeError, match="p does not support masking"):
        layer(name="p")(layers.Masking()(Input((4,) * (rank + 1))))


@pytest.mark.parametrize("layer", [*CROPPING, *PADDING, *ENLARGING])
def test_an_empty_batch_stays_empty(layer):
    inputs = Input((4,) * (rank_of(layer) + 1))
    model = Model(inputs, layer()(inputs))
    assert model.predict(np.zeros((0, *inputs.shape[1:]))).shape == (0, *model.output_shape[1:])


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("layer", CROPPING)
def test_cropping_that_leaves_nothing_is_refused(layer, size):
    rank = rank_of(layer)
    told = f"p: crop of float32.* before and 1 after leaves nothing of axis {rank}, which has size {size}: crop less"
    with pytest.raises(ValueError, match=told):
        layer(1, name="p")(Input((*[5] * (rank - 1), size, 2)))
    inputs = Input((*[None] * rank, 2))
    model = Model(inputs, layer(1, name="p")(inputs))
    with pytest.raises(ValueError, match=told):
        model.predict(np.zeros((3, *[5] * (rank - 1), size, 2)))


def test_nothing_cropped_leaves_everything_even_of_nothing():
    assert Cropping1D(0)(Input((0, 2))).shape == (None, 0, 2)
