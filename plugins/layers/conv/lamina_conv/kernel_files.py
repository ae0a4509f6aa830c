"""Convolution kernels as they are in files that Keras 1, or Keras on Theano, wrote.

Kernels of another number of axes than a layer's own are left alone: loading then says what was met and expected.
"""

from __future__ import annotations

import numpy as np


def correlated(kernel: np.ndarray, rank: int, backend: str | None) -> np.ndarray:
    """A kernel, (*spatial, in, out), as it is laid over images here.

    Theano convolves in the strict sense of the word: its kernels lie the other way round along the spatial axes.
    """
    flipped = backend == "theano" and kernel.ndim == rank + 2
    return np.flip(kernel, tuple(range(rank))) if flipped else kernel


def spatial_first(kernel: np.ndarray, rank: int) -> np.ndarray:
    """(out, in, *spatial), which Keras 1 had for channels_first, as (*spatial, in, out)."""
    return kernel.transpose(*range(2, rank + 2), 1, 0) if kernel.ndim == rank + 2 else kernel
