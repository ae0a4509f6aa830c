"""Pooling and GlobalPooling: what pooling layers over any number of spatial axes have in common."""

from __future__ import annotations

from typing import Any

from lamina.engine.arguments import as_data_format
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor
from lamina_conv.arguments import padding_of, per_axis
from lamina_pooling.functions import pool1d, pool2d, pool3d
from lamina_pooling.pooling import whole


class Pooling(Layer):
    """One number for each window of each channel.

    A subclass sets `rank`, the number of spatial axes, and `pool_mode`, "max" or "avg"; its constructor has the
    arguments and defaults of one rank.
    """

    rank: int
    pool_mode: str

    def __init__(
        self, pool_size: Any, strides: Any, padding: str, data_format: str | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = per_axis(self.name, "pool_size", pool_size, self.rank)
        self.strides = per_axis(self.name, "strides", pool_size if strides is None else strides, self.rank)
        self.padding = padding_of(self.name, padding)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        return _POOLINGS[self.rank](
            inputs, self.pool_size, self.strides, self.padding, self.data_format, self.pool_mode
        )

    def get_config(self) -> dict[str, Any]:
        # In the order of Keras's files, which is not that of the arguments.
        size, steps = "pool_size", "strides"
        order = (steps, size, "padding") if self.rank == 1 else (size, "padding", steps)
        return {**super().get_config(), **{name: getattr(self, name) for name in (*order, "data_format")}}


_POOLINGS: dict[int, Any] = {1: pool1d, 2: pool2d, 3: pool3d}


class GlobalPooling(Layer):
    """One number for each channel, of all positions.

    A subclass sets `rank`, the number of spatial axes; its constructor has the default of one rank.
    """

    rank: int

    def __init__(self, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = as_data_format(data_format, self.name)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def axes(self) -> tuple[int, ...]:
        """The spatial axes of the inputs."""
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self.rank))

    def positions(self, inputs: Tensor) -> Tensor:
        """The inputs.  Raises ValueError, also when running, where there is no position in them."""
        return whole(inputs, axes=self.axes)
