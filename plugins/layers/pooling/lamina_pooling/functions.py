"""Pooling in `lamina.backend`: K.pool2d and K.pool3d, thin functions over two ops."""

from __future__ import annotations

from typing import Any

from lamina.op import as_float, as_tensor
from lamina.tensor import Tensor
from lamina_conv.arguments import on_channels_last, padding_of, per_axis
from lamina_pooling.pooling import average_pool, max_pool


def pool1d(
    x: Any,
    pool_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """The largest number, or the mean, of each window of sequences (batch, steps, channels), as in `pool2d`.

    For the layers: Keras has no K.pool1d.
    """
    return _pool("pool1d", 1, x, pool_size, strides, padding, data_format, pool_mode)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """The largest number, or the mean, of each window of images (batch, rows, columns, channels).

    pool_size: size of a window, one number or one for each spatial axis.
    strides: steps from one window to the next; (1, 1) here, where the layers take the pool_size.
    padding: "valid" for windows inside the image only, "same" for ceil(size / stride) of them.  What lies around the
        image takes no part: it is never the largest, and a mean divides by the cells inside alone.
    data_format: "channels_last", "channels_first" for images (batch, channels, rows, columns), or None for
        K.image_data_format().
    pool_mode: "max" or "avg".

    Raises ValueError for any other pool_mode, padding or data_format, and for images smaller than a window.
    """
    return _pool("pool2d", 2, x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """The largest number, or the mean, of each window of volumes (batch, a, b, c, channels), as in `pool2d`."""
    return _pool("pool3d", 3, x, pool_size, strides, padding, data_format, pool_mode)


def _pool(
    name: str,
    rank: int,
    x: Any,
    pool_size: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    pool_mode: str,
) -> Tensor:
    x = as_tensor(x)
    if pool_mode not in ("max", "avg"):
        raise ValueError(f"{name}: pool_mode is 'max' or 'avg'; met {pool_mode!r}")
    if x.ndim != rank + 2:
        raise ValueError(f"{name} takes images of {rank + 2} axes, met shape {x.shape}")
    if pool_mode == "avg" or x.dtype == "bool":
        x = as_float(x)
    attrs = {
        "pool_size": per_axis(name, "pool_size", pool_size, rank),
        "strides": per_axis(name, "strides", strides, rank),
        "padding": padding_of(name, padding),
    }
    op = max_pool if pool_mode == "max" else average_pool
    return on_channels_last(x, data_format, lambda images: op(images, **attrs))
