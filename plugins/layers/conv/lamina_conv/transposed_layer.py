"""ConvTranspose: what transposed convolution layers over two and three spatial axes have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend as K
from lamina.tensor import Tensor
from lamina_conv.layer import Conv
from lamina_conv.transposed import transposed
from lamina_conv.windows import span


class ConvTranspose(Conv):
    """activation(inputs spread by the kernel + bias): each number times each filter's window, added up."""

    def __init__(self, *arguments: Any, output_padding: Any = None, **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = _sizes(self.name, output_padding, self.rank)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{self.name}: output_padding is less than the stride on each axis; met "
                    f"output_padding={self.output_padding} with strides={self.strides}"
                )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_padding": self.output_padding}

    def _add_kernels(self, channels: int) -> int:
        self.kernel = self._add("kernel", (*self.kernel_size, self.filters, channels), "kernel")
        return self.filters

    def _of_keras_1(self, kernel: np.ndarray) -> np.ndarray:
        # Keras 1 had it like a plain convolution's, with the filters last; it is (*spatial, filters, channels) now.
        kernel = super()._of_keras_1(kernel)
        return kernel.swapaxes(-2, -1) if kernel.ndim == self.rank + 2 else kernel

    def _convolved(self, inputs: Tensor) -> Tensor:
        first = self.data_format == "channels_first"
        shape: Any = K.shape(inputs)
        sizes = [
            self._length(shape[axis] if inputs.shape[axis] is None else inputs.shape[axis], at)
            for at, axis in enumerate(range(2, inputs.ndim) if first else range(1, inputs.ndim - 1))
        ]
        return transposed(
            type(self).__name__,
            self.rank,
            inputs,
            self.kernel,
            [None, self.filters, *sizes] if first else [None, *sizes, self.filters],
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def _length(self, size: Any, at: int) -> Any:
        """What an axis of this size becomes."""
        stride, reach = self.strides[at], span(self.kernel_size[at], self.dilation_rate[at])
        if self.output_padding is None:
            return size * stride + (max(reach - stride, 0) if self.padding == "valid" else 0)
        # Half a window at either end, as Keras has it, also where windows are even and "same" padding is not.
        around = reach // 2 if self.padding == "same" else 0
        return (size - 1) * stride + reach - 2 * around + self.output_padding[at]


def _sizes(owner: str, given: Any, rank: int) -> tuple[int, ...]:
    sizes = [given] * rank if isinstance(given, int) else list(given)
    if len(sizes) != rank or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(
            f"{owner}: output_padding is a whole number, 0 or more, or a tuple of {rank}, one for each spatial axis, "
            f"or None; met {given!r}"
        )
    return tuple(sizes)
