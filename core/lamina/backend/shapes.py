"""Moving, joining, repeating and selecting elements."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from lamina.backend.session import normalize_data_format
from lamina.op import as_float, as_tensor
from lamina.ops import joining, positions, slices
from lamina.ops import shape as s
from lamina.ops.elementwise import cast
from lamina.ops.resize import interpolate
from lamina.ops.rules import axis_of
from lamina.tensor import Tensor

__all__ = [
    "arange", "batch_flatten", "concatenate", "expand_dims", "flatten", "gather", "one_hot", "permute_dimensions",
    "repeat", "repeat_elements", "reshape", "resize_images", "resize_volumes", "reverse", "spatial_2d_padding",
    "spatial_3d_padding", "squeeze", "stack", "temporal_padding", "tile",
]  # fmt: skip

# ---- the same elements in another shape


def reshape(x: Any, shape: Any) -> Tensor:
    """x in another shape.  shape: sizes, of which one may be -1 and any may be tensors; or an integer tensor."""
    x = as_tensor(x)
    if isinstance(shape, Tensor):
        known = shape.spec.value
        if known is None or None in known:
            return s.reshape_to(x, as_tensor(shape, "int32"))
        shape = known
    if any(size is None for size in shape):
        raise ValueError(
            f"reshape to {tuple(shape)}: write -1 for the one size that is to be found, not None"
        )
    if not all(isinstance(size, Tensor | Integral) for size in shape):
        raise TypeError(f"reshape to {shape!r}: a shape is a tuple of whole numbers, such as (-1, 10)")
    if any(not isinstance(size, Tensor) and size < -1 for size in shape):
        raise ValueError(
            f"reshape to {tuple(shape)}: sizes are 0 or more, or -1 for the one that is to be found"
        )
    return s.with_sizes(x, list(shape))


def flatten(x: Any) -> Tensor:
    """All elements in one axis, the batch among them: (...) -> (n,)."""
    return reshape(x, (-1,))


def batch_flatten(x: Any) -> Tensor:
    """Each sample in one axis: (batch, a, b, ...) -> (batch, a * b * ...)."""
    return s.collapse(as_tensor(x), start=1)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Tensor:
    """x with its axes in the order `pattern`, counted from 0 with the batch axis: (0, 2, 1) exchanges the last two."""
    x = as_tensor(x)
    return s.transpose(x, axes=tuple(axis_of(int(axis), x.ndim) for axis in pattern))


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """x with a new axis of size 1 at position `axis`."""
    x = as_tensor(x)
    return s.expand_axes(x, axes=(axis_of(axis, x.ndim + 1),))


def squeeze(x: Any, axis: int) -> Tensor:
    """x without axis `axis`, which has size 1."""
    x = as_tensor(x)
    return s.drop_axes(x, axes=(axis_of(axis, x.ndim),))


def reverse(x: Any, axes: int | Sequence[int]) -> Tensor:
    """x backwards along `axes`."""
    return slices.reverse(as_tensor(x), (axes,) if isinstance(axes, int) else tuple(axes))


# ---- joining and repeating


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Tensor:
    """The tensors one after another along `axis`."""
    if isinstance(tensors, Tensor) or not len(tensors):
        raise ValueError(f"concatenate takes a list of one or more tensors, met {tensors!r}")
    joined = joining.concatenate(*tensors, axis=axis)
    if all(getattr(tensor, "sparse", False) for tensor in tensors):
        joined.sparse = True  # type: ignore[attr-defined]
    return joined


def stack(x: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new axis."""
    if isinstance(x, Tensor) or not len(x):
        raise ValueError(f"stack takes a list of one or more tensors, met {x!r}")
    return joining.stack(*x, axis=axis)


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Each element `rep` times in a row along `axis`: (s1, s2) with axis=1 -> (s1, s2 * rep)."""
    return joining.repeat_elements(as_tensor(x), repeats=_count(rep, "repeat_elements: rep"), axis=axis)


def repeat(x: Any, n: int) -> Tensor:
    """Each row n times: (samples, dim) -> (samples, n, dim).  Raises ValueError unless x has two axes."""
    x = as_tensor(x)
    if x.ndim != 2:
        raise ValueError(f"repeat takes (samples, dim), met a tensor of shape {x.shape}")
    return joining.repeat_elements(expand_dims(x, 1), repeats=_count(n, "repeat: n"), axis=1)


def _count(value: Any, what: str, least: int = 0) -> int:
    """`value` as an int.  Raises ValueError unless it is a whole number from `least` on."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{what} is a whole number from {least} on, met {value!r}")
    return int(value)


def tile(x: Any, n: Any) -> Tensor:
    """x as a whole repeated n[i] times along axis i."""
    return joining.tile(as_tensor(x), as_tensor([n] if isinstance(n, int) else n, "int32"))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Tensor:
    """start, start + step, ... below stop; a single argument is the stop: arange(3) is 0, 1, 2."""
    if stop is None:
        start, stop = 0, start
    if not isinstance(step, Tensor) and not step:
        raise ValueError(f"arange: a step of {step!r} never arrives")
    return positions.arange(start, stop, step, dtype)


# ---- selecting


def gather(reference: Any, indices: Any) -> Tensor:
    """The rows `indices` of `reference`: indices.shape + reference.shape[1:]."""
    return positions.gather(reference, indices)


def one_hot(indices: Any, num_classes: int) -> Tensor:
    """1 at the position each index names along a new last axis: (...) -> (..., num_classes), float32.

    An index that is none of them has a row of zeros.
    """
    indices = as_tensor(indices)
    if np.dtype(indices.dtype).itemsize < 4:  # too small to count all classes, perhaps
        indices = cast(indices, dtype="int32")
    return positions.one_hot(indices, size=_count(num_classes, "one_hot: num_classes"), dtype="float32")


# ---- padding


def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> Tensor:
    """Zeros before and after the middle axis: (batch, time, channels) -> (batch, time + p0 + p1, channels)."""
    return _pad(x, (padding,), "channels_last", 3)  # type: ignore[arg-type]


def spatial_2d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1)), data_format: str | None = None
) -> Tensor:
    """Zeros around images.  padding: (before, after) of rows, then of columns."""
    return _pad(x, padding, data_format, 4)


def spatial_3d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Tensor:
    """Zeros around volumes.  padding: (before, after) of each of the three spatial axes."""
    return _pad(x, padding, data_format, 5)


def _pad(x: Any, padding: Sequence[Sequence[int]], data_format: str | None, ndim: int) -> Tensor:
    x = as_tensor(x)
    pairs = [tuple(pair) if np.iterable(pair) else () for pair in padding]
    if not all(len(pair) == 2 and all(isinstance(n, Integral) and n >= 0 for n in pair) for pair in pairs):
        raise ValueError(
            f"padding is a pair of whole numbers from 0 on, before and after, for each spatial axis; met {padding!r}"
        )
    spatial = tuple((int(before), int(after)) for before, after in pairs)
    if x.ndim != ndim or len(spatial) != ndim - 2:
        raise ValueError(
            f"padding={padding!r} has {len(spatial)} pairs for a tensor of shape {x.shape}: "
            f"expected {ndim - 2} pairs and {ndim} axes"
        )
    first = normalize_data_format(data_format) == "channels_first"
    both = ((0, 0), (0, 0), *spatial) if first else ((0, 0), *spatial, (0, 0))
    return joining.pad(x, padding=both)


# ---- resizing


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Tensor:
    """Images enlarged by whole factors: (n, h, w, c) -> (n, h * height_factor, w * width_factor, c).

    interpolation: "nearest", or "bilinear" with the corner of the first pixel fixed (output i lies at i / factor).
    """
    return _resize(x, (height_factor, width_factor), data_format, interpolation)


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str
) -> Tensor:
    """Volumes enlarged by whole factors, each voxel repeated."""
    return _resize(x, (depth_factor, height_factor, width_factor), data_format, "nearest")


def _resize(x: Any, factors: Sequence[int], data_format: str, interpolation: str) -> Tensor:
    x = as_tensor(x)
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f'interpolation should be one of "nearest" or "bilinear", met {interpolation!r}')
    first = 2 if normalize_data_format(data_format) == "channels_first" else 1
    if x.ndim != len(factors) + 2:
        raise ValueError(
            f"resizing by {tuple(factors)} takes a tensor of {len(factors) + 2} axes, met shape {x.shape}"
        )
    if interpolation == "bilinear":
        x = as_float(x)
    factors = [_count(factor, "the factor by which an axis is resized", 1) for factor in factors]
    # The last axis first: what the others repeat then lies in longer rows.
    for axis, factor in reversed(list(enumerate(factors, start=first))):
        if factor != 1:
            bilinear = interpolation == "bilinear"
            x = interpolate(x, factor=factor, axis=axis) if bilinear else repeat_elements(x, factor, axis)
    return x
