"""The hooks a plugin may answer, one for each kind of thing.

Each answers a dict from names to homes, such as {"Conv2D": "lamina_conv.conv2d:Conv2D"}; a home without a
colon is a module.  A home is imported when its name is first used.  A new kind is one more function here.
"""

from __future__ import annotations

from collections.abc import Mapping

import pluggy

API = 1
"""The number a plugin module declares as its own `API`: it changes when old plugins would no longer work."""

Names = Mapping[str, str] | None

hookspec = pluggy.HookspecMarker("lamina")
hookimpl = pluggy.HookimplMarker("lamina")


@hookspec
def layers() -> Names:
    """Layer classes."""


@hookspec
def ops() -> Names:
    """Functions that `lamina.backend` gains."""


@hookspec
def activations() -> Names:
    """Functions of a tensor, for `activation="..."`."""


@hookspec
def initializers() -> Names:
    """Initializer classes, and functions that make one."""


@hookspec
def regularizers() -> Names:
    """Regularizer classes, and functions that make one."""


@hookspec
def constraints() -> Names:
    """Constraint classes, and functions that make one."""


@hookspec
def losses() -> Names:
    """Functions of (y_true, y_pred)."""


@hookspec
def metrics() -> Names:
    """Functions of (y_true, y_pred)."""


@hookspec
def optimizers() -> Names:
    """Optimizer classes."""


@hookspec
def callbacks() -> Names:
    """Callback classes."""


@hookspec
def datasets() -> Names:
    """Modules with a `load_data` function."""


@hookspec
def applications() -> Names:
    """Modules of well-known models, and the functions that build them."""


@hookspec
def utils() -> Names:
    """Functions and classes that `lamina.utils` gains."""


@hookspec
def devices() -> Names:
    """Callables that answer the device of an index."""


@hookspec
def kernels() -> Names:
    """Providers of faster kernels for ops that exist: `lamina.providers.Provider` objects."""


@hookspec
def commands() -> Names:
    """Callables main(argv) for `lamina NAME ...`; the first line of the docstring is the help."""


KINDS = tuple(name for name, value in list(globals().items()) if hasattr(value, "lamina_spec"))
