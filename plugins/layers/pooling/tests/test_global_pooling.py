"""Global pooling: the promises of a layer, PyTorch's numbers, masks, and inputs without a position."""

import json

import numpy as np
import pytest

from lamina import backend as K
from lamina.function import Function
from lamina.gradient import gradients
from lamina.layers import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    Input,
    Masking,
)
from lamina.models import Model, Sequential
from lamina.tensor import Placeholder
from lamina.testing import Case, parametrize_layers, predict

LAYERS = {
    "max": [GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D],
    "avg": [GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D],
}
EACH = pytest.mark.parametrize("layer", [*LAYERS["max"], *LAYERS["avg"]])


def shuffled(rng, shape):
    """Numbers far enough apart that no maximum changes its place in a central difference."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) / 10.0


@parametrize_layers(
    Case(GlobalMaxPooling1D, shape=(5, 3), values=shuffled, reference=lambda x: x.max(axis=1)),
    Case(GlobalMaxPooling1D, shape=(None, 3), values=shuffled),
    Case(GlobalMaxPooling2D, shape=(3, 4, 2), values=shuffled, reference=lambda x: x.max(axis=(1, 2))),
    Case(GlobalMaxPooling2D, shape=(None, None, 2), values=shuffled),
    Case(GlobalMaxPooling3D, shape=(2, 3, 4, 2), values=shuffled, reference=lambda x: x.max(axis=(1, 2, 3))),
    Case(GlobalAveragePooling1D, shape=(5, 3), mask="stopped", reference=lambda x: x.mean(axis=1)),
    Case(GlobalAveragePooling1D, shape=(None, 3), mask="stopped"),
    Case(GlobalAveragePooling2D, shape=(3, 4, 2), reference=lambda x: x.mean(axis=(1, 2))),
    Case(GlobalAveragePooling2D, shape=(None, None, 2)),
    Case(GlobalAveragePooling3D, shape=(2, None, 4, 2), reference=lambda x: x.mean(axis=(1, 2, 3))),
)
def test_conforms(case, check):
    check(case)


@EACH
def test_the_config_is_that_of_keras(layer):
    assert list(json.loads(json.dumps(layer(name="p").get_config())).items()) == [
        ("name", "p"),
        ("trainable", True),
        ("data_format", "channels_last"),
    ]


# ---- masks


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_mean_is_that_of_the_steps_that_a_mask_keeps(data_format):
    x = np.array([[[1.0, 2.0], [3.0, 6.0], [50.0, 70.0]], [[5.0, 6.0], [70.0, 80.0], [90.0, 100.0]]])
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    steps, kept = Placeholder(x.shape, "float64"), Placeholder(mask.shape, "bool")
    turned = K.permute_dimensions(steps, (0, 2, 1)) if data_format == "channels_first" else steps
    y = GlobalAveragePooling1D(data_format=data_format).call(turned, mask=kept)
    found, slope = Function([steps, kept], [y, *gradients(K.sum(y), [steps])])([x, mask])
    assert found.tolist() == [[2.0, 4.0], [5.0, 6.0]]
    assert slope[..., 0].tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


def test_a_mask_arrives_from_the_layer_before_and_ends_here():
    model = Sequential([Masking(input_shape=(3, 2)), GlobalAveragePooling1D()])
    assert model.predict(np.array([[[1, 2], [0, 0], [3, 4]]])).tolist() == [[2.0, 3.0]]
    assert model.layers[-1].output_mask is None


def test_the_mean_of_a_sequence_that_is_masked_throughout_is_0():
    model = Sequential([Masking(input_shape=(3, 2)), GlobalAveragePooling1D()])
    assert model.predict(np.zeros((1, 3, 2))).tolist() == [[0.0, 0.0]]


def test_whole_numbers_have_a_masked_mean():
    x = Placeholder((1, 3, 1), "int32")
    mask = Placeholder((1, 3), "bool")
    found = Function([x, mask], [GlobalAveragePooling1D().call(x, mask)])(
        [np.array([[[1], [2], [9]]]), np.array([[True, True, False]])]
    )[0]
    assert (found.dtype, found.tolist()) == ("float32", [[1.5]])


@pytest.mark.parametrize("layer", [GlobalMaxPooling1D, GlobalAveragePooling2D])
def test_the_others_refuse_masks(layer):
    with pytest.raises(TypeError, match="p does not support masking"):
        layer(name="p")(Masking()(Input((3, *[2] * layer.rank))))


# ---- bad input


@EACH
def test_inputs_without_a_position_have_no_largest_number_and_no_mean(layer):
    sizes = [0, *[3] * (layer.rank - 1)]
    with pytest.raises(
        ValueError, match="p: .*float32.*nothing can be pooled along axis 1, which has size 0"
    ):
        layer(name="p")(Input((*sizes, 2)))
    inputs = Input((*[None] * layer.rank, 2))
    model = Model(inputs, layer(name="p")(inputs))
    with pytest.raises(ValueError, match="p: .*nothing can be pooled along axis 1, which has size 0"):
        model.predict(np.zeros((4, *sizes, 2)))


@EACH
def test_a_single_position_is_the_answer(layer):
    x = np.arange(6.0, dtype="float32").reshape(2, *[1] * layer.rank, 3)
    assert predict(layer(), x).tolist() == x.reshape(2, 3).tolist()


@EACH
def test_an_empty_batch_stays_empty(layer):
    inputs = Input((*[4] * layer.rank, 2))
    assert Model(inputs, layer()(inputs)).predict(np.zeros((0, *[4] * layer.rank, 2))).shape == (0, 2)


@EACH
def test_wrong_arguments_and_inputs_are_refused(layer):
    with pytest.raises(ValueError, match="p: Unknown data_format 'last': it is neither"):
        layer(data_format="last", name="p")
    with pytest.raises(ValueError, match=f"layer p: expected ndim={layer.rank + 2}, found ndim=2"):
        layer(name="p")(Input((4,)))
