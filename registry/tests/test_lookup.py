"""From a name to the thing: clashes, order, errors that say what to type, and names registered by hand."""

import sys

import pytest

from lamina_registry import (
    AmbiguousName,
    CustomObjectScope,
    PluginError,
    PluginWarning,
    UnknownName,
    known_names,
    lookup,
    names,
    register,
    registered_name,
)
from lamina_registry.testing import Site


@pytest.fixture
def table(monkeypatch):
    """The table of known names, with Conv2D of lamina-example alone."""
    monkeypatch.setattr("lamina_registry.known.known_names", lambda: {"layers": {"Conv2D": "lamina-example"}})


def message(catalog, name, kind="layers"):
    with pytest.raises(UnknownName) as caught:
        catalog.find(kind, name)
    return str(caught.value)


# ---- clashes


def test_a_clash_names_both_distributions_and_both_remedies(site):
    site.offering("acme-a", Attention="class Attention: ...")
    site.offering("acme-b", Attention="class Attention: ...", Other="class Other: ...")
    catalog = site.catalog()
    assert catalog.find("layers", "Other").__name__ == "Other"
    with pytest.raises(AmbiguousName) as caught:
        catalog.find("layers", "Attention")
    assert str(caught.value) == (
        "layer 'Attention' is offered by plugin 'acme-a' of acme-a 1.0 and by plugin 'acme-b' of acme-b 1.0: "
        "write acme-a>Attention or acme-b>Attention, or leave one plugin out with LAMINA_DISABLE_PLUGINS=acme-b"
    )
    assert catalog.find("layers", "acme-a>Attention").__module__ == "acme_a.things"
    assert catalog.find("layers", "Acme_B>Attention").__module__ == "acme_b.things"
    remedied = site.catalog(LAMINA_DISABLE_PLUGINS="acme-b")
    assert remedied.find("layers", "Attention").__module__ == "acme_a.things"


def test_two_distributions_that_name_one_home_do_not_clash(site):
    site.offering("acme", CRF="class CRF: ...")
    plugin = Site.hook + "@hookimpl\ndef layers(): return {'CRF': 'acme.things:CRF'}"
    site.install("acme-extras", plugin=plugin)
    assert site.catalog().find("layers", "CRF").__module__ == "acme.things"


def test_a_registered_name_clashes_with_a_plugins(site, process):
    site.offering("acme", CRF="class CRF: ...")
    register("CRF", int, "layers")
    with pytest.raises(AmbiguousName, match="write custom>CRF or acme>CRF"):
        lookup("layers", "CRF")
    assert lookup("layers", "Custom>CRF") is int


# ---- order


def test_custom_objects_come_before_the_scope_and_the_scope_before_the_catalogue(site, process):
    site.offering("acme", CRF="class CRF: ...")
    with CustomObjectScope({"CRF": "scope"}):
        assert lookup("layers", "CRF", {"CRF": "argument"}) == "argument"
        assert lookup("layers", "CRF", {"Other": "argument"}) == "scope"
    assert lookup("layers", "CRF").__module__ == "acme.things"


def test_custom_objects_answer_for_names_of_packages_that_are_not_installed(process):
    assert lookup("layers", "acme>CRF", {"CRF": 1}) == 1
    assert lookup("layers", "acme>CRF", {"CRF": 1, "acme>CRF": 2}) == 2


# ---- misses


def test_a_miss_names_what_is_close(site):
    site.offering("acme", Dense="class Dense: ...", Dot="class Dot: ...")
    assert message(site.catalog(), "Dens") == "Unknown layer: 'Dens'. Close to it: Dense."
    assert message(site.catalog(), "Dense", "losses") == "Unknown loss function: 'Dense'."


def test_a_well_known_name_that_is_not_installed_comes_with_the_line_to_type(site, table):
    line = "Unknown layer: 'Conv2D'. Conv2D is in lamina-example: pip install lamina-example"
    assert message(site.catalog(), "Conv2D") == line
    assert "pip install lamina-example" in message(site.catalog(), "lamina-example>Conv2D")


def test_a_well_known_name_of_a_disabled_broken_or_older_plugin_says_so(site, table):
    site.offering("lamina-example", Conv2D="class Conv2D: ...")
    told = message(site.catalog(LAMINA_PLUGINS=""), "Conv2D")
    assert told.endswith("which is installed and disabled: LAMINA_PLUGINS does not name it.")
    site.install("lamina-example", plugin="1 / 0")
    with pytest.warns(PluginWarning):
        told = message(site.catalog(), "Conv2D")
    assert told.endswith("which is installed and broken: ZeroDivisionError: division by zero.")


def test_a_well_known_name_that_the_installed_plugin_lacks_asks_for_a_newer_one(site, table):
    site.offering("lamina-example", Conv1D="class Conv1D: ...")
    assert message(site.catalog(), "Conv2D").endswith("pip install --upgrade lamina-example")


def test_nobody_is_told_to_install_what_a_file_names(site, table):
    told = message(site.catalog(), "evil-package>Conv2D")
    assert told == (
        "Unknown layer: 'evil-package>Conv2D'. "
        "No plugin called 'evil-package' that is installed and enabled offers it."
    )


def test_a_miss_mentions_plugins_that_could_not_be_loaded(site):
    site.install("acme", plugin="1 / 0")
    with pytest.warns(PluginWarning):
        assert "could not be loaded (acme): see `lamina plugins check`" in message(site.catalog(), "CRF")


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[2J\x07",
        "a" * 10**6,
        "{0.__class__}%s",
        "../../etc/passwd",
        "os:system",
        "\u202egnp.exe",
        "\ud800",
    ],
)
def test_hostile_names_are_quoted_escaped_and_cut_short(site, name):
    told = message(site.catalog(), name)
    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize("name", [None, 3, ["Dense"], {"class_name": "Dense"}])
def test_a_name_that_is_no_string_is_a_type_error(process, name):
    with pytest.raises(TypeError, match="name of a layer is a string"):
        lookup("layers", name)


def test_an_unknown_kind_names_the_kinds(process):
    with pytest.raises(ValueError, match="'layer' is no kind; the kinds are layers, ops"):
        names("layer")


# ---- homes that fail


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("", "AttributeError: module 'acme.things' has no attribute 'CRF'"),
        ("def", "SyntaxError"),
    ],
)
def test_a_home_that_cannot_be_imported_names_plugin_distribution_and_cause(site, source, cause):
    site.offering("acme", CRF=source)
    with pytest.raises(PluginError) as caught:
        site.catalog().find("layers", "CRF")
    assert str(caught.value).startswith(
        "layer 'CRF' is offered by plugin 'acme' of acme 1.0, and importing acme.things:CRF failed: "
    )
    assert cause in str(caught.value)
    assert caught.value.__cause__ is not None


def test_a_home_can_be_a_module_or_a_nested_name(site):
    plugin = "{'digits': 'acme.digits', 'Inner': 'acme.digits:Outer.Inner'}"
    site.install(
        "acme",
        plugin=f"{Site.hook}@hookimpl\ndef datasets(): return {plugin}",
        digits="class Outer:\n    class Inner: ...",
    )
    catalog = site.catalog()
    assert catalog.find("datasets", "digits") is sys.modules["acme.digits"]
    assert catalog.find("datasets", "Inner").__qualname__ == "Outer.Inner"


def test_what_was_found_once_is_not_imported_again(site):
    site.offering("acme", CRF="class CRF: ...")
    catalog = site.catalog()
    found = catalog.find("layers", "CRF")
    del sys.modules["acme.things"]
    assert catalog.find("layers", "CRF") is found
    assert "acme.things" not in sys.modules


def test_optimizers_are_found_in_any_case(site):
    site.offering("acme", "optimizers", SGD="class SGD: ...")
    site.offering("acme-layers", Dense="class Dense: ...")
    catalog = site.catalog()
    assert catalog.find("optimizers", "sgd") is catalog.find("optimizers", "ACME>sgd")
    assert message(catalog, "dense").endswith("Close to it: Dense.")


# ---- names registered by hand


def test_register_takes_a_thing_a_home_or_decorates(site, process):
    assert register("a", len, "activations") is len
    register("b", "math:sqrt", "activations")

    @register("c")
    class Layer: ...

    assert (lookup("activations", "a"), lookup("activations", "b")(4.0)) == (len, 2.0)
    assert lookup("layers", "c") is Layer
    assert names("activations") == ["a", "b"]


def test_registering_again_replaces(process):
    register("CRF", int)
    assert lookup("layers", "CRF") is int
    register("CRF", str)
    assert lookup("layers", "CRF") is str


@pytest.mark.parametrize("name", ["", "acme>CRF"])
def test_a_name_that_could_not_be_looked_up_is_not_registered(process, name):
    with pytest.raises(ValueError, match="cannot be registered"):
        register(name, int)


# ---- and back from the thing to its name


def test_names_of_other_packages_carry_the_package(site, process):
    site.offering("acme", CRF="class CRF: ...")
    crf = lookup("layers", "CRF")
    assert registered_name("layers", crf) == registered_name("layers", crf()) == "acme>CRF"
    assert lookup("layers", "acme>CRF") is crf


def test_well_known_names_are_bare_as_keras_reads_them(site, process, monkeypatch):
    site.offering("acme", CRF="class CRF: ...")
    monkeypatch.setitem(known_names(), "layers", {"CRF": "acme"})
    assert registered_name("layers", lookup("layers", "CRF")) == "CRF"


def test_a_bare_name_that_would_be_ambiguous_is_not_written(site, process, monkeypatch):
    site.offering("acme", CRF="class CRF: ...")
    site.offering("other", CRF="class CRF: ...")
    monkeypatch.setitem(known_names(), "layers", {"CRF": "acme"})
    assert registered_name("layers", lookup("layers", "acme>CRF")) == "acme>CRF"


def test_a_thing_that_nobody_offers_goes_by_its_own_name(site, process):
    site.offering("acme", CRF="class CRF: ...")

    class CRF: ...

    register("Mine", int)
    assert registered_name("layers", CRF()) == "CRF"
    assert registered_name("layers", int) == "Mine"


def test_a_thing_is_found_under_another_name_and_through_another_module(site, process):
    homes = {"CRF": "acme.api:CRF", "Field": "acme.things:_Field"}
    site.install(
        "acme",
        plugin=f"{Site.hook}@hookimpl\ndef layers(): return {homes}",
        api="from acme.things import CRF",
        things="class CRF: ...\nclass _Field: ...",
    )
    assert registered_name("layers", lookup("layers", "CRF")) == "acme>CRF"
    assert registered_name("layers", lookup("layers", "Field")) == "acme>Field"
