"""What can go wrong between a name and the thing it stands for, and how strangers' text is quoted.

Names come from files and from other people's plugins: messages quote them with `shown`, escaped and short.
"""

from __future__ import annotations

import reprlib
import traceback

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80
shown = _short.repr
_LONGEST = 4000  # characters of a message


class UnknownName(ValueError):
    """No plugin, scope or argument offers the name."""


class AmbiguousName(ValueError):
    """Two plugins offer the name; `package>Name` chooses one."""


class PluginError(ImportError):
    """A plugin offers the name, and what it stands for could not be imported."""


class PluginWarning(UserWarning):
    """A plugin was left out."""


def summary(error: BaseException) -> str:
    """The error's type and message in one line that is safe to print, also when its own __str__ fails."""
    return printable(" ".join("".join(traceback.format_exception_only(error)).split()))[:300]


def tidy(error: BaseException) -> None:
    """Make an error's message safe to print, and of a fair length: it may quote what a stranger wrote."""
    match error.args:
        case [str(text)]:
            cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 4 :]}"
            error.args = (printable(cut),)


def printable(text: str) -> str:
    """The text with everything but line ends and printable characters escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
