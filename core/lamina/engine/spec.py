"""InputSpec: what a layer accepts, and the check of tensors against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lamina.tensor import Shape, Tensor


class InputSpec:
    """What one input of a layer must be; None leaves a thing open.

    dtype: name of the type.  shape: sizes with the batch axis, None for any.  ndim, max_ndim, min_ndim: numbers of
    axes.  axes: {axis: size}, for the few axes that matter.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
    ) -> None:
        self.dtype = None if dtype is None else np.dtype(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})

    def __repr__(self) -> str:
        said = ((name, value) for name, value in vars(self).items() if value not in (None, {}))
        return f"InputSpec({', '.join(f'{name}={value!r}' for name, value in said)})"

    def misfit(self, shape: Shape, dtype: str) -> str | None:
        """What is wrong with an input of this shape and dtype, as "expected ..., found ..."; None when it fits."""
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={ndim} (shape {shape}){_remedy(ndim, self.ndim)}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={ndim} (shape {shape}){_remedy(ndim, self.max_ndim)}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={ndim} (shape {shape}){_remedy(ndim, self.min_ndim)}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            if not -ndim <= int(axis) < ndim:
                return f"expected an axis {axis}, found shape {shape}"
            if size is not None and shape[int(axis)] not in (size, None):
                return f"expected axis {axis} of input shape to have value {size}, found shape {shape}"
        if self.shape is not None and not agree(self.shape, shape):
            return f"expected shape={self.shape}, found shape={shape}"
        return None


def _remedy(met: int, wanted: int) -> str:
    """What to do about too few or too many axes."""
    return f": a Reshape layer, or {'np.expand_dims on' if met < wanted else 'a reshape of'} the data, makes it fit"


def check_inputs(name: str, input_spec: object, tensors: Sequence[object]) -> None:
    """Raises ValueError naming the layer, what it expected and what it found, when `tensors` do not fit."""
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"Layer {name} was called with an input that isn't a symbolic tensor: {type(tensor).__name__}. Layers "
                "are called on the outputs of Input or of other layers; arrays go to the model's predict or fit"
            )
    if not input_spec:
        return
    specs = input_spec if isinstance(input_spec, list | tuple) else [input_spec]
    if len(specs) != len(tensors):
        raise ValueError(
            f"Layer {name} expects {len(specs)} inputs, but it received {len(tensors)} input tensors: {list(tensors)}"
        )
    for index, (spec, tensor) in enumerate(zip(specs, tensors, strict=True)):
        if isinstance(spec, InputSpec) and isinstance(tensor, Tensor):
            problem = spec.misfit(tensor._keras_shape, tensor.dtype)
            if problem:
                raise ValueError(f"Input {index} is incompatible with layer {name}: {problem}")


def agree(one: Shape, other: Shape) -> bool:
    """Whether one array could have both shapes."""
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(one, other, strict=True)
    )
