"""Devices: where arrays live and which array module computes on them.

A device is an array module `xp` with NumPy's interface, the two transfers, and streams of random numbers.
NumPy's is here; others (CuPy's, in lamina-cuda) arrive through the `devices` hook.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np


class Device:
    """Base of all devices.

    name: what `lamina.device(name)` and LAMINA_DEVICE call it, such as "cpu" or "cuda:1".
    xp: the array module.
    providers: names of kernel providers this device may use, fastest first.
    """

    name = "cpu"
    xp: Any = np

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._epoch = 0  # what reseed() last drew

    def to_device(self, array: np.ndarray) -> Any:
        """`array` in this device's memory (the array itself where that is the host's)."""
        return np.ascontiguousarray(array).reshape(array.shape)

    def to_host(self, array: Any) -> np.ndarray:
        """The content as a NumPy array, shared where the memory is the host's."""
        return array

    def allocate(self, nbytes: int) -> Any:
        """A zeroed one-dimensional uint8 array, aligned to 64 bytes."""
        raw = np.zeros(nbytes + 64, np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + nbytes]

    def generator(self, entropy: list[int]) -> Any:
        """A generator with NumPy's `Generator` interface."""
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done."""

    def reseed(self, seed: int | None = None, seeds: Iterable[Seed] = ()) -> None:
        """Start every random stream again, from `seed` and its op's own seed.

        seed: 0 <= seed < 2**31; drawn from np.random when None, so that np.random's state decides all that follows.
        seeds: of ops that go by their position in this list from now on, where they were given no number: a model
            that was built again draws what the one before it drew.
        """
        self._epoch = int(np.random.randint(2**31 - 1)) if seed is None else int(seed)
        Seed.reseeds += 1
        for position, one in enumerate(seeds):
            one.place(position)
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.restart(self._epoch)

    def stream(self, seed: Seed) -> Stream:
        """A new stream of random numbers for one op.

        It takes part in the latest `reseed` if its op was there at the time; an op made since starts from its own
        seed alone, so that a model built after np.random.seed(0) is the same model whatever ran before.
        """
        stream = Stream(self, seed.entropy, self._epoch if seed.age < Seed.reseeds else 0)
        with self._lock:
            self._streams.add(stream)
        return stream


class Stream:
    """The random numbers of one op on one device: a generator that can be started again."""

    def __init__(self, device: Device, entropy: list[int], epoch: int) -> None:
        self.device = device
        self.entropy = entropy
        self.restart(epoch)

    def restart(self, epoch: int) -> None:
        self.generator = self.device.generator([epoch, *self.entropy])


class Seed:
    """The seed of one random op, and the streams drawn from it, one a device.

    Without a number one is drawn from np.random when the op is made, as Keras 2 does: np.random.seed(0) before
    a model is built makes everything after it repeat.
    """

    reseeds = 0  # calls of Device.reseed so far

    def __init__(self, value: int | None = None) -> None:
        self.age = Seed.reseeds
        self.given = value is not None
        if not (value is None or (isinstance(value, Real) and value >= 0 and int(value) == value)):
            raise ValueError(
                f"a seed is a whole number from 0 on, or None for one of np.random; met {value!r}"
            )
        self.value = int(np.random.randint(10_000_000)) if value is None else int(value)
        self.entropy = [self.value]
        self._streams: dict[str, Stream] = {}

    def place(self, position: int) -> None:
        """Go by a position among several ops, unless a number was given; streams do when they start again."""
        if not self.given:
            self.entropy = [position, 1]  # two numbers, so that it is nobody's given seed
            for stream in self._streams.values():
                stream.entropy = self.entropy

    def stream(self, device: Device) -> Stream:
        found = self._streams.get(device.name)
        return self._streams.setdefault(device.name, device.stream(self)) if found is None else found

    def __repr__(self) -> str:
        return f"Seed({self.value})"


def get_device(name: str) -> Device:
    """The device called `name`.  Raises UnknownName (a ValueError) when no plugin offers it."""
    if name not in _devices:
        from lamina_registry import lookup

        kind, _, index = name.partition(":")
        _devices.setdefault(name, lookup("devices", kind)(int(index or 0)))
    return _devices[name]


def current_device() -> Device:
    """The device in use: the innermost `with lamina.device(...)`, else LAMINA_DEVICE, else the CPU."""
    device = _current.get()
    if device is None:
        return get_device(os.environ.get("LAMINA_DEVICE") or "cpu")
    return device


@contextlib.contextmanager
def device(name: str) -> Iterator[Device]:
    """Variables are made, and functions run, on the device `name` inside the block."""
    chosen = get_device(name)
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)


_devices: dict[str, Device] = {"cpu": Device()}
_current: contextvars.ContextVar[Device | None] = contextvars.ContextVar("lamina_device", default=None)
