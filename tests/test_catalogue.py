"""Nothing registered escapes conformance: in the tests of its plugin, every name of a kind with a kit has a Case, and
numbers of an independent implementation to agree with."""

import importlib.util
from pathlib import Path

import pytest

from lamina import testing
from lamina_registry import KINDS, catalog

ROOT = Path(__file__).resolve().parents[1]
OURS = {plugin.package for plugin in catalog().plugins} & {
    f"lamina-{path.parent.name}" for path in ROOT.glob("plugins/*/*/pyproject.toml")
}


# What has no numbers for an independent implementation to find, and why.
NUMBERLESS = {
    "TFOptimizer": "its steps are those of the object it wraps",
    "Wrapper": "a base class: the wrappers made of it have their own",
    "ctc_label_dense_to_sparse": "it moves numbers, and computes none",
}


def names(kind):
    """The names that plugins of this repository offer."""
    return [
        offer
        for name in catalog().names(kind)
        if name[0] != "_"  # Keras 2's own bases, which users' classes are made from
        for offer in catalog().offers(kind, name)
        if offer.package in OURS
    ]


@pytest.fixture(scope="module")
def cases():
    """Every Case in the tests of the plugins: importing a test module collects its cases."""
    before = len(testing.collected())
    for path in sorted(ROOT.glob("plugins/*/*/tests/test_*.py")):
        if "parametrize_" in path.read_text("utf-8"):
            spec = importlib.util.spec_from_file_location(
                f"cases_of_{path.parents[1].name}_{path.stem}", path
            )
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return testing.collected()[before:]


def test_every_plugin_of_the_repository_is_installed_and_well():
    assert {f"lamina-{path.parent.name}" for path in ROOT.glob("plugins/*/*/pyproject.toml")} == OURS
    assert [
        str(plugin) for plugin in catalog().plugins if plugin.package in OURS and plugin.status != "ready"
    ] == []


@pytest.mark.parametrize("kind", sorted(testing.PROMISES))
def test_every_name_has_a_case(kind, cases):
    # A loss that is offered as a metric, too, has promised more already.
    kinds = ("metrics", "losses") if kind == "metrics" else (kind,)
    tested = {id(case.target) for case in cases if case.kind in kinds}
    missing = {f"{offer.name} of {offer.package}" for offer in names(kind) if id(offer.load()) not in tested}
    if kind == "layers":  # add(inputs) is Add()(inputs): it makes no promises beside those of the class
        missing = {name for name in missing if not name[0].islower()}
    assert sorted(missing) == [], f"no parametrize_{kind} in the tests of its plugin has a Case for these"


@pytest.mark.parametrize("kind", sorted(testing.PROMISES.keys() - {"initializers"}))
def test_every_name_has_a_vector(kind, cases):
    """Initializers have none: what they draw is known by its distribution."""
    # A loss that is offered as a metric, too, and a layer inside another have their numbers there.
    kinds = ("metrics", "losses") if kind == "metrics" else (kind,)
    vectors = [vector for vector in testing.collected_vectors() if vector.kind in kinds]
    known = {id(vector.target) for vector in vectors}
    inner = {name for vector in vectors for name in vector.names}
    missing = {offer.name for offer in names(kind) if not (id(offer.load()) in known or offer.name in inner)}
    if kind == "layers":  # add(inputs) is Add()(inputs)
        missing = {name for name in missing if not name[0].islower()}
    excused = {offer.name for offer in names(kind)} & NUMBERLESS.keys()
    assert sorted(missing) == sorted(excused), (
        "a test with parametrize_vectors is due for each but the excused"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_leads_to_something_that_says_what_it_is(kind):
    for offer in names(kind):
        thing = offer.load()
        assert getattr(thing, "__doc__", None), f"{offer.name} of {offer.package} has no docstring"
        if kind not in ("datasets", "applications", "devices", "kernels"):
            assert callable(thing), offer.name


def test_there_are_things_to_test(cases):
    assert len(cases) > 50
