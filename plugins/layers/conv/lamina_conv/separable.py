"""Convolution of each channel by itself in `lamina.backend`: K.depthwise_conv2d and K.separable_conv1d, 2d."""

from __future__ import annotations

from typing import Any

from lamina.op import as_tensor, promote
from lamina.tensor import Tensor
from lamina_conv.arguments import on_channels_last, padding_of, per_axis
from lamina_conv.convolution import conv
from lamina_conv.depthwise import depthwise


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """Each channel of images through filters of its own: (batch, new_rows, new_columns, channels * multiplier).

    depthwise_kernel: (rows, columns, channels, multiplier): channel c makes the channels c * multiplier and following.
    The rest as in `conv2d`.

    Raises ValueError for an unknown padding or data_format, wrong numbers of axes or channels, and images smaller
    than a window.
    """
    return _separate(
        "depthwise_conv2d", 2, x, depthwise_kernel, None, strides, padding, data_format, dilation_rate
    )


def separable_conv1d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Sequences through kernels (window, channels, multiplier) and (1, channels * multiplier, filters).

    As `separable_conv2d`.
    """
    return _separate(
        "separable_conv1d",
        1,
        x,
        depthwise_kernel,
        pointwise_kernel,
        strides,
        padding,
        data_format,
        dilation_rate,
    )


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """`depthwise_conv2d`, and a pointwise kernel (1, 1, channels * multiplier, filters) that mixes what comes out.

    Raises ValueError as `depthwise_conv2d` does, and for a pointwise kernel with windows of more than one position.
    """
    return _separate(
        "separable_conv2d",
        2,
        x,
        depthwise_kernel,
        pointwise_kernel,
        strides,
        padding,
        data_format,
        dilation_rate,
    )


def _separate(
    name: str,
    rank: int,
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilation_rate: Any,
) -> Tensor:
    given = {"images": x, "a depthwise kernel": depthwise_kernel, "a pointwise kernel": pointwise_kernel}
    tensors = {what: as_tensor(value) for what, value in given.items() if value is not None}
    for what, tensor in tensors.items():
        if tensor.ndim != rank + 2:
            raise ValueError(f"{name} takes {what} of {rank + 2} axes, met shape {tensor.shape}")
    dtype = promote([tensor.dtype for tensor in tensors.values()])
    images, kernel, *pointwise = (as_tensor(tensor, dtype) for tensor in tensors.values())
    attrs = {
        "strides": per_axis(name, "strides", strides, rank),
        "padding": padding_of(name, padding),
        "dilation_rate": per_axis(name, "dilation_rate", dilation_rate, rank),
    }
    each = {"strides": (1,) * rank, "padding": "valid", "dilation_rate": (1,) * rank}
    for weights in pointwise:
        if any(size not in (1, None) for size in weights.shape[:rank]):
            raise ValueError(
                f"{name} takes a pointwise kernel with windows of one position, met shape {weights.shape}"
            )

    def separate(images: Tensor) -> Tensor:
        y = depthwise(images, kernel, **attrs)
        return conv(y, pointwise[0], **each) if pointwise else y

    return on_channels_last(images, data_format, separate)
