"""Progress: how far the training of a model has come, saved with it, so that `fit` goes on as if it had not stopped."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina_registry import shown

_WORDS = 624  # in the state of the Mersenne Twister behind np.random


class Progress:
    """What a model's file keeps of its training besides weights and optimizer.

    epoch: how many epochs `fit` has finished; None in the middle of one, and before the first.
    best: the best values that callbacks have seen, each under a name of its own.

    A loaded model has the state that np.random was in when it was saved between two epochs.  The next `fit` gives it
    to np.random where it goes on with the epoch after the last (initial_epoch), or where nobody has seeded or used
    np.random: from there, order and dropout are those of a run that never stopped.
    """

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.best: dict[str, float] = {}
        self._random: Any = None
        self._found: Any = None  # what np.random was when the model was loaded

    def plain(self, random: bool = True) -> dict[str, Any]:
        """As plain data.  random: with np.random's state as it now is, if this is between two epochs."""
        best = {name: float(value) for name, value in self.best.items() if math.isfinite(value)}
        state = _state() if random and self.epoch is not None else None
        return {"epoch": self.epoch, "best": best, **({"random": state} if state else {})}

    @classmethod
    def of_plain(cls, plain: Any) -> Progress:
        """What `plain` told.  Raises ValueError for anything else."""
        if not isinstance(plain, Mapping) or not isinstance(plain.get("best"), Mapping):
            raise ValueError("it has not the keys 'epoch' and 'best'")
        progress, epoch = cls(), plain.get("epoch")
        if epoch is not None and not (type(epoch) is int and epoch >= 0):
            raise ValueError(f"the epoch is a number of epochs, not {shown(epoch)}")
        progress.epoch = epoch
        for name, value in plain["best"].items():
            if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
                raise ValueError(f"a best value is a finite number, not {shown(value)}")
            progress.best[name] = float(value)
        if epoch is not None and plain.get("random") is not None:
            progress._random = _checked(plain["random"])
            progress._found = _state()
        return progress

    def take_up(self, initial_epoch: int) -> None:
        """Begin training at an epoch: after loading, with the random numbers that come next."""
        state, found = self._random, self._found
        self.recompiled()
        if state is None:
            return
        unseeded = _generator().seed_seq is not None
        if 0 < initial_epoch == self.epoch or (unseeded and found == _state()):
            np.random.set_state(state)

    def recompiled(self) -> None:
        """Another training begins: it has random numbers of its own."""
        self._random = self._found = None


def progress_of(model: Any) -> Progress:
    """The progress of a model, which has it from its first use."""
    if model._progress is None:
        model._progress = Progress()
    return model._progress


def _generator() -> np.random.BitGenerator:
    """What np.random draws from.  Its seed_seq is None once somebody has called np.random.seed."""
    return np.random.get_bit_generator()  # type: ignore[attr-defined]


def _state() -> list[Any] | None:
    """np.random's state as plain data; None where somebody replaced its generator."""
    if not isinstance(_generator(), np.random.MT19937):
        return None
    _, key, position, has_gauss, gauss = np.random.get_state()
    return [np.asarray(key).tolist(), int(position), int(has_gauss), float(gauss)]


def _checked(random: Any) -> tuple[Any, ...]:
    """What np.random.set_state takes.  Raises ValueError for what no state looks like."""
    try:
        key, position, has_gauss, gauss = random
        fits = len(key) == _WORDS and all(type(word) is int and 0 <= word < 2**32 for word in key)
        # The twister never leaves zero, and normal numbers drawn from it would never come.
        fits = fits and (key[0] >> 31 == 1 or any(key[1:]))
        fits = fits and 0 <= position <= _WORDS and has_gauss in (0, 1) and math.isfinite(gauss)
        state = "MT19937", np.array(key, "uint32"), int(position), int(has_gauss), float(gauss)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise ValueError(
            "the state of np.random is 624 words, a position, and what is left of a pair of normals"
        )
    return state
