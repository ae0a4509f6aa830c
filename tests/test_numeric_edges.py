"""Numbers at the edge: each gives what its documentation says, or an error that names it; never NaN in silence."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import activations, constraints, losses, metrics, optimizers
from lamina import backend as K
from lamina.callbacks import Callback
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    CuDNNGRU,
    CuDNNLSTM,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GRUCell,
    Input,
    Lambda,
    LSTMCell,
    Masking,
    MaxPooling2D,
    PReLU,
    SeparableConv2D,
    SimpleRNN,
    Softmax,
    TimeDistributed,
    UpSampling1D,
    ZeroPadding1D,
)
from lamina.models import Model, Sequential

X, Y = np.arange(24.0).reshape(8, 3), np.ones((8, 2))


def net(loss="mse", **settings):
    model = Sequential([Dense(2, input_shape=(3,), kernel_initializer="ones", name="out")], name="net")
    model.compile("sgd", loss, **settings)
    return model


def history(model, x, y, **arguments):
    """The numbers of one epoch, all of them."""
    found = model.fit(x, y, verbose=0, **arguments).history
    return np.array(list(found.values()))


def finite(model):
    return all(np.isfinite(array).all() for array in model.get_weights())


# ---- how much data there is


def test_no_samples_have_no_predictions():
    model = net()
    assert model.predict(X[:0]).shape == model.predict_on_batch(X[:0]).shape == (0, 2)
    assert model.predict_classes(X[:0]).shape == (0,)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_no_samples_have_no_loss(method):
    model = net()
    with pytest.raises(ValueError, match="net: there are no samples"):
        getattr(model, method)(X[:0], Y[:0])
    assert finite(model)


def test_a_generator_may_not_give_an_empty_batch():
    model = net()
    with pytest.raises(ValueError, match="net: there are no samples"):
        model.fit_generator(iter([(X, Y), (X[:0], Y[:0])]), 2, verbose=0)
    assert finite(model)


def test_one_sample_and_a_batch_larger_than_the_data_are_data():
    assert np.isfinite(history(net(), X[:1] / 24, Y[:1])).all()
    assert np.isfinite(history(net(), X / 24, Y, batch_size=100)).all()


# ---- nothing that counts


def test_samples_of_no_weight_have_no_loss_and_teach_nothing():
    model = net(weighted_metrics=["mae"])
    before = model.get_weights()
    assert_array_equal(history(model, X, Y, sample_weight=np.zeros(8)), [[0], [0]])
    assert all(map(np.array_equal, before, model.get_weights()))


LOSSES = sorted(set(dir(losses)) - {"deserialize", "get", "serialize"})
# Without those of the best k, which take samples of one step.
METRICS = sorted(
    name for name in set(dir(metrics)) - {"deserialize", "get", "serialize"} if "top_k" not in name
)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weights", [None, "temporal", "samples"])
def test_a_batch_masked_out_whole_has_no_loss(loss, weights):
    model = Sequential([Masking(input_shape=(4, 3)), Dense(3, activation="softmax")])
    mode = "temporal" if weights == "temporal" else None
    sparse = "sparse" in loss
    counted = [name for name in METRICS if ("sparse" in name) == sparse]
    model.compile("adam", loss, metrics=counted, weighted_metrics=["acc"], sample_weight_mode=mode)
    x = np.random.default_rng(0).normal(size=(5, 4, 3))
    y = np.zeros((5, 4, 1)) if sparse else np.broadcast_to(np.eye(3)[0], (5, 4, 3))
    more = {
        None: {},
        "temporal": {"sample_weight": np.ones((5, 4))},
        "samples": {"sample_weight": [1, 0, 2, 0, 0]},
    }
    before = model.get_weights()
    assert (history(model, 0 * x, y, **more[weights]) == 0).all()
    assert not np.any(model.evaluate(0 * x, y, verbose=0, **more[weights]))
    assert all(map(np.array_equal, before, model.get_weights()))
    x[:2] = 0
    assert np.isfinite(history(model, x, y, **more[weights])).all() and finite(model)


def test_a_sequence_of_padding_is_a_sequence_of_nothing():
    model = Sequential([Embedding(5, 3, mask_zero=True), LSTM(2)])
    assert_array_equal(model.predict(np.zeros((2, 4))), np.zeros((2, 2)))


RECURRENT = {
    "SimpleRNN": SimpleRNN,
    "LSTM": LSTM,
    "GRU": GRU,
    "GRU, reset after": lambda units, **more: GRU(units, reset_after=True, **more),
    "CuDNNLSTM": CuDNNLSTM,
    "CuDNNGRU": CuDNNGRU,
    "unrolled": lambda units, **more: LSTM(units, unroll=True, **more),
    "a stack of cells": lambda units, **more: RNN([LSTMCell(3), GRUCell(units)], **more),
    "Bidirectional": lambda units, **more: Bidirectional(LSTM(units, **more)),
}


@pytest.mark.parametrize("name", [name for name in RECURRENT if "CuDNN" not in name])
def test_rows_of_padding_keep_the_first_state_and_trouble_nobody(name):
    x = Input((4, 3))
    masked = Masking()(x)
    model = Model(x, [RECURRENT[name](2)(masked), RECURRENT[name](2, return_sequences=True)(masked)])
    model.compile("sgd", "mse")
    some = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    some[0, 2:] = 0
    padded = np.concatenate([some, np.zeros((2, 4, 3), "float32")])
    model.train_on_batch(padded, [y * 0 + 1 for y in model.predict(padded)])
    assert finite(model)
    for with_padding, without in zip(model.predict(padded), model.predict(some), strict=True):
        assert (with_padding[2:] == 0).all()
        assert_allclose(with_padding[:2], without, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in RECURRENT if name != "unrolled"])
@pytest.mark.parametrize("sequences", [False, True])
def test_sequences_of_no_steps_end_where_they_began(name, sequences):
    x = Input((None, 3))
    model = Model(x, RECURRENT[name](2, return_sequences=sequences)(x))
    model.compile("adam", "mse", metrics=["mae"])
    nothing = np.zeros((5, 0, 3), "float32")
    found = model.predict(nothing)
    width = 4 if name == "Bidirectional" else 2
    assert found.shape == ((5, 0, width) if sequences else (5, width)) and (found == 0).all()
    before = model.get_weights()
    assert_array_equal(history(model, nothing, np.zeros_like(found)), [[0], [0]])
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("name", [name for name in RECURRENT if name != "unrolled"])
def test_a_sequence_of_one_step_is_one(name):
    x = Input((1, 3))
    model = Model(x, RECURRENT[name](2, return_sequences=True)(x))
    model.compile("sgd", "mse")
    found = model.predict(np.ones((1, 1, 3)))
    assert found.shape[:2] == (1, 1) and np.isfinite(found).all() and found.any()
    assert np.isfinite(model.train_on_batch(np.ones((1, 1, 3)), 0 * found)) and finite(model)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Dense(2),
        lambda: TimeDistributed(Dense(2)),
        lambda: BatchNormalization(),
        lambda: Dropout(0.5),
        lambda: Activation("softmax"),
        lambda: ZeroPadding1D(2),
        lambda: UpSampling1D(2),
        lambda: PReLU(shared_axes=[1]),
    ],
)
@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy", "binary_crossentropy", "hinge"])
def test_samples_of_no_steps_teach_nothing_wrong(layer, loss):
    x = Input((None, 2))
    model = Model(x, layer()(x))
    model.compile("adam", loss, metrics=["acc"])
    nothing = np.zeros((4, 0, 2), "float32")
    found = model.predict(nothing)
    assert found.shape[0] == 4 and np.isfinite(found).all()
    assert np.isfinite(history(model, nothing, np.zeros_like(found))).all() and finite(model)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: Conv1D(2, 3), (0, 2)),
        (lambda: Conv1D(2, 3, padding="same"), (0, 2)),
        (lambda: GlobalAveragePooling1D(), (0, 2)),
        (lambda: Conv2D(2, 3), (2, 5, 1)),
        (lambda: MaxPooling2D(3), (2, 5, 1)),
        (lambda: SeparableConv2D(2, 3), (5, 0, 2)),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_window_larger_than_what_it_looks_at_sees_nothing(layer, shape, known):
    made = layer()
    with pytest.raises(ValueError, match=made.name):
        x = Input(shape if known else (*[None] * (len(shape) - 1), shape[-1]))
        Model(x, made(x)).predict(np.zeros((1, *shape)))


# ---- no variance


@pytest.mark.parametrize("shape", [(8, 3), (1, 3), (1, 1, 1, 3), (2, 4, 4, 3)])
def test_batches_without_variance_are_normalised_to_beta(shape):
    model = Sequential([BatchNormalization(input_shape=shape[1:], beta_initializer="ones")])
    model.compile("sgd", "mse")
    assert_allclose(history(model, np.full(shape, 7.0), np.ones(shape)), 0, atol=1e-6)
    assert finite(model)


def test_a_large_mean_does_not_make_a_variance():
    normal = BatchNormalization(input_shape=(3,))
    model = Sequential([normal])
    model.compile("sgd", "mse")
    model.fit(np.full((8, 3), 1e6), np.zeros((8, 3)), verbose=0)
    assert (normal.get_weights()[3] >= 0).all()


# ---- far out


FAR = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e30, -1e30, 0]], "float32")


@pytest.mark.parametrize("name", sorted(set(dir(activations)) - {"deserialize", "get", "serialize"}))
def test_activations_are_no_nan_far_out_and_have_no_nan_for_a_gradient(name):
    x = K.placeholder((None, 3))
    y = getattr(activations, name)(x)
    for array in K.function([x], [y, *K.gradients(y, [x])])([FAR]):
        assert not np.isnan(array).any()


def test_softmax_far_out_is_one_class_or_all_alike():
    for layer in (Softmax(input_shape=(3,)), Activation("softmax", input_shape=(3,))):
        assert_allclose(Sequential([layer]).predict(FAR[:2]), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_a_classifier_far_out_still_learns():
    model = Sequential([Activation("softmax", input_shape=(3,))])
    model.compile("sgd", "categorical_crossentropy")
    assert_allclose(history(model, FAR[:1], [[0.0, 1.0, 0.0]]), -np.log(1e-7), rtol=1e-6)


def test_the_logarithm_of_zero_is_minus_infinity_and_of_less_no_number():
    assert_array_equal(K.eval(K.log(K.constant([0.0, -1.0]))), [-np.inf, np.nan])
    assert_array_equal(K.eval(K.sqrt(K.constant([0.0, -1.0]))), [0, 0])  # as in Keras 2
    assert_array_equal(K.eval(K.l2_normalize(K.constant([[0.0, 0.0]]), axis=1)), [[0, 0]])


# ---- probabilities of exactly 0 and 1, and what is none

CERTAIN = np.array([[0, 1], [1, 0], [0, 0], [1, 1]], "float32")
ELEMENTWISE = sorted(
    set(dir(losses)) - {"deserialize", "get", "serialize", "sparse_categorical_crossentropy"}
)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("predicted", [CERTAIN, 1 - CERTAIN, 0 * CERTAIN], ids=["right", "wrong", "zero"])
def test_losses_of_certainties_are_finite_and_so_are_their_gradients(name, predicted):
    y = K.placeholder((None, 2))
    loss = getattr(losses, name)(K.constant(CERTAIN), y)
    for array in K.function([y], [loss, *K.gradients(K.mean(loss), [y])])([predicted]):
        assert np.isfinite(array).all()


def test_sparse_losses_of_certainties_are_finite():
    y = K.placeholder((None, 2))
    loss = losses.sparse_categorical_crossentropy(K.constant([[1], [0], [0], [1]]), y)
    for predicted in (CERTAIN, 1 - CERTAIN, 0 * CERTAIN):
        for array in K.function([y], [loss, *K.gradients(loss, [y])])([predicted]):
            assert np.isfinite(array).all()


def test_a_row_of_zeros_is_no_class_at_all():
    """What a dead relu makes: Keras 2 divides it by its sum, and is NaN from then on."""
    model = Sequential([Dense(2, activation="relu", kernel_initializer="zeros", input_shape=(3,))])
    model.compile("sgd", "categorical_crossentropy")
    assert_allclose(history(model, X, np.eye(2)[[0, 1] * 4]), -np.log(1e-7), rtol=1e-6)
    assert finite(model)


@pytest.mark.parametrize("name", ["max_norm", "min_max_norm", "non_neg", "unit_norm"])
def test_constraints_leave_zeros_finite(name):
    constraint = getattr(constraints, name)()
    assert_array_equal(K.eval(constraint(K.zeros((3, 2)))), np.zeros((3, 2)))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"])
def test_optimizers_take_a_gradient_of_zero_and_a_rate_of_zero(name):
    for settings, targets in (({}, X @ np.ones((3, 2))), ({"lr": 0.0}, Y)):
        model = net()
        before = model.get_weights()
        model.compile(getattr(optimizers, name)(clipnorm=1.0, **settings), "mse")
        model.fit(X, targets, verbose=0)
        assert all(map(np.array_equal, before, model.get_weights()))


def test_dropout_of_everything_drops_nothing():
    x = K.constant(np.ones((2, 3)))
    assert_array_equal(K.eval(Dropout(1.0)(x)), np.ones((2, 3)))  # as in Keras 2


# ---- NaN


def test_nan_is_passed_on_to_where_it_can_be_seen():
    bad = np.where(X == 5, np.nan, X)
    assert np.isnan(net().predict(bad)).any(axis=1).tolist() == [False, True] + [False] * 6
    assert np.isnan(net().evaluate(bad, Y, verbose=0))
    seen = []
    watch = type(
        "Watch", (Callback,), {"on_batch_end": lambda self, batch, logs: seen.append(logs["loss"])}
    )()
    assert np.isnan(history(net(), bad, Y, callbacks=[watch], batch_size=4, shuffle=False)).all()
    assert np.isnan(seen).all()


def test_nan_in_validation_is_no_matter_of_training():
    model = net()
    found = model.fit(X / 24, Y, validation_data=(X * np.nan, Y), verbose=0).history
    assert np.isnan(found["val_loss"][0]) and np.isfinite(found["loss"][0]) and finite(model)


# ---- kinds of arrays


class DataFrame:
    """As pandas has them: columns, not rows, can be asked for."""

    def __init__(self, array):
        self.values, self.shape = array, array.shape

    def __getitem__(self, name):
        raise KeyError(name)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def to_numpy(self):
        return self.values


WHOLE = X.astype("int64")
FORMS = {
    "integers": WHOLE,
    "bytes": WHOLE.astype("uint8"),
    "half precision": WHOLE.astype("float16"),
    "long double": WHOLE.astype("longdouble"),
    "big-endian": WHOLE.astype(">f4"),
    "big-endian integers": WHOLE.astype(">i2"),
    "Fortran order": np.asfortranarray(WHOLE, "float32"),
    "every other column": np.repeat(WHOLE, 2, axis=1)[:, ::2],
    "backwards": WHOLE[::-1].copy()[::-1],
    "objects": WHOLE.astype(object),
    "lists": WHOLE.tolist(),
    "tuples": tuple(map(tuple, WHOLE.tolist())),
    "a data frame": DataFrame(WHOLE),
    "a data frame of objects": DataFrame(WHOLE.astype(object)),
    "a memory view": memoryview(WHOLE.astype("float32")),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_an_array_gives_the_same_numbers(form):
    found = []
    for x in (X, form):
        np.random.seed(0)
        model = net()
        model.fit(x, Y, batch_size=3, verbose=0)
        loss = model.train_on_batch(x, Y)
        found.append((model.predict(x), loss, model.evaluate(x, Y, verbose=0), *model.get_weights()))
    for expected, got in zip(*found, strict=True):
        assert_array_equal(got, expected)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "a memory view"])
def test_every_form_of_targets_and_weights_gives_the_same_numbers(form):
    def losses_of(y, weights):
        np.random.seed(0)
        model = net()
        return history(model, X / 24, y, sample_weight=weights)

    y = FORMS[form]
    targets = DataFrame(y.values[:, :2]) if isinstance(y, DataFrame) else np.asarray(y)[:, :2]
    assert_array_equal(losses_of(targets, [1] * 8), losses_of(X[:, :2], np.ones(8)))


def test_bytes_stay_bytes_where_the_input_is_of_bytes():
    pixels = Input((2,), dtype="uint8")
    assert Model(pixels, Lambda(lambda x: K.cast(x, "float32") - 128)(pixels)).predict(
        np.array([[0, 255]], "uint8")
    ).tolist() == [[-128, 127]]
    with pytest.raises(ValueError, match="takes uint8, from 0 to 255, and met numbers from -1 to 0"):
        Model(pixels, Flatten()(pixels)).predict([[0, -1]])


@pytest.mark.parametrize("index", [2**31, 2**32 + 1, np.nan, np.inf, -1, 10])
@pytest.mark.parametrize("dtype", [None, "int32"])
def test_no_index_finds_another_row_than_its_own(index, dtype):
    words = Input((1,), dtype=dtype)
    model = Model(words, Embedding(10, 4, name="words")(words))
    with pytest.raises((IndexError, ValueError)):
        model.predict(np.array([[index]]))
