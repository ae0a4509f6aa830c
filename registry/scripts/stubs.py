"""Write core/lamina/<facade>.pyi: the names and signatures of the first-party plugins, for editors.

    python registry/scripts/stubs.py            # write them
    python registry/scripts/stubs.py --check    # fail where one is out of date

A facade finds its names when the program runs; the stub beside it says where those of this repository come from.
Names of other plugins stay possible, and are typed Any.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from known_names import ROOT, facades, first_party

HEAD = "# Written by registry/scripts/stubs.py.\nfrom typing import Any\n\n"
ANY = "def __getattr__(name: str) -> Any: ...\n"
VERBS = {
    "get": "def get(identifier: Any) -> Any: ...\n",
    "serialize": "def serialize(obj: Any) -> Any: ...\n",
    "deserialize": "def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...\n",
}


def stubs() -> Iterator[tuple[Path, str]]:
    """Each stub's path and content."""
    catalog = first_party()
    for facade in facades():
        module = runpy.run_path(str(facade))
        homes = dict(module["__getattr__"].__self__.own)
        kind = facade.parent.name if facade.stem == "__init__" else facade.stem
        homes |= {name: catalog.offer(kind, name).target for name in catalog.names(kind)}
        imports, aliases = set(), []
        for name, home in sorted(homes.items()):
            where, _, attribute = home.replace(":", ".").rpartition(".")
            imports.add(f"from {where} import {attribute} as {attribute}\n")
            if (
                ":" not in home and where != f"lamina.{kind}"
            ):  # mypy finds modules of others once they are imported
                imports.add(f"import {home}  # noqa: F401\n")
            if name != attribute:
                aliases.append(f"{name} = {attribute}\n")
        blocks = (
            sorted(imports, key=_in_order),
            aliases,
            [*(VERBS[verb] for verb in VERBS if verb in module), ANY],
        )
        yield facade.with_suffix(".pyi"), HEAD + "\n".join("".join(block) for block in blocks if block)


def _in_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the stubs of the facades.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where one is out of date")
    check, stale = parser.parse_args().check, 0
    for path, content in stubs():
        if not check:
            path.write_text(content, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != content:
            print(f"{path.relative_to(ROOT)} is out of date: python registry/scripts/stubs.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
