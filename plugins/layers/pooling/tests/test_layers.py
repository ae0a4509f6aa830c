"""MaxPooling and AveragePooling: the promises of a layer, and the facts of these."""

import json

import numpy as np
import pytest

from lamina import layers
from lamina.layers import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    Input,
    Masking,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from lamina.models import Model
from lamina.testing import Case, parametrize_layers, predict

ALL = [MaxPooling1D, AveragePooling1D, MaxPooling2D, AveragePooling2D, MaxPooling3D, AveragePooling3D]
BOTH = pytest.mark.parametrize("layer", [MaxPooling2D, AveragePooling2D])
EACH = pytest.mark.parametrize("layer", ALL)


def shuffled(rng, shape):
    """Numbers far enough apart that no maximum changes its place in a central difference."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) / 10.0


def halves(x):
    """The two steps of each window of 2."""
    return np.stack([x[:, i::2] for i in (0, 1)])


def quarters(x):
    """The four pixels of each window of 2 x 2."""
    return np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])


def eighths(x):
    """The eight voxels of each window of 2 x 2 x 2."""
    return np.stack([x[:, i::2, j::2, k::2] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@parametrize_layers(
    Case(MaxPooling1D, shape=(6, 3), values=shuffled, reference=lambda x: halves(x).max(axis=0)),
    Case(
        MaxPooling1D,
        {"pool_size": 3, "strides": 2, "padding": "same"},
        shape=(None, 2),
        values=shuffled,
    ),
    Case(MaxPooling2D, shape=(6, 4, 3), values=shuffled, reference=lambda x: quarters(x).max(axis=0)),
    Case(
        MaxPooling2D,
        {"pool_size": 3, "strides": 2, "padding": "same"},
        shape=(None, None, 2),
        values=shuffled,
    ),
    Case(MaxPooling2D, {"pool_size": (3, 1), "strides": (1, 2)}, shape=(5, 5, 1), values=shuffled),
    Case(MaxPooling3D, shape=(4, 2, 6, 2), values=shuffled, reference=lambda x: eighths(x).max(axis=0)),
    Case(
        MaxPooling3D,
        {"pool_size": (2, 3, 1), "strides": (1, 2, 1), "padding": "same"},
        shape=(None, 3, None, 2),
        values=shuffled,
    ),
    Case(AveragePooling1D, shape=(6, 3), reference=lambda x: halves(x).mean(axis=0)),
    Case(AveragePooling1D, {"pool_size": 3, "strides": 2, "padding": "same"}, shape=(None, 2)),
    Case(AveragePooling2D, shape=(6, 4, 3), reference=lambda x: quarters(x).mean(axis=0)),
    Case(AveragePooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}, shape=(None, None, 2)),
    Case(AveragePooling2D, {"pool_size": (3, 1), "strides": (1, 2)}, shape=(5, 5, 1)),
    Case(AveragePooling3D, shape=(4, 2, 6, 2), reference=lambda x: eighths(x).mean(axis=0)),
    Case(
        AveragePooling3D,
        {"pool_size": (2, 3, 1), "strides": (1, 2, 1), "padding": "same"},
        shape=(None, 3, None, 2),
    ),
)
def test_conforms(case, check):
    check(case)


def test_the_largest_of_each_window_stays():
    image = [[1, 2, 5, 6], [3, 4, 8, 7]]
    assert predict(MaxPooling2D(), np.reshape(image, (1, 2, 4, 1)).astype("float32")).ravel().tolist() == [
        4,
        8,
    ]


def test_the_mean_of_each_window_stays():
    image = [[1, 2, 5, 6], [3, 4, 8, 7]]
    found = predict(AveragePooling2D(), np.reshape(image, (1, 2, 4, 1)).astype("float32"))
    assert found.ravel().tolist() == [2.5, 6.5]


@pytest.mark.parametrize(
    ("layer", "expected"), [(MaxPooling1D, [4, 4, 9]), (AveragePooling1D, [2.5, 3.5, 9])]
)
def test_a_mean_of_fewer_steps_divides_by_these(layer, expected):
    steps = np.reshape([1, 4, 3, 4, 9], (1, 5, 1)).astype("float32")
    assert predict(layer(2, padding="same"), steps).ravel().tolist() == expected


@BOTH
def test_strides_are_the_pool_size_unless_given(layer):
    assert layer((2, 3)).strides == (2, 3)
    assert layer(4, 1).strides == (1, 1)


@BOTH
def test_a_rest_that_fills_no_window_is_dropped_or_padded(layer):
    assert layer(2)(Input((5, 7, 3))).shape == (None, 2, 3, 3)
    assert layer(2, padding="SAME")(Input((5, 7, 3))).shape == (None, 3, 4, 3)
    assert layer(2, data_format="channels_first")(Input((3, 5, 7))).shape == (None, 3, 2, 3)


@EACH
def test_the_config_is_that_of_keras(layer):
    """Its keys are in the order of Keras 2's files, which is another one for sequences."""
    config = json.loads(json.dumps(layer(2, name="p").get_config()))
    size, strides = ("pool_size", [2] * layer.rank), ("strides", [2] * layer.rank)
    padding = ("padding", "valid")
    assert list(config.items()) == [
        ("name", "p"),
        ("trainable", True),
        *((strides, size, padding) if layer.rank == 1 else (size, padding, strides)),
        ("data_format", "channels_last"),
    ]


def test_sequences_are_channels_last_whatever_the_format_of_images(monkeypatch):
    monkeypatch.setattr("lamina.config._image_data_format", "channels_first", raising=False)
    assert MaxPooling1D().data_format == AveragePooling1D().data_format == "channels_last"


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("MaxPooling", "MaxPool"),
        ("AveragePooling", "AvgPool"),
        ("GlobalMaxPooling", "GlobalMaxPool"),
        ("GlobalAveragePooling", "GlobalAvgPool"),
    ],
)
def test_the_short_name_is_the_same_layer_and_files_have_the_long_one(long, short, rank):
    layer = getattr(layers, f"{short}{rank}D")
    assert layer is getattr(layers, f"{long}{rank}D")
    assert layers.serialize(layer())["class_name"] == f"{long}{rank}D"


@EACH
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"pool_size": 0}, "p: pool_size is a whole number above 0, or a tuple of .*met 0"),
        ({"pool_size": "2"}, "p: pool_size is .*met '2'"),
        ({"strides": (1,) * 4}, r"p: strides is .* one for each spatial axis; met \(1, 1, 1, 1\)"),
        ({"padding": "full"}, "p: padding is one of 'valid', 'same'; met 'full'"),
        ({"data_format": "last"}, "p: Unknown data_format 'last': it is neither 'channels_last' nor"),
    ],
)
def test_a_wrong_argument_is_named(layer, arguments, told):
    with pytest.raises(ValueError, match=told):
        layer(name="p", **arguments)


@EACH
def test_wrong_images_are_refused(layer):
    rank = layer.rank
    with pytest.raises(ValueError, match=f"layer p: expected ndim={rank + 2}, found ndim={rank + 1}"):
        layer(name="p")(Input((4,) * rank))
    with pytest.raises(
        ValueError, match="p: .*spans 2 positions does not fit into spatial axis 0, which has 1"
    ):
        layer(name="p")(Input((1, *[4] * (rank - 1), 3)))


@EACH
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_images_without_a_position_are_refused(layer, padding):
    with pytest.raises(
        ValueError, match="p: .*spatial axis 0, which has 0 positions: every input needs at least one"
    ):
        layer(padding=padding, name="p")(Input((0, *[4] * (layer.rank - 1), 3)))


@EACH
def test_a_mask_is_refused(layer):
    with pytest.raises(TypeError, match="Layer p does not support masking"):
        layer(name="p")(Masking()(Input((*[4] * layer.rank, 3))))


@EACH
def test_images_that_turn_out_too_small_are_an_error_when_running(layer):
    inputs = Input((*[None] * layer.rank, 3))
    model = Model(inputs, layer(3, name="p")(inputs))
    with pytest.raises(ValueError, match="p: .*spans 3 positions .*which has 2: take a smaller window"):
        model.predict(np.zeros((1, *[2] * layer.rank, 3)))
