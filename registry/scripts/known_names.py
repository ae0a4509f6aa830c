"""Write lamina_registry/known_names.json: which distribution of this repository offers what.

    python registry/scripts/known_names.py            # write it
    python registry/scripts/known_names.py --check    # fail where it is out of date

Plugins are read from their sources, installed or not; nothing they offer is imported.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pluggy

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "registry/lamina_registry/known_names.json"
sys.path.insert(0, str(ROOT / "registry"))

from lamina_registry import KINDS, Catalog, catalogue, hookspecs  # noqa: E402
from lamina_registry.plugins import offers  # noqa: E402


def first_party() -> Catalog:
    """A catalogue of every plugin in this repository and of what the core registers, and of nothing else."""
    catalogue._catalog = found = Catalog(path=[])
    for facade in facades():
        runpy.run_path(str(facade))
    manager = pluggy.PluginManager("lamina")
    manager.add_hookspecs(hookspecs)
    for file in sorted(ROOT.glob("plugins/*/*/lamina_*/plugin.py")):
        package = tomllib.loads((file.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["name"]
        module = ModuleType(package)
        exec(compile(file.read_text("utf-8"), file, "exec"), module.__dict__)
        for kind, homes in offers(module, package, manager).items():
            for name, home in homes.items():
                found.register(name, home, kind, package)
    return found


def facades() -> list[Path]:
    """The core's modules over one kind each."""
    files = [ROOT / f"core/lamina/{kind}{file}" for kind in KINDS for file in (".py", "/__init__.py")]
    return [file for file in files if file.exists() and " = facade(" in file.read_text("utf-8")]


def written() -> str:
    """The table as the file holds it: {kind: {name: distribution}}."""
    found = first_party()
    table = {kind: {name: found.offer(kind, name).package for name in found.names(kind)} for kind in KINDS}
    return json.dumps({kind: names for kind, names in table.items() if names}, indent=2) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the table of known names.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where it is out of date")
    if not parser.parse_args().check:
        TABLE.write_text(written(), "utf-8")
    elif TABLE.read_text("utf-8") != written():
        print(f"{TABLE.relative_to(ROOT)} is out of date: python registry/scripts/known_names.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
