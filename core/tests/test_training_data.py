"""Data on its way in: forms, checks, weights, batches."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.training import batches
from lamina.training.forms import standardize
from lamina.training.weights import class_weights


class Scale(Layer):
    """w * x, with one weight w that starts at 1."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Sgd(Optimizer):
    def get_updates(self, loss, params):
        return [
            K.update_sub(p, 0.01 * g) for p, g in zip(params, self.get_gradients(loss, params), strict=True)
        ]


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


def model_of(*shapes, **kwargs):
    """One input and one output of each shape, called in1, in2 and out1, out2."""
    inputs = [Input(shape=shape, name=f"in{n}") for n, shape in enumerate(shapes, start=1)]
    outputs = [Scale(name=f"out{n}")(x) for n, x in enumerate(inputs, start=1)]
    model = Model(inputs, outputs, name="m")
    model.compile(Sgd(), squared, **kwargs)
    return model


X = np.arange(8, dtype="float32").reshape(4, 2)


# ---- forms


class Frame:
    """What a pandas.DataFrame looks like from here."""

    def __init__(self, values):
        self.values = values


Frame.__name__ = "DataFrame"


@pytest.mark.parametrize(
    "x",
    [
        X,
        [X],
        {"in1": X},
        X.tolist(),
        [X.tolist()],
        Frame(X),
        {"in1": Frame(X)},
        X.astype("int64"),
        X.astype(">f8"),
        X.astype("float16"),
        X.astype(object),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
    ],
    ids=lambda x: type(x).__name__,
)
def test_every_form_of_an_array_is_the_same_array(x):
    model = model_of((2,))
    assert_array_equal(model.predict(x, batch_size=3), X)
    history = model.fit(x, X, batch_size=3, verbose=0)
    assert history.history["loss"] == [0.0]


def test_several_inputs_come_as_list_or_dict():
    model = model_of((2,), (2,))
    for x in ([X, 2 * X], {"in2": 2 * X, "in1": X, "other": None}):
        first, second = model.predict(x)
        assert_array_equal(first, X)
        assert_array_equal(second, 2 * X)


def test_flat_data_is_a_column():
    model = model_of((1,))
    for x in ([1.0, 2.0], [1, 2], np.array([1, 2])):
        assert_array_equal(model.predict(x), [[1], [2]])
    assert model.test_on_batch([1.0, 2.0], [0.0, 0.0]) == pytest.approx(2.5)


def test_read_only_data_is_left_alone():
    x = X.copy()
    x.flags.writeable = False
    model_of((2,)).fit(x, x, verbose=0)


def test_hdf5_datasets_are_read_batch_by_batch(tmp_path):
    x = np.arange(22, dtype="float64").reshape(11, 2)
    model = model_of((2,))
    with h5py.File(tmp_path / "data.h5", "w") as file:
        data = file.create_dataset("x", data=x)
        assert_array_equal(model.predict(data, batch_size=4), x)
        for shuffle in (True, "batch", False):
            assert model.fit(data, data, batch_size=4, shuffle=shuffle, verbose=0).history["loss"] == [0.0]
        assert model.fit(data, data, validation_split=0.3, verbose=0).history["val_loss"] == [0.0]


def test_sparse_matrices_are_made_dense_batch_by_batch():
    sparse = pytest.importorskip("scipy.sparse")
    model = model_of((2,))
    data = sparse.coo_matrix(X)
    assert_array_equal(model.predict(data, batch_size=3), X)
    assert model.fit(data, X, batch_size=3, verbose=0).history["loss"] == [0.0]


def test_arrays_too_large_to_convert_are_converted_batch_by_batch(monkeypatch):
    monkeypatch.setattr(batches, "_memory_share", lambda: 0)
    x = np.arange(20, dtype="int64").reshape(10, 2)
    assert model_of((2,)).fit(x, x, batch_size=3, verbose=0).history["loss"] == [0.0]


# ---- checks


def fit(x, y=X, **kwargs):
    return lambda model: model.fit(x, y, verbose=0, **kwargs)


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (fit(X[:, :1]), ValueError, r"m: input: expected in1 to have shape \(None, 2\).*\(4, 1\)"),
        (fit(X[None]), ValueError, r"expected in1 to have 2 dimensions.*\(1, 4, 2\)"),
        (fit(X, X[None]), ValueError, r"expected out1 to have 2 dimensions"),
        (fit(X, X[:3]), ValueError, r"same number of samples. Found \[4\] in x, \[3\] in y"),
        (fit([X, X]), ValueError, r"expected 1 array\(s\) for \['in1'\], but got 2"),
        (fit([*X]), ValueError, r"np.array\(data\)"),
        (fit({"in2": X}), ValueError, r'No data provided for "in1"'),
        (fit(X, None), ValueError, r"\['out1'\] are trained"),
        (fit(None), ValueError, "no data was given"),
        (fit(None, None), ValueError, "no data was given"),
        (fit(["a", "b"]), TypeError, "expected numbers"),
        (fit([[1, 2], [3]]), ValueError, "same shape"),
        (fit(np.array(3.0)), ValueError, "single number"),
        (fit(np.ma.masked_equal(X, 3)), ValueError, "masked numbers .*fill in or drop"),
        (fit(X, np.ma.masked_equal(X, 3)), ValueError, "masked numbers"),
        (fit(np.array([(1.0, 2.0)] * 4, [("a", "f4"), ("b", "f4")])), TypeError, "expected numbers"),
        (fit(K.constant(X)), TypeError, r"Input\(tensor"),
        (fit(X, K.constant(X)), TypeError, "target_tensors"),
        (fit(X[:0], X[:0]), ValueError, "no samples"),
        (fit(X, batch_size=0), ValueError, "batch_size"),
        (fit(X, batch_size=2.0), TypeError, "batch_size"),
        (fit(X, sample_weight=np.ones(3)), ValueError, r"sample_weight array of shape \(3,\)"),
        (fit(X, sample_weight=np.ones((4, 1))), ValueError, "temporal"),
        (fit(X, sample_weight="heavy"), TypeError, "sample_weight of out1"),
        (fit(X, class_weight=[1, 2]), TypeError, "class_weight is a dict"),
        (fit(X, class_weight={0: 1}), ValueError, r"\[1\] are missing"),
        (fit(X, validation_split=1.0), ValueError, "validation_split"),
        (fit(X, validation_split=0.9), ValueError, "leaves 0 to train on and 4"),
        (fit(X, validation_data=(X,)), ValueError, "2 .* or 3"),
        (fit(X, validation_data=(X, X[:2])), ValueError, "same number"),
        (fit(X, validation_steps=2), ValueError, "steps_per_epoch"),
        (fit(X, steps_per_epoch=2, validation_data=(X, X)), ValueError, "validation_steps"),
        (fit(iter([]), None), ValueError, "fit_generator"),
        (fit(X, callbacks=3), TypeError, "callbacks"),
        (fit(X, epoch=3), TypeError, "epoch"),
        (lambda model: model.predict(None), ValueError, "no data"),
        (lambda model: model.predict(X[:, :1]), ValueError, "expected in1"),
        (lambda model: model.evaluate(X[:0], X[:0]), ValueError, "no samples"),
        (lambda model: model.fit_generator([X]), TypeError, "generator or a Sequence"),
        (lambda model: model.fit_generator(iter([])), ValueError, "steps_per_epoch=None"),
        (lambda model: model.fit_generator(iter([X]), 1, verbose=0), ValueError, "should be a tuple"),
        (lambda model: model.fit_generator(iter([(X, X)]), 2, verbose=0), ValueError, "ended after 1 of 2"),
    ],
)
def test_what_does_not_fit_is_named(act, error, says):
    model = model_of((2,))
    with pytest.raises(error, match=says):
        act(model)
    assert model.evaluate(X, X, verbose=0) == 0


def test_a_target_of_a_strange_rank_is_refused_for_any_loss():
    x = Input(shape=(2,))
    model = Model(x, Scale(name="out")(x))
    model.compile(Sgd(), lambda y_true, y_pred: K.mean(y_pred - y_true, axis=-1))
    model.train_on_batch(X, X[:, :1])  # the loss may broadcast
    with pytest.raises(ValueError, match="expected out to have 2 dimensions"):
        model.train_on_batch(X, X[None])


def test_losses_of_distributions_compare_element_by_element(monkeypatch):
    from lamina_registry import catalogue, register

    monkeypatch.setattr(catalogue, "_catalog", catalogue.Catalog([], {}))
    register("squared", squared, "losses", package="some-plugin")
    with pytest.raises(ValueError, match=r"m: target: expected out1 to have shape \(None, 2\).*\(4, 1\)"):
        model_of((2,)).train_on_batch(X, X[:, :1])


def test_one_hot_losses_say_what_to_do_with_class_numbers(monkeypatch):
    from lamina_registry import catalogue, register

    monkeypatch.setattr(catalogue, "_catalog", catalogue.Catalog([], {}))

    def categorical_crossentropy(y_true, y_pred):
        return K.mean(y_true * y_pred, axis=-1)

    register("categorical_crossentropy", categorical_crossentropy, "losses", package="some-plugin")
    model = model_of((2,))
    model.compile(Sgd(), "categorical_crossentropy")
    with pytest.raises(ValueError, match="to_categorical"):
        model.train_on_batch(X, [0, 1, 1, 0])


def test_sparse_losses_take_class_numbers(monkeypatch):
    from lamina_registry import catalogue, register

    monkeypatch.setattr(catalogue, "_catalog", catalogue.Catalog([], {}))

    def sparse_categorical_crossentropy(y_true, y_pred):
        return K.sum(y_true, axis=-1) + K.sum(y_pred, axis=-1)

    register(
        "sparse_categorical_crossentropy", sparse_categorical_crossentropy, "losses", package="some-plugin"
    )
    model = model_of((2,))
    model.compile(Sgd(), "sparse_categorical_crossentropy")
    assert model.evaluate(X, [0, 1, 1, 0], verbose=0) == pytest.approx(X.sum() / 4 + 0.5)
    with pytest.raises(ValueError, match=r"class numbers of shape \(None, 1\).*argmax"):
        model.train_on_batch(X, X)


def test_standardize_of_no_names_wants_no_data():
    assert standardize(None, [], [], "m: target") == []
    assert standardize([], [], [], "m: target") == []


# ---- weights


def test_class_weights_go_by_column_or_by_value():
    weights = {0: 1.0, 1: 3.0, 2: 5.0}
    one_hot = np.eye(3)[[2, 0, 1, 1]]
    assert_array_equal(class_weights("out", one_hot, weights, False), [5, 1, 3, 3])
    assert_array_equal(class_weights("out", np.array([[2], [0]]), weights, False), [5, 1])


def test_class_weight_counts_in_training_and_not_in_validation():
    model = model_of((1,))
    x, y = np.full((4, 1), 2.0), np.array([0, 1, 0, 1])
    for validation in ({"validation_data": (x, y)}, {"validation_split": 0.5}):
        model.set_weights([np.array(1.0)] if np.ndim(model.get_weights()[0]) == 0 else model.get_weights())
        history = model.fit(x, y, class_weight={0: 10.0, 1: 0.5}, verbose=0, batch_size=4, **validation)
        # (2-0)^2 * 10 and (2-1)^2 * .5, half and half
        assert history.history["loss"][0] == pytest.approx((40 + 0.5) / 2)
        assert history.history["val_loss"][0] == pytest.approx(model.evaluate(x, y, verbose=0))


def test_sample_weight_wins_over_class_weight():
    model = model_of((1,))
    with pytest.warns(UserWarning, match="class_weight"):
        loss = model.train_on_batch(
            [1.0, 2.0], [0.0, 0.0], sample_weight=np.array([0.0, 1.0]), class_weight={0: 100.0}
        )
    assert loss == pytest.approx(4)


def test_weights_of_several_outputs_come_as_list_or_dict():
    model = model_of((1,), (1,))
    x, y = [[1.0, 2.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]
    x, y = [np.array(v) for v in x], [np.array(v) for v in y]
    heavy = np.array([0.0, 1.0])
    for weights in ({"out2": heavy}, [None, heavy]):
        assert model.test_on_batch(x, y, sample_weight=weights) == pytest.approx([2.5 + 4, 2.5, 4])
    with pytest.raises(TypeError, match="outputs"):
        model.test_on_batch(x, y, sample_weight=heavy)
    with pytest.raises(ValueError, match="'out3'"):
        model.test_on_batch(x, y, sample_weight={"out3": heavy})
    assert model.train_on_batch(x, y, class_weight={"out2": {0: 2.0}})[2] == pytest.approx(5)


def test_temporal_weights_need_time():
    model = model_of((1,), sample_weight_mode="temporal")
    with pytest.raises(ValueError, match="time axis"):
        model.test_on_batch([1.0], [1.0], sample_weight=np.ones((1, 1)))


# ---- batch sizes


def test_a_fixed_batch_size_is_the_default_and_the_only_one():
    x = Input(batch_shape=(2, 2))
    model = Model(x, Scale()(x))
    model.compile(Sgd(), squared)
    assert_array_equal(model.predict(X), X)
    for batch_size, rows in ((4, X), (2, X[:3])):
        with pytest.raises(ValueError, match="fixed batch size 2"):
            model.predict(rows, batch_size=batch_size)


def test_models_with_state_take_whole_batches():
    class Remember(Layer):
        stateful = True

        def call(self, inputs):
            return inputs

        def reset_states(self):
            pass

    x = Input(shape=(2,))
    model = Model(x, Remember()(x))
    model.predict(X, batch_size=2)
    with pytest.raises(ValueError, match="Found 4 samples and batch_size=3"):
        model.predict(X, batch_size=3)


def test_shuffled_orders():
    np.random.seed(1)
    order = batches.shuffled_order(11, 4, "batch")
    assert_array_equal(np.sort(order), np.arange(11))
    assert_array_equal(order[8:], [8, 9, 10])
    assert_array_equal(np.diff(order[:8].reshape(2, 4)), np.ones((2, 3)))
    assert batches.shuffled_order(11, 4, False) is None
    np.random.seed(2)
    expected = np.arange(11)
    np.random.shuffle(expected)
    np.random.seed(2)
    assert_array_equal(batches.shuffled_order(11, 4, True), expected)


def test_lazy_rows_come_in_the_order_asked(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        rows = batches.Lazy(file.create_dataset("x", data=np.arange(10.0)[:, None]))
        out = np.zeros((3, 1))
        for ids in ([7, 2, 5], [4, 5, 6], [6, 5, 4]):
            rows.take(np.array(ids), 0, out, "clip")
            assert_allclose(out[:, 0], ids)


def test_other_devices_get_their_batches_through_the_host():
    class Device:
        xp = None

        def to_device(self, array):
            return array.tolist()

        def to_host(self, array):
            return np.array(array)

    class Run:
        device, inputs, outputs = Device(), [np.zeros((2, 1))], []

        def __call__(self):
            self.outputs = [(10 * self.inputs[0]).tolist()]

    run = batches.on_host(Run())
    run.inputs[0][...] = [[1], [2]]
    run()
    assert_array_equal(run.outputs[0], [[10], [20]])
