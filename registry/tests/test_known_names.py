"""The table of known names, and the stubs of the facades, say what the plugins beside them offer."""

import subprocess
import sys
from pathlib import Path

import pytest

from lamina_registry import KINDS, known_names

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "plugins").is_dir(), reason="the plugins are not beside this package")
@pytest.mark.parametrize("script", ["known_names.py", "stubs.py"])
def test_what_is_generated_is_up_to_date(script):
    command = [sys.executable, str(ROOT / "registry/scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_names_kinds_and_distributions():
    assert known_names().keys() <= set(KINDS)
    assert known_names()["layers"]["Sequential"] == "lamina-core"
    packages = {package for names in known_names().values() for package in names.values()}
    assert all(package.startswith("lamina-") for package in packages)
