"""NumPy's kernel for 3 x 3 convolutions of many channels: fewer products, by Winograd's minimal filtering.

An image is cut into tiles of m x m outputs, m = 2 or 4.  A tile is made from (m + 2)^2 pixels by as many products, one
for each number of its transform, instead of 9 m^2; over all tiles, channels and filters these are (m + 2)^2 products of
matrices.  Source: Lavin and Gray 2016, arXiv:1509.09308.

Sums of transformed numbers round otherwise than sums of pixels.  The largest error, over the largest output, is below
5e-6 for m = 4 and 1e-6 for m = 2, of windows laid out in a matrix 5e-7; an infinite pixel makes its whole tile NaN.
LAMINA_WINOGRAD=0 in the environment turns this off, LAMINA_WINOGRAD=2 allows m = 2 alone; it is read when a plan is
made.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from functools import cache, partial

import numpy as np

from lamina.ops.kernels import Call, Memory, Prepares
from lamina.tensor import Spec
from lamina_conv.patches import Block, Padded, part
from lamina_conv.windows import Slide

BLOCK = 1 << 21  # bytes of transforms made at a time
LEAST = 64  # tiles in a block at least: for every product BLAS reads the whole kernel again

POINTS = {2: (0, 1, -1), 4: (0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}
"""Where the polynomials that stand for pixels and kernel are evaluated, for each m, besides infinity.  With 1, 2 and
their opposites, as in the source, errors for m = 4 would be five times as large."""

KERNEL = 1  # the number of the kernel among the inputs of a convolution and of its gradient
FEWEST = 32  # channels and filters: with fewer, transforms take longer than what they save
TILES = 32  # in a batch at least, for the same reason
ROOM = 1 << 24  # bytes of a transformed kernel at most: each convolution of a model keeps its own


def tile_for(x: Spec, channels: int, filters: int, axes: Sequence[Slide]) -> int | None:
    """The m to take for images like x, where that is faster than laying out their windows; else None."""
    m = {"2": 2, "0": 0}.get(os.environ.get("LAMINA_WINOGRAD", ""), 4)
    if not m or x.dtype != "float32" or min(channels, filters) < FEWEST:
        return None
    if [(axis.window, axis.stride, axis.dilation) for axis in axes] != [(3, 1, 1)] * 2:
        return None
    rows, columns = (axis.count for axis in axes)
    tiles = -(-rows // m) * -(-columns // m)
    enough = tiles * (x.shape[0] or 0) >= TILES
    filled = 3 * rows * columns >= 2 * tiles * m * m
    fits = (m + 2) ** 2 * channels * filters * np.dtype(x.dtype).itemsize <= ROOM
    return m if enough and filled and fits else None


def convolve(
    out: np.ndarray, x: np.ndarray, kernel: np.ndarray, axes: Sequence[Slide], m: int
) -> Iterator[Call | Prepares]:
    """Every window of x times the kernel, in tiles of m x m outputs."""
    size = (m + 2) ** 2
    pixels, kernels, outputs = _transforms(m, x.dtype.name)
    channels, filters = kernel.shape[-2:]
    weights = np.empty((size, channels, filters), x.dtype)
    taps = np.empty((9, channels, filters), x.dtype)
    yield Prepares(partial(np.copyto, taps.reshape(3, 3, channels, filters), kernel), KERNEL)
    yield Prepares(partial(np.dot, kernels, taps.reshape(9, -1), out=weights.reshape(size, -1)), KERNEL)
    # Windows of a tile: every m-th, of m + 2 pixels; those at the end look at zeros and make outputs nobody wants.
    tiles = [Slide(axis.size, m + 2, m, 1, axis.before, axis.after + m) for axis in axes]
    memory = Memory()
    blocks = _blocks(out, m, channels, memory)
    padded = Padded(x, tiles, blocks)
    for block in blocks:
        windows, copy = padded.at(block)
        yield from copy
        yield partial(np.copyto, block.windows, windows)
        count = block.rows.stop - block.rows.start
        transformed = memory("transformed", (size, count, channels), x.dtype)
        products = memory("products", (size, count, filters), x.dtype)
        results = memory("tiles", (m * m, count * filters), x.dtype)  # where the pixels were
        yield partial(np.dot, pixels, block.matrix, out=transformed.reshape(size, -1))
        yield partial(np.matmul, transformed, weights, out=products)
        yield partial(np.dot, outputs, products.reshape(size, -1), out=results)
        made = results.reshape(m, m, *block.windows.shape[:3], filters).transpose(2, 3, 0, 4, 1, 5)
        yield from _put(out[block.images, block.first.start * m : block.first.stop * m], made, m)


@cache
def _transforms(m: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What pixels, the kernel and products are multiplied with: matrices that work along both axes at once."""
    points = POINTS[m]
    others = [[other for other in points if other != point] for point in points]
    weights = [
        1 / np.prod([point - other for other in rest]) for point, rest in zip(points, others, strict=True)
    ]
    pixels, kernel, outputs = np.zeros((m + 2, m + 2)), np.zeros((m + 2, 3)), np.zeros((m, m + 2))
    for row, (point, rest, weight) in enumerate(zip(points, others, weights, strict=True)):
        pixels[row, :-1] = np.poly(rest)[::-1]
        kernel[row] = weight * np.power(float(point), range(3))
        outputs[:, row] = np.power(float(point), range(m))
    # Infinity: the highest coefficient alone.
    pixels[-1], kernel[-1, -1], outputs[-1, -1] = np.poly(points)[::-1], 1, 1
    one, two, three = (np.kron(matrix, matrix).astype(dtype) for matrix in (pixels, kernel, outputs))
    return one, two, three


def _blocks(out: np.ndarray, m: int, channels: int, memory: Memory) -> list[Block]:
    """All tiles: those of some images, or some rows of those of one, at a time."""
    batch, rows, columns = len(out), -(-out.shape[1] // m), -(-out.shape[2] // m)
    if out.size == 0:
        return []
    size = (m + 2) ** 2
    most = max(LEAST, BLOCK // (size * (channels + out.shape[-1]) * out.itemsize))
    images = part(batch, most // (rows * columns))
    band = rows if images > 1 else part(rows, most // columns)
    # As much as any block takes, so that all of them have the same memory.
    memory("tiles", (images * band * columns * max(size * channels, m * m * out.shape[-1]),), out.dtype)
    blocks = []
    for image, row in itertools.product(range(0, batch, images), range(0, rows, band)):
        shape = (min(images, batch - image), min(band, rows - row), columns)
        count = shape[0] * shape[1] * columns
        start = (image * rows + row) * columns
        matrix = memory("tiles", (size, count * channels), out.dtype)
        windows = matrix.reshape(m + 2, m + 2, *shape, channels).transpose(2, 3, 4, 0, 1, 5)
        places = slice(image, image + shape[0]), slice(row, row + shape[1]), slice(start, start + count)
        blocks.append(Block(*places, matrix, windows))
    return blocks


def _put(out: np.ndarray, made: np.ndarray, m: int) -> Iterator[Call]:
    """Tiles (images, rows, m, columns, m, filters) to their places; what reaches beyond the image is dropped."""
    for (rows, down), (columns, along) in itertools.product(*(_cut(size, m) for size in out.shape[1:3])):
        target = out[:, rows, columns]
        tiles = made[
            :, rows.start // m : -(-rows.stop // m), :down, columns.start // m : -(-columns.stop // m), :, :
        ]
        tiles = tiles[..., :along, :]
        split = target.reshape(len(target), tiles.shape[1], down, tiles.shape[3], along, target.shape[-1])
        yield partial(np.copyto, split, tiles)


def _cut(size: int, m: int) -> Iterator[tuple[slice, int]]:
    """An axis as whole tiles and the part of one at its end: where, and how long a tile is there."""
    whole = size // m * m
    if whole:
        yield slice(0, whole), m
    if whole < size:
        yield slice(whole, size), size - whole
