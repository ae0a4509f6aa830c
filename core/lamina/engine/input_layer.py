"""Input: where a model begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina import config
from lamina.engine.layer import Layer
from lamina.engine.node import Node
from lamina.engine.structure import as_shape, is_shape
from lamina.tensor import Placeholder, Tensor, dtype_name


class InputLayer(Layer):
    """The layer behind an input of a model: a placeholder, or a tensor that exists already.

    input_shape: sizes without the batch axis; batch_size: that axis's, None for any.
    batch_input_shape: all sizes, instead of these two.
    dtype: floatx by default, or the tensor's.
    input_tensor: wrapped instead of a new placeholder.  Only placeholders are fed.
    sparse: whether sparse matrices will be fed.

    Raises ValueError when no shape is given, or two.
    """

    supports_masking = True
    trainable = False

    def __init__(
        self,
        input_shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        dtype: str | None = None,
        input_tensor: Tensor | None = None,
        sparse: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or f"input_{K.get_uid('input')}")
        self.built = True
        self.sparse = sparse
        if input_shape is not None and batch_input_shape is not None:
            raise ValueError(
                f"Input {self.name}: give input_shape={input_shape} or batch_input_shape={batch_input_shape}, not both"
            )
        if input_tensor is not None and not isinstance(input_tensor, Tensor):
            raise TypeError(
                f"Input {self.name} wraps a tensor, such as a K.placeholder: met {input_tensor!r}"
            )
        if batch_input_shape is None and input_shape is not None:
            batch_input_shape = (batch_size, *_shape(self.name, input_shape))
        if batch_input_shape is None and input_tensor is not None:
            batch_input_shape = input_tensor._keras_shape
        if batch_input_shape is None:
            raise ValueError(
                f"Input {self.name} needs a shape: Input(shape=(784,)), or Input(batch_shape=(32, 784))"
            )
        self.batch_input_shape = _shape(self.name, batch_input_shape)
        try:
            self.dtype = dtype_name(
                dtype or (config.floatx() if input_tensor is None else input_tensor.dtype)
            )
        except TypeError as error:
            raise TypeError(f"Input {self.name}: {error}") from None
        self.is_placeholder = input_tensor is None or isinstance(input_tensor, Placeholder)
        if input_tensor is None:
            input_tensor = K.placeholder(
                self.batch_input_shape, dtype=self.dtype, sparse=sparse, name=self.name
            )
        elif hasattr(input_tensor, "_keras_history"):
            input_tensor = K.identity(input_tensor)  # it stays what its own layer made
        if input_tensor._keras_shape != self.batch_input_shape:
            input_tensor._keras_shape = self.batch_input_shape
        input_tensor._keras_history = (self, 0, 0)  # type: ignore[attr-defined]
        shapes, tensors = [self.batch_input_shape], [input_tensor]
        Node(self, [], [], [], tensors, list(tensors), [None], [None], shapes, list(shapes))

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self.batch_input_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "name": self.name,
        }


def Input(
    shape: Sequence[int | None] | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    dtype: str | None = None,
    sparse: bool = False,
    tensor: Tensor | None = None,
) -> Tensor:
    """A tensor to build a model from: x = Input(shape=(32,)); y = Dense(16)(x); model = Model(x, y).

    shape: sizes without the batch axis: (32,) takes batches of 32-vectors; None where any size will do.
    batch_shape: sizes with the batch axis, which (10, 32) fixes to 10, and (None, 32) does not.
    name: unique in a model.  dtype: of the arrays that will be fed; floatx by default.
    sparse: whether sparse matrices will be fed.
    tensor: wrapped instead of a new placeholder.

    Raises ValueError when there is no shape.
    """
    if shape is not None and batch_shape is not None:
        raise ValueError(f"Input: give shape={shape} or batch_shape={batch_shape}, not both")
    layer = InputLayer(
        input_shape=shape,
        batch_input_shape=batch_shape,
        name=name,
        dtype=dtype,
        sparse=sparse,
        input_tensor=tensor,
    )
    return layer._inbound_nodes[0].output_tensors[0]


def _shape(name: str, shape: Any) -> tuple[int | None, ...]:
    if not is_shape(shape):
        hint = f": write ({shape},)" if isinstance(shape, int) else ""
        raise TypeError(f"Input {name}: a shape is a tuple of sizes and None, met {shape!r}{hint}")
    try:
        return as_shape(shape)
    except ValueError as error:
        raise ValueError(f"Input {name}: {error}") from None
