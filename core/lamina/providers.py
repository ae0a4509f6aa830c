"""Kernel providers: packages that bring faster forms of ops that exist already.

A provider is found through the `kernels` hook: a name and a `Provider` whose module, when imported, registers its
kernels with `@some_op.kernel(name)`.  `LAMINA_KERNELS=numpy` turns all others off; `LAMINA_KERNELS=numba,onednn`
names the ones to use.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from lamina.devices import Device


@dataclass(frozen=True)
class Provider:
    """name: as in `@op.kernel(name)`.  rank: lower is asked first; core's own NumPy kernels have 100.

    devices: the kinds of device it serves, "cpu" or "cuda".  available: None, or why it cannot run here.
    """

    name: str
    rank: int = 50
    devices: tuple[str, ...] = ("cpu",)
    available: Callable[[], str | None] = lambda: None


NUMPY = Provider("numpy", 100)
_found: list[Provider] | None = None


def providers() -> list[Provider]:
    """All installed providers that can run here, fastest first."""
    global _found
    if _found is None:
        from lamina_registry import lookup, names

        found = [NUMPY]
        for name in names("kernels"):
            try:
                provider = lookup("kernels", name)
                reason = provider.available()
            except Exception as error:
                warnings.warn(f"the kernels of {name} are left out: {error}", RuntimeWarning, stacklevel=2)
                continue
            if reason is None:
                found.append(provider)
        _found = sorted(found, key=lambda provider: provider.rank)
    return _found


def providers_for(device: Device) -> list[str]:
    """Names of the providers to ask for `device`, in order."""
    chosen = os.environ.get("LAMINA_KERNELS")
    allowed = None if chosen is None else {name.strip() for name in (chosen or "numpy").split(",")}
    kind = device.name.partition(":")[0]
    return [p.name for p in providers() if kind in p.devices and (allowed is None or p.name in allowed)]


def register_provider(provider: Provider) -> None:
    """Add a provider that no distribution brings (a notebook's, a test's); plans made from now on ask it."""
    global _found
    _found = sorted([*providers(), provider], key=lambda p: p.rank)


def unregister_provider(name: str) -> None:
    """Leave out the provider called `name` from now on."""
    global _found
    _found = [provider for provider in providers() if provider.name != name]
