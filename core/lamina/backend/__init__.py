"""K: Keras 2's backend functions on Lamina's tensors.

Functions that plugins bring (`K.conv2d`, `K.pool2d`, ...) are found in the catalogue when they are first used.
"""

from __future__ import annotations

from typing import Any

import lamina.ops  # noqa: F401  gives tensors their operators
from lamina.backend import (
    control,
    elementwise,
    functions,
    linalg,
    nn,
    phase,
    random,
    recurrence,
    reductions,
    session,
    shapes,
    variables,
)
from lamina.backend.control import *  # noqa: F403
from lamina.backend.elementwise import *  # noqa: F403
from lamina.backend.functions import *  # noqa: F403
from lamina.backend.linalg import *  # noqa: F403
from lamina.backend.nn import *  # noqa: F403
from lamina.backend.phase import *  # noqa: F403
from lamina.backend.random import *  # noqa: F403
from lamina.backend.recurrence import *  # noqa: F403
from lamina.backend.reductions import *  # noqa: F403
from lamina.backend.session import *  # noqa: F403
from lamina.backend.shapes import *  # noqa: F403
from lamina.backend.variables import *  # noqa: F403

_FAMILIES = (
    control,
    elementwise,
    functions,
    linalg,
    nn,
    phase,
    random,
    recurrence,
    reductions,
    session,
    shapes,
    variables,
)

__all__ = [name for family in _FAMILIES for name in family.__all__]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lamina_registry import UnknownName, lookup

    try:
        return lookup("ops", name)
    except UnknownName as error:
        raise AttributeError(str(error)) from error


def __dir__() -> list[str]:
    from lamina_registry import names

    return sorted({*__all__, *names("ops")})
