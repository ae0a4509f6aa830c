"""The `lamina` command, over plugins made for the occasion."""

import json
import subprocess
import sys

import pytest

from lamina.cli import main
from lamina_registry.testing import Site


@pytest.fixture
def site(tmp_path, monkeypatch):
    with Site(tmp_path).importable() as made:
        monkeypatch.setattr("lamina_registry.catalogue._catalog", made.catalog())
        made.offering("acme", CRF="class CRF: ...", Attention="class Attention: ...")
        yield made


@pytest.fixture
def lamina(capsys, recwarn):
    def run(*argv):
        status = main(argv)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_list_shows_every_plugin_and_what_it_offers(site, lamina):
    site.install("broken", plugin="1 / 0")
    status, text = lamina("plugins", "list")
    assert status == 0
    assert "acme 1.0 (acme): ready\n    layers: Attention, CRF\n" in text
    assert "broken 1.0 (broken): broken, ZeroDivisionError: division by zero" in text


def test_list_speaks_json(site, lamina):
    status, text = lamina("plugins", "list", "--json")
    (plugin,) = json.loads(text)
    assert (status, plugin["package"], plugin["status"]) == (0, "acme", "ready")
    assert plugin["offers"] == {"layers": {"CRF": "acme.things:CRF", "Attention": "acme.things:Attention"}}


def test_why_tells_where_a_name_comes_from(site, lamina):
    expected = "layers: CRF is acme.things:CRF, offered by plugin 'acme' of acme 1.0\n"
    assert lamina("plugins", "why", "CRF") == (0, expected)


def test_why_tells_of_a_clash(site, lamina):
    site.offering("other", CRF="class CRF: ...")
    status, text = lamina("plugins", "why", "CRF")
    assert status == 0
    assert "acme.things:CRF" in text
    assert "other.things:CRF" in text
    assert "write acme>CRF or other>CRF" in text


def test_why_shows_the_traceback_of_a_broken_plugin(site, lamina):
    site.install("broken", plugin="1 / 0")
    status, text = lamina("plugins", "why", "broken")
    assert status == 0
    assert "broken/plugin.py" in text
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_why_knows_what_is_not_installed(site, lamina):
    assert "pip install lamina-core" in lamina("plugins", "why", "Sequential")[1]
    assert lamina("plugins", "why", "CRV\x1b[2J") == (1, "Nothing installed is called 'CRV\\x1b[2J'.\n")
    assert lamina("plugins", "why", "CRV") == (1, "Nothing installed is called 'CRV'. Close to it: CRF.\n")


def test_check_imports_everything(site, lamina):
    status, text = lamina("plugins", "check")
    assert status == 0
    assert "acme 1.0 (acme): ready: 2 names, imported in " in text
    assert text.endswith("all is well\n")


def test_check_reports_broken_slow_and_clashing_plugins(site, lamina):
    site.install("broken", plugin="1 / 0")
    site.install("slow", plugin="import time; time.sleep(.15)\n" + Site.hook)
    site.offering("other", CRF="class CRF: ...", Crooked="import no_such_module")
    status, text = lamina("plugins", "check")
    assert status == 1
    assert "`lamina plugins why broken` shows the traceback" in text
    assert "slow: its plugin module took 0." in text
    assert "No module named 'no_such_module'" in text
    assert "write acme>CRF or other>CRF" in text


def test_doctor_tells_versions_devices_and_broken_plugins(site, lamina):
    site.install("broken", plugin="1 / 0")
    site.offering("gpu", "devices", gpu="def gpu(index): raise RuntimeError('no driver')")
    status, text = lamina("doctor")
    assert status == 1
    assert "numpy " in text
    assert "device    cpu: ready" in text
    assert "device    gpu: unavailable, no driver" in text
    assert "kernels   numpy" in text
    assert "broken 1.0 (broken): broken, ZeroDivisionError" in text


GREET = '''
def greet(argv):
    """greet somebody

    at length
    """
    print("hello", *argv)
    return 3 if argv else None
'''


def test_plugins_bring_commands(site, lamina):
    site.offering("acme-greet", "commands", greet=GREET)
    assert lamina("greet", "--loud", "you") == (3, "hello --loud you\n")
    assert lamina("greet") == (0, "hello\n")


def test_help_lists_every_command_with_its_first_line(site, lamina, capsys):
    site.offering("acme-greet", "commands", greet=GREET)
    site.offering("bad-command", "commands", crash="1 / 0")
    with pytest.raises(SystemExit, match="0"):
        main([])
    text = capsys.readouterr().out
    assert "  doctor     versions, devices, kernels in use, broken plugins\n" in text
    assert "  greet      greet somebody\n" in text
    assert "ZeroDivisionError" in text


def test_an_unknown_command_is_an_error_that_names_what_is_close(site, lamina):
    site.offering("acme-greet", "commands", greet=GREET)
    assert lamina("gret") == (2, "lamina: Unknown command: 'gret'. Close to it: greet.\n")


def test_the_module_runs_as_a_program(site):
    done = subprocess.run(
        [sys.executable, "-m", "lamina.cli", "plugins", "list", "--json"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert isinstance(json.loads(done.stdout), list)


def test_a_reader_who_has_seen_enough_is_no_error(site):
    command = [sys.executable, "-m", "lamina.cli", "plugins", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 1
