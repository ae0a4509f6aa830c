"""Wheels of every distribution, and environments outside the repository to install them in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = [
    ROOT,
    ROOT / "registry",
    ROOT / "core",
    *sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml")),
]


def run(*command, cwd, timeout=600):
    """What a command prints; its failure fails the test, with all that it said."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LAMINA_", "PYTEST_", "COVERAGE_"))
        and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


class Environment:
    """A virtual environment.  What is installed from files comes from there, what those need from the index."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.uv = os.environ.get("UV") or shutil.which("uv")
        if self.uv:
            run(self.uv, "venv", "--quiet", "--python", sys.executable, folder, cwd=ROOT.parent)
        else:
            run(sys.executable, "-m", "venv", folder, cwd=ROOT.parent)

    def install(self, *what):
        if self.uv:
            run(self.uv, "pip", "install", "--quiet", "--python", self.bin / "python", *what, cwd=self.folder)
        else:
            run(self.bin / "python", "-m", "pip", "install", "--quiet", *what, cwd=self.folder)

    def run(self, command, *arguments, cwd=None):
        return run(self.bin / command, *arguments, cwd=cwd or self.folder)


@pytest.fixture
def environment(tmp_path):
    """A new environment with nothing in it."""
    return Environment(tmp_path / "environment")


@pytest.fixture(scope="session")
def build():
    """build(project, folder) puts the wheel of a project into a folder."""
    return lambda project, folder: run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=project
    )


@pytest.fixture(scope="session")
def wheels(build, tmp_path_factory):
    """{distribution: its wheel} for all of them.  LAMINA_WHEELS names a folder where they are already."""
    folder = Path(os.environ.get("LAMINA_WHEELS") or tmp_path_factory.mktemp("wheels")).resolve()
    if "LAMINA_WHEELS" not in os.environ:
        for member in MEMBERS:
            build(member, folder)
    found = {path.name.partition("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}
    assert len(found) == len(MEMBERS)
    return found
