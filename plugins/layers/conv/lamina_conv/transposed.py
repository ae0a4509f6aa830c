"""Transposed convolution in `lamina.backend`: K.conv2d_transpose and K.conv3d_transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.op import as_tensor, promote
from lamina.ops.joining import stack
from lamina.tensor import Tensor
from lamina_conv.arguments import on_channels_last, padding_of, per_axis
from lamina_conv.convolution import conv_input_grad


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """Each number of x spread over a window, added up where windows overlap: what `conv2d` does, backwards.

    x: images (batch, rows, columns, channels), or (batch, channels, rows, columns) for channels_first.
    kernel: (rows, columns, filters, channels) for both: filters come out.
    output_shape: of the result, in x's data format: a tuple, whose batch may be None for that of x, or a vector.
    strides, padding, data_format, dilation_rate: as in `conv2d`.

    Raises ValueError as `conv2d` does, and where no images of output_shape make images like x.
    """
    return transposed(
        "conv2d_transpose", 2, x, kernel, output_shape, strides, padding, data_format, dilation_rate
    )


def conv3d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Volumes through a kernel (a, b, c, filters, channels); arguments as in `conv2d_transpose`."""
    return transposed("conv3d_transpose", 3, x, kernel, output_shape, strides, padding, data_format, 1)


def transposed(
    name: str,
    rank: int,
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilation_rate: Any,
) -> Tensor:
    """Transposed convolution over `rank` spatial axes.  name: what errors call it."""
    x, kernel = as_tensor(x), as_tensor(kernel)
    for what, tensor in (("images", x), ("a kernel", kernel)):
        if tensor.ndim != rank + 2:
            raise ValueError(f"{name} takes {what} of {rank + 2} axes, met shape {tensor.shape}")
    dtype = promote([x.dtype, kernel.dtype])
    x, kernel = as_tensor(x, dtype), as_tensor(kernel, dtype)
    attrs = {
        "strides": per_axis(name, "strides", strides, rank),
        "padding": padding_of(name, padding),
        "dilation_rate": per_axis(name, "dilation_rate", dilation_rate, rank),
    }
    shape = _sizes(name, x, output_shape)
    if K.normalize_data_format(data_format) == "channels_first":
        shape = stack(*[shape[axis] for axis in (0, *range(2, rank + 2), 1)])
    return on_channels_last(x, data_format, lambda images: conv_input_grad(images, kernel, shape, **attrs))


def _sizes(name: str, x: Tensor, output_shape: Any) -> Tensor:
    if isinstance(output_shape, Sequence):
        if len(output_shape) != x.ndim:
            raise ValueError(f"{name}: output_shape has {x.ndim} sizes, met {tuple(output_shape)}")
        batch, *rest = output_shape
        output_shape = [K.shape(x)[0] if batch is None else batch, *rest]
    return as_tensor(output_shape, "int32")
