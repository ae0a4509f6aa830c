"""The modules over the catalogue: lamina.layers, lamina.losses and the rest."""

import importlib
import subprocess
import sys

import pytest

from lamina_registry import Catalog, catalog

FACADES = (
    "activations", "applications", "callbacks", "constraints", "datasets", "initializers", "layers", "losses",
    "metrics", "optimizers", "regularizers", "utils",
)  # fmt: skip
WITH_GET = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")


@pytest.fixture
def bare(monkeypatch):
    """A process in which no plugin is installed."""
    monkeypatch.setattr("lamina_registry.catalogue._catalog", Catalog(path=[]))


@pytest.mark.parametrize("name", FACADES)
def test_what_the_core_itself_offers_can_be_had(name):
    facade = importlib.import_module(f"lamina.{name}")
    for own in facade.__getattr__.__self__.own:
        assert own in dir(facade)
        assert getattr(facade, own).__name__.rpartition(".")[2] == own


@pytest.mark.parametrize("name", [*WITH_GET, "layers"])
def test_configs_go_through_the_facade(name):
    facade = importlib.import_module(f"lamina.{name}")
    with pytest.raises(ValueError, match="Improper config format"):
        facade.deserialize({"class_name": 3}, custom_objects=None)
    with pytest.raises(ValueError, match="Cannot serialize"):
        facade.serialize(3)


@pytest.mark.parametrize("name", WITH_GET)
def test_arguments_of_layers_are_read_by_the_facade(name):
    facade = importlib.import_module(f"lamina.{name}")
    with pytest.raises(ValueError, match=r"Could not interpret .* identifier: 3"):
        facade.get(3)
    with pytest.raises(ValueError, match=r"Unknown .*: 'no_such_thing'"):
        facade.get("no_such_thing")


def test_files_may_name_the_layers_that_the_core_has():
    import lamina.layers

    for name in ("InputLayer", "Model", "Sequential"):
        assert catalog().offer("layers", name).package == "lamina-core"
        assert getattr(lamina.layers, name).__name__ == name


def test_the_modules_of_utils_need_no_import_of_their_own():
    code = "import lamina; print(lamina.utils.np_utils.to_categorical([1]), dir(lamina.utils.io_utils) != [])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["[[0.", "1.]]", "True"]


def test_topology_needs_no_import_of_its_own():
    code = "import lamina; print(lamina.engine.topology.Layer is lamina.layers.Layer)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "True\n"


def test_a_missing_layer_says_what_to_install(bare):
    import lamina.layers

    with pytest.raises(ImportError, match="Dense is in lamina-basic: pip install lamina-basic"):
        from lamina.layers import Dense  # noqa: F401
    assert not hasattr(lamina.layers, "Dense")


def test_listing_names_imports_no_numpy():
    code = "import sys, lamina.layers; dir(lamina.layers); print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
