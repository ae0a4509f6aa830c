"""Distributions made on the spot, for tests of what finds plugins.

    site = Site(tmp_path)
    site.install("acme", plugin='API = 1', layers='class CRF: ...')

writes the package `acme` with modules `plugin` and `layers`, and the metadata an installer would write, so that
`lamina_registry` finds it wherever `tmp_path` is on sys.path.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from lamina_registry.catalogue import Catalog


class Site:
    """A folder that holds installed distributions.  hook: the head that most plugin modules start with."""

    hook = "from lamina_registry import hookimpl\nAPI = 1\n"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self, package: str, version: str = "1.0", entry_points: str | None = None, **modules: str
    ) -> None:
        """Write a distribution, its import package and the entry point `<package> = <package>.plugin`.

        package: name of the distribution; dashes become underscores in that of the import package.
        entry_points: the whole file, instead of that entry point.
        modules: source by module name.
        """
        importable = package.replace("-", "_")
        if entry_points is None:
            entry_points = f"[lamina]\n{package} = {importable}.plugin\n"
        self.write(f"{importable}/__init__.py", "")
        for name, source in modules.items():
            self.write(f"{importable}/{name}.py", dedent(source))
        about = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        self.write(f"{importable}-{version}.dist-info/METADATA", about)
        self.write(f"{importable}-{version}.dist-info/entry_points.txt", entry_points)

    def offering(self, package: str, kind: str = "layers", **names: str) -> None:
        """Install a plugin that offers names, and a module `things` with what they stand for.

        names: source by name, such as CRF="class CRF: ...".
        """
        homes = {name: f"{package.replace('-', '_')}.things:{name}" for name in names}
        plugin = f"{self.hook}@hookimpl\ndef {kind}(): return {homes}\n"
        self.install(package, plugin=plugin, things="\n".join(map(dedent, names.values())))

    def write(self, path: str, content: str | bytes) -> Path:
        """Write one file below the folder."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def catalog(self, **environ: str) -> Catalog:
        """A catalogue of what is installed here and nowhere else."""
        return Catalog([str(self.folder)], environ)

    @contextlib.contextmanager
    def importable(self) -> Iterator[Site]:
        """Inside the block the folder comes first on sys.path; what was imported from it is forgotten after."""
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        try:
            yield self
        finally:
            sys.path.remove(str(self.folder))
            for name, module in list(sys.modules.items()):
                if str(getattr(module, "__file__", None)).startswith(str(self.folder)):
                    del sys.modules[name]
