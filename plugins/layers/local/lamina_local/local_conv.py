"""Convolution with weights of its own at every position, and its two gradients: ops that are each other's gradients.

    y[b, p, f] = sum over features r of patch[p, b, r] * kernel[p, r, f]

x is (batch, *sizes, channels), or (batch, channels, *sizes) when data_format is "channels_first".  A patch is what
one window sees of x, flattened in the order of x: (*window, channels), or (channels, *window).  p counts the windows
through, those along the last axis fastest.

window, strides, counts: one number for each spatial axis: positions of a window, steps from one window to the next,
    and how many windows there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from lamina.op import op
from lamina.ops.shape import shape_of
from lamina.tensor import Shape, Spec


def _infer_local_conv(x, kernel, *, window, strides, counts, data_format):
    _check_fit(x.shape, window, strides, counts, data_format)
    if kernel.ndim != 3:
        raise ValueError(
            f"a kernel is (positions, features of a patch, filters), met one of {kernel.ndim} axes"
        )
    wanted = (math.prod(counts), _features(x.shape, window, data_format))
    for what, size, want in zip(("positions", "features of a patch"), kernel.shape, wanted, strict=False):
        if None not in (size, want) and size != want:
            raise ValueError(f"the kernel is for {size} {what}, and there are {want}")
    return Spec(_laid_out(x.shape[0], counts, kernel.shape[2], data_format), x.dtype)


@op(infer=_infer_local_conv)
def local_conv(xp, x, kernel, *, window, strides, counts, data_format):
    """Each patch of x times the kernel of its position: (batch, *counts, filters), or (batch, filters, *counts)."""
    found = xp.matmul(_matrices(patches(xp, x, window, strides, counts, data_format), counts), kernel)
    y = xp.empty(_laid_out(x.shape[0], counts, kernel.shape[2], data_format), x.dtype)
    at_positions = by_position(y, data_format)
    at_positions[...] = found.reshape(at_positions.shape)
    return y


@local_conv.vjp
def _(g, y, x, kernel, **attrs):
    return local_conv_input_grad(g, kernel, shape_of(x), **attrs), local_conv_kernel_grad(x, g, **attrs)


# ---- what reaches the input


def _infer_input_grad(g, kernel, shape, *, window, strides, counts, data_format):
    given = tuple(shape.value or (None,) * g.ndim)
    _check_fit(given, window, strides, counts, data_format)
    return Spec(given, g.dtype)


@op(infer=_infer_input_grad)
def local_conv_input_grad(xp, g, kernel, shape, *, window, strides, counts, data_format):
    """Each output in g spread, filter by filter, over the patch it was made from: an input of the given shape."""
    x = xp.zeros(tuple(int(size) for size in shape), g.dtype)
    seen = patches(xp, x, window, strides, counts, data_format)
    told = _matrices(by_position(g, data_format), counts)
    spread = xp.matmul(told, kernel.swapaxes(1, 2)).reshape(seen.shape)
    for here in places(window, data_format):  # at one place of the windows no two of them overlap
        seen[here] += spread[here]
    return x


@local_conv_input_grad.vjp
def _(g, y, outputs, kernel, shape, **attrs):
    return local_conv(g, kernel, **attrs), local_conv_kernel_grad(g, outputs, **attrs), None


# ---- what reaches the kernel


def _infer_kernel_grad(x, g, *, window, strides, counts, data_format):
    _check_fit(x.shape, window, strides, counts, data_format)
    filters = g.shape[1] if data_format == "channels_first" else g.shape[-1]
    return Spec((math.prod(counts), _features(x.shape, window, data_format), filters), g.dtype)


@op(infer=_infer_kernel_grad)
def local_conv_kernel_grad(xp, x, g, *, window, strides, counts, data_format):
    """What each window saw against what g says of its outputs: (positions, features of a patch, filters)."""
    rows = _matrices(patches(xp, x, window, strides, counts, data_format), counts)
    return xp.matmul(rows.swapaxes(1, 2), _matrices(by_position(g, data_format), counts))


@local_conv_kernel_grad.vjp
def _(g, y, x, outputs, **attrs):
    return local_conv_input_grad(outputs, g, shape_of(x), **attrs), local_conv(x, g, **attrs)


# ---- windows


def patches(
    xp: Any, x: Any, window: Sequence[int], strides: Sequence[int], counts: Sequence[int], data_format: str
) -> Any:
    """A view of what each window sees: (*counts, batch, *window, channels), or (*counts, batch, channels, *window)."""
    # Checked again, for arrays: a view past the end would show foreign memory.
    _check_fit(x.shape, window, strides, counts, data_format)
    if data_format == "channels_first":
        batch, channel, *steps = x.strides
        shape, inside = (x.shape[1], *window), (channel, *steps)
    else:
        batch, *steps, channel = x.strides
        shape, inside = (*window, x.shape[-1]), (*steps, channel)
    hops = [step * stride for step, stride in zip(steps, strides, strict=True)]
    return xp.lib.stride_tricks.as_strided(x, (*counts, x.shape[0], *shape), (*hops, batch, *inside))


def by_position(y: Any, data_format: str) -> Any:
    """Outputs with the axes of positions first: (*counts, batch, filters), a view."""
    first = data_format == "channels_first"
    rest = range(2, y.ndim) if first else range(1, y.ndim - 1)
    return y.transpose(*rest, 0, 1 if first else y.ndim - 1)


def places(window: Sequence[int], data_format: str) -> Iterator[tuple[Any, ...]]:
    """An index of `patches` for each place of a window, of what all windows see there."""
    channels = () if data_format == "channels_first" else (slice(None),)
    for place in itertools.product(*map(range, window)):
        yield (..., *place, *channels)


def _matrices(stack: Any, counts: Sequence[int]) -> Any:
    """(*counts, batch, ...) as one matrix for each position: (positions, batch, the rest as one axis)."""
    rank = len(counts)
    return stack.reshape(math.prod(counts), stack.shape[rank], math.prod(stack.shape[rank + 1 :]))


# ---- sizes


def _laid_out(batch: int | None, counts: Sequence[int], filters: int | None, data_format: str) -> Shape:
    return (batch, filters, *counts) if data_format == "channels_first" else (batch, *counts, filters)


def _features(shape: Shape, window: Sequence[int], data_format: str) -> int | None:
    """How many numbers a window sees."""
    channels = shape[1 if data_format == "channels_first" else -1]
    return None if channels is None else channels * math.prod(window)


def _check_fit(
    shape: Shape, window: Sequence[int], strides: Sequence[int], counts: Sequence[int], data_format: str
) -> None:
    """Raises ValueError where windows reach past the end of an axis."""
    if len(shape) != len(window) + 2:
        raise ValueError(
            f"windows of {len(window)} axes need an input of {len(window) + 2}, met one of {len(shape)}"
        )
    sizes = shape[2:] if data_format == "channels_first" else shape[1:-1]
    for axis, (size, length, stride, count) in enumerate(zip(sizes, window, strides, counts, strict=True)):
        end = (count - 1) * stride + length
        if size is not None and end > size:
            raise ValueError(
                f"{count} windows of {length} positions, {stride} apart, take {end} positions of spatial axis {axis}, "
                f"which has {size}"
            )


from lamina_local import matmul  # noqa: E402, F401  NumPy's kernels of these ops
