"""The registry of Lamina's plugins: what is installed, under which names, and what a name stands for.

Importing this package reads nothing; plugins are discovered when the first name is looked up.
"""

from lamina_registry.catalogue import Catalog, Offer, catalog, lookup, names, register, registered_name
from lamina_registry.custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    note_named,
    objects_named,
)
from lamina_registry.errors import AmbiguousName, PluginError, PluginWarning, UnknownName, shown
from lamina_registry.facade import facade, places, verbs
from lamina_registry.hookspecs import API, KINDS, hookimpl
from lamina_registry.known import close_to, known_names
from lamina_registry.plugins import Plugin
from lamina_registry.serial import deserialize, get, serialize

__all__ = [
    "API",
    "KINDS",
    "AmbiguousName",
    "Catalog",
    "CustomObjectScope",
    "Offer",
    "Plugin",
    "PluginError",
    "PluginWarning",
    "UnknownName",
    "catalog",
    "close_to",
    "custom_object_scope",
    "deserialize",
    "facade",
    "get",
    "get_custom_objects",
    "hookimpl",
    "known_names",
    "lookup",
    "names",
    "note_named",
    "objects_named",
    "places",
    "register",
    "registered_name",
    "serialize",
    "shown",
    "verbs",
]
