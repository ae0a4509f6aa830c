"""Embedding: a learned vector for each index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import backend as K
from lamina import constraints, initializers, regularizers
from lamina.engine.arguments import as_count
from lamina.layers import Layer
from lamina.tensor import Shape, Tensor


class Embedding(Layer):
    """embeddings[i] for each index i.

    Input:   (batch, ...), integers, 0 <= i < input_dim; floats are cut to integers.
    Output:  (batch, ..., output_dim), float.
    Weights: embeddings, (input_dim, output_dim).

    input_dim: size of the vocabulary, one more than the largest index.
    output_dim: size of a vector.
    embeddings_initializer: what the vectors start from.
    embeddings_regularizer, activity_regularizer: penalties on the vectors and on the output, or None.
    embeddings_constraint: what the vectors are held to after each update, or None.
    mask_zero: whether index 0 is padding: the output then carries a mask, and input_dim counts the padding too.
    input_length: length of the sequences, or a tuple of lengths, where it is fixed (a Flatten after this layer needs
        it); None where it is not.

    Raises ValueError for sizes that are not whole and positive, and when the input is not as long as input_length;
    IndexError naming layer, index and size for an index out of range, negative ones among them.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        activity_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: int | Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        if not {"input_shape", "batch_input_shape"} & kwargs.keys():
            lengths = input_length if isinstance(input_length, list | tuple) else (input_length,)
            kwargs["input_shape"] = tuple(lengths)
        super().__init__(**kwargs)
        self.input_dim = as_count(input_dim, f"{self.name}: input_dim is the size of the vocabulary")
        self.output_dim = as_count(output_dim, f"{self.name}: output_dim is the size of a vector")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.input_length = input_length

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            dtype=self.dtype,
        )
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        self._check_length(K.int_shape(inputs))
        return K.gather(self.embeddings, inputs)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Tensor | None:
        return K.not_equal(inputs, 0) if self.mask_zero else None

    def _check_length(self, shape: Shape) -> None:
        if self.input_length is None:
            return
        lengths = self.input_length if isinstance(self.input_length, list | tuple) else (self.input_length,)
        fits = len(lengths) == len(shape) - 1 and all(
            None in (want, have) or want == have for want, have in zip(lengths, shape[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f'{self.name}: "input_length" is {self.input_length}, but received input has shape {shape}: '
                "pad or cut the sequences to that length, or leave input_length out"
            )
