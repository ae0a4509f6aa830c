"""Weights that another layer, or another Keras, wrote, in LSTM, GRU and their twins in cuDNN's layout."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    CuDNNGRU,
    CuDNNLSTM,
    Input,
    TimeDistributed,
)
from lamina.models import Model, Sequential
from lamina_recurrent.weight_files import gru_weights, lstm_weights

X = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype("float32")
LIKE_CUDNN = {"recurrent_activation": "sigmoid"}
TWINS = {
    "LSTM": (CuDNNLSTM, lambda units: LSTM(units, **LIKE_CUDNN)),
    "GRU": (CuDNNGRU, lambda units: GRU(units, reset_after=True, **LIKE_CUDNN)),
}


def plain(layer):
    return Sequential([TimeDistributed(layer, input_shape=(4, 5, 2))])


def both_ways(layer):
    return Sequential([TimeDistributed(Bidirectional(layer), input_shape=(4, 5, 2))])


def in_models(layer):
    """In a model in a Sequential in a wrapper, with weights that are not trained around it."""
    x = Input((5, 2))
    model = Model(x, BatchNormalization()(Bidirectional(layer)(BatchNormalization()(x))))
    return Sequential([TimeDistributed(Sequential([model]), input_shape=(4, 5, 2))])


PLACES = {"plain": plain, "both ways": both_ways, "in models": in_models}


def randomised(model):
    draw = np.random.default_rng(1)
    model.set_weights([draw.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("ending", [".h5", ".safetensors"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("twins", TWINS.values(), ids=TWINS)
def test_twins_load_each_others_weights(tmp_path, twins, place, ending):
    cudnn, usual = (place(make(3)) for make in twins)
    for source, target in ((cudnn, usual), (usual, cudnn)):
        path = tmp_path / f"weights{ending}"
        randomised(source).save_weights(path)
        target.load_weights(path)
        # The bias of an LSTM is cut in two and added up again; the rest are the same numbers.
        assert_allclose(target.predict(X), source.predict(X), rtol=1e-6)


def test_blocks_are_those_of_cudnn():
    # Written out: of inputs 2 and units 3, cuDNN reads the first block as rows for units, Keras as rows for inputs.
    block, cudnn = np.array([[0, 1, 2], [3, 4, 5]]), np.array([[0, 3, 1], [4, 2, 5]])
    square = np.arange(9).reshape(3, 3)
    bias = np.arange(12.0)
    given = [np.hstack([block] * 4), np.hstack([square] * 4), bias]
    kernel, recurrent, biases = lstm_weights(given, cudnn=True)
    assert_array_equal(kernel, np.hstack([cudnn] * 4))
    assert_array_equal(recurrent, np.hstack([square.T] * 4))
    assert_array_equal(biases, np.hstack([bias / 2, bias / 2]))
    for array, wanted in zip(lstm_weights([kernel, recurrent, biases], cudnn=False), given, strict=True):
        assert_array_equal(array, wanted)


def test_a_gru_of_the_other_kind_is_refused(tmp_path):
    path = tmp_path / "weights.h5"

    def model(layer):
        return Sequential([Bidirectional(layer, input_shape=(5, 2))])

    before, after, cudnn = GRU(3), GRU(3, reset_after=True), CuDNNGRU(3)
    for source, target, said in (
        (before, after, r"GRU\(reset_after=False\) is not compatible with GRU\(reset_after=True\)"),
        (before, cudnn, r"GRU\(reset_after=False\) is not compatible with CuDNNGRU"),
        (after, before, r"GRU\(reset_after=True\) is not compatible with GRU\(reset_after=False\)"),
        (cudnn, before, r"CuDNNGRU is not compatible with GRU\(reset_after=False\)"),
    ):
        model(source).save_weights(path)
        loading = model(target)
        values = loading.get_weights()
        with pytest.raises(ValueError, match=f"forward_.*: {said}"):
            loading.load_weights(path)
        for value, kept in zip(loading.get_weights(), values, strict=True):
            assert_array_equal(value, kept)


def test_what_fits_neither_is_left_to_be_compared(tmp_path):
    path = tmp_path / "weights.h5"
    Sequential([CuDNNLSTM(3, input_shape=(5, 2))]).save_weights(path)
    with pytest.raises(ValueError, match=r"shape \(2, 16\), and the saved one has shape \(2, 12\)"):
        Sequential([LSTM(4, input_shape=(5, 2))]).load_weights(path)
    Sequential([LSTM(3, use_bias=False, input_shape=(5, 2))]).save_weights(path)
    with pytest.raises(ValueError, match="expects 3 weights, but the saved weights have 2"):
        Sequential([CuDNNLSTM(3, input_shape=(5, 2))]).load_weights(path)
    for arrays in ([], [np.zeros(3)] * 3, [np.zeros((2, 9)), np.zeros((3, 9)), np.zeros(7)]):
        assert lstm_weights(arrays, cudnn=False) is arrays
        assert gru_weights("gru", arrays, "CuDNNGRU") is arrays


@pytest.mark.parametrize("wrap", [lambda layer: layer, Bidirectional], ids=["alone", "both ways"])
@pytest.mark.parametrize("make, gates", [(LSTM, "icfo"), (GRU, "zrh")])
def test_keras_1_had_weights_for_each_gate(tmp_path, make, gates, wrap):
    """Keras 1 wrote W, U and b of each gate in turn, of an LSTM in the order i, c, f, o, and no version."""

    def model():
        x = Input((5, 2))
        return Model(x, wrap(make(3))(x))

    source = randomised(model())
    (layer,) = source.layers[1:]
    stored = {}
    for name, part in (
        (("one", layer),)
        if wrap is not Bidirectional
        else (
            ("one", layer.forward_layer),
            ("two", layer.backward_layer),
        )
    ):
        kernel, recurrent, bias = part.get_weights()
        columns = {gate: slice(3 * at, 3 * at + 3) for at, gate in enumerate(part.cell.gates)}
        for gate in gates:
            for letter, array in (("W", kernel), ("U", recurrent), ("b", bias)):
                stored[f"{name}_{letter}_{gate}"] = array[..., columns[gate]]
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"recurrent"]
        group = file.create_group("recurrent")
        group.attrs["weight_names"] = [name.encode() for name in stored]
        for name, array in stored.items():
            group[name] = array
    target = model()
    target.load_weights(path)
    for value, wanted in zip(target.get_weights(), source.get_weights(), strict=True):
        assert_array_equal(value, wanted)
