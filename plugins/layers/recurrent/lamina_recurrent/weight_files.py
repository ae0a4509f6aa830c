"""Weights of recurrent layers as files have them that Keras 1, or the layer's twin in cuDNN's layout, wrote.

CuDNNLSTM computes what LSTM does with recurrent_activation="sigmoid", and CuDNNGRU what GRU does with this and
reset_after=True, from the same numbers in another order.  Which of the two wrote a file, the shape of the bias tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Arrays = list[np.ndarray]


def lstm_weights(arrays: Arrays, cudnn: bool) -> Arrays:
    """Kernel, recurrent kernel and bias of LSTM or CuDNNLSTM, in cuDNN's layout or the plain one; others as they are.

    cuDNN adds two biases, of which the plain one is the sum; a plain one becomes two halves.
    """
    if len(arrays) != 3 or arrays[1].ndim != 2:
        return arrays
    *kernels, bias = arrays
    units = len(arrays[1])
    if cudnn and bias.shape == (4 * units,):
        return [*[_packed(kernel, 4) for kernel in kernels], np.tile(bias / 2, 2)]
    if not cudnn and bias.shape == (8 * units,):
        return [*[_unpacked(kernel, 4) for kernel in kernels], bias[: 4 * units] + bias[4 * units :]]
    return arrays


def gru_weights(name: str, arrays: Arrays, wanted: str) -> Arrays:
    """Kernel, recurrent kernel and bias of GRU or CuDNNGRU in the form wanted; others as they are.

    name: of the layer that loads them.  wanted: "CuDNNGRU", "GRU(reset_after=True)" or "GRU(reset_after=False)".

    Raises ValueError where a GRU(reset_after=False) is on one side only, which computes something else.
    """
    if len(arrays) != 3 or arrays[1].ndim != 2:
        return arrays
    *kernels, bias = arrays
    units = len(arrays[1])
    forms = {
        (6 * units,): "CuDNNGRU",
        (2, 3 * units): "GRU(reset_after=True)",
        (3 * units,): "GRU(reset_after=False)",
    }
    written = forms.get(bias.shape, wanted)
    if written == wanted:
        return arrays
    if "GRU(reset_after=False)" in (written, wanted):
        raise ValueError(
            f"{name}: {written} is not compatible with {wanted}: with reset_after=False the reset gate acts before the "
            f"product with the recurrent kernel. The file has a {written}; load it into a layer of that kind"
        )
    if wanted == "CuDNNGRU":
        return [*[_packed(kernel, 3) for kernel in kernels], bias.reshape(-1)]
    return [*[_unpacked(kernel, 3) for kernel in kernels], bias.reshape(2, -1)]


def joined_gates(arrays: Arrays, order: Sequence[int]) -> Arrays:
    """Kernel, recurrent kernel and bias, where Keras 1 had three weights for each gate; others as they are.

    order: which of Keras 1's gates each block of columns is.
    """
    if len(arrays) != 3 * len(order):
        return arrays
    return [np.concatenate([arrays[3 * gate + at] for gate in order], axis=-1) for at in range(3)]


KERAS_1_LSTM = (0, 2, 1, 3)  # its gates were i, c, f, o
KERAS_1_GRU = (0, 1, 2)


def _unpacked(kernel: np.ndarray, gates: int) -> np.ndarray:
    """cuDNN's blocks, each (units, rows) in memory order, as matrices (rows, units) side by side."""
    blocks = np.split(kernel, gates, axis=-1)
    return np.concatenate([block.reshape(block.shape[::-1]).T for block in blocks], axis=-1)


def _packed(kernel: np.ndarray, gates: int) -> np.ndarray:
    """The inverse of `_unpacked`."""
    blocks = np.split(kernel, gates, axis=-1)
    return np.concatenate([block.T.reshape(block.shape) for block in blocks], axis=-1)
