"""Windows that slide along the axes of an image: how many there are, and what each of their positions sees.

Convolution, pooling and everything else that looks at an image through windows shares this arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Padding = str | tuple[tuple[int, int], ...]
"""What lies around an image: "valid" nothing; "same" as much as lets ceil(size / stride) windows fit, the odd
position at the end; or (before, after) for each axis."""


@dataclass(frozen=True, slots=True)
class Slide:
    """One axis and the windows along it.

    size: of the axis.  window: positions of a window, `dilation` apart.  stride: from one window to the next.
    before, after: positions of padding at either end of the axis.
    """

    size: int
    window: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def span(self) -> int:
        """From the first position of a window to its last, both counted."""
        return span(self.window, self.dilation)

    @property
    def count(self) -> int:
        """How many windows there are."""
        return max((self.size + self.before + self.after - self.span) // self.stride + 1, 0)

    def seen(self, position: int, start: int = 0, stop: int | None = None) -> tuple[slice, slice]:
        """The windows whose `position` lies on the axis and not in its padding, and what they see there.

        start, stop: look at these windows only; the slice of windows then counts from start.
        """
        stop = self.count if stop is None else stop
        at = position * self.dilation - self.before  # what the first window sees
        first = max(start, -(at // self.stride))
        last = min(stop, (self.size - 1 - at) // self.stride + 1)
        if last <= first:
            return slice(0, 0), slice(0, 0)
        pixels = slice(at + first * self.stride, at + (last - 1) * self.stride + 1, self.stride)
        return slice(first - start, last - start), pixels


def span(window: int, dilation: int) -> int:
    """From the first of `window` positions to the last, both counted, when they are `dilation` apart."""
    return (window - 1) * dilation + 1


def slides(
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation_rate: Sequence[int],
    padding: Padding,
) -> tuple[Slide, ...]:
    """The windows along each spatial axis of an image of these sizes."""
    found = []
    for axis, (size, positions, stride, dilation) in enumerate(
        zip(sizes, window, strides, dilation_rate, strict=True)
    ):
        before, after = _padding(padding, axis, size, span(positions, dilation), stride)
        found.append(Slide(size, positions, stride, dilation, before, after))
    return tuple(found)


def counts(
    sizes: Sequence[int | None],
    window: Sequence[int | None],
    strides: Sequence[int],
    dilation_rate: Sequence[int],
    padding: Padding,
) -> tuple[int | None, ...]:
    """How many windows there are along each axis; None where a size is unknown.

    Raises ValueError, naming the axis and the remedies, where not a single window fits.
    """
    found: list[int | None] = []
    for axis, (size, positions, stride, dilation) in enumerate(
        zip(sizes, window, strides, dilation_rate, strict=True)
    ):
        if size is None or positions is None:
            found.append(None)
            continue
        (slide,) = slides(
            [size],
            [positions],
            [stride],
            [dilation],
            padding if isinstance(padding, str) else (padding[axis],),
        )
        if size == 0:
            raise ValueError(
                f"no window fits into spatial axis {axis}, which has 0 positions: every input needs at least one"
            )
        if slide.count == 0:
            raise ValueError(
                f"a window that spans {slide.span} positions does not fit into spatial axis {axis}, which has "
                f"{size}: take a smaller window or a larger image, or padding='same'"
            )
        found.append(slide.count)
    return tuple(found)


def _padding(padding: Padding, axis: int, size: int, reach: int, stride: int) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2
    if isinstance(padding, str):
        raise ValueError(f"padding={padding!r} is neither 'valid' nor 'same'")
    return padding[axis]


def windows(xp: Any, x: Any, axes: Sequence[Slide], value: float = 0) -> Any:
    """What each window sees of x (batch, *sizes, channels): (batch, *counts, *window, channels).

    A view, of x itself where nothing is padded.  value: what padding is made of.
    """
    if any(slide.before or slide.after for slide in axes):
        x = xp.pad(x, ((0, 0), *((s.before, s.after) for s in axes), (0, 0)), constant_values=value)
    return view(xp, x, axes, [slide.count for slide in axes])


def view(xp: Any, x: Any, axes: Sequence[Slide], count: Sequence[int]) -> Any:
    """The first `count` windows along each axis of an x whose padding, if any, is part of it."""
    batch, *steps, channel = x.strides
    shape = (x.shape[0], *count, *[slide.window for slide in axes], x.shape[-1])
    strides = (
        batch,
        *[step * slide.stride for step, slide in zip(steps, axes, strict=True)],
        *[step * slide.dilation for step, slide in zip(steps, axes, strict=True)],
        channel,
    )
    return xp.lib.stride_tricks.as_strided(x, shape, strides)
