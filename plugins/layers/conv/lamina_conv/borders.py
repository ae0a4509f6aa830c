"""Borders of images: how wide they are at either end of each spatial axis, as an argument and as the op `crop`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.op import op
from lamina.ops.joining import pad
from lamina.tensor import Spec

Borders = tuple[tuple[int, int], ...]
"""(before, after) for each spatial axis."""


def borders_of(owner: str, argument: str, value: Any, rank: int) -> Borders:
    """The widths of the borders that `value` says: a number for all ends, one for each axis, or a pair for each.

    A single axis has a pair only: (2, 1) is 2 before and 1 after.
    owner: the layer that was given the argument; a ValueError names it.
    """
    if _is_width(value):
        return ((int(value), int(value)),) * rank
    given = list(value) if isinstance(value, list | tuple | np.ndarray) else []
    pairs = [given] if rank == 1 else [(each, each) if _is_width(each) else each for each in given]
    if len(pairs) != rank or not all(map(_is_pair, pairs)):
        forms = (
            "a pair (before, after)"
            if rank == 1
            else f"a tuple of {rank}, one for each spatial axis: numbers, or pairs (before, after)"
        )
        raise ValueError(f"{owner}: {argument} is a whole number from 0 on, or {forms}; met {value!r}")
    return tuple((int(before), int(after)) for before, after in pairs)


def _is_width(value: Any) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 0)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray) and len(value) == 2 and all(map(_is_width, value))


# ---- cropping


def _infer_crop(x, *, cropping):
    sizes = []
    for axis, (size, (before, after)) in enumerate(zip(x.shape, cropping, strict=True)):
        if size is not None and before + after and size <= before + after:
            raise ValueError(
                f"cropping {before} before and {after} after leaves nothing of axis {axis}, which has size {size}: "
                "crop less, or make the input larger"
            )
        sizes.append(None if size is None else size - before - after)
    return Spec(tuple(sizes), x.dtype)


@op(infer=_infer_crop, view=True)
def crop(xp, x, *, cropping):
    """x without cropping[i] = (before, after) elements along axis i."""
    return x[
        tuple(slice(before, size - after) for size, (before, after) in zip(x.shape, cropping, strict=True))
    ]


@crop.vjp
def _(g, y, x, *, cropping):
    return (pad(g, padding=cropping),)
