"""Ledger: the losses or updates that a layer adds beside its outputs, by the inputs they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Ledger:
    """Entries that always hold, and entries of one call of the layer, found by the call's input tensors."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        # The tensors are kept beside the entries, lest another tensor get the identity of one that is gone.
        self._calls: dict[tuple[int, ...], tuple[list[Any], list[Any]]] = {}

    def add(self, entries: Sequence[Any], inputs: Sequence[Any] | None) -> None:
        """Enter what depends on `inputs`, or always holds when that is None."""
        tensors = list(inputs or ())
        self.entries += entries
        self._calls.setdefault(key(tensors), (tensors, []))[1].extend(entries)

    def of(self, inputs: Sequence[Any] | None) -> list[Any]:
        """What was entered for exactly these inputs; for None, what always holds."""
        _, entries = self._calls.get(key(inputs or ()), ((), []))
        return list(entries)

    def cut(self, length: int) -> None:
        """Forget all entries but the first `length`."""
        gone = {id(entry) for entry in self.entries[length:]}
        del self.entries[length:]
        for _, entries in self._calls.values():
            entries[:] = [entry for entry in entries if id(entry) not in gone]


def key(tensors: Sequence[Any]) -> tuple[int, ...]:
    """What identifies these very tensors while they live."""
    return tuple(id(tensor) for tensor in tensors)
