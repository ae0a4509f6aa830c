"""Pickles and copies of models: as they were, optimizer and custom objects included, or an error that says why not."""

import copy
import io
import pickle

import numpy as np
import pytest

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.engine.sequential import Sequential
from lamina.saving import UnsafeFile, gate
from lamina_registry import UnknownName

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


class Affine(Layer):
    """f(x W), a function of one's own."""

    def __init__(self, units, function=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.function = function

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=np.ones)

    def call(self, inputs):
        y = K.dot(inputs, self.kernel)
        return y if self.function is None else self.function(y)

    def get_config(self):
        config = {"name": self.name, "units": self.units, "function": self.function}
        shape = getattr(self, "batch_input_shape", None)
        return {**config, "batch_input_shape": shape} if shape else config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        named = isinstance(config["function"], str)
        return cls(**{**config, "function": custom_objects[config["function"]]} if named else config)


class Code(Layer):
    """A layer whose config holds code, as Lambda's does."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)

    def get_config(self):
        return {"name": self.name, "function": gate.Code(("bytecode", None, None), self.function)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        code = config["function"]
        known = (
            code.function if isinstance(code, gate.Code) else gate.allow_code(config["name"], custom_objects)
        )
        return cls(known, name=config["name"])


class Momentum(Optimizer):
    """v <- v / 2 - g / 1000; w <- w + v."""

    def get_updates(self, loss, params):
        self.weights = [K.zeros(K.int_shape(p)) for p in params]
        for p, g, v in zip(params, self.get_gradients(loss, params), self.weights, strict=True):
            new = v / 2 - g / 1000
            self.updates += [K.update(v, new), K.update_add(p, new)]
        return self.updates

    def get_config(self):
        return super().get_config()


class Other:
    """Of Affine's name, and another thing."""

    class Affine(Affine):
        pass


def doubled(x):
    return x * 2


def squares(y_true, y_pred):
    return K.mean(K.square(y_pred - y_true), axis=-1)


def worst(y_true, y_pred):
    return K.max(K.abs(y_pred - y_true), axis=-1)


def trained():
    inner = Sequential([Code(doubled, name="inner_code", input_shape=(4,)), Affine(2, doubled)])
    model = Sequential([Affine(4, input_shape=(3,)), Code(doubled, name="code"), inner])
    model.compile(Momentum(), squares, metrics=[worst], weighted_metrics=[squares])
    model.fit(X, Y, verbose=0, batch_size=4)
    return model


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model: pickle.loads(pickle.dumps(model, 0)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)
def test_a_trained_model_comes_back_and_trains_on(again):
    model = trained()
    other = again(model)
    assert type(other) is Sequential and other.name == model.name
    assert other.optimizer is not model.optimizer and other.metrics_names == model.metrics_names
    weights = np.linspace(0, 1, 8)
    for _ in range(2):  # the second update needs the momentum
        losses = [each.train_on_batch(X, Y, sample_weight=weights) for each in (model, other)]
        assert losses[0] == losses[1]
    for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    other.set_weights([0 * value for value in other.get_weights()])
    assert np.abs(model.get_weights()[0]).max() > 0  # nothing is shared


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)
def test_a_model_that_was_not_compiled_comes_back_without_a_word(again):
    x = Input((3,))
    model = Model(x, [Affine(2)(x), Affine(1)(x)])
    other = again(model)
    assert other.optimizer is None
    for mine, its in zip(model.predict(X), other.predict(X), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert again(Sequential([Affine(2)])).inputs is None


def test_models_inside_other_things_come_back():
    model = trained()
    both = pickle.loads(pickle.dumps({"model": model, "list": [model]}))
    assert both["model"] is both["list"][0]


def test_a_function_that_pickle_cannot_find_is_named():
    model = Sequential([Code(lambda x: x, input_shape=(3,))])
    with pytest.raises((pickle.PicklingError, AttributeError), match="<lambda>"):
        pickle.dumps(model)
    np.testing.assert_array_equal(copy.deepcopy(model).predict(X), X)


def test_a_model_written_as_code_is_refused():
    class Own(Model):
        def __init__(self):
            super().__init__(name="own")
            self.top = Affine(2)

        def call(self, inputs):
            return self.top(inputs)

    with pytest.raises(NotImplementedError, match="own is made by the code of Own"):
        pickle.dumps(Own())


def test_an_optimizer_without_a_config_is_refused():
    model = trained()
    model.optimizer = object()
    with pytest.raises(
        TypeError, match="cannot be pickled or copied: its optimizer, object, has no get_config"
    ):
        copy.deepcopy(model)


def test_two_things_of_one_name_are_refused():
    model = Sequential([Affine(2, input_shape=(3,)), Other.Affine(2)])
    with pytest.raises(ValueError, match="are both called 'Affine'"):
        pickle.dumps(model)


def test_the_file_in_a_pickle_passes_the_gate():
    restore, (data, objects, compiled) = trained().__reduce__()
    assert set(objects) == {
        "Affine",
        "Code",
        "Momentum",
        "code",
        "doubled",
        "inner_code",
        "squares",
        "worst",
    }
    with pytest.raises(UnknownName, match="Affine"):
        restore(data, {}, compiled)
    del objects["code"]
    with pytest.raises(UnsafeFile, match="'code' holds Python bytecode") as caught:
        restore(data, objects, compiled)
    assert any("the pickle of a model" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError, match="pickle of a model"):
        restore(data[: len(data) // 2], objects, compiled)


def test_callbacks_and_streams_may_hold_models():
    stream = io.BytesIO()
    pickle.Pickler(stream).dump([trained()])
    stream.seek(0)
    assert len(pickle.Unpickler(stream).load()) == 1
