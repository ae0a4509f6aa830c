"""What layers that convolve each channel by itself have in common: Depthwise, and SeparableConv that then mixes."""

from __future__ import annotations

from typing import Any

from lamina import constraints, initializers, regularizers
from lamina.engine.arguments import as_count
from lamina.tensor import Tensor
from lamina_conv.layer import Convolution
from lamina_conv.separable import separable_conv1d, separable_conv2d


class Depthwise(Convolution):
    """A layer whose first step is to convolve each channel with `depth_multiplier` filters of its own.

    kernels: the beginnings of the names of its weights, each with an initializer, a regularizer and a constraint.
    """

    kernels: tuple[str, ...] = ("depthwise",)

    def __init__(self, *arguments: Any, depth_multiplier: int, parts: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        self.depth_multiplier = as_count(
            depth_multiplier, f"{self.name}: depth_multiplier is the number of filters for each channel"
        )
        for name, part in parts.items():
            setattr(self, name, _GET[name.rpartition("_")[2]].get(part))

    def get_config(self) -> dict[str, Any]:
        # After what all convolutions have, as Keras 2 writes it.
        config = {**super().get_config(), "depth_multiplier": self.depth_multiplier}
        for kind, registry in _GET.items():
            for kernel in self.kernels:
                name = f"{kernel}_{kind}"
                config[name] = registry.serialize(getattr(self, name))
        return config

    def _add_depthwise(self, channels: int) -> int:
        self.depthwise_kernel = self._add(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise"
        )
        return channels * self.depth_multiplier


class SeparableConv(Depthwise):
    """activation(inputs * depthwise_kernel * pointwise_kernel + bias): each channel alone, then all at each place."""

    kernels = ("depthwise", "pointwise")

    def _add_kernels(self, channels: int) -> int:
        between = self._add_depthwise(channels)
        self.pointwise_kernel = self._add(
            "pointwise_kernel", (*[1] * self.rank, between, self.filters), "pointwise"
        )
        return self.filters

    def _convolved(self, inputs: Tensor) -> Tensor:
        return (separable_conv1d if self.rank == 1 else separable_conv2d)(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )


_GET: dict[str, Any] = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}
