"""The command `lamina new`: a plugin to start from, rendered from the template by copier."""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
"""What PyPI takes as the name of a project (PEP 508)."""


def main(argv: Sequence[str]) -> int:
    """start a plugin of your own: one layer, one op, their tests"""
    parser = argparse.ArgumentParser(
        "lamina new", description="Start a plugin: one layer, one op, their tests."
    )
    parser.add_argument("name", help="of the distribution, as pip will know it: lamina-wavelets")
    parser.add_argument("--author", default="", help="who stands on PyPI as its author")
    parser.add_argument("--description", default="A plugin for Lamina", help="what it does, in one line")
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="an empty or new folder; NAME when not given"
    )
    given = parser.parse_args(argv)
    try:
        made = render(given.name, given.into or Path(given.name), given.author, given.description)
    except (ValueError, OSError) as error:
        print(f"lamina new: {error}", file=sys.stderr)
        return 2
    print(f"{made} is ready. Next:\n    cd {made}\n    pip install -e '.[test]'\n    pytest")
    return 0


def render(name: str, into: Path, author: str = "", description: str = "A plugin for Lamina") -> Path:
    """Write the plugin `name` into the folder `into`, which is answered.

    Raises ValueError for a name that no distribution or package can have, FileExistsError for a folder with content.
    """
    check_name(name)
    for what, text in (("author", author), ("description", description)):
        if not text.isprintable():
            raise ValueError(f"the {what} {text!r} must be one line of printable text")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise FileExistsError(f"{into} exists and is not empty: choose another folder with --into DIR")
    from copier import run_copy  # a third of a second that `lamina --help` need not pay
    from plumbum import CommandNotFound

    answers = {"name": name, "author": author, "description": description}
    try:
        run_copy(str(template()), into, data=answers, defaults=True, quiet=True)
    except CommandNotFound as error:
        raise FileNotFoundError(
            "copier, which renders the template, needs git on the PATH: install git"
        ) from error
    return into


def check_name(name: str) -> None:
    """Raises ValueError unless `name` can be a distribution, and a new package can be called after it."""
    if not DISTRIBUTION.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a distribution: letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends, such as lamina-wavelets"
        )
    package = re.sub(r"[-.]", "_", name).lower()
    if not package.isidentifier() or keyword.iskeyword(package):
        raise ValueError(
            f"{name!r} would make the package {package!r}, which Python cannot import: try lamina-{name}"
        )
    if package in sys.stdlib_module_names or find_spec(package) is not None:
        raise ValueError(
            f"a package {package!r} is installed already: choose another name, such as {name}-extra"
        )


def template() -> Path:
    """The folder of the template: in the installed package, or, where that is editable, in the repository."""
    packed = Path(__file__).with_name("template")
    return packed if packed.is_dir() else Path(__file__).parents[4] / "contrib_template"
