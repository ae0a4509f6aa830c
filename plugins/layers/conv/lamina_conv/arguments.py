"""Arguments that everything with windows takes: numbers for each spatial axis, the padding, the layout of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.ops.shape import transpose
from lamina.tensor import Tensor


def per_axis(owner: str, argument: str, value: Any, rank: int) -> tuple[int, ...]:
    """One whole number above 0 for each of `rank` spatial axes; a single number stands for all.

    owner: the layer or function that was given the argument; a ValueError names it.
    """
    given = [value] * rank if np.ndim(value) == 0 else list(value)
    if len(given) != rank or not all(isinstance(n, int | np.integer) and n > 0 for n in given):
        raise ValueError(
            f"{owner}: {argument} is a whole number above 0, or a tuple of {rank}, one for each spatial axis; "
            f"met {value!r}"
        )
    return tuple(int(n) for n in given)


def padding_of(owner: str, padding: Any, known: Sequence[str] = ("valid", "same")) -> str:
    """The padding in lower case.  Raises ValueError, naming the owner, when it is none of the `known` ones."""
    found = str(padding).lower()
    if found not in known:
        raise ValueError(f"{owner}: padding is one of {', '.join(map(repr, known))}; met {padding!r}")
    return found


def on_channels_last(x: Tensor, data_format: str | None, function: Callable[[Tensor], Tensor]) -> Tensor:
    """function(x), which speaks channels_last, for an x in `data_format`, in which the result is, too."""
    if K.normalize_data_format(data_format) == "channels_last":
        return function(x)
    # Views both: the plan copies nothing here.
    y = function(transpose(x, axes=(0, *range(2, x.ndim), 1)))
    return transpose(y, axes=(0, y.ndim - 1, *range(1, y.ndim - 1)))
