"""Dropout drawn from a counter: what is kept is computed again for the gradient, not stored."""

from __future__ import annotations

from numbers import Real

import numpy as np

from lamina.devices import Seed
from lamina.op import op
from lamina.tensor import Spec, Tensor


def _infer_dropout(x, key, *, rate, noise_shape):
    return Spec(x.shape, x.dtype)


def _keep(xp, key, shape, rate):
    """Which elements survive, as bool: multiply-shift hashing of the elements' positions, with the key's own factor.

    Source: Dietzfelbinger et al. 1997, J. Algorithms 25, 19-51.
    """
    n = int(np.prod(shape, dtype="int64"))
    h = (_positions(xp, n) ^ key) * (key * _FACTOR | np.uint32(1))
    h = h ^ (h >> 16)
    # Two 16-bit draws from each 32-bit hash.
    return (h.view("uint16")[:n] >= _threshold(rate)).reshape(shape)


_FACTOR = np.uint32(0x9E3779B1)


def _threshold(rate: float) -> np.uint16:
    return np.uint16(round(rate * 65536))


def _positions(xp, n):
    """A well mixed 32-bit number for each pair of elements: murmur3's finaliser of its position."""
    h = (xp.arange((n + 1) // 2, dtype="uint32") + np.uint32(1)) * _FACTOR
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> shift)) * np.uint32(factor)
    return h ^ (h >> 16)


def _noise(shape, noise_shape):
    if noise_shape is None:
        return tuple(shape)
    return tuple(size if n in (None, -1) else n for size, n in zip(shape, noise_shape, strict=True))


@op(infer=_infer_dropout, name="dropout")
def _dropout(xp, x, key, *, rate, noise_shape):
    """x / (1 - rate) where the counter-based draw keeps the element, 0 elsewhere.

    The draw depends on the key and the element's position alone, so the gradient draws it again and no mask is
    stored, and every device draws the same.
    """
    keep = _keep(xp, key, _noise(x.shape, noise_shape), rate)
    return x * keep * np.asarray(1 / (1 - rate), x.dtype)


@_dropout.vjp
def _(g, y, x, key, *, rate, noise_shape):
    return _dropout(g, key, rate=rate, noise_shape=noise_shape), None


@_dropout.kernel("numpy")
def _(x, key, *, rate, noise_shape):
    shape = _noise(x.shape, noise_shape)
    n = int(np.prod(shape, dtype="int64"))
    block = 1 << 15  # hashes of one block stay in the first two levels of cache
    half = (n + 1) // 2
    positions = _positions(np, n)
    h = np.empty(min(half, block), "uint32")
    shifted = np.empty_like(h)
    keep = np.empty(2 * half, bool)
    mask = keep[:n].reshape(shape)
    threshold = np.asarray(_threshold(rate))
    scale = np.asarray(1 / (1 - rate), x.dtype)
    factor = np.empty((), "uint32")
    golden, one, sixteen = (np.asarray(value, "uint32") for value in (_FACTOR, 1, 16))

    def draw(key_array):
        np.multiply(key_array, golden, out=factor)
        np.bitwise_or(factor, one, out=factor)
        for start in range(0, half, block):
            stop = min(start + block, half)
            a, b = h[: stop - start], shifted[: stop - start]
            np.bitwise_xor(positions[start:stop], key_array, out=a)
            np.multiply(a, factor, out=a)
            np.right_shift(a, sixteen, out=b)
            np.bitwise_xor(a, b, out=a)
            np.greater_equal(a.view("uint16"), threshold, out=keep[2 * start : 2 * stop])

    def run(out, array, key_array):
        draw(key_array)
        np.multiply(array, scale, out=out)
        np.multiply(out, mask, out=out)

    return run


def dropout(x: Tensor, rate: float, noise_shape=None, seed: int | None = None) -> Tensor:
    """x with a random fraction `rate` (0 <= rate < 1) set to zero and the rest scaled by 1 / (1 - rate)."""
    from lamina.ops.random import random_key

    if not isinstance(rate, Real) or not 0 <= rate < 1:
        raise ValueError(f"rate={rate!r} must lie in 0 <= rate < 1")
    noise = None if noise_shape is None else tuple(None if n is None else int(n) for n in noise_shape)
    return _dropout(x, random_key(seed=Seed(seed)), rate=float(rate), noise_shape=noise)
