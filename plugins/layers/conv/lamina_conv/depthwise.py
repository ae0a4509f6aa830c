"""Depthwise convolution, each channel by itself, and its two gradients: three ops that are each other's gradients.

As in `convolution`, for x (batch, *sizes, channels), but with kernel (*window, channels, multiplier):

    y[b, p, c * multiplier + m] = sum over positions q of the window of
                                  x[b, p * stride + q * dilation_rate - before, c] * kernel[q, c, m]
"""

from __future__ import annotations

import itertools

from lamina.op import op
from lamina.ops.shape import shape_of
from lamina.tensor import Spec
from lamina_conv.convolution import images_of
from lamina_conv.windows import counts, slides, windows


def _infer_depthwise(x, kernel, *, strides, padding, dilation_rate):
    if x.ndim < 3 or kernel.ndim != x.ndim:
        raise ValueError(
            f"images of {x.ndim} axes (batch, *sizes, channels) take a kernel of as many axes, "
            f"(*window, channels, multiplier), met one of {kernel.ndim}"
        )
    channels, multiplier = kernel.shape[-2:]
    if None not in (x.shape[-1], channels) and x.shape[-1] != channels:
        raise ValueError(f"the images have {x.shape[-1]} channels and the kernel is for {channels}")
    placed = counts(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    return Spec((x.shape[0], *placed, _product(channels, multiplier)), x.dtype)


def _product(channels, multiplier):
    return None if None in (channels, multiplier) else channels * multiplier


@op(infer=_infer_depthwise)
def depthwise(xp, x, kernel, *, strides, padding, dilation_rate):
    """Each window of each channel against that channel's filters: (batch, *counts, channels * multiplier)."""
    axes = slides(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    seen = windows(xp, x, axes)
    placed = seen.shape[: x.ndim - 1]
    y = xp.zeros((*placed, *kernel.shape[-2:]), x.dtype)
    for position in itertools.product(*map(range, kernel.shape[:-2])):
        y += seen[(..., *position, slice(None), None)] * kernel[position]
    return y.reshape(*placed, kernel.shape[-2] * kernel.shape[-1])


@depthwise.vjp
def _(g, y, x, kernel, **attrs):
    return (
        depthwise_input_grad(g, kernel, shape_of(x), **attrs),
        depthwise_kernel_grad(x, g, shape_of(kernel), **attrs),
    )


# ---- what reaches the images


def _infer_input_grad(g, kernel, shape, **attrs):
    return Spec(images_of(g, kernel, shape, **attrs), g.dtype)


@op(infer=_infer_input_grad)
def depthwise_input_grad(xp, g, kernel, shape, *, strides, padding, dilation_rate):
    """Each output in g, spread over the window of the one channel it was made from: images of the given shape."""
    batch, *sizes, channels = (int(size) for size in shape)
    axes = slides(sizes, kernel.shape[:-2], strides, dilation_rate, padding)
    outputs = g.reshape(*g.shape[:-1], channels, kernel.shape[-1])
    x = xp.zeros((batch, *sizes, channels), g.dtype)
    for position in itertools.product(*(range(slide.window) for slide in axes)):
        seen = [slide.seen(at) for slide, at in zip(axes, position, strict=True)]
        placed, pixels = (tuple(pair[i] for pair in seen) for i in (0, 1))
        x[(slice(None), *pixels)] += (outputs[(slice(None), *placed)] * kernel[position]).sum(-1)
    return x


@depthwise_input_grad.vjp
def _(g, y, outputs, kernel, shape, **attrs):
    return depthwise(g, kernel, **attrs), depthwise_kernel_grad(g, outputs, shape_of(kernel), **attrs), None


# ---- what reaches the kernel


def _infer_kernel_grad(x, g, shape, *, strides, padding, dilation_rate):
    if x.ndim != g.ndim:
        raise ValueError(f"images of {x.ndim} axes do not make outputs of {g.ndim}")
    return Spec(tuple(shape.value or (None,) * g.ndim), g.dtype)


@op(infer=_infer_kernel_grad)
def depthwise_kernel_grad(xp, x, g, shape, *, strides, padding, dilation_rate):
    """What each position of a channel's windows saw against what g says of the output: a kernel of the given shape."""
    *window, channels, multiplier = (int(size) for size in shape)
    axes = slides(x.shape[1:-1], window, strides, dilation_rate, padding)
    seen = windows(xp, x, axes)
    outputs = g.reshape(*g.shape[:-1], channels, multiplier)
    placed = tuple(range(g.ndim - 1))
    kernel = xp.empty((*window, channels, multiplier), g.dtype)
    for position in itertools.product(*map(range, window)):
        kernel[position] = (seen[(..., *position, slice(None), None)] * outputs).sum(placed)
    return kernel


@depthwise_kernel_grad.vjp
def _(g, y, x, outputs, shape, **attrs):
    return depthwise_input_grad(outputs, g, shape_of(x), **attrs), depthwise(x, g, **attrs), None


from lamina_conv import shifted  # noqa: E402, F401  NumPy's kernels of these ops
