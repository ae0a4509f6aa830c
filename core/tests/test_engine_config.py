"""Configs: what a layer's constructor implies, and graphs of layers as Keras 2 writes them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina import layers
from lamina.engine import Input, Layer, Model, Sequential
from lamina.engine.arguments import as_count
from lamina.engine.network_config import _Draft
from lamina.engine.parts import Initializer
from lamina.models import clone_model
from lamina.saving import UnsafeFile
from lamina_registry import CustomObjectScope, UnknownName, get


@pytest.fixture(autouse=True)
def _fresh_names():
    K.clear_session()


class AllOnes(Initializer):
    def __call__(self, shape, dtype=None):
        return np.ones(shape, dtype)


class Dense(Layer):
    def __init__(self, units, activation=None, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation
        self.kernel_initializer = get("initializers", kernel_initializer or AllOnes())

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight("kernel", shape, initializer=self.kernel_initializer)

    def call(self, inputs):
        return K.dot(inputs, self.kernel)


class Add(Layer):
    def call(self, inputs):
        return inputs[0] + inputs[1]


class Twins(Layer):
    def call(self, x, factor=1):
        return [x, x * factor]


class Wrapper(Layer):
    def __init__(self, layer, more=(), **kwargs):
        super().__init__(**kwargs)
        self.layer, self.more = layer, more

    def call(self, x):
        return self.layer(x)


NAMES = {"Add": Add, "AllOnes": AllOnes, "Dense": Dense, "Twins": Twins, "Wrapper": Wrapper}


def predict(model, *arrays):
    return K.function(model.inputs, model.outputs)([np.asarray(array, "float32") for array in arrays])


def again(model):
    """The model after a journey through JSON."""
    return type(model).from_config(json.loads(json.dumps(model.get_config())), NAMES)


# ---- layers


def test_a_config_is_the_base_part_and_then_the_constructors_arguments_in_order():
    config = Dense(3, name="top").get_config()
    assert list(config.items()) == [
        ("name", "top"),
        ("trainable", True),
        ("units", 3),
        ("activation", None),
        ("kernel_initializer", {"class_name": "AllOnes", "config": {}}),
    ]
    first = Dense(3, input_shape=(4,), trainable=False).get_config()
    assert list(first)[:4] == ["name", "trainable", "batch_input_shape", "dtype"]
    assert (
        first["batch_input_shape"] == (None, 4)
        and first["dtype"] == "float32"
        and first["trainable"] is False
    )


def test_from_config_is_the_way_back():
    with CustomObjectScope(NAMES):
        layer = Dense.from_config(json.loads(json.dumps(Dense(3, input_shape=(4,)).get_config())))
    assert (
        layer.units == 3
        and layer.batch_input_shape == (None, 4)
        and isinstance(layer.kernel_initializer, AllOnes)
    )


def test_arguments_of_a_base_class_reached_through_kwargs_are_written_too():
    class Named(Dense):
        def __init__(self, label, **kwargs):
            super().__init__(**kwargs)
            self.label = label

    config = Named("a", units=2).get_config()
    assert config["label"] == "a" and config["units"] == 2
    assert Named.from_config(dict(config, kernel_initializer=None)).units == 2


def test_a_class_with_its_own_get_config_answers_for_its_own_arguments():
    class Old(Layer):
        def __init__(self, output_dim, **kwargs):
            self.out = output_dim
            super().__init__(**kwargs)

        def get_config(self):
            base_config = super().get_config()
            return dict(list(base_config.items()) + [("output_dim", self.out)])

    class Newer(Dense):
        def __init__(self, half, **kwargs):
            super().__init__(2 * half, **kwargs)

        def get_config(self):
            config = super().get_config()
            config["half"] = config.pop("units") // 2
            return config

    assert Old(3).get_config() == {"name": "old_1", "trainable": True, "output_dim": 3}
    assert Newer(4).get_config()["half"] == 4
    assert Newer(4).get_config()["kernel_initializer"] == {"class_name": "AllOnes", "config": {}}


def test_numpy_values_tuples_and_dicts_become_plain_data_of_their_own():
    class Holding(Layer):
        def __init__(self, size, axes, table, values, **kwargs):
            super().__init__(**kwargs)
            self.size, self.axes, self.table, self.values = size, axes, table, values

    table = {"a": [1, np.int64(2)]}
    config = Holding(np.float64(0.5), (1, 2), table, np.eye(2)).get_config()
    assert config["size"] == 0.5 and type(config["size"]) is float
    assert config["axes"] == (1, 2) and config["values"] == [[1.0, 0.0], [0.0, 1.0]]
    assert config["table"] == {"a": [1, 2]} and config["table"] is not table
    json.dumps(config)


def test_layers_among_the_arguments_are_written_and_made_again():
    wrapper = Wrapper(Dense(2), more=[Dense(3)])
    config = wrapper.get_config()
    assert config["layer"]["class_name"] == "Dense" and config["more"][0]["config"]["units"] == 3
    with CustomObjectScope(NAMES):
        twin = Wrapper.from_config(json.loads(json.dumps(config)))
    assert isinstance(twin.layer, Dense) and twin.more[0].units == 3


def test_an_argument_kept_under_another_name_is_named_with_the_remedy():
    class Careless(Layer):
        def __init__(self, output_dim, **kwargs):
            super().__init__(**kwargs)
            self.out = output_dim

    words = r"careless_1 \(Careless\).*takes 'output_dim'.*Keep the argument as `self.output_dim = output_dim`, or give"
    with pytest.raises(NotImplementedError, match=words):
        Careless(3).get_config()


def test_an_argument_with_no_form_in_json_is_named():
    class Functional(Layer):
        def __init__(self, function, **kwargs):
            super().__init__(**kwargs)
            self.function = function

    with pytest.raises(
        NotImplementedError, match=r"functional_1 .*function=<.*no form in JSON.*own get_config"
    ):
        Functional(print).get_config()


def test_a_config_with_no_form_in_json_names_its_layer_when_written():
    class Strange(Layer):
        def get_config(self):
            return {**super().get_config(), "thing": object()}

    x = Input((2,))
    inner = Model(x, Strange(name="strange")(x), name="inner")
    for model in (inner, Model(x, inner(x), name="outer")):
        with pytest.raises(TypeError, match=r"strange: it holds <object.*let get_config return plain data"):
            model.to_json()


def test_a_constructor_without_kwargs_is_told_to_take_them():
    class Closed(Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

    with pytest.raises(
        NotImplementedError, match=r"Closed.__init__ does not take name and trainable.*add \*\*kwargs"
    ):
        Closed(3).get_config()


def test_serialize_and_deserialize_go_by_the_class_name():
    config = layers.serialize(Dense(3))
    assert config["class_name"] == "Dense"
    assert layers.deserialize(config, NAMES).units == 3
    with pytest.raises(UnknownName, match="AllOnes"):
        layers.deserialize(config, {"Dense": Dense})


# ---- graphs


def test_a_graph_is_written_as_keras_writes_it():
    a, b = Input((4,), name="a"), Input(batch_shape=(None, 4), name="b")
    shared = Dense(2, name="shared")
    left, right = Twins(name="twins")(Add(name="add")([shared(a), shared(b)]), factor=3)
    config = Model([a, b], [right, left], name="whole").get_config()
    assert list(config) == ["name", "layers", "input_layers", "output_layers"]
    assert config["name"] == "whole"
    assert config["input_layers"] == [["a", 0, 0], ["b", 0, 0]]
    assert config["output_layers"] == [["twins", 0, 1], ["twins", 0, 0]]
    assert [list(layer) for layer in config["layers"]] == [
        ["name", "class_name", "config", "inbound_nodes"]
    ] * 5
    assert {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]} == {
        "a": [],
        "b": [],
        "shared": [[["a", 0, 0, {}]], [["b", 0, 0, {}]]],
        "add": [[["shared", 0, 0, {}], ["shared", 1, 0, {}]]],
        "twins": [[["add", 0, 0, {"factor": 3}]]],
    }
    first = config["layers"][0]
    assert first["class_name"] == "InputLayer"
    assert list(first["config"].items()) == [
        ("batch_input_shape", (None, 4)),
        ("dtype", "float32"),
        ("sparse", False),
        ("name", "a"),
    ]


def test_a_graph_comes_back_whole():
    a, b = Input((2,)), Input((2,))
    shared = Dense(2)
    left, right = Twins()(Add()([shared(a), shared(b)]), factor=3)
    model = Model([a, b], [right, left])
    twin = again(model)
    twin.set_weights(model.get_weights())
    for mine, its in zip(predict(model, [[1, 2]], [[3, 4]]), predict(twin, [[1, 2]], [[3, 4]]), strict=True):
        assert_array_equal(mine, its)
    assert_array_equal(predict(model, [[1, 2]], [[3, 4]])[0], [[30, 30]])
    assert json.dumps(twin.get_config()) == json.dumps(model.get_config())
    assert len(twin.layers) == 5 and len(twin.get_layer("dense_1")._inbound_nodes) == 2


def test_nodes_outside_the_model_are_left_out_and_the_rest_renumbered():
    a = Input((2,), name="a")
    shared = Dense(2, name="shared")
    shared(Input((2,)))
    config = Model(a, Add(name="add")([shared(a), a])).get_config()
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]}
    assert nodes["shared"] == [[["a", 0, 0, {}]]]
    assert nodes["add"] == [[["shared", 0, 0, {}], ["a", 0, 0, {}]]]


def test_nested_models_count_their_own_node_first():
    x = Input((2,), name="x")
    inner = Model(x, Twins(name="twins")(Dense(3, name="d")(x)), name="inner")
    stack = Sequential([Dense(1, input_shape=(3,), name="e")], name="stack")
    y = Input((2,), name="y")
    left, right = inner(y)
    model = Model(y, Add(name="sum")([stack(left), stack(right)]), name="outer")
    config = model.get_config()
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]}
    assert nodes == {
        "y": [],
        "inner": [[["y", 0, 0, {}]]],
        "stack": [[["inner", 1, 0, {}]], [["inner", 1, 1, {}]]],
        "sum": [[["stack", 1, 0, {}], ["stack", 2, 0, {}]]],
    }
    assert [layer["class_name"] for layer in config["layers"]] == ["InputLayer", "Model", "Sequential", "Add"]
    twin = again(model)
    assert_array_equal(predict(twin, [[1, 2]])[0], [[18]])
    assert json.dumps(twin.get_config()) == json.dumps(config)


def test_keywords_that_are_no_plain_data_are_left_out_with_a_warning():
    x = Input((2,))
    with pytest.warns(UserWarning, match="Layer twins_1 was passed non-serializable keyword arguments"):
        config = Model(x, Twins()(x, factor=K.constant(2.0))).get_config()
    assert config["layers"][1]["inbound_nodes"] == [[["input_1", 0, 0, {}]]]


def test_an_unknown_class_is_named():
    x = Input((2,))
    config = Model(x, Dense(2)(x)).get_config()
    with pytest.raises(UnknownName, match="Dense"):
        Model.from_config(dict(config, layers=[dict(config["layers"][1], class_name="Densest")]), NAMES)


def _without(key):
    def change(config):
        del config[key]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("input_layers"), "input_layers not found"),
        (lambda c: c.update(layers=3), "layers is a list, met 3"),
        (lambda c: c["layers"].append(c["layers"][0]), "'input_1' is no name, or that of two layers"),
        (
            lambda c: c["layers"][1].update(inbound_nodes=[[["lost", 0, 0, {}]]]),
            "'dense_1' is called on a tensor",
        ),
        (
            lambda c: c["layers"][1].update(inbound_nodes=[[["input_1", 4, 0, {}]]]),
            "'dense_1' is called on a tensor",
        ),
        (lambda c: c["layers"][1].update(inbound_nodes=[[["input_1"]]]), r"place is \[layer, node, tensor\]"),
        (lambda c: c["layers"][1].update(inbound_nodes=[[]]), "a call has no inputs"),
        (lambda c: c.update(output_layers=[["dense_1", 0, 7]]), "names no tensor"),
        (lambda c: c.update(output_layers=[]), "names no tensor"),
        (_without("layers"), "layers not found"),
    ],
)
def test_a_damaged_config_is_a_value_error_that_names_the_model(change, words):
    x = Input((2,))
    config = Model(x, Dense(2)(x), name="m").get_config()
    change(config)
    with pytest.raises(ValueError, match=f"the config of the model 'm': .*{words}"):
        Model.from_config(config, NAMES)
    with pytest.raises(ValueError, match="a config is a dict, met None"):
        Model.from_config(None)


# ---- stacks


def test_a_stack_is_written_as_keras_writes_it():
    config = Sequential([Dense(3, input_shape=(2,)), Dense(1)], name="stack").get_config()
    assert list(config) == ["name", "layers"] and config["name"] == "stack"
    assert [list(layer) for layer in config["layers"]] == [["class_name", "config"]] * 2
    assert config["layers"][0]["config"]["batch_input_shape"] == (None, 2)
    assert "batch_input_shape" not in config["layers"][1]["config"]


def test_a_stack_comes_back_from_both_forms():
    model = Sequential([Dense(3, input_shape=(2,)), Dense(1)])
    twin = again(model)
    assert_array_equal(predict(twin, [[1, 2]])[0], [[9]])
    old = Sequential.from_config(model.get_config()["layers"], NAMES)
    assert_array_equal(predict(old, [[1, 2]])[0], [[9]])
    with pytest.raises(ValueError, match="the config of a Sequential is a dict with name and layers, met 5"):
        Sequential.from_config(5)


def test_a_stack_built_late_keeps_its_input_shape():
    model = Sequential([Dense(1)])
    assert "build_input_shape" not in model.get_config()
    model.build((None, 2))
    assert model.get_config()["build_input_shape"] == (None, 2)
    assert again(model).built and again(model).input_shape == (None, 2)


def test_an_input_layer_that_was_added_is_written():
    x = Input((2,), name="x")
    model = Sequential([x._keras_history[0], Dense(1)])
    assert [layer["class_name"] for layer in model.get_config()["layers"]] == ["InputLayer", "Dense"]
    assert again(model).input_shape == (None, 2)


# ---- clones


def test_a_clone_has_weights_of_its_own_and_needs_no_registration():
    x = Input((2,))
    inner = Sequential([Dense(2, input_shape=(2,))])
    model = Model(x, Add()([inner(x), Dense(2)(x)]))
    clone = clone_model(model)
    assert json.dumps(clone.get_config()) == json.dumps(model.get_config())
    assert all(mine is not its for mine, its in zip(model.weights, clone.weights, strict=True))
    mine, own = Input((2,), name="mine"), K.placeholder((None, 2))
    assert clone_model(model, mine).inputs == [mine]
    assert_array_equal(predict(clone_model(inner, mine), [[1, 2]])[0], [[3, 3]])
    assert clone_model(model, [own]).inputs == [own]
    with pytest.raises(ValueError, match="model_1 has 1 inputs; 2 input_tensors were given"):
        clone_model(model, [mine, own])


def test_two_classes_of_one_name_cannot_be_cloned():
    other = type("Dense", (Dense,), {})
    x = Input((2,))
    with pytest.raises(
        ValueError, match="model_1 cannot be cloned: dense_1 has .* a config calls both 'Dense'"
    ):
        clone_model(Model(x, other(2)(Dense(2)(x))))


class Squared(Layer):
    def call(self, inputs):
        return inputs * inputs


def doubled(levels):
    """The config of a model that calls one twice that calls one twice ..."""
    name, described = "level0", {"class_name": "Squared", "config": {"name": "level0"}}
    for level in range(1, levels + 1):
        first = min(level - 1, 1)  # a model has a node of its own before its calls
        nodes = [[["x", 0, 0, {}]], [[name, first, 0, {}]]]
        x = {"batch_input_shape": [None, 1], "name": "x"}
        inner = {"name": name, **described, "inbound_nodes": nodes}
        config = {
            "name": f"level{level}",
            "layers": [{"name": "x", "class_name": "InputLayer", "config": x, "inbound_nodes": []}, inner],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[name, first + 1, 0]],
        }
        name, described = f"level{level}", {"class_name": "Model", "config": config}
    return described


def test_models_that_double_their_calls_at_each_level_are_refused():
    with CustomObjectScope({"Squared": Squared}):
        assert len(layers.deserialize(doubled(6)).layers) == 2
        for make in (layers.deserialize, lambda config: Model.from_config(config["config"])):
            with pytest.raises(UnsafeFile, match="20,000 calls"):
                make(doubled(20))


def test_layers_in_any_order_are_called_once_there_is_something_to_call_them_on(monkeypatch):
    x = out = Input((2,), name="x")
    for number in range(30):
        out = Squared(name=f"l{number}")(out)
    config = Model(x, out).get_config()
    config["layers"].reverse()
    calls = []
    called = _Draft.called
    monkeypatch.setattr(_Draft, "called", lambda *args: calls.append(args) or called(*args))
    assert Model.from_config(config, {"Squared": Squared}).get_config()["layers"] == config["layers"][::-1]
    assert len(calls) < 61  # each is tried once, and once more when it can be called


def test_a_size_beyond_all_bounds_is_a_size_that_no_layer_has():
    assert as_count(10**400, "units is a size") == 10**400
    with pytest.raises(ValueError, match="whole and positive"):
        as_count(-(10**400), "units is a size")
