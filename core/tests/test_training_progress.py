"""Progress: what a file keeps of the training of a model, and when it is taken up."""

import json

import h5py
import numpy as np
import pytest

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.saving import DamagedFile, load_model
from lamina.training.callbacks import Callback
from lamina.training.progress import Progress, progress_of


class Noise(Layer):
    """x + w + noise, the noise in training."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return K.in_train_phase(inputs + self.w + K.random_normal(K.shape(inputs)), inputs + self.w)


class Sgd(Optimizer):
    def get_updates(self, loss, params):
        return [
            K.update_sub(p, 0.1 * g) for p, g in zip(params, self.get_gradients(loss, params), strict=True)
        ]


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


OBJECTS = {"Noise": Noise, "Sgd": Sgd, "squared": squared}
X = np.arange(6.0)[:, None]


def new_model():
    x = Input((1,))
    model = Model(x, Noise()(x))
    model.compile(Sgd(), squared)
    return model


@pytest.fixture(autouse=True)
def numpy_as_it_was():
    before = np.random.get_bit_generator()
    yield
    np.random.set_bit_generator(before)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


def fitted(model, **epochs):
    model.fit(X, 0 * X, batch_size=2, verbose=0, **epochs)
    return model.get_weights()[0]


def saved(path, epochs=2):
    """A model trained and saved, and the weight it has after two epochs more."""
    np.random.seed(0)
    model = new_model()
    fitted(model, epochs=epochs)
    model.save(path)
    return fitted(model, epochs=2)


def resumed(path, **how):
    return fitted(load_model(path, OBJECTS), **{"epochs": 2, **how})


GO_ON = {"epochs": 4, "initial_epoch": 2}


def test_the_epoch_after_the_last_goes_on_whatever_the_seed(path):
    expected = saved(path)
    np.random.seed(7)
    assert resumed(path, **GO_ON) == expected
    np.random.seed(8)
    assert resumed(path, **GO_ON) == expected


def test_a_seed_is_respected_where_training_begins_anew(path):
    expected = saved(path)
    np.random.seed(7)
    seventh = resumed(path)
    np.random.seed(8)
    assert len({float(expected), float(seventh), float(resumed(path))}) == 3
    np.random.seed(7)
    assert resumed(path) == seventh


def test_without_any_seed_training_goes_on(path):
    expected = saved(path)
    np.random.set_bit_generator(np.random.MT19937())  # as a process begins
    assert resumed(path) == expected
    np.random.set_bit_generator(np.random.MT19937())
    model = load_model(path, OBJECTS)
    np.random.rand()  # somebody draws: these numbers are in use
    assert fitted(model, epochs=2) != expected


def test_only_the_next_training_goes_on(path):
    saved(path)
    np.random.seed(7)
    model = load_model(path, OBJECTS)
    fitted(model, epochs=1)
    state = np.random.get_state()[1].tolist()
    fitted(model, epochs=2, initial_epoch=2)  # no epoch at all, and no state taken up
    assert np.random.get_state()[1].tolist() == state


def test_another_compile_is_another_training(path):
    expected = saved(path)
    np.random.seed(7)
    model = load_model(path, OBJECTS)
    model.compile(Sgd(), squared)
    assert fitted(model, **GO_ON) != expected


def test_loading_leaves_np_random_to_its_owner(path):
    saved(path)
    np.random.seed(7)
    load_model(path, OBJECTS, compile=False)
    first = np.random.rand()
    np.random.seed(7)
    load_model(path, OBJECTS)
    assert np.random.rand() == first


def test_inside_an_epoch_there_is_no_state_to_go_on_from(path):
    class Saves(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.save(path)

    model = new_model()
    model.fit(X, 0 * X, verbose=0, callbacks=[Saves()])
    with h5py.File(path) as file:
        assert "training_progress" not in file.attrs
    model.save(path)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["training_progress"])["epoch"] == 1


def test_files_of_weights_keep_the_best_alone(path):
    model = new_model()
    model.save_weights(path)
    with h5py.File(path) as file:
        assert "training_progress" not in file.attrs
    progress_of(model).best.update({"a.h5: min loss": 0.5, "endless": np.inf})
    fitted(model)
    model.save_weights(path)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["training_progress"]) == {"epoch": 1, "best": {"a.h5: min loss": 0.5}}
    again = new_model()
    again.load_weights(path)
    assert progress_of(again).best == {"a.h5: min loss": 0.5} and progress_of(again).epoch is None


def test_other_generators_in_np_random_are_left_out():
    np.random.set_bit_generator(np.random.PCG64())
    progress = Progress()
    progress.epoch = 1
    assert progress.plain() == {"epoch": 1, "best": {}}


WORDS = [0] * 624


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"epoch": 1}',
        '{"epoch": -1, "best": {}}',
        '{"epoch": 1.5, "best": {}}',
        '{"epoch": true, "best": {}}',
        '{"epoch": 1, "best": {"a": "b"}}',
        '{"epoch": 1, "best": {}, "random": 3}',
        '{"epoch": 1, "best": {}, "random": [[1, 2], 3, 0, 0.0]}',
        json.dumps({"epoch": 1, "best": {}, "random": [WORDS, 625, 0, 0.0]}),
        json.dumps({"epoch": 1, "best": {}, "random": [WORDS, 1, 2, 0.0]}),
        json.dumps({"epoch": 1, "best": {}, "random": [[*WORDS[1:], 1 << 32], 1, 0, 0.0]}),
        json.dumps({"epoch": 1, "best": {}, "random": [[*WORDS[1:], "0"], 1, 0, 0.0]}),
        json.dumps({"epoch": 1, "best": {}, "random": [WORDS, 1, 0, "x"]}),
    ],
)
def test_what_is_no_progress_is_damage(path, text):
    new_model().save(path)
    with h5py.File(path, "a") as file:
        file.attrs["training_progress"] = text.encode()
    with pytest.raises(DamagedFile, match="training_progress"):
        load_model(path, OBJECTS)


@pytest.mark.parametrize(
    "plain",
    [
        {"epoch": 1, "best": {"a": float("inf")}},
        {"epoch": 1, "best": {"a": 10**400}},
        {"epoch": "x" * 5000, "best": {}},
        {"epoch": 1, "best": {}, "random": [[0] * 624, 0, 0, 0.0]},  # of which np.random.normal has no end
        {"epoch": 1, "best": {}, "random": [[1] + [0] * 623, 0, 0, 0.0]},  # only its highest bit counts
    ],
)
def test_what_no_training_comes_to_is_refused(plain):
    with pytest.raises(ValueError) as caught:
        Progress.of_plain(plain)
    assert len(str(caught.value)) < 500
