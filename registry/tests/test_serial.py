"""Configs: Keras's meaning of names and dicts, at every depth, and nothing but registered code from a file."""

import sys

import pytest

from lamina_registry import (
    CustomObjectScope,
    UnknownName,
    deserialize,
    get,
    get_custom_objects,
    known_names,
    lookup,
    register,
    serialize,
)


class Dense:
    def __init__(self, units=1, inner=None):
        self.units, self.inner = units, inner

    def get_config(self):
        return {"units": self.units}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Wrapper(Dense):
    def get_config(self):
        return {"inner": serialize("layers", self.inner)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(inner=deserialize("layers", config.pop("inner"), custom_objects))


class Zeros(Dense):
    def __call__(self, shape, dtype=None):
        return 0


def l2(l=0.01):  # noqa: E741
    return Dense(l)


def penalty(weights):
    return 0


def linear(x):
    return x


@pytest.fixture(autouse=True)
def offered(process):
    register("Dense", Dense, "layers")
    register("Wrapper", Wrapper, "layers")
    register("Zeros", Zeros, "initializers")
    register("zeros", Zeros, "initializers")
    register("l2", l2, "regularizers")
    register("penalty", penalty, "regularizers")
    register("linear", linear, "activations")
    register("mse", penalty, "losses")
    register("SGD", Dense, "optimizers")


# ---- there


def test_a_thing_with_a_config_becomes_a_dict():
    assert serialize("layers", Dense(3)) == {"class_name": "Dense", "config": {"units": 3}}


def test_a_function_becomes_its_name():
    assert serialize("activations", linear) == "linear"
    assert serialize("losses", penalty) == "mse"


def test_none_stays_none():
    assert serialize("regularizers", None) is None


@pytest.mark.parametrize("thing", [3, Dense, object()])
def test_what_has_neither_name_nor_config_cannot_be_serialized(thing):
    with pytest.raises(ValueError, match="Cannot serialize"):
        serialize("layers", thing)


def test_a_plugins_name_carries_its_package_and_a_well_known_one_does_not(site, monkeypatch):
    site.offering("acme", CRF="class CRF:\n    def get_config(self): return {}")
    crf = lookup("layers", "CRF")()
    assert serialize("layers", crf) == {"class_name": "acme>CRF", "config": {}}
    monkeypatch.setitem(known_names(), "layers", {"CRF": "acme"})
    assert serialize("layers", crf) == {"class_name": "CRF", "config": {}}


# ---- and back


def test_a_dict_becomes_the_thing_and_keeps_its_own_content():
    config = {"class_name": "Dense", "config": {"units": 3}}
    assert deserialize("layers", config).units == 3
    assert config == {"class_name": "Dense", "config": {"units": 3}}


def test_a_nested_config_is_not_taken_apart():
    config = serialize("layers", Wrapper(inner=Dense(3)))
    assert deserialize("layers", config).inner.units == 3
    assert config["config"] == {"inner": {"class_name": "Dense", "config": {"units": 3}}}


def test_custom_objects_reach_every_depth():
    class Mine(Dense): ...

    config = serialize("layers", Wrapper(inner=Wrapper(inner=Mine(3))))
    assert type(deserialize("layers", config, {"Mine": Mine}).inner.inner) is Mine
    with CustomObjectScope({"Mine": Mine}):
        assert type(deserialize("layers", config).inner.inner) is Mine
    with pytest.raises(UnknownName, match="Mine"):
        deserialize("layers", config)
    assert get_custom_objects() == {}


def test_names_of_functions_and_of_what_makes_instances():
    assert deserialize("activations", "linear") is linear
    assert isinstance(deserialize("initializers", "zeros"), Zeros)
    assert deserialize("regularizers", "l2").units == 0.01
    assert deserialize("regularizers", {"class_name": "l2", "config": {"l": 0.5}}).units == 0.5
    assert deserialize("regularizers", "penalty") is penalty
    assert deserialize("optimizers", {"class_name": "sgd", "config": {"units": 2}}).units == 2


@pytest.mark.parametrize(
    "config", [None, 3, [], "Dense", {}, {"class_name": "Dense"}, {"class_name": ["Dense"], "config": {}}]
)
def test_what_is_no_config_is_told_what_one_is(config):
    with pytest.raises(ValueError, match=r"Improper config format: .*'class_name' and 'config'"):
        deserialize("layers", config)


def test_a_config_of_none_is_not_a_bare_name():
    with pytest.raises(TypeError):
        deserialize("layers", {"class_name": "Dense", "config": None})
    with pytest.raises(ValueError, match="from_config"):
        deserialize("losses", {"class_name": "mse", "config": None})


def test_an_error_names_the_innermost_config():
    config = serialize("layers", Wrapper(inner=Dense(3)))
    config["config"]["inner"]["config"]["typo"] = 1
    with pytest.raises(TypeError, match="typo") as caught:
        deserialize("layers", config)
    assert caught.value.__notes__ == ["while making layer 'Dense' from its config"]


# ---- the arguments of layers


@pytest.mark.parametrize("kind", ["regularizers", "constraints", "losses"])
def test_none_is_none_where_a_layer_can_do_without(kind):
    assert get(kind, None) is None


@pytest.mark.parametrize("kind", ["initializers", "metrics", "optimizers"])
def test_none_is_an_error_elsewhere(kind):
    with pytest.raises(ValueError, match=r"Could not interpret .* identifier: None"):
        get(kind, None)


def test_the_activation_none_is_linear():
    assert get("activations", None) is linear


def test_get_takes_names_configs_classes_and_the_thing_itself():
    zeros = Zeros()
    assert get("initializers", zeros) is zeros
    assert isinstance(get("initializers", "Zeros"), Zeros)
    assert isinstance(get("initializers", Zeros), Zeros)
    assert get("initializers", {"class_name": "Zeros", "config": {"units": 4}}).units == 4
    assert get("activations", max) is max


def test_an_optimizer_need_not_be_callable():
    class Mine:
        def get_updates(self, loss, params): ...

    mine = Mine()
    assert get("optimizers", mine) is mine
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
        get("optimizers", object())


def test_an_unknown_name_says_so_in_keras_words():
    with pytest.raises(ValueError, match=r"Unknown loss function: 'msee'\. Close to it: mse"):
        get("losses", "msee")


def test_an_unknown_name_says_how_to_pass_ones_own():
    with pytest.raises(UnknownName, match=r"If it is your own, pass custom_objects=\{'CRF': \.\.\.\}"):
        deserialize("layers", {"class_name": "acme>CRF", "config": {}})


# ---- what a file may not do


@pytest.mark.parametrize(
    "name",
    ["os:system", "os.system", "builtins>eval", "../../evil.py", "acme.things:CRF", "__class__", "a\0b", ""],
)
def test_a_name_from_a_file_imports_opens_and_runs_nothing(site, name):
    site.write("acme/things.py", "raise SystemExit")
    with pytest.raises(UnknownName):  # what the error itself needs is imported before we listen
        deserialize("layers", {"class_name": "a", "config": {}})
    seen = []
    listening = [True]
    watched = ("import", "open", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect")
    sys.addaudithook(lambda event, args: seen.append(event) if listening and event in watched else None)
    config = {"class_name": name, "config": {}, "module": "os", "registered_name": "system"}
    try:
        with pytest.raises(UnknownName):
            deserialize("layers", config)
    finally:
        listening.clear()
    assert seen == []


def test_the_module_a_config_names_is_never_followed():
    config = {
        "module": "subprocess",
        "class_name": "Dense",
        "registered_name": "Popen",
        "config": {"units": 2},
    }
    assert type(deserialize("layers", config)) is Dense


@pytest.mark.parametrize("kind", ["layers", "optimizers", "activations", "losses", "metrics"])
def test_a_function_is_not_called_with_what_a_file_says(kind):
    called = []
    with pytest.raises(ValueError, match="from_config"):
        deserialize(kind, {"class_name": "f", "config": {"x": 1}}, {"f": lambda x: called.append(x)})
    assert called == []


@pytest.mark.parametrize("kind", ["utils", "ops", "commands", "datasets", "devices", "nonsense"])
def test_only_what_models_are_made_of_comes_from_configs(kind):
    with pytest.raises(ValueError, match="are not kept in configs"):
        deserialize(kind, {"class_name": "get_file", "config": {}})


def test_a_config_nested_too_deeply_is_a_value_error():
    config = {"class_name": "Dense", "config": {}}
    for _ in range(5000):
        config = {"class_name": "Wrapper", "config": {"inner": config}}
    with pytest.raises(ValueError, match="nested too deeply"):
        deserialize("layers", config)
