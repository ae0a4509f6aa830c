"""Writes the lists that name every distribution of the repository: run it after adding or removing one.

They are the dependencies and sources of the metapackage in pyproject.toml, and requirements.txt and
requirements-dev.txt for pip, which cannot read a uv workspace.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def members() -> list[Path]:
    """The folders of the distributions, the metapackage aside."""
    return [
        ROOT / "registry",
        ROOT / "core",
        *sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml")),
    ]


def name(folder: Path) -> str:
    """The name of the distribution in a folder."""
    found: str = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["name"]
    return found


def lists() -> dict[Path, str]:
    """What each file must be."""
    names = sorted(map(name, members()))
    meta = (ROOT / "pyproject.toml").read_text("utf-8")
    dependencies = "".join(f'    "{each}>=0.1,<0.2",\n' for each in names)
    sources = "".join(f"{each} = {{ workspace = true }}\n" for each in names)
    meta = re.sub(r"(?m)^(dependencies = \[\n)(    .*\n)*", rf"\1{dependencies}", meta, count=1)
    meta = re.sub(r"(?m)^(\[tool\.uv\.sources\]\n)(lamina-.*\n)*", rf"\1{sources}", meta, count=1)
    tools = tomllib.loads(meta)["dependency-groups"]["dev"]
    folders = [f"-e ./{folder.relative_to(ROOT).as_posix()}" for folder in members()]
    head = "# Written by scripts/workspace.py:"
    return {
        ROOT / "pyproject.toml": meta,
        ROOT / "requirements.txt": "\n".join([f"{head} every distribution of the workspace.", *folders, ""]),
        ROOT / "requirements-dev.txt": "\n".join(
            [f"{head} what the tests need besides.", "-r requirements.txt", *tools, ""]
        ),
    }


if __name__ == "__main__":
    for path, text in lists().items():
        path.write_text(text, "utf-8")
