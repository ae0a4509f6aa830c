"""Dropout: units left out at random in training, one by one or whole channels together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina.engine.arguments import as_data_format, as_noise_shape, as_number
from lamina.layers import InputSpec, Layer
from lamina.tensor import Tensor


class Dropout(Layer):
    """In training, inputs / (1 - rate) with a random fraction `rate` of them set to zero; else the inputs.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.

    rate: fraction of units set to zero, 0 <= rate <= 1; 0 and 1 leave the inputs alone, as in Keras 2.
    noise_shape: sizes of the draw, batch included, 1 along axes that share it, None for the input's own size:
        (None, 1, None) drops the same features at every time step.
    seed: of the draws; None takes one from np.random.

    Raises ValueError for a rate outside 0 and 1, and, when called, for a noise_shape of another number of axes.
    Source: Srivastava et al. 2014, JMLR 15, 1929-1958.
    """

    supports_masking = True

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rate = as_number(rate, f"{self.name}: rate is the fraction to drop", 0, 1)
        self.noise_shape = noise_shape
        self.seed = seed

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        if not 0 < self.rate < 1:
            return inputs

        def dropped() -> Tensor:
            return K.dropout(inputs, self.rate, self._get_noise_shape(inputs), seed=self.seed)

        return K.in_train_phase(dropped, inputs, training=training)

    def _get_noise_shape(self, inputs: Tensor) -> Sequence[Any] | None:
        """The sizes of the draw for these inputs, or None for one draw an element."""
        return None if self.noise_shape is None else as_noise_shape(self.noise_shape, inputs, self.name)


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    channels_axis = -1

    def _get_noise_shape(self, inputs: Tensor) -> Sequence[Any]:
        sizes, channels = K.shape(inputs), self.channels_axis % K.ndim(inputs)
        return tuple(sizes[axis] if axis in (0, channels) else 1 for axis in range(K.ndim(inputs)))


class SpatialDropout1D(_SpatialDropout):
    """In training, inputs / (1 - rate) with a random fraction `rate` of the channels set to zero at every time step.

    Input:   (batch, time, channels), float.
    Output:  the same shape and dtype; the mask passes through.

    rate: fraction of channels set to zero, 0 <= rate <= 1; 0 and 1 leave the inputs alone.

    Source: Tompson et al. 2014, arXiv:1411.4280.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.input_spec = InputSpec(ndim=3)


class SpatialDropout2D(_SpatialDropout):
    """In training, inputs / (1 - rate) with a random fraction `rate` of the channels set to zero everywhere.

    Input:   (batch, rows, columns, channels) for channels_last, (batch, channels, rows, columns) for channels_first.
    Output:  the same shape and dtype; the mask passes through.

    rate: fraction of channels set to zero, 0 <= rate <= 1; 0 and 1 leave the inputs alone.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Source: Tompson et al. 2014, arXiv:1411.4280.
    """

    def __init__(self, rate: float, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = as_data_format(data_format, self.name)
        self.channels_axis = 1 if self.data_format == "channels_first" else -1
        self.input_spec = InputSpec(ndim=4)


class SpatialDropout3D(_SpatialDropout):
    """In training, inputs / (1 - rate) with a random fraction `rate` of the channels set to zero everywhere.

    Input:   (batch, d1, d2, d3, channels) for channels_last, (batch, channels, d1, d2, d3) for channels_first.
    Output:  the same shape and dtype; the mask passes through.

    rate: fraction of channels set to zero, 0 <= rate <= 1; 0 and 1 leave the inputs alone.
    data_format: "channels_last", "channels_first", or None for K.image_data_format().

    Source: Tompson et al. 2014, arXiv:1411.4280.
    """

    def __init__(self, rate: float, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = as_data_format(data_format, self.name)
        self.channels_axis = 1 if self.data_format == "channels_first" else -1
        self.input_spec = InputSpec(ndim=5)
