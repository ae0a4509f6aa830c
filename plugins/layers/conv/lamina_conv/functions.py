"""Convolution in `lamina.backend`: K.conv1d, K.conv2d and K.conv3d, thin functions over one op."""

from __future__ import annotations

from typing import Any

from lamina.op import as_tensor, promote
from lamina.tensor import Tensor
from lamina_conv.arguments import on_channels_last, padding_of, per_axis
from lamina_conv.convolution import conv
from lamina_conv.windows import Padding, span


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Tensor:
    """Sequences (batch, steps, channels) through a kernel (window, channels, filters): (batch, new_steps, filters).

    padding: "causal" keeps the length and lets no output depend on a later input; the rest as in `conv2d`.
    """
    return _convolve("conv1d", 1, x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """Images (batch, rows, columns, channels) through a kernel (rows, columns, channels, filters).

    The kernel is not turned round: a correlation, as in every network library.

    strides: steps from one window to the next, one number or one for each spatial axis.
    padding: "valid" for windows inside the image only; "same" for ceil(size / stride) of them, with zeros around it.
    data_format: "channels_last", "channels_first" for images (batch, channels, rows, columns), or None for
        K.image_data_format().  The kernel is laid out the same for both.
    dilation_rate: distance between the positions of a window.

    Raises ValueError for an unknown padding or data_format, wrong numbers of axes or channels, and images smaller
    than a window.
    """
    return _convolve("conv2d", 2, x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Tensor:
    """Volumes (batch, a, b, c, channels) through a kernel (a, b, c, channels, filters); arguments as in `conv2d`."""
    return _convolve("conv3d", 3, x, kernel, strides, padding, data_format, dilation_rate)


def _convolve(
    name: str,
    rank: int,
    x: Any,
    kernel: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilation_rate: Any,
) -> Tensor:
    x, kernel = as_tensor(x), as_tensor(kernel)
    for what, tensor in (("images", x), ("a kernel", kernel)):
        if tensor.ndim != rank + 2:
            raise ValueError(f"{name} takes {what} of {rank + 2} axes, met shape {tensor.shape}")
    dtype = promote([x.dtype, kernel.dtype])
    x, kernel = as_tensor(x, dtype), as_tensor(kernel, dtype)
    dilation_rate = per_axis(name, "dilation_rate", dilation_rate, rank)
    attrs = {
        "strides": per_axis(name, "strides", strides, rank),
        "padding": _padding(name, padding, kernel, dilation_rate),
        "dilation_rate": dilation_rate,
    }
    return on_channels_last(x, data_format, lambda images: conv(images, kernel, **attrs))


def _padding(name: str, padding: Any, kernel: Tensor, dilation_rate: tuple[int, ...]) -> Padding:
    padding = padding_of(name, padding, ("valid", "same", "causal")[: 2 + (name == "conv1d")])
    if padding != "causal":
        return padding
    if kernel.shape[0] is None:
        raise ValueError(f"{name}: padding='causal' needs a kernel of known size, met shape {kernel.shape}")
    # As many zeros before the first step as a window reaches back.
    return ((span(kernel.shape[0], dilation_rate[0]) - 1, 0),)
