"""PReLU: a rectifier whose slope on the negative side is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina import constraints, initializers, regularizers
from lamina.layers import InputSpec, Layer
from lamina.op import as_float
from lamina.tensor import Shape, Tensor


class PReLU(Layer):
    """f(x) = x where x > 0, alpha * x elsewhere, with alpha learned.

    Input:   (batch, d1, ..., dn), float.
    Output:  the same shape and dtype; the mask passes through.
    Weights: alpha, (d1, ..., dn) with 1 on each of shared_axes.

    alpha_initializer: initializer, name or config for alpha.  Default zeros.
    alpha_regularizer: penalty on alpha, or None.
    alpha_constraint: what alpha is held to, or None.
    shared_axes: axis or axes, counted from 1 after the batch, along which positions share one alpha: [1, 2] is one
        slope per channel of a channels_last image.

    Raises ValueError in build for shared_axes that are none, and when alpha would need the size of an unknown axis.
    Source: He et al. 2015, arXiv:1502.01852, eq. 1.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = (
            [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)
        )

    def build(self, input_shape: Shape) -> None:
        shared = set(self.shared_axes or ())
        if not shared <= set(range(1, len(input_shape))):
            raise ValueError(
                f"{self.name}: shared_axes={self.shared_axes} are axes of {input_shape}, counted from 1 after the batch"
            )
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape[1:], start=1))
        if None in shape:
            raise ValueError(
                f"{self.name} keeps one alpha per position, and axis {shape.index(None) + 1} of {input_shape} "
                f"has no fixed size: add it to shared_axes={self.shared_axes}"
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,  # type: ignore[arg-type]
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        own = {axis: size for axis, size in enumerate(input_shape) if axis > 0 and axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=own)
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        inputs = as_float(inputs)  # of unsigned numbers there is no negative
        return K.relu(inputs) - self.alpha * K.relu(-inputs)
