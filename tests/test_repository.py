"""The shape of the repository: every distribution is made alike, and the lists that name them all are complete."""

import ast
import importlib
import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

from lamina_registry import KINDS

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))
MEMBERS = [ROOT / "registry", ROOT / "core", *PLUGINS]


def label(folder):
    return folder.relative_to(ROOT).as_posix()


members = pytest.mark.parametrize("folder", MEMBERS, ids=label)
plugins = pytest.mark.parametrize("folder", PLUGINS, ids=label)


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]


def package(folder):
    (found,) = (path.parent for path in folder.glob("lamina*/__init__.py"))
    return found


def bare(requirement):
    return re.match(r"[\w.-]+", requirement)[0]


def test_the_lists_of_distributions_are_complete():
    script = runpy.run_path(str(ROOT / "scripts/workspace.py"))
    stale = [path.name for path, text in script["lists"]().items() if path.read_text("utf-8") != text]
    assert stale == [], "run scripts/workspace.py"


# ---- every distribution


@members
def test_a_distribution_is_made_like_the_others(folder):
    about = project(folder)
    name = package(folder).name
    assert about["name"] == {"lamina": "lamina-core"}.get(name, name.replace("_", "-"))
    assert about["requires-python"] == ">=3.11"
    assert about["license"].startswith("MIT")  # data may add its own
    assert about["version"] == "0.1.0"
    assert about["description"] and (folder / about["readme"]).is_file()
    assert list(folder.glob("tests/test_*.py")), "a distribution has tests of its own"


@members
def test_a_distribution_imports_what_it_depends_on(folder):
    """Dependencies run one way: plugins, core, registry; and each is declared."""
    about = project(folder)
    needed = [
        *about["dependencies"],
        *(r for group in about.get("optional-dependencies", {}).values() for r in group),
    ]
    declared = {bare(requirement).replace("-", "_").lower() for requirement in needed}
    declared = {"lamina" if name == "lamina_core" else name for name in declared} | {package(folder).name}
    if "lamina" in declared:
        declared |= {"lamina_registry", "numpy", "h5py", "pluggy"}
    met = {
        name: path
        for path in package(folder).rglob("*.py")
        for name in imported(path)
        if name.partition("_")[0] == "lamina" and name not in declared
    }
    assert not met


@plugins
def test_a_plugin_module_imports_only_hookimpl(folder):
    path = package(folder) / "plugin.py"
    tree = ast.parse(path.read_text("utf-8"))
    assert [
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    ] == ["from lamina_registry import hookimpl"]
    assert (path.parent / "__init__.py").read_text("utf-8") == ""


@plugins
def test_a_plugin_lists_its_names_in_order(folder):
    (entry,) = project(folder)["entry-points"]["lamina"].values()
    module = importlib.import_module(entry)
    assert module.API == 1
    hooks = [kind for kind in KINDS if hasattr(module, kind)]
    assert folder.parent.name in hooks, "the folder above a plugin is called after a hook it answers"
    for kind in hooks:
        names = list(getattr(module, kind)())
        assert names == sorted(names)


@members
def test_modules_begin_by_saying_what_is_in_them(folder):
    silent = [
        path.relative_to(folder)
        for path in package(folder).rglob("*.py")
        if path.read_text("utf-8") and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def imported(path):
    """The top-level packages a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def test_importing_lamina_imports_no_plugin():
    import subprocess

    told = "import sys, lamina; print(*(name for name in sys.modules if name.startswith('lamina_')))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
