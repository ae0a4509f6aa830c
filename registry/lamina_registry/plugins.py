"""Plugins: the entry points of the group `lamina`, each loaded on its own: a broken one harms no other."""

from __future__ import annotations

import re
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pluggy

from lamina_registry import hookspecs
from lamina_registry.errors import PluginWarning, printable, shown, summary

GROUP = "lamina"
_NAME = re.compile(r"_?[A-Za-z][\w.-]{0,99}")
_HOME = re.compile(r"[\w.]+(:[\w.]+)?")


@dataclass
class Plugin:
    """One entry point, and what became of it.

    name, package, version: of the entry point and of its distribution; package is normalised ("lamina-conv").
    home: the module the entry point names.
    status: "ready", "broken" (reason and traceback say why) or "disabled" (reason says by what).
    offers: {kind: {name: home}}.
    seconds: what importing the module and asking its hooks took.
    """

    name: str
    package: str
    version: str = ""
    home: str = ""
    status: Literal["ready", "broken", "disabled"] = "ready"
    reason: str = ""
    traceback: str = ""
    offers: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"plugin '{self.name}' of {self.package} {self.version}".rstrip()

    def fail(self, error: BaseException) -> None:
        self.status, self.reason, self.offers = "broken", summary(error), {}
        self.traceback = printable("".join(traceback.format_exception(error)))


def discover(path: Sequence[str] | None, environ: Mapping[str, str]) -> list[Plugin]:
    """Every plugin installed along `path` (None: sys.path), loaded unless the environment leaves it out.

    LAMINA_PLUGINS=a,b allows only these, and none when empty; LAMINA_DISABLE_PLUGINS=a,b leaves these out.
    Both take names of distributions or of entry points.
    """
    manager = pluggy.PluginManager("lamina")
    manager.add_hookspecs(hookspecs)
    plugins = []
    for plugin, point in sorted(_installed(path), key=lambda found: (found[0].package, found[0].name)):
        plugins.append(plugin)
        plugin.reason = _left_out(plugin, environ)
        if plugin.reason:
            plugin.status = "disabled"
        elif plugin.status == "ready":
            _load(plugin, point, manager)
    return plugins


def warn(plugins: Iterable[Plugin], environ: Mapping[str, str]) -> None:
    """Name every broken plugin once, and whatever LAMINA_PLUGINS asks for in vain."""
    for plugin in plugins:
        if plugin.status == "broken":
            told = f"{plugin} is left out: {plugin.reason}\n`lamina plugins why {plugin.package}` tells more."
            warnings.warn(told, PluginWarning, stacklevel=2)
    installed = {name for plugin in plugins for name in (normal(plugin.name), plugin.package)}
    for name in sorted(_listed(environ.get("LAMINA_PLUGINS")) - installed):
        told = f"LAMINA_PLUGINS names {shown(name)}, which is not installed"
        warnings.warn(told, PluginWarning, stacklevel=2)


def normal(package: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _installed(path: Sequence[str] | None) -> Iterator[tuple[Plugin, Any]]:
    from importlib import metadata  # 15 ms that `import lamina` need not pay

    seen = set()
    for found in metadata.distributions() if path is None else metadata.distributions(path=list(path)):
        try:
            # Each distribution is asked: in metadata.entry_points() one damaged file would hide all plugins.
            if f"[{GROUP}]" not in (found.read_text("entry_points.txt") or ""):
                continue
            about = found.metadata
            if "Name" not in about:
                raise ValueError("its metadata names no distribution")
            package = printable(normal(about["Name"]))
            version = printable(about["Version"] if "Version" in about else "")
            points = found.entry_points.select(group=GROUP)
        except Exception as error:
            plugin = Plugin("?", printable(str(getattr(found, "_path", "an unreadable distribution"))))
            plugin.fail(error)
            yield plugin, None
            continue
        if package not in seen:  # the first on the path is the one that is imported
            seen.add(package)
            for point in points:
                yield Plugin(printable(point.name), package, version, printable(point.value)), point


def _left_out(plugin: Plugin, environ: Mapping[str, str]) -> str:
    called = {normal(plugin.name), plugin.package}
    if "LAMINA_PLUGINS" in environ and not called & _listed(environ["LAMINA_PLUGINS"]):
        return "LAMINA_PLUGINS does not name it"
    if called & _listed(environ.get("LAMINA_DISABLE_PLUGINS")):
        return "LAMINA_DISABLE_PLUGINS names it"
    return ""


def _listed(names: str | None) -> set[str]:
    return {normal(name.strip()) for name in (names or "").split(",") if name.strip()}


def _load(plugin: Plugin, point: Any, manager: pluggy.PluginManager) -> None:
    """Import the plugin's module and ask its hooks.  Whatever goes wrong is written on the plugin."""
    started = time.perf_counter()
    module = None
    try:
        module = point.load()
        plugin.offers = offers(module, f"{plugin.package}:{plugin.name}", manager)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a plugin does not end the program
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        plugin.fail(error)
    finally:
        plugin.seconds = time.perf_counter() - started


def offers(module: Any, name: str, manager: pluggy.PluginManager) -> dict[str, dict[str, str]]:
    """What a plugin module answers to each hook.  Raises where it breaks the rules of a plugin."""
    spoken = getattr(module, "API", None)
    if spoken != hookspecs.API:
        newer = isinstance(spoken, int) and spoken > hookspecs.API
        raise ValueError(
            f"{name} declares API = {shown(spoken)}, and this lamina-registry speaks API = {hookspecs.API}: "
            + ("pip install --upgrade lamina-registry" if newer else "install a newer release of the plugin")
        )
    manager.register(module, name)
    manager.check_pending()
    answers: dict[str, dict[str, str]] = {}
    for caller in manager.get_hookcallers(module) or ():
        for hook in caller.get_hookimpls():
            if hook.plugin is module:
                answers.setdefault(caller.name, {}).update(_checked(caller.name, hook.function()))
    return answers


def _checked(kind: str, answer: Any) -> dict[str, str]:
    if not isinstance(answer, Mapping | None):
        raise TypeError(f"{kind}() answers {shown(answer)}, not a dict from names to 'module:attribute'")
    for name, home in (answer or {}).items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(f"{kind}() offers {shown(name)}; a name is letters, digits, '_', '-' and '.'")
        if not (isinstance(home, str) and _HOME.fullmatch(home)):
            raise ValueError(f"{kind}() says that {name} is at {shown(home)}; a home is 'module:attribute'")
    return dict(answer or {})
