"""Arguments of things with windows."""

from __future__ import annotations

from typing import Any

import numpy as np


def per_axis(owner: str, argument: str, value: Any, rank: int) -> tuple[int, ...]:
    """One whole number above 0 for each of `rank` spatial axes; a single number stands for all.

    owner: the layer or function that was given the argument; a ValueError names it.
    """
    given = [value] * rank if np.ndim(value) == 0 else list(value)
    if len(given) != rank or not all(isinstance(n, int | np.integer) and n > 0 for n in given):
        raise ValueError(
            f"{owner}: {argument} is a whole number above 0"
            + (f", or a tuple of {rank}, one for each spatial axis" if rank > 1 else ", or a tuple of one")
            + f"; met {value!r}"
        )
    return tuple(int(n) for n in given)
