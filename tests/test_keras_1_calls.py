"""Calls as Keras 1 writes them, which Keras 2 understands: each with a warning that has the call to write instead."""

import numpy as np
import pytest

from lamina import backend as K
from lamina import layers as L
from lamina.models import Sequential

CALLS = [
    ("Dense", (), {"output_dim": 3, "init": "uniform"}, "Dense(units=3, kernel_initializer='uniform')"),
    (
        "Dense",
        (3,),
        {"W_regularizer": "l2", "bias": False},
        "Dense(3, kernel_regularizer='l2', use_bias=False)",
    ),
    ("Dropout", (), {"p": 0.5}, "Dropout(rate=0.5)"),
    ("GaussianNoise", (), {"sigma": 0.1}, "GaussianNoise(stddev=0.1)"),
    ("Embedding", (10, 4), {"W_constraint": "non_neg"}, "Embedding(10, 4, embeddings_constraint='non_neg')"),
    (
        "BatchNormalization",
        (),
        {"mode": 0, "gamma_init": "ones"},
        "BatchNormalization(gamma_initializer='ones')",
    ),
    ("PReLU", (), {"init": "ones"}, "PReLU(alpha_initializer='ones')"),
    (
        "LSTM",
        (4,),
        {"inner_init": "uniform", "inner_activation": "sigmoid", "dropout_W": 0.1, "dropout_U": 0.2},
        "LSTM(4, recurrent_initializer='uniform', recurrent_activation='sigmoid', dropout=0.1, recurrent_dropout=0.2)",
    ),
    ("Conv1D", (4,), {"filter_length": 3, "subsample_length": 2}, "Conv1D(4, kernel_size=3, strides=2)"),
    ("Conv2D", (4, 3, 2), {"border_mode": "same"}, "Conv2D(4, (3, 2), padding='same')"),
    (
        "Convolution2D",
        (4,),
        {"nb_row": 3, "nb_col": 2, "subsample": (2, 2), "dim_ordering": "th"},
        "Conv2D(4, kernel_size=(3, 2), strides=(2, 2), data_format='channels_first')",
    ),
    ("Conv2DTranspose", (4, 3, 2), {}, "Conv2DTranspose(4, (3, 2))"),
    ("SeparableConv2D", (4, 3, 2), {}, "SeparableConv2D(4, (3, 2))"),
    ("LocallyConnected2D", (4, 3, 2), {}, "LocallyConnected2D(4, (3, 2))"),
    ("Conv3D", (4, 3, 2, 1), {}, "Conv3D(4, (3, 2, 1))"),
    ("MaxPooling1D", (), {"pool_length": 2, "stride": 1}, "MaxPooling1D(pool_size=2, strides=1)"),
    ("MaxPooling2D", (), {"dim_ordering": "default"}, "MaxPooling2D(data_format=None)"),
    ("UpSampling1D", (), {"length": 3}, "UpSampling1D(size=3)"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "now"), CALLS, ids=[call[-1] for call in CALLS])
def test_the_layer_is_the_one_that_the_warning_writes(name, args, kwargs, now):
    with pytest.warns(UserWarning, match="Update your `.*` call to the Keras 2 API") as told:
        old = getattr(L, name)(*args, **kwargs)
    assert str(told[0].message).endswith(f"`{now}`") and told[0].filename == __file__
    new = eval(f"L.{now}")
    assert {**old.get_config(), "name": ""} == {**new.get_config(), "name": ""}


def test_the_names_of_keras_2_are_not_asked_about():
    class Own(L.Layer):
        def __init__(self, p, init="zeros", **kwargs):
            super().__init__(**kwargs)
            self.p, self.init = p, init

    layer = Own(p=0.5, init="ones", name="own")  # arguments of its own, whatever Keras 1 called others
    assert (layer.p, layer.init) == (0.5, "ones")
    assert L.Conv2D(4, 3, strides=2).kernel_size == (3, 3)
    with pytest.raises(TypeError, match="Keyword argument not understood: W_regularise"):
        L.Dense(3, W_regularise="l2")


def test_a_subclass_has_its_own_arguments_in_these_places():
    class Capsules(L.Conv2D):
        def __init__(self, count, size, steps, **kwargs):
            super().__init__(count * 2, (size, size), strides=steps, **kwargs)

    layer = Capsules(4, 3, 2)
    assert (layer.filters, layer.kernel_size, layer.strides) == (8, (3, 3), (2, 2))


def test_arrays_among_the_arguments_are_handed_on():
    table = np.ones((10, 4))
    with pytest.warns(UserWarning, match=r"weights=\[array"):
        layer = L.Embedding(10, 4, weights=[table], init="uniform", input_length=3)
    assert Sequential([layer]).get_weights()[0].tolist() == table.tolist()


def test_two_numbers_with_a_name_of_keras_2_beside_may_mean_either():
    with pytest.raises(ValueError, match=r"write kernel_size=\(3, 2\), or pass strides by name"):
        L.Conv2D(4, 3, 2, padding="same")


def test_the_example_of_flatten_runs_as_it_is_printed():
    K.set_image_data_format("channels_first")
    try:
        model = Sequential()
        with pytest.warns(UserWarning, match="Conv2D"):
            model.add(L.Conv2D(64, 3, 3, border_mode="same", input_shape=(3, 32, 32)))
        model.add(L.Flatten())
        assert model.layers[0].output_shape == (None, 64, 32, 32) and model.output_shape == (None, 65536)
    finally:
        K.set_image_data_format("channels_last")


def test_generators_are_counted_in_batches():
    def batches():
        while True:
            yield np.ones((2, 3)), np.zeros((2, 1))

    model = Sequential([L.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="nb_epoch is now epochs, samples_per_epoch is now steps_per_epoch"):
        history = model.fit_generator(batches(), samples_per_epoch=4, nb_epoch=2, verbose=0)
    assert history.epoch == [0, 1] and history.params["steps"] == 4
    with pytest.warns(UserWarning, match="`predict_generator` call .* val_samples is now steps"):
        assert model.predict_generator(batches(), val_samples=3).shape == (6, 1)
