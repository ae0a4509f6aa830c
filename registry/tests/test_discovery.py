"""What is found, what is left out, and that a broken plugin harms no other."""

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from lamina_registry import PluginWarning
from lamina_registry.testing import Site

HOOK = Site.hook
ROOT = Path(__file__).parents[1]


def run(site, code, **environ):
    """A fresh Python that sees the site; what it prints."""
    paths = os.pathsep.join([str(site.folder), str(ROOT)])
    environ = {**os.environ, "PYTHONPATH": paths, **environ}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_name_is_imported_when_it_is_first_used(site):
    site.offering("acme", CRF="class CRF: ...", Other="class Other: ...")
    catalog = site.catalog()
    assert catalog.names("layers") == ["CRF", "Other"]
    assert "acme.things" not in sys.modules
    assert catalog.find("layers", "CRF").__module__ == "acme.things"


def test_importing_the_registry_reads_nothing(site):
    site.install("acme", plugin=HOOK + "print('plugin read')")
    code = """
import sys
import pluggy
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import lamina_registry
print([name for name in opened if not name.endswith((".py", ".pyc"))], "importlib.metadata" in sys.modules)
"""
    assert run(site, code) == "[] False"


BROKEN = {
    "raises-at-import": "1 / 0",
    "imports-what-is-missing": "import there_is_no_such_module",
    "exits": "raise SystemExit(3)",
    "exits-quietly": "import sys; sys.exit()",
    "raises-a-bare-exception": "class Odd(BaseException): ...\nraise Odd",
    "raises-what-cannot-be-printed": "class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd",
    "is-no-python": "def",
    "has-null-bytes": "\0",
    "speaks-a-newer-api": "API = 2",
    "speaks-an-older-api": "API = 0",
    "declares-no-api": "",
    "misspells-a-hook": HOOK + "@hookimpl\ndef layer(): return {}",
    "wants-arguments": HOOK + "@hookimpl\ndef layers(model): return {}",
    "raises-in-its-hook": HOOK + "@hookimpl\ndef layers(): 1 / 0",
    "exits-in-its-hook": HOOK + "@hookimpl\ndef layers(): raise SystemExit",
    "answers-a-list": HOOK + "@hookimpl\ndef layers(): return ['Good']",
    "answers-classes": HOOK + "@hookimpl\ndef layers(): return {'Good': object}",
    "offers-a-number": HOOK + "@hookimpl\ndef layers(): return {1: 'a:b'}",
    "offers-a-dunder": HOOK + "@hookimpl\ndef layers(): return {'__path__': 'a:b'}",
    "offers-a-path": HOOK + "@hookimpl\ndef layers(): return {'../../etc/passwd': 'a:b'}",
    "offers-an-escape-code": HOOK + "@hookimpl\ndef layers(): return {'\\x1b[2J': 'a:b'}",
    "offers-another-package": HOOK + "@hookimpl\ndef layers(): return {'good>Good': 'a:b'}",
    "offers-a-path-for-a-home": HOOK + "@hookimpl\ndef layers(): return {'Good': '../x.py'}",
    "looks-names-up": "from lamina_registry import lookup\nlookup('layers', 'Good')\n" + HOOK,
}


@pytest.mark.parametrize("package", BROKEN)
def test_a_broken_plugin_is_named_once_and_harms_nobody(site, process, package):
    site.offering("good", Good="class Good: ...")
    site.install(package, plugin=BROKEN[package])
    with pytest.warns(PluginWarning) as told:
        assert process.find("layers", "Good").__module__ == "good.things"
    assert [package in str(warning.message) for warning in told] == [True]
    broken, good = sorted(process.plugins, key=lambda plugin: plugin.package == "good")
    assert (broken.status, broken.offers, good.status) == ("broken", {}, "ready")
    assert broken.traceback.startswith("Traceback")
    assert broken.reason
    assert (broken.reason + broken.traceback.replace("\n", "")).isprintable()


def test_all_broken_plugins_together_are_each_named_once(site, process):
    site.offering("good", Good="class Good: ...")
    for package, source in BROKEN.items():
        site.install(package, plugin=source)
    with pytest.warns(PluginWarning) as told:
        assert process.names("layers") == ["Good"]
    assert len(told) == len(BROKEN)


def test_an_error_of_warnings_leaves_the_catalogue_whole(site):
    site.offering("good", Good="class Good: ...")
    site.install("bad", plugin="1 / 0")
    catalog = site.catalog()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning, match="bad"):
            catalog.names("layers")
        assert catalog.names("layers") == ["Good"]


@pytest.mark.parametrize(
    ("source", "words"),
    [("API = 2", "API = 2.*API = 1.*upgrade"), ("API = 0", "API = 0.*API = 1.*newer"), ("", "API = None")],
)
def test_a_refused_api_names_both_numbers_and_what_to_do(site, source, words):
    site.install("acme", plugin=source)
    with pytest.warns(PluginWarning, match=words):
        site.catalog().names("layers")


def test_ctrl_c_is_passed_on_and_the_next_question_starts_again(site):
    site.offering("acme", CRF="class CRF: ...")
    site.install("slow", plugin="from slow import first\n" + HOOK, first="raise KeyboardInterrupt")
    catalog = site.catalog()
    with pytest.raises(KeyboardInterrupt):
        catalog.names("layers")
    site.install("slow", plugin=HOOK)
    assert catalog.names("layers") == ["CRF"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("bad-1.0.dist-info/entry_points.txt", b"[lamina]\nthis is no entry point\n"),
        ("bad-1.0.dist-info/entry_points.txt", b"[lamina]\nbad = bad.plugin\n\xff\xfe"),
        ("bad-1.0.dist-info/METADATA", b""),
        ("bad-1.0.dist-info/METADATA", b"\xff"),
    ],
)
def test_a_distribution_with_damaged_metadata_harms_nobody(site, file, content):
    site.offering("good", Good="class Good: ...")
    site.install("bad", plugin=HOOK)
    site.write(file, content)
    catalog = site.catalog()
    with pytest.warns(PluginWarning, match="bad-1.0"):
        assert catalog.names("layers") == ["Good"]


@pytest.mark.parametrize(
    "point", ["acme = not a module!", "acme = acme.nothing", "acme = acme.plugin:nothing"]
)
def test_an_entry_point_that_leads_nowhere_is_a_broken_plugin(site, point):
    site.install("acme", entry_points=f"[lamina]\n{point}\n", plugin=HOOK)
    with pytest.warns(PluginWarning, match="acme"):
        assert site.catalog().names("layers") == []


def test_what_a_hostile_distribution_is_called_is_escaped(site):
    site.install("evil", plugin=HOOK)
    site.write("evil-1.0.dist-info/METADATA", "Name: e\x1b[2Jvil\nVersion: 1\x07\n")
    site.write("evil-1.0.dist-info/entry_points.txt", "[lamina]\n\x1b]0;x = evil.plugin\n")
    catalog = site.catalog()
    assert catalog.names("layers") == []
    assert all(text.isprintable() for p in catalog.plugins for text in (p.name, p.package, p.version, str(p)))


def test_the_distribution_first_on_the_path_is_the_one_that_counts(site, tmp_path):
    site.offering("acme", CRF="class CRF: ...")
    Site(tmp_path / "older").offering("acme", Old="class Old: ...")
    catalog = type(site.catalog())([str(site.folder), str(tmp_path / "older")], {})
    assert catalog.names("layers") == ["CRF"]


def test_a_slow_plugin_is_timed(site):
    site.install("slow", plugin="import time; time.sleep(.15)\n" + HOOK)
    (plugin,) = site.catalog().plugins
    assert plugin.seconds > 0.1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ["A", "B"]),
        ({"LAMINA_PLUGINS": "acme-a"}, ["A"]),
        ({"LAMINA_PLUGINS": " Acme.A , acme_b"}, ["A", "B"]),
        ({"LAMINA_PLUGINS": ""}, []),
        ({"LAMINA_DISABLE_PLUGINS": "acme-a,not-installed"}, ["B"]),
        ({"LAMINA_DISABLE_PLUGINS": ""}, ["A", "B"]),
        ({"LAMINA_PLUGINS": "acme-a,acme-b", "LAMINA_DISABLE_PLUGINS": "acme-b"}, ["A"]),
    ],
)
def test_the_environment_chooses_among_plugins(site, environ, expected):
    site.offering("acme-a", A="class A: ...")
    site.offering("acme-b", B="class B: ...")
    catalog = site.catalog(**environ)
    assert catalog.names("layers") == expected
    assert [plugin.status for plugin in catalog.plugins].count("disabled") == 2 - len(expected)


def test_entry_points_can_be_named_too(site):
    site.install("acme", entry_points="[lamina]\ncrf = acme.plugin\n", plugin=HOOK)
    (plugin,) = site.catalog(LAMINA_DISABLE_PLUGINS="crf").plugins
    assert (plugin.status, plugin.reason) == ("disabled", "LAMINA_DISABLE_PLUGINS names it")


def test_a_disabled_plugin_is_not_imported(site):
    site.install("acme", plugin="raise SystemExit")
    assert site.catalog(LAMINA_PLUGINS="").names("layers") == []


def test_allowing_what_is_not_installed_is_told(site):
    with pytest.warns(PluginWarning, match="'lamina-cov', which is not installed"):
        site.catalog(LAMINA_PLUGINS="lamina_cov").names("layers")


def test_the_process_reads_its_environment(site):
    site.offering("acme", CRF="class CRF: ...")
    code = "import lamina_registry as r; print(r.names('layers'), len(r.lookup('layers', 'CRF').__name__))"
    assert run(site, code, LAMINA_PLUGINS="acme") == "['CRF'] 3"
    code = "import lamina_registry as r; print(r.names('layers'))"
    assert run(site, code, LAMINA_PLUGINS="") == "[]"


def test_threads_that_ask_at_once_share_one_discovery(site):
    site.write("count.txt", "")
    log = site.folder / "count.txt"
    site.install(
        "acme",
        plugin=f"import time\nwith open({str(log)!r}, 'a') as log: log.write('x')\ntime.sleep(.05)\n{HOOK}"
        "@hookimpl\ndef layers(): return {'CRF': 'acme.things:CRF'}",
        things="class CRF: ...",
    )
    catalog, found = site.catalog(), []
    threads = [threading.Thread(target=lambda: found.append(catalog.find("layers", "CRF"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert log.read_text() == "x"
