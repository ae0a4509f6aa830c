"""Facades: modules over the catalogue that read like ordinary ones."""

import importlib

import pytest

from lamina_registry import AmbiguousName, UnknownName

FACADE = """
from lamina_registry import facade, places, verbs

def helper(): ...

_private = 1
__getattr__, __dir__ = facade("layers", {"sqrt": "math:sqrt"})
get, serialize, deserialize = verbs("layers")
places(["core", "merge"])
"""


@pytest.fixture
def layers(site, process):
    site.write("house/layers.py", FACADE)
    site.offering("acme", CRF="class CRF: ...", Other="class Other: ...")
    return importlib.import_module("house.layers")


def test_names_are_attributes_and_can_be_imported(layers):
    from house.layers import CRF

    assert layers.CRF is CRF
    assert layers.sqrt(4) == 2


def test_the_directory_lists_what_leads_somewhere(layers):
    assert dir(layers) == ["CRF", "Other", "deserialize", "get", "helper", "serialize", "sqrt"]


def test_a_star_brings_it_all(layers):
    scope = {}
    exec("from house.layers import *", scope)
    assert scope.keys() >= {"CRF", "Other", "sqrt", "helper", "deserialize"}
    assert "_private" not in scope


def test_a_missing_name_is_a_missing_attribute(layers):
    assert not hasattr(layers, "CRFF")
    assert getattr(layers, "CRFF", None) is None
    with pytest.raises(UnknownName, match=r"Unknown layer: 'CRFF'\. Close to it: CRF"):
        layers.CRFF  # noqa: B018


def test_a_missing_import_keeps_the_message(layers):
    with pytest.raises(ImportError, match=r"Unknown layer: 'CRFF'\. Close to it: CRF"):
        from house.layers import CRFF  # noqa: F401


def test_a_missing_import_keeps_the_message_in_a_long_list_too(layers):
    # Past 255 names Python writes wider instructions.
    padding = "\n".join(f"name{i} = {i}" for i in range(300))
    with pytest.raises(ImportError, match=r"Unknown layer: 'CRFF'\. Close to it: CRF"):
        exec(f"{padding}\nfrom house.layers import CRF, CRFF", {})


def test_special_names_are_looked_for_nowhere(layers, process):
    assert not hasattr(layers, "__wrapped__")
    assert not hasattr(layers, "__file_of_its_own__")
    assert process._plugins is None


def test_a_private_name_that_is_offered_can_be_had_and_is_not_listed(site, process):
    site.write("house/bare.py", FACADE)
    site.offering("acme", _Base="class _Base: ...")
    bare = importlib.import_module("house.bare")
    assert bare._Base.__name__ == "_Base" and "_Base" not in dir(bare)
    with pytest.raises(AttributeError, match="no attribute '_Bass'"):
        bare._Bass  # noqa: B018


def test_places_below_have_the_same_names(layers):
    import house.layers.merge
    from house.layers.core import CRF

    assert CRF is layers.CRF and house.layers.merge is layers.merge and layers.merge.sqrt(4) == 2
    assert dir(layers.core) == dir(layers) and "core" not in dir(layers)
    with pytest.raises(ImportError, match=r"Unknown layer: 'CRFF'\. Close to it: CRF"):
        from house.layers.core import CRFF  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("house.layers.nowhere")


def test_a_clash_is_told_and_not_listed(layers, site):
    site.offering("other", CRF="class CRF: ...")
    assert "CRF" not in dir(layers)
    with pytest.raises(AmbiguousName, match="acme>CRF or other>CRF"):
        layers.CRF  # noqa: B018


def test_functions_of_a_facade_belong_to_it(layers):
    assert layers.deserialize.__module__ == "house.layers"
    assert "custom_objects" in layers.deserialize.__doc__
    with pytest.raises(UnknownName, match="Unknown layer: 'x'"):
        layers.deserialize({"class_name": "x", "config": {}})
