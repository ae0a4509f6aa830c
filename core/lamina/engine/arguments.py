"""Arguments of layers: counts, numbers, axes and image layouts, refused in the name of the layer that met them.

what: the layer, the argument and what it is, "dense_1: units is the size of the output", with which messages begin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.tensor import Tensor


def as_count(value: Any, what: str) -> int:
    """`value` as an int, for a size or a number of times: a whole number above 0, 32.0 among them.

    Raises TypeError for what is no number, ValueError for other numbers.
    """
    if not _is_number(value):
        raise TypeError(f"{what}, a whole and positive number; met {value!r}")
    if not value > 0 or not (isinstance(value, Integral) or float(value).is_integer()):
        raise ValueError(f"{what}, a whole and positive number; met {value!r}")
    return int(value)


def as_number(value: Any, what: str, low: float = -math.inf, high: float = math.inf) -> Any:
    """`value`, for a number of low <= value <= high.

    Raises TypeError for what is no number, ValueError for other numbers, NaN among them.
    """
    if not _is_number(value):
        raise TypeError(f"{what}, a number; met {value!r}")
    if not low <= value <= high:
        limits = [f"at least {low:g}"] * (low > -math.inf) + [f"at most {high:g}"] * (high < math.inf)
        raise ValueError(f"{what}, {' and '.join(limits) or 'a number'}; met {value!r}")
    return value


def as_axis(value: Any, what: str) -> int:
    """`value` as an int, for an axis, which may be negative.  Raises TypeError for anything but a whole number."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{what}, a whole number; met {value!r}")
    return int(value)


def as_data_format(value: str | None, owner: str) -> str:
    """The image layout that `value` names, that of K.image_data_format() for None.

    Raises ValueError, naming the layer `owner`, for anything else.
    """
    try:
        return K.normalize_data_format(value)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from None


def as_noise_shape(value: Sequence[int | None] | None, inputs: Tensor, owner: str) -> list[Any]:
    """The sizes of a draw for `inputs`, whose own stand for None.

    value: a size for each axis, that of the inputs, None for it, or 1 where positions along the axis share one draw.

    Raises ValueError, naming the layer `owner`, for anything else.
    """
    shape, sizes = K.int_shape(inputs), K.shape(inputs)
    wanted: list[Any] = [None] * len(shape)
    if value is not None:
        wanted = list(value) if isinstance(value, list | tuple | np.ndarray) else []
    if len(wanted) != len(shape) or any(
        want not in (None, 1, size) for want, size in zip(wanted, shape, strict=True) if size
    ):
        raise ValueError(
            f"{owner}: noise_shape={value} needs one size for each of the {len(shape)} axes of inputs of shape "
            f"{shape}, the batch included: that of the axis, 1, or None"
        )
    return [sizes[axis] if want is None else want for axis, want in enumerate(wanted)]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
