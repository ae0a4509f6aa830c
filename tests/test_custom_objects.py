"""What no plugin offers, at every depth of a model and in every form of its config; and the lists of Keras 2.1."""

import json

import h5py
import numpy as np
import pytest
import yaml
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.constraints import Constraint
from lamina.initializers import Initializer
from lamina.layers import RNN, Bidirectional, Dense, Input, Layer, TimeDistributed
from lamina.models import Model, Sequential, load_model, model_from_config, model_from_json, model_from_yaml
from lamina.optimizers import SGD
from lamina.regularizers import Regularizer
from lamina.utils import CustomObjectScope
from lamina_registry import UnknownName


class Twice(Layer):
    def call(self, inputs):
        return 2 * inputs


class Cell(Layer):
    """h' = f(x W + h), of a function f."""

    def __init__(self, units, activation="wave", **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.activation = Dense(1, activation=activation).activation

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=Tenths())

    def call(self, inputs, states):
        h = self.activation(K.dot(inputs, self.kernel) + states[0])
        return h, [h]


class Tenths(Initializer):
    def __call__(self, shape, dtype=None):
        return np.full(shape, 0.1, dtype)


class Cubes(Regularizer):
    def __init__(self, rate=0.5):
        self.rate = rate

    def __call__(self, x):
        return self.rate * K.sum(K.abs(x) ** 3)

    def get_config(self):
        return {"rate": self.rate}


class Rounded(Constraint):
    def __call__(self, w):
        return K.round(w * 8) / 8


class Slow(SGD):
    pass


def wave(x):
    return K.sin(x)


def fourth(y_true, y_pred):
    return K.mean((y_true - y_pred) ** 4, axis=-1)


def largest(y_true, y_pred):
    return K.max(K.abs(y_true - y_pred))


OBJECTS = {
    thing.__name__: thing for thing in (Twice, Cell, Tenths, Cubes, Rounded, Slow, wave, fourth, largest)
}
X = np.random.default_rng(0).normal(size=(4, 3, 5, 2)).astype("float32")


def dense(units, **arguments):
    return Dense(
        units,
        activation=wave,
        kernel_initializer=Tenths(),
        bias_regularizer=Cubes(0.25),
        activity_regularizer=Cubes(),
        kernel_constraint=Rounded(),
        **arguments,
    )


def deep():
    """A cell in an RNN in a Bidirectional in a Sequential in a model in a TimeDistributed in a Sequential."""
    with CustomObjectScope({"wave": wave}):
        sequence = Input((5, 2))
        inner = Sequential([Bidirectional(RNN(Cell(3)), input_shape=(5, 2)), Twice(), dense(2)], name="inner")
        model = Model(sequence, dense(3)(inner(sequence)), name="model")
        outer = Sequential(
            [TimeDistributed(model, input_shape=(3, 5, 2)), TimeDistributed(dense(2)), Twice()]
        )
    outer.compile(Slow(lr=0.125), fourth, metrics=[largest])
    return outer


def by_file(model, path, objects):
    model.save(path)
    return load_model(path, objects)


WAYS = {
    "load_model": by_file,
    "model_from_json": lambda model, path, objects: model_from_json(model.to_json(), objects),
    "model_from_yaml": lambda model, path, objects: model_from_yaml(model.to_yaml(), objects),
    "model_from_config": lambda model, path, objects: model_from_config(
        {"class_name": "Sequential", "config": model.get_config()}, objects
    ),
    "from_config": lambda model, path, objects: Sequential.from_config(model.get_config(), objects),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("scoped", [False, True], ids=["passed", "in a scope"])
def test_custom_objects_are_found_at_every_depth(tmp_path, way, scoped):
    model = deep()
    if scoped:
        with CustomObjectScope(OBJECTS):
            other = way(model, tmp_path / "model.h5", None)
    else:
        other = way(model, tmp_path / "model.h5", OBJECTS)
    other.set_weights(model.get_weights())
    assert_array_equal(other.predict(X), model.predict(X))
    assert other.get_config() == model.get_config()
    if way is by_file:
        assert type(other.optimizer) is Slow and other.loss is fourth and other.metrics == [largest]
        y = np.ones((4, 3, 2))
        assert other.train_on_batch(X, y) == model.train_on_batch(X, y)


OF_TRAINING = ("Slow", "fourth", "largest")  # of which texts and configs say nothing


@pytest.mark.parametrize(
    "missing, way",
    [(name, way) for name in OBJECTS for way in WAYS if name not in OF_TRAINING or way == "load_model"],
)
def test_each_one_that_is_missing_is_named(tmp_path, way, missing):
    some = {name: thing for name, thing in OBJECTS.items() if name != missing}
    with pytest.raises(UnknownName, match=f"'{missing}'"):
        WAYS[way](deep(), tmp_path / "model.h5", some)


def test_a_scope_ends_with_its_block():
    text = deep().to_json()
    with CustomObjectScope(OBJECTS):
        model_from_json(text)
    with pytest.raises(UnknownName, match="custom_objects="):
        model_from_json(text)


# ---- Sequential as a list: Keras up to 2.1


def as_lists(config):
    """A config in which every Sequential is the list of its layers."""
    if isinstance(config, list):
        return [as_lists(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: as_lists(value) for key, value in config.items()}
    if config.get("class_name") == "Sequential":
        config["config"] = config["config"]["layers"]
    return config


def old(model):
    found = as_lists(json.loads(model.to_json()))
    assert isinstance(found["config"], list) and '"name": "inner"' in model.to_json()
    return {**found, "keras_version": "2.1.6"}


def test_a_sequential_may_be_a_list_at_every_depth(tmp_path):
    model = deep()
    path = tmp_path / "model.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = b"2.1.6"
        file.attrs["model_config"] = json.dumps(old(model)).encode()
    described = old(model)
    found = [
        load_model(path, OBJECTS),
        model_from_json(json.dumps(described), OBJECTS),
        model_from_yaml(yaml.safe_dump(described), OBJECTS),
        model_from_config(described, OBJECTS),
        Sequential.from_config(described["config"], OBJECTS),
    ]
    for other in found:
        other.set_weights(model.get_weights())
        assert_array_equal(other.predict(X), model.predict(X))
