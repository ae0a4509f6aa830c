"""The CUDA device: arrays in a GPU's memory, computed by CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.devices import Device


def unavailable() -> str | None:
    """Why no GPU can be used here, with what to do about it; None where one can."""
    try:
        import cupy
    except ImportError as error:
        return (
            f"CuPy cannot be imported ({error}): pip install 'lamina-cuda[cuda13]' or 'lamina-cuda[cuda12]'"
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return (
            f"the CUDA driver answers {error}: is an NVIDIA driver installed, and new enough for this CuPy?"
        )
    return None if count else "the CUDA driver finds no GPU"


class CudaDevice(Device):
    """One GPU, called "cuda" (the first) or "cuda:1", "cuda:2" ...

    Raises RuntimeError, saying why, where no such GPU can be used.
    """

    def __init__(self, index: int = 0) -> None:
        super().__init__()
        reason = unavailable()
        if reason is not None:
            raise RuntimeError(reason)
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        if not 0 <= index < count:
            raise RuntimeError(f"there is no GPU {index}: the driver finds {count}, counted from 0")
        self.name = f"cuda:{index}" if index else "cuda"
        self.index = index
        self.xp: Any = cupy
        cupy.cuda.Device(index).use()

    def to_device(self, array: np.ndarray) -> Any:
        return self.xp.asarray(array, order="C")

    def to_host(self, array: Any) -> np.ndarray:
        return self.xp.asnumpy(array)

    def allocate(self, nbytes: int) -> Any:
        return self.xp.zeros(nbytes, "uint8")

    def generator(self, entropy: list[int]) -> Any:
        seed = np.random.SeedSequence(entropy).generate_state(1, "uint64")[0]
        return self.xp.random.Generator(self.xp.random.Philox4x3210(int(seed)))

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()
