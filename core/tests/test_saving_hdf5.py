"""Models and weights in HDF5: Keras 2's layout to the byte order of its names, and everything back as it was."""

import io
import json
import sys

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.engine.sequential import Sequential
from lamina.saving import (
    DamagedFile,
    UnsafeFile,
    gate,
    load_model,
    load_weights,
    model_from_config,
    model_from_json,
    model_from_yaml,
    save_model,
    save_weights,
    to_json,
    to_yaml,
    weights,
)
from lamina.saving.reader import reading
from lamina.training.progress import progress_of
from lamina_registry import CustomObjectScope, UnknownName


def ones(shape, dtype=None):
    return np.ones(shape, dtype)


class Affine(Layer):
    """x W + b."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=ones)
        self.bias = self.add_weight("bias", (self.units,), initializer=ones)

    def call(self, inputs):
        return K.dot(inputs, self.kernel) + self.bias


class Scale(Layer):
    """x s, with s counted as it goes: a weight that is not trained."""

    def build(self, input_shape):
        self.count = self.add_weight("count", (), initializer=ones, trainable=False)
        self.scale = self.add_weight("scale", (input_shape[-1],), initializer=ones)

    def call(self, inputs):
        return inputs * self.scale * self.count


class Sum(Layer):
    def call(self, inputs):
        return inputs[0] + inputs[1]


class Code(Layer):
    """A layer whose config holds code, as Lambda's does."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)

    def get_config(self):
        code = gate.Code(("bytecode", None, None), self.function)
        return {"name": self.name, "function": code, "function_type": "lambda"}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        code = config["function"]
        if isinstance(code, gate.Code):
            return cls(code.function, name=config["name"])
        return cls(gate.allow_code(config["name"], custom_objects) or RAN.append, name=config["name"])


RAN = []


class Momentum(Optimizer):
    """v <- m v - lr g; w <- w + v, with a count of steps that `weights` leaves out, as Keras's RMSprop does."""

    def __init__(self, lr=0.1, momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        self.lr = K.variable(lr, name="lr")
        self.momentum = momentum
        self.iterations = K.variable(0, dtype="int64", name="iterations")

    def get_updates(self, loss, params):
        grads = self.get_gradients(loss, params)
        self.weights = [K.zeros(K.int_shape(p)) for p in params]
        self.updates = [K.update_add(self.iterations, 1)]
        step = self.lr / (1 + 0.1 * K.cast(self.iterations, "float32"))
        for p, g, v in zip(params, grads, self.weights, strict=True):
            new = self.momentum * v - step * g
            self.updates += [K.update(v, new), K.update_add(p, new)]
        return self.updates

    def get_config(self):
        return {**super().get_config(), "lr": float(K.get_value(self.lr)), "momentum": self.momentum}


def squares(y_true, y_pred):
    return K.mean(K.square(y_pred - y_true), axis=-1)


def worst(y_true, y_pred):
    return K.max(K.abs(y_pred - y_true), axis=-1)


OBJECTS = {each.__name__: each for each in (Affine, Scale, Sum, Code, Momentum, squares, worst)}
X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


def randomised(model, seed=2):
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(size=w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def sequential(compiled=True):
    model = Sequential([Affine(4, input_shape=(3,)), Scale(), Affine(2)])
    if compiled:
        model.compile(Momentum(), squares, metrics=[worst])
    return randomised(model)


def branched():
    """Two inputs and outputs, a shared layer, a nested model."""
    inner_input = Input((4,))
    inner = Model(inner_input, Affine(4)(Scale()(inner_input)), name="inner")
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Affine(4, name="shared")
    both = Sum()([shared(a), inner(shared(b))])
    model = Model([a, b], [Affine(2, name="main")(both), Affine(1, name="aux")(inner(both))])
    return randomised(model)


def stack():
    """A Sequential of a Sequential."""
    return randomised(Sequential([Sequential([Affine(4, input_shape=(3,)), Scale()]), Affine(2)]))


MODELS = {"sequential": lambda: sequential(False), "branched": branched, "stack": stack}


def predict(model, *inputs):
    outputs = model.predict(list(inputs) if len(inputs) > 1 else inputs[0])
    return outputs if isinstance(outputs, list) else [outputs]


def inputs_of(model):
    return [X] * len(model.inputs)


def same(model, other):
    assert [w.name for w in model.weights] == [w.name for w in other.weights]
    for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    for mine, its in zip(predict(model, *inputs_of(model)), predict(other, *inputs_of(other)), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert json.loads(to_json(model)) == json.loads(to_json(other))


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_as_it_was(path, make):
    model = make()
    save_model(model, path)
    same(model, load_model(path, OBJECTS, compile=False))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("whole", [False, True], ids=["weights", "whole"])
def test_weights_come_back_into_a_model_from_json(path, make, whole):
    model = make()
    (save_model if whole else save_weights)(model, path)
    other = model_from_json(to_json(model), OBJECTS)
    load_weights(other, path)
    same(model, other)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_configs_and_yaml_come_back(make):
    pytest.importorskip("yaml")
    model = make()
    for other in (
        model_from_yaml(to_yaml(model), OBJECTS),
        model_from_config({"class_name": type(model).__name__, "config": model.get_config()}, OBJECTS),
    ):
        other.set_weights(model.get_weights())
        same(model, other)


def test_training_goes_on_exactly_where_it_stopped(path):
    model = sequential()
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    K.set_value(model.optimizer.lr, 0.03)  # as a callback would
    save_model(model, path)
    other = load_model(path, OBJECTS)
    for trained in (model, other):
        trained.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    same(model, other)
    assert K.get_value(other.optimizer.iterations) == 8
    for mine, its in zip(model.optimizer.get_weights(), other.optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert other.metrics_names == ["loss", "worst"]
    np.testing.assert_array_equal(model.evaluate(X, Y, verbose=0), other.evaluate(X, Y, verbose=0))


def test_weighted_metrics_come_back(path):
    model = sequential(False)
    model.compile(Momentum(), squares, metrics=[worst], weighted_metrics=[worst])
    save_model(model, path)
    other = load_model(path, OBJECTS)
    assert other.weighted_metrics == [worst] and other.metrics_names == model.metrics_names


def test_losses_weights_and_metrics_of_several_outputs_come_back(path):
    model = branched()
    losses, parts = {"main": squares, "aux": worst}, {"main": 1.0, "aux": 0.5}
    model.compile(Momentum(), losses, {"main": [worst]}, loss_weights=parts)
    save_model(model, path)
    other = load_model(path, OBJECTS)
    assert other.loss == losses
    assert other.loss_weights == parts
    assert other.metrics_names == model.metrics_names
    y = [Y, Y[:, :1]]
    np.testing.assert_array_equal(model.evaluate([X, X], y, verbose=0), other.evaluate([X, X], y, verbose=0))


def test_a_scope_serves_as_well_as_custom_objects(path):
    model = sequential()
    save_model(model, path)
    with CustomObjectScope(OBJECTS):
        same(model, load_model(path))


def test_float64_stays_float64(path):
    model = randomised(Sequential([Affine(2, input_shape=(3,), dtype="float64")]))
    save_model(model, path)
    other = load_model(path, OBJECTS, compile=False)
    assert [w.dtype for w in other.get_weights()] == ["float64", "float64"]
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])


def test_arrays_in_configs_come_back_as_arrays():
    class Table(Layer):
        def __init__(self, values, step, **kwargs):
            super().__init__(**kwargs)
            self.values, self.step = values, step

        def call(self, inputs):
            return inputs + K.constant(self.values) * float(self.step)

        def get_config(self):
            return {"batch_input_shape": (None, 3), "values": self.values, "step": self.step}

    values = np.array([[1.0, 2.0, 3.0]])
    model = Sequential([Table(values, np.float32(0.5), input_shape=(3,))])
    text = to_json(model)
    assert '{"type": "ndarray", "value": [[1.0, 2.0, 3.0]]}' in text
    other = model_from_json(text, {"Table": Table})
    np.testing.assert_array_equal(other.layers[0].values, values)
    assert other.layers[0].step == 0.5


# --- the layout -------------------------------------------------------------------------------------------------------


def attribute(group, name):
    """Value and stored type of an attribute."""
    kind = h5py.h5a.open(group.id, name.encode()).get_type()
    return group.attrs[name], kind


def test_the_layout_is_that_of_keras_2(path):
    model = sequential()
    model.train_on_batch(X, Y)
    save_model(model, path)
    with h5py.File(path) as file:
        assert sorted(file) == ["model_weights", "optimizer_state", "optimizer_weights"]
        assert sorted(file.attrs) == ["backend", "keras_version", "model_config", "training_config"]
        for group in (file, file["model_weights"]):
            for name, value in (("keras_version", "2.2.4"), ("backend", "tensorflow")):
                stored, kind = attribute(group, name)
                assert stored == value
                # Bytes of variable length: what h5py 2 hands to Keras 2 to decode.
                assert kind.is_variable_str() and kind.get_cset() == h5py.h5t.CSET_ASCII
        layers, kind = attribute(file["model_weights"], "layer_names")
        assert layers.tolist() == [b"affine_1", b"scale_1", b"affine_2"]
        assert layers.dtype == "S8" and not kind.is_variable_str()
        names = file["model_weights/scale_1"].attrs["weight_names"]
        assert names.tolist() == [b"scale_1/scale:0", b"scale_1/count:0"]
        for layer in model.layers:
            group = file["model_weights"][layer.name]
            for name, weight in zip(group.attrs["weight_names"], layer.get_weights(), strict=True):
                np.testing.assert_array_equal(group[name][()], weight)
                assert group[name].chunks is None
        optimizer = file["optimizer_weights"]
        assert len(optimizer.attrs["weight_names"]) == 5
        for name, weight in zip(optimizer.attrs["weight_names"], model.optimizer.get_weights(), strict=True):
            np.testing.assert_array_equal(optimizer[name][()], weight)
        training = json.loads(file.attrs["training_config"])
        assert training == {
            "optimizer_config": {
                "class_name": "Momentum",
                "config": {"lr": pytest.approx(0.1), "momentum": 0.9},
            },
            "loss": "squares",
            "metrics": ["worst"],
            "sample_weight_mode": None,
            "loss_weights": None,
        }


def test_a_weight_file_is_the_same_at_its_root(path):
    save_weights(branched(), path)
    with h5py.File(path) as file:
        assert sorted(file.attrs) == ["backend", "keras_version", "layer_names"]
        assert set(file.attrs["layer_names"].tolist()) == {
            b"a",
            b"b",
            b"shared",
            b"inner",
            b"sum_1",
            b"main",
            b"aux",
        }
        assert file["inner"].attrs["weight_names"].tolist() == [
            b"scale_1/scale:0",
            b"affine_1/kernel:0",
            b"affine_1/bias:0",
            b"scale_1/count:0",
        ]
        assert file["a"].attrs["weight_names"].shape == (0,)


def test_keras_3_finds_the_input_shape_and_we_the_config_as_it_was(path):
    model = sequential(False)
    save_model(model, path)
    with h5py.File(path) as file:
        written = json.loads(file.attrs["model_config"])
    assert written["config"]["layers"][0]["config"]["name"] == "affine_1_input"
    assert load_model(path, OBJECTS, compile=False).get_config() == json.loads(to_json(model))["config"] | {
        "layers": model.get_config()["layers"]
    }


def test_the_same_model_makes_the_same_bytes(tmp_path):
    model = sequential()
    save_model(model, tmp_path / "a.h5")
    save_model(model, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_json_is_the_envelope_of_keras_2():
    model = Sequential([Affine(2, input_shape=(3,))], name="m")
    assert json.loads(to_json(model)) == {
        "class_name": "Sequential",
        "config": {
            "name": "m",
            "layers": [
                {
                    "class_name": "Affine",
                    "config": {
                        "name": "affine_1",
                        "trainable": True,
                        "batch_input_shape": [None, 3],
                        "dtype": "float32",
                        "units": 2,
                    },
                }
            ],
        },
        "keras_version": "2.2.4",
        "backend": "tensorflow",
    }
    assert to_json(model, indent=1).count("\n") > 10


def test_long_lists_of_names_are_cut_into_pieces(path, monkeypatch):
    name = "a_layer_with_a_rather_long_name"
    model = randomised(
        Sequential([Affine(3, name=f"{name}_{index}", input_shape=(3,)) for index in range(40)])
    )
    monkeypatch.setattr(weights, "LONGEST_ATTRIBUTE", 500)
    save_model(model, path)
    with h5py.File(path) as file:
        attributes = file["model_weights"].attrs
        assert "layer_names" not in attributes
        pieces = [attributes[f"layer_names{index}"] for index in range(3)]
        assert all(piece.nbytes <= 500 for piece in pieces)
    same(model, load_model(path, OBJECTS, compile=False))
    other = model_from_json(to_json(model), OBJECTS)
    load_weights(other, path, by_name=True)
    same(model, other)


def test_more_names_than_an_object_header_holds_are_kept(path):
    names = [f"layer_{index:05}" for index in range(7000)]
    with h5py.File(path, "w") as file:
        weights._write_names(file, "layer_names", names)
        assert "layer_names0" in file.attrs
    with reading(path) as root:
        assert root.names("layer_names") == names


def test_equal_names_of_weights_are_made_different(path):
    class Twice(Affine):
        def build(self, input_shape):
            for _ in range(3):
                self.add_weight("w", (1,), initializer=ones)

        def call(self, inputs):
            return inputs

    model = randomised(Sequential([Twice(1, input_shape=(3,))]))
    save_weights(model, path)
    with h5py.File(path) as file:
        assert file["twice_1"].attrs["weight_names"].tolist() == [
            b"twice_1/w:0",
            b"twice_1/w:0_1",
            b"twice_1/w:0_2",
        ]
    before = model.get_weights()
    randomised(model, 3)
    load_weights(model, path)
    np.testing.assert_array_equal(model.get_weights(), before)


def test_names_in_any_alphabet_and_with_slashes_come_back(path):
    model = randomised(
        Sequential([Affine(3, name="schicht/größe", input_shape=(3,)), Affine(2, name="слой")])
    )
    save_model(model, path)
    same(model, load_model(path, OBJECTS, compile=False))


@pytest.mark.parametrize("name", [".", "/", "a\0b"])
def test_a_name_that_no_group_can_have_is_named(path, name):
    model = Sequential([Affine(3, name=name, input_shape=(3,))])
    with pytest.raises(ValueError, match="rename the layer"):
        save_weights(model, path)
    assert not path.exists()


# --- where to and where from ------------------------------------------------------------------------------------------


def test_open_files_groups_and_streams_serve_as_paths(path):
    model = sequential(False)
    with h5py.File(path, "w") as file:
        save_model(model, file.create_group("deep"))
        same(model, load_model(file["deep"], OBJECTS, compile=False))
        save_weights(model, file.create_group("weights"))
        load_weights(model, file["weights"])
    stream = io.BytesIO()
    save_model(model, stream)
    same(model, load_model(stream, OBJECTS, compile=False))
    with pytest.raises(TypeError, match="saved to a path"):
        save_model(model, 3)


def test_an_open_group_is_saved_to_again_and_again(path):
    """What the model before left is gone, and what is not a model's stays."""
    with h5py.File(path, "w") as file:
        file["mine"] = X
        for compiled in (True, False):
            model = sequential(compiled)
            if compiled:
                model.train_on_batch(X, Y)
            save_model(model, file)
            same(model, load_model(file, OBJECTS, compile=compiled))
        assert set(file) == {"mine", "model_weights"} and "training_config" not in file.attrs
        group = file.create_group("weights")
        for model in (branched(), sequential(False)):
            save_weights(model, group)
            load_weights(model, group)
        assert set(group) == {layer.name for layer in model.layers}
        for save, to in ((save_model, file), (save_weights, group)):
            with pytest.raises(FileExistsError, match="A model in .*model.h5 already exists"):
                save(model, to, overwrite=False)
        save_weights(model, file.create_group("new"), overwrite=False)
    with h5py.File(path, "r") as file, pytest.raises(ValueError, match="open for reading only.* mode 'a'"):
        save_model(model, file)


def test_an_existing_file_is_kept_without_a_terminal_to_ask_on(path, monkeypatch):
    model = sequential(False)
    path.write_text("mine")
    monkeypatch.setattr(sys, "stdin", None)
    for save in (save_model, save_weights):
        with pytest.raises(FileExistsError, match=f"{path.name} already exists"):
            save(model, path, overwrite=False)
    assert path.read_text() == "mine"
    save_model(model, path.with_name("new.h5"), overwrite=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("answers, written", [("n\n", False), ("y\n", True), ("what\nY\n", True)])
def test_on_a_terminal_it_asks(path, monkeypatch, capsys, answers, written):
    path.write_text("mine")
    monkeypatch.setattr(sys, "stdin", Terminal(answers))
    save_weights(sequential(False), path, overwrite=False)
    assert (path.read_bytes() != b"mine") == written
    assert "already exists - overwrite? [y/n]" in capsys.readouterr().out


def test_a_failed_save_leaves_the_old_file(path):
    model = sequential(False)
    save_model(model, path)
    before = path.read_bytes()
    broken = Sequential([Affine(3, name="x", input_shape=(3,)), Affine(3, name="x/x")])
    broken.layers[1].get_config = lambda: {"unit": object()}
    with pytest.raises(TypeError, match=r"config of sequential_2 cannot be written as JSON.*object object"):
        save_model(broken, path)
    assert path.read_bytes() == before


def test_an_optimizer_without_a_config_is_left_out_with_a_warning(path):
    model = sequential()
    model.optimizer = object()
    with pytest.warns(UserWarning, match="object cannot be saved"):
        save_model(model, path)
    with pytest.warns(UserWarning, match="not\\* compiled"):
        assert load_model(path, OBJECTS).optimizer is None


def test_a_file_without_training_configuration_warns(path):
    save_model(sequential(), path, include_optimizer=False)
    with pytest.warns(UserWarning, match="No training configuration found in save file"):
        load_model(path, OBJECTS)
    load_model(path, OBJECTS, compile=False)


def test_an_optimizer_state_that_does_not_fit_warns_and_starts_afresh(path):
    model = sequential()
    model.train_on_batch(X, Y)
    save_model(model, path)
    with h5py.File(path, "r+") as file:
        group = file["optimizer_weights"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:2]
    with pytest.warns(UserWarning, match="freshly initialized optimizer"):
        other = load_model(path, OBJECTS)
    assert not np.any(other.optimizer.get_weights()[0])
    assert K.get_value(other.optimizer.iterations) == 0


# --- matching ---------------------------------------------------------------------------------------------------------


def test_by_name_loads_namesakes_and_leaves_the_rest(path):
    save_weights(
        randomised(Sequential([Affine(2, name="dense_1", input_shape=(3,)), Affine(5, name="dense_2")])), path
    )
    model = Sequential([Affine(2, name="dense_1", input_shape=(3,)), Affine(10, name="new_dense")])
    load_weights(model, path, by_name=True)
    assert not np.allclose(model.layers[0].get_weights()[0], 1)
    assert np.allclose(model.layers[1].get_weights()[0], 1)


def test_by_order_names_do_not_matter(path):
    model = sequential(False)
    save_weights(model, path)
    other = Sequential([Affine(4, name="x", input_shape=(3,)), Scale(name="y"), Affine(2, name="z")])
    load_weights(other, path)
    np.testing.assert_array_equal(predict(model, X), predict(other, X))


def test_another_number_of_layers_is_said_with_both_numbers(path):
    save_weights(sequential(False), path)
    with pytest.raises(ValueError, match="weight file containing 3 layers into a model with 1 layers"):
        load_weights(Sequential([Affine(4, input_shape=(3,))]), path)


def test_what_does_not_fit_names_the_layer_and_changes_nothing(path):
    save_weights(sequential(False), path)
    shapes = Sequential([Affine(4, input_shape=(3,)), Scale(), Affine(5)])
    with pytest.raises(
        ValueError, match=r"'affine_4/kernel:0' of layer 'affine_4' has shape \(4, 5\).*\(4, 2\)"
    ):
        load_weights(shapes, path)
    counts = Sequential([Affine(4, input_shape=(3,)), Affine(4), Affine(2)])
    counts.layers[1].non_trainable_weights = [K.variable(0.0)]
    with pytest.raises(
        ValueError, match=r"Layer #1 .*'affine_6'.*expects 3 weights, but the saved weights have 2"
    ):
        load_weights(counts, path)
    for model in (shapes, counts):
        assert np.all(model.layers[0].get_weights()[0] == 1)


def test_names_of_variable_length_are_those_of_keras_3(path):
    kernel, bias = X.T.copy(), np.arange(8, dtype="float32")
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["dense", "top"]
        file["dense/model/dense/kernel"], file["dense/model/dense/bias"] = kernel, bias
        file["dense"].attrs["weight_names"] = ["model/dense/kernel", "model/dense/bias"]
        file.create_group("top").attrs["weight_names"] = np.asarray([])
        file.create_group("top_level_model_weights").attrs["weight_names"] = np.asarray([])
        file.attrs["backend"], file.attrs["keras_version"] = "jax", "3.15.1"
    model = Sequential([Affine(8, input_shape=(3,))])
    load_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)


def test_another_keras_model_comes_in_without_its_optimizer_state(path):
    model = sequential()
    model.train_on_batch(X, Y)
    save_model(model, path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = b"3.15.1"
        config = {"class_name": "Momentum", "config": {"learning_rate": 0.25, "use_ema": False, "name": "m"}}
        training = {
            "optimizer_config": config,
            "loss": "squares",
            "metrics": [["worst"]],
            "jit_compile": True,
        }
        file.attrs["training_config"] = json.dumps(training).encode()
    with pytest.warns(UserWarning, match="another Keras"):
        model = load_model(path, OBJECTS)
    assert K.get_value(model.optimizer.lr) == 0.25
    assert model.loss is squares and model.metrics == [worst]


def test_skip_mismatch_warns_and_loads_the_rest(path):
    save_weights(sequential(False), path)
    first, last = Affine(4, name="affine_1", input_shape=(3,)), Affine(5, name="affine_2")
    model = Sequential([first, Scale(name="scale_1"), last])
    with pytest.raises(ValueError, match="has shape"):
        load_weights(model, path, by_name=True)
    with pytest.warns(UserWarning, match="Skipping loading of weights for layer affine_2 due to mismatch"):
        load_weights(model, path, by_name=True, skip_mismatch=True)
    assert not np.allclose(model.layers[0].get_weights()[0], 1)
    assert np.allclose(model.layers[2].get_weights()[0], 1)
    with pytest.raises(ValueError, match="by_name=True"):
        load_weights(model, path, skip_mismatch=True)


def test_reshape_takes_the_same_numbers_in_another_shape(path):
    save_weights(randomised(Sequential([Affine(6, name="a", input_shape=(2,)), Affine(1)])), path)
    model = Sequential([Affine(2, name="a", input_shape=(6,))])
    model.layers[0].trainable_weights = [model.layers[0].kernel]
    with h5py.File(path, "r+") as file:
        file["a"].attrs["weight_names"] = file["a"].attrs["weight_names"][:1]
        stored = file["a/a/kernel:0"][()]
    load_weights(model, path, by_name=True, reshape=True)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], stored.reshape(6, 2))


def test_a_layer_converts_what_other_writers_keep_in_another_form(path):
    class Flipped(Affine):
        def weights_from_file(self, arrays, backend, keras_version):
            assert keras_version == ("2.2.4" if backend else "1")
            return [arrays[0][::-1], arrays[1]] if backend == "theano" else arrays

    def make():
        inner = Sequential([Flipped(2, name="f", input_shape=(3,))], name="inner")
        return Sequential([inner, Scale(name="s")])

    model = randomised(make())
    save_weights(model, path)
    with h5py.File(path, "r+") as file:
        file.attrs["backend"] = "theano"
    other = make()
    load_weights(other, path)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0][::-1])
    np.testing.assert_array_equal(other.get_weights()[1], model.get_weights()[1])
    with h5py.File(path, "r+") as file:
        del file.attrs["backend"], file.attrs["keras_version"]  # of which Keras 1 knew nothing
    load_weights(other, path)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_layers_that_share_weights_convert_them_once(path):
    class Negative(Affine):
        def weights_from_file(self, arrays, backend, keras_version):
            return [-array for array in arrays]

    class Around(Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.trainable_weights = layer.weights

        def weights_from_file(self, arrays, backend, keras_version):
            return [-array for array in arrays]

        def call(self, inputs):
            return inputs * 1.0

    x = Input((3,))
    layer = Negative(3)
    model = Sequential([Model(x, Around(layer)(layer(x)))])
    randomised(model)
    before = model.get_weights()
    save_weights(model, path)
    load_weights(model, path)
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, -old)


def test_a_conversion_that_fails_changes_nothing_and_names_the_file(path):
    class Picky(Affine):
        def weights_from_file(self, arrays, backend, keras_version):
            if self.units == 2:
                raise KeyError("gate")
            return arrays

    model = Sequential([Affine(4, input_shape=(3,)), Picky(2)])
    save_weights(randomised(model), path)
    other = Sequential([Affine(4, input_shape=(3,)), Picky(2)])
    for by_name in (True, False):
        with pytest.raises(DamagedFile, match="model.h5.*KeyError: 'gate'"):
            load_weights(model if by_name else other, path, by_name=by_name, skip_mismatch=by_name)
    assert np.all(other.layers[0].get_weights()[0] == 1)


# --- what a file may name ---------------------------------------------------------------------------------------------


def test_a_class_that_nobody_registered_is_named(path):
    save_model(sequential(False), path)
    with pytest.raises(UnknownName, match="Affine") as caught:
        load_model(path)
    assert any("model.h5" in note for note in caught.value.__notes__)


def test_code_needs_its_function_or_leave(path):
    model = Sequential([Code(K.square, name="lambda_1", input_shape=(3,))])
    model.layers[0].batch_input_shape = (None, 3)
    with pytest.warns(UserWarning, match="bytecode"):
        save_model(model, path)
    with pytest.raises(UnsafeFile, match="'lambda_1' holds Python bytecode") as caught:
        load_model(path, OBJECTS, compile=False)
    assert any("model.h5" in note for note in caught.value.__notes__)
    for refusing in (model_from_json, lambda text, objects: model_from_config(json.loads(text), objects)):
        with pytest.raises(UnsafeFile):
            refusing(to_json(model), OBJECTS)
    with pytest.raises(UnsafeFile):
        load_model(path, OBJECTS, compile=False, safe_mode=None)
    assert RAN == []
    other = load_model(path, {**OBJECTS, "lambda_1": K.square}, compile=False)
    assert other.layers[0].function is K.square
    assert load_model(path, OBJECTS, compile=False, safe_mode=False).layers[0].function == RAN.append
    RAN.clear()


def test_a_config_that_never_left_the_process_needs_no_leave():
    model = Sequential([Code(K.square, name="lambda_1")])
    other = model_from_config({"class_name": "Sequential", "config": model.get_config()}, OBJECTS)
    assert other.layers[0].function is K.square


def test_a_small_file_cannot_ask_for_a_large_model(path):
    save_model(sequential(False), path)
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"].replace('"units": 4', '"units": 400000000')
        file.attrs["model_config"] = config.encode()
    with pytest.raises(
        UnsafeFile, match=r"'affine_1/kernel' of shape \(3, 400000000\) would take 4,800,000,000"
    ):
        load_model(path, OBJECTS)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(sorted(OBJECTS))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)


def places(value, place=()):
    """The keys that lead to each part of a config."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*place, key))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), make=st.sampled_from(sorted(MODELS)), version=st.sampled_from(["2.2.4", "3.0.0"]))
def test_any_config_is_a_model_or_refused_in_plain_words(data, make, version):
    config = json.loads(to_json(MODELS[make]()))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from([place for place in places(config) if place]))
        part = config
        for key in way:
            part = part[key]
        part[last] = data.draw(VALUES)
    try:
        model_from_json(json.dumps({**config, "keras_version": version}), OBJECTS)
    except (ValueError, TypeError):
        pass


def edited(path, name, value):
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value
    return path


@pytest.mark.parametrize(
    "config",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"3",
        b'{"class_name": "Sequential"}',
        b'{"class_name": "Sequential", "config": null}',
        b'{"class_name": "Sequential", "config": {"layers": 3}}',
        b'{"class_name": "Sequential", "config": {"layers": [null]}}',
        b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "Affine", "config": {}}]}}',
        b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "Affine", "config": {"units": {}}}]}}',
        b'{"class_name": "Model", "config": {}}',
        b'{"class_name": "Model", "config": {"layers": [], "input_layers": [], "output_layers": []}}',
        b'{"class_name": "Affine", "config": {"units": 3}}',
        b'{"class_name": "squares", "config": {}}',
        b'{"class_name": "os.system", "config": {"command": "echo"}}',
        b'{"class_name": "system", "module": "os", "config": "echo"}',
        b"[" * 3000 + b"]" * 3000,
        np.bytes_(b"{"),
        3,
        [1.0, 2.0],
    ],
)
def test_a_config_that_describes_no_model_is_one_clear_error(path, config):
    save_model(sequential(False), path)
    with pytest.raises((ValueError, TypeError)):
        load_model(edited(path, "model_config", config), OBJECTS)


@pytest.mark.parametrize(
    "config",
    [
        b"null",
        b"{}",
        b'{"optimizer_config": 3}',
        b'{"optimizer_config": {"class_name": "system", "config": {}}}',
        b'{"optimizer_config": {"class_name": "Momentum", "config": {"nonsense": 1}}, "loss": "squares"}',
        b'{"optimizer_config": {"class_name": "Momentum", "config": {}}, "loss": "os.system"}',
        b'{"optimizer_config": {"class_name": "Momentum", "config": {}}, "loss": {"a": {"b": [3]}}}',
        b'{"optimizer_config": {"class_name": "Momentum", "config": {}}, "loss": "squares", "metrics": 3}',
    ],
)
def test_a_broken_training_configuration_is_one_clear_error(path, config):
    save_model(sequential(), path)
    edited(path, "training_config", config)
    with pytest.raises((ValueError, TypeError)):
        load_model(path, OBJECTS)
    load_model(path, OBJECTS, compile=False)


@pytest.mark.parametrize("missing", ["", "/affine_1", "/affine_1/affine_1/bias:0"])
def test_what_is_listed_and_not_there_is_damage(path, missing):
    save_model(sequential(False), path)
    with h5py.File(path, "r+") as file:
        del file["model_weights" + missing]
    with pytest.raises(DamagedFile, match=r"model.h5"):
        load_model(path, OBJECTS, compile=False)


def test_weights_in_the_layout_of_keras_3_are_told_from_others(path):
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = X
    with pytest.raises(
        DamagedFile, match="model.h5 .* looks like a .weights.h5 of Keras 3.* Save the whole model"
    ):
        load_weights(sequential(False), path)


def test_a_file_of_something_else_is_no_model(path):
    with h5py.File(path, "w") as file:
        file["x"] = X
    with pytest.raises(DamagedFile, match="No model found"):
        load_model(path)
    with pytest.raises(DamagedFile, match="no weight file"):
        load_weights(sequential(False), path)


@pytest.mark.parametrize("name", ["weights.h5", "weights.safetensors"])
def test_a_progress_that_is_damaged_leaves_the_weights_alone(tmp_path, name):
    model = randomised(sequential())
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    progress_of(model).best["x"] = 1.0
    model.save_weights(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert content.count(b"best") == 1
    (tmp_path / name).write_bytes(content.replace(b"best", b"rest"))
    other = randomised(sequential(), seed=5)
    before = other.get_weights()
    with pytest.raises(DamagedFile, match="training_progress"):
        other.load_weights(tmp_path / name)
    assert all(map(np.array_equal, before, other.get_weights()))


def test_a_layer_that_is_listed_twice_is_damage(path):
    model = stack()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [file.attrs["layer_names"][0]] * len(file.attrs["layer_names"])
    with pytest.raises(DamagedFile, match="twice"):
        model.load_weights(path)
