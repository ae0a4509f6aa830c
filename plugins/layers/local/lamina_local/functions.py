"""Local convolution in `lamina.backend`: K.local_conv1d and K.local_conv2d, thin functions over one op."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.op import as_tensor, promote
from lamina.tensor import Tensor
from lamina_local.arguments import per_axis
from lamina_local.local_conv import local_conv


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None
) -> Tensor:
    """Sequences (batch, steps, channels) through a kernel of its own at each position: (batch, positions, filters).

    kernel: (positions, kernel_size * channels, filters).  kernel_size: steps that a window sees, as (n,).
    strides: steps from one window to the next, as (n,).
    data_format: "channels_last", "channels_first" for (batch, channels, steps), or None for K.image_data_format().
        What a window sees meets the kernel in the same order: its steps with the channels of each, or, for
        channels_first, its channels with the steps of each.

    Raises ValueError for an unknown data_format, wrong numbers of axes or features, and sequences too short.
    """
    kernel = as_tensor(kernel)
    positions = kernel.shape[0] if kernel.ndim == 3 else 1
    if not positions:
        raise ValueError(
            "local_conv1d has one window for each position of the kernel, whose number must be known and above 0; met "
            f"{kernel}"
        )
    return _convolve("local_conv1d", inputs, kernel, kernel_size, strides, (positions,), data_format)


def local_conv2d(
    inputs: Any,
    kernel: Any,
    kernel_size: Any,
    strides: Any,
    output_shape: Any,
    data_format: str | None = None,
) -> Tensor:
    """Images (batch, rows, columns, channels) through a kernel of its own at each position:
    (batch, *output_shape, filters).

    kernel: (positions, features, filters), with the positions counted row by row and the features of a window in the
        order of the image: (rows, columns, channels), or, for channels_first, (channels, rows, columns).
    kernel_size: (rows, columns) that a window sees.  strides: (rows, columns) from one window to the next.
    output_shape: how many windows there are, as (rows, columns).
    data_format: "channels_last", "channels_first" for images (batch, channels, rows, columns) and results
        (batch, filters, *output_shape), or None for K.image_data_format().

    Raises ValueError for an unknown data_format, wrong numbers of axes or features, and images too small.
    """
    counts = per_axis("local_conv2d", "output_shape", tuple(output_shape), 2)
    return _convolve("local_conv2d", inputs, kernel, kernel_size, strides, counts, data_format)


def _convolve(
    name: str, inputs: Any, kernel: Any, kernel_size: Any, strides: Any, counts: Any, data_format: str | None
) -> Tensor:
    x, kernel = as_tensor(inputs), as_tensor(kernel)
    rank = len(counts)
    if x.ndim != rank + 2 or kernel.ndim != 3:
        raise ValueError(
            f"{name} takes an input of {rank + 2} axes and a kernel (positions, features, filters); met shapes "
            f"{x.shape} and {kernel.shape}"
        )
    dtype = promote([x.dtype, kernel.dtype])
    return local_conv(
        as_tensor(x, dtype),
        as_tensor(kernel, dtype),
        window=per_axis(name, "kernel_size", kernel_size, rank),
        strides=per_axis(name, "strides", strides, rank),
        counts=tuple(counts),
        data_format=K.normalize_data_format(data_format),
    )
