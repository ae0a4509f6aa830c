"""The catalogue: which name of which kind is offered by whom, and what it stands for."""

from __future__ import annotations

import functools
import importlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamina_registry.custom_objects import get_custom_objects, note_named
from lamina_registry.errors import AmbiguousName, PluginError, shown, summary
from lamina_registry.hookspecs import KINDS
from lamina_registry.known import known_names, noun, unknown
from lamina_registry.plugins import Plugin, discover, normal, warn

CUSTOM = "custom"
"""The package of what a program registers without naming one; Keras 3 writes `Custom>Name` in its files."""


@dataclass(frozen=True)
class Offer:
    """One name, offered by one package.  target: the thing itself, or its home "module:attribute"."""

    kind: str
    name: str
    target: Any
    package: str
    source: str

    def load(self) -> Any:
        """What the name stands for.  Raises PluginError when importing it fails in any way."""
        try:
            return load(self.target) if isinstance(self.target, str) else self.target
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(
                f"{noun(self.kind)} {self.name!r} is offered by {self.source}, "
                f"and importing {self.target} failed: {summary(error)}"
            ) from error

    def points_at(self, thing: Any) -> bool:
        """Whether `thing` is the target, or says that it lives there."""
        return self.target == home(thing) if isinstance(self.target, str) else self.target is thing

    def stands_for(self, thing: Any) -> bool:
        """Whether `thing` is what this offer names; imports only modules of the thing's own package."""
        if self.points_at(thing):
            return True
        if not isinstance(self.target, str) or _root(self.target) != _root(home(thing)):
            return False
        try:
            return self.load() is thing
        except PluginError:
            return False


class Catalog:
    """All that the installed plugins and calls of `register` offer, by kind and name.

    Plugins are looked for once, at the first question.

    path: directories in which distributions are found; sys.path when None.
    environ: where LAMINA_PLUGINS and LAMINA_DISABLE_PLUGINS are read.
    """

    def __init__(self, path: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._environ = environ
        self._plugins: list[Plugin] | None = None
        self._offers: dict[str, dict[str, list[Offer]]] = {kind: {} for kind in KINDS}
        self._found: dict[tuple[str, str], Any] = {}
        self._lock = threading.RLock()
        self._discovering = False

    @property
    def plugins(self) -> list[Plugin]:
        """Every plugin installed, the broken and the disabled among them."""
        if self._plugins is None:
            with self._lock:
                if self._plugins is None:
                    self._plugins = self._discover()
                    warn(self._plugins, self._environ)
        return self._plugins

    def names(self, kind: str) -> list[str]:
        """The names of one kind, sorted."""
        return sorted(self._by_name(kind))

    def find(self, kind: str, name: str) -> Any:
        """What `name` or `package>name` stands for.

        Raises UnknownName, AmbiguousName, or PluginError when its module cannot be imported.
        """
        found = self._found.get((kind, name))
        if found is None:
            found = self._found[kind, name] = self.offer(kind, name).load()
        return found

    def offer(self, kind: str, name: str) -> Offer:
        """The one offer of `name` or `package>name`.  Raises UnknownName or AmbiguousName."""
        offers = self.offers(kind, name) or self.offers(kind, self._spelt(kind, name))
        if not offers:
            raise unknown(kind, name, self.names(kind), self.plugins)
        if len(offers) > 1:
            sources = " and by ".join(offer.source for offer in offers)
            choices = " or ".join(f"{offer.package}>{offer.name}" for offer in offers)
            packages = [offer.package for offer in offers if offer.package != CUSTOM]
            raise AmbiguousName(
                f"{noun(kind)} {shown(name)} is offered by {sources}: write {choices}, "
                f"or leave one plugin out with LAMINA_DISABLE_PLUGINS={packages[-1]}"
            )
        return offers[0]

    def offers(self, kind: str, name: str) -> list[Offer]:
        """Every different thing that `name` or `package>name` stands for: one, unless plugins clash."""
        package, _, bare = name.rpartition(">")
        found = self._by_name(kind).get(bare, [])
        if package:
            found = [offer for offer in found if offer.package == normal(package)]
        return [offer for at, offer in enumerate(found) if offer.target not in (o.target for o in found[:at])]

    def offer_of(self, kind: str, thing: Any) -> Offer | None:
        """The offer that stands for a class or function: under its own name if there is one, else any."""

        def candidates() -> Iterator[Offer]:
            by_name = self._by_name(kind)
            own = by_name.get(getattr(thing, "__name__", ""), [])
            yield from (offer for offer in own if offer.stands_for(thing))
            every = [offer for offers in list(by_name.values()) for offer in offers]
            yield from (offer for offer in every if offer.points_at(thing))

        return next(candidates(), None)

    def register(self, name: str, target: Any, kind: str, package: str | None = None) -> None:
        """Offer `name` without a distribution; what the package registered under it before is replaced."""
        if not name or ">" in name:
            raise ValueError(f"{shown(name)} cannot be registered: a name has no '>' and is not empty")
        package = normal(package or CUSTOM)
        offer = Offer(kind, name, target, package, f"a call of register() for {package}")
        with self._lock:
            offers = self._kind(kind).setdefault(name, [])
            offers[:] = [other for other in offers if other.source != offer.source] + [offer]
            self._found.clear()

    def _by_name(self, kind: str) -> dict[str, list[Offer]]:
        if self._plugins is None:
            self.plugins  # noqa: B018  the first question starts the discovery
        return self._kind(kind)

    def _kind(self, kind: str) -> dict[str, list[Offer]]:
        try:
            return self._offers[kind]
        except KeyError:
            raise ValueError(f"{shown(kind)} is no kind; the kinds are {', '.join(KINDS)}") from None

    def _spelt(self, kind: str, name: str) -> str:
        """The name as it is offered: Keras takes 'sgd' and 'SGD' alike, for optimizers only."""
        package, mark, bare = name.rpartition(">")
        same = [known for known in self.names(kind) if known.lower() == bare.lower()]
        return package + mark + same[0] if same and kind == "optimizers" else name

    def _discover(self) -> list[Plugin]:
        if self._discovering:
            raise RuntimeError("plugins are still being discovered: look names up when they are used")
        self._discovering = True
        try:
            plugins = discover(self._path, self._environ)
        finally:
            self._discovering = False
        for plugin in plugins:
            for kind, names in plugin.offers.items():
                for name, where in names.items():
                    offer = Offer(kind, name, where, plugin.package, str(plugin))
                    self._offers[kind].setdefault(name, []).append(offer)
        return plugins


def catalog() -> Catalog:
    """The catalogue of this process."""
    return _catalog


def lookup(kind: str, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What a name stands for: in `custom_objects`, else in the CustomObjectScope, else in the catalogue.

    kind: "layers", "losses", ...
    name: "Dense", or "package>Dense" for that of one package.  Custom objects answer to either.

    Raises UnknownName, AmbiguousName, or PluginError when a plugin's module cannot be imported.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a {noun(kind)} is a string, not {shown(name)}")
    for objects in (custom_objects, get_custom_objects()):
        if objects:
            for spelling in (name, name.rpartition(">")[2]):
                if spelling in objects:
                    return objects[spelling]
    return catalog().find(kind, name)


def names(kind: str) -> list[str]:
    """The names of one kind that can be looked up, sorted."""
    return catalog().names(kind)


def register(name: str, target: Any = None, kind: str = "layers", package: str | None = None) -> Any:
    """Offer a name without a distribution: in notebooks, and in programs frozen without entry points.

        register("Swish", swish, "activations")
        register("Conv2D", "lamina_conv.conv2d:Conv2D", "layers", package="lamina-conv")

        @register("Attention")
        class Attention(Layer): ...

    target: the thing, or its home "module:attribute", imported on first use.
    package: makes the name `package>Name` in files.  Registering again for the same package replaces.
    """
    if target is None:
        return lambda thing: register(name, thing, kind, package)
    catalog().register(name, target, kind, package)
    return target


def registered_name(kind: str, obj: Any) -> str:
    """The name by which a config should call `obj`, a class, a function or an instance.

    Names of the known table are bare, as Keras 2 reads them; those of other packages are `package>Name`.
    """
    thing = obj if hasattr(obj, "__name__") else type(obj)
    offer = catalog().offer_of(kind, thing)
    if offer is None:
        name: str = thing.__name__
        note_named(name, thing)
        return name
    well_known = offer.package in (CUSTOM, known_names().get(kind, {}).get(offer.name))
    alone = len(catalog().offers(kind, offer.name)) == 1
    return offer.name if well_known and alone else f"{offer.package}>{offer.name}"


def load(where: str) -> Any:
    """Import the thing at home "module:attribute", or a whole "module"."""
    module, _, attributes = where.partition(":")
    found = importlib.import_module(module)
    return functools.reduce(getattr, attributes.split("."), found) if attributes else found


def home(thing: Any) -> str:
    """Where a class or function says it lives, as "module:attribute"."""
    return f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', '')}"


_catalog = Catalog()


def _root(where: str) -> str:
    return where.partition(":")[0].partition(".")[0]
