"""Well-known names: which distribution has what, so that a missing plugin is one line to type.

known_names.json is written by scripts/known_names.py from the plugins that are developed beside this package.
"""

from __future__ import annotations

import difflib
import functools
import json
import pkgutil
from collections.abc import Iterable, Sequence

from lamina_registry.errors import UnknownName, shown
from lamina_registry.plugins import Plugin, normal

_NOUNS = {"activations": "activation function", "losses": "loss function", "metrics": "metric function"}


def noun(kind: str) -> str:
    """What one thing of a kind is called in messages, with Keras's words."""
    return _NOUNS.get(kind, kind.removesuffix("s"))


@functools.cache
def known_names() -> dict[str, dict[str, str]]:
    """{kind: {name: distribution}}"""
    table: dict[str, dict[str, str]] = json.loads(pkgutil.get_data(__package__, "known_names.json") or b"{}")
    return table


def unknown(kind: str, name: str, names: Sequence[str], plugins: Sequence[Plugin]) -> UnknownName:
    """The error for a name nobody offers: what was looked for, what is close to it, and what to type."""
    package, _, bare = name.rpartition(">")
    parts = [f"Unknown {noun(kind)}: {shown(name)}."]
    if close := close_to(bare, names):
        parts.append(f"Close to it: {', '.join(close)}.")
    known = known_names().get(kind, {}).get(bare)
    if known and normal(package) in ("", known):
        parts.append(_remedy(bare, known, plugins))
    elif package:  # never the line to install it: the name may be a file's, and the package a trap
        parts.append(f"No plugin called {shown(package)} that is installed and enabled offers it.")
    broken = [plugin.package for plugin in plugins if plugin.status == "broken" and plugin.package != known]
    if broken:
        parts.append(f"Some plugins could not be loaded ({', '.join(broken)}): see `lamina plugins check`.")
    return UnknownName(" ".join(parts))


def close_to(name: str, names: Iterable[str]) -> list[str]:
    """Up to three of `names` that someone who wrote `name` may have meant, the closest first."""
    if len(name) >= 100:
        return []
    by_sound: dict[str, list[str]] = {}
    for known in names:
        by_sound.setdefault(known.lower(), []).append(known)
    close = difflib.get_close_matches(name.lower(), by_sound)
    return [known for sound in close for known in by_sound[sound]][:3]


def _remedy(name: str, package: str, plugins: Sequence[Plugin]) -> str:
    installed = [plugin for plugin in plugins if plugin.package == package]
    if not installed:
        return f"{name} is in {package}: pip install {package}"
    reason = next((plugin.reason for plugin in installed if plugin.reason), None)
    if reason is None:
        return f"{name} is in a newer {package}: pip install --upgrade {package}"
    return f"{name} is in {package}, which is installed and {installed[0].status}: {reason}."
