"""Substitution: a computation again, with other tensors for some of its leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.tensor import Apply, Tensor, _scope, toposort


def substitute(tensors: Sequence[Tensor], given: Mapping[Tensor, Tensor]) -> list[Tensor]:
    """`tensors` with `given[leaf]` wherever they depend on `leaf`; what depends on none is shared, not copied.

    Random draws keep their streams.
    """
    again: dict[Apply, tuple[Tensor, ...]] = {}

    def new(tensor: Tensor) -> Tensor:
        if tensor in given:
            return given[tensor]
        return again[tensor.apply][tensor.index] if tensor.apply in again else tensor

    for apply in toposort(tensors, list(given)):
        inputs = tuple(new(tensor) for tensor in apply.inputs)
        if any(a is not b for a, b in zip(inputs, apply.inputs, strict=True)):
            token = _scope.set(apply.scope)
            try:
                again[apply] = apply.op.apply(inputs, apply.attrs)
            finally:
                _scope.reset(token)
    return [new(tensor) for tensor in tensors]
