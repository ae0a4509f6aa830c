"""Convolution over any number of spatial axes, and its two gradients: three ops that are each other's gradients.

All are written for channels_last, x (batch, *sizes, channels) and kernel (*window, channels, filters):

    y[b, p, f] = sum over positions q of the window and channels c of
                 x[b, p * stride + q * dilation_rate - before, c] * kernel[q, c, f]

strides, dilation_rate: one number for each spatial axis.
padding: "valid", "same", or (before, after) for each spatial axis; what lies around an image is 0.
"""

from __future__ import annotations

import itertools

from lamina.op import op
from lamina.ops.shape import shape_of
from lamina.tensor import Spec
from lamina_conv.windows import counts, slides, windows


def _infer_conv(x, kernel, *, strides, padding, dilation_rate):
    if x.ndim < 3 or kernel.ndim != x.ndim:
        raise ValueError(
            f"images of {x.ndim} axes (batch, *sizes, channels) take a kernel of as many axes, "
            f"(*window, channels, filters), met one of {kernel.ndim}"
        )
    if None not in (x.shape[-1], kernel.shape[-2]) and x.shape[-1] != kernel.shape[-2]:
        raise ValueError(f"the images have {x.shape[-1]} channels and the kernel is for {kernel.shape[-2]}")
    placed = counts(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    return Spec((x.shape[0], *placed, kernel.shape[-1]), x.dtype)


@op(infer=_infer_conv)
def conv(xp, x, kernel, *, strides, padding, dilation_rate):
    """Each window of x against each filter of the kernel: (batch, *counts, filters)."""
    axes = slides(x.shape[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    return xp.tensordot(windows(xp, x, axes), kernel, axes=len(axes) + 1)


@conv.vjp
def _(g, y, x, kernel, **attrs):
    return (
        conv_input_grad(g, kernel, shape_of(x), **attrs),
        conv_kernel_grad(x, g, shape_of(kernel), **attrs),
    )


@conv.scale
def _(scale, x, kernel, **attrs):
    """Another kernel, where that is smaller than the outputs."""
    (outputs,) = conv.specs((x, kernel), attrs)
    return conv(x, kernel * scale, **attrs) if outputs.known and outputs.size > kernel.spec.size else None


# ---- what reaches the images


def _infer_input_grad(g, kernel, shape, **attrs):
    if None not in (g.shape[-1], kernel.shape[-1]) and g.shape[-1] != kernel.shape[-1]:
        raise ValueError(
            f"the outputs have {g.shape[-1]} channels and the kernel has {kernel.shape[-1]} filters"
        )
    return Spec(images_of(g, kernel, shape, **attrs), g.dtype)


def images_of(g, kernel, shape, *, strides, padding, dilation_rate):
    """The shape of the images that make outputs like g.  Raises ValueError where images of this shape make others."""
    given = shape.value or (None,) * g.ndim
    if kernel.ndim != g.ndim or len(given) != g.ndim:
        raise ValueError(
            f"outputs of {g.ndim} axes take a kernel of as many axes and as many sizes of images, "
            f"met a kernel of {kernel.ndim} and the sizes {given}"
        )
    if 0 in g.shape[1:-1]:
        raise ValueError(
            f"spatial axis {g.shape[1:-1].index(0)} has 0 positions, and every input needs at least one"
        )
    placed = counts(given[1:-1], kernel.shape[:-2], strides, dilation_rate, padding)
    for size, have, want in zip(given[1:-1], g.shape[1:-1], placed, strict=True):
        if None not in (have, want) and have != want:
            raise ValueError(f"an image axis of {size} makes {want} outputs, not {have}")
    return tuple(given)


@op(infer=_infer_input_grad)
def conv_input_grad(xp, g, kernel, shape, *, strides, padding, dilation_rate):
    """Each output in g spread, filter by filter, over the window it was made from: images of the given shape.

    The gradient of `conv` with respect to x, and so a transposed convolution.
    """
    batch, *sizes, channels = (int(size) for size in shape)
    axes = slides(sizes, kernel.shape[:-2], strides, dilation_rate, padding)
    spread = xp.tensordot(g, kernel, axes=(-1, -1))  # (batch, *counts, *window, channels)
    x = xp.zeros((batch, *sizes, channels), g.dtype)
    for position in itertools.product(*(range(slide.window) for slide in axes)):
        seen = [slide.seen(at) for slide, at in zip(axes, position, strict=True)]
        placed, pixels = (tuple(pair[i] for pair in seen) for i in (0, 1))
        x[(slice(None), *pixels)] += spread[(slice(None), *placed, *position)]
    return x


@conv_input_grad.vjp
def _(g, y, outputs, kernel, shape, **attrs):
    return conv(g, kernel, **attrs), conv_kernel_grad(g, outputs, shape_of(kernel), **attrs), None


# ---- what reaches the kernel


def _infer_kernel_grad(x, g, shape, *, strides, padding, dilation_rate):
    if x.ndim != g.ndim:
        raise ValueError(f"images of {x.ndim} axes do not make outputs of {g.ndim}")
    return Spec(tuple(shape.value or (None,) * g.ndim), g.dtype)


@op(infer=_infer_kernel_grad)
def conv_kernel_grad(xp, x, g, shape, *, strides, padding, dilation_rate):
    """What each position of the windows saw against what g says of the output: a kernel of the given shape."""
    window = tuple(int(size) for size in shape)[:-2]
    axes = slides(x.shape[1:-1], window, strides, dilation_rate, padding)
    placed = tuple(range(len(axes) + 1))
    return xp.tensordot(windows(xp, x, axes), g, axes=(placed, placed))


@conv_kernel_grad.vjp
def _(g, y, x, outputs, shape, **attrs):
    return conv_input_grad(outputs, g, shape_of(x), **attrs), conv(x, g, **attrs), None


from lamina_conv import im2col  # noqa: E402, F401  NumPy's kernels of these ops
