"""Functions of arrays, and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina import gradient
from lamina.backend.slices import fetching, with_slices
from lamina.function import Function, Update
from lamina.op import as_tensor
from lamina.ops import elementwise as e
from lamina.ops.reduction import sum_
from lamina.ops.rules import total
from lamina.tensor import Tensor

__all__ = ["function", "gradients", "stop_gradient"]


def function(
    inputs: Sequence[Tensor], outputs: Any, updates: Sequence[Any] | None = None, **kwargs: Any
) -> Callable[[Sequence[Any]], Any]:
    """A callable: given a list of arrays for `inputs`, it answers the list of NumPy arrays for `outputs`.

    outputs: a list of tensors; a single tensor gives a callable that answers a single array.
    updates: `K.update`s or (variable, new value) pairs, assigned at each call; all read the values before the call.
    inputs may hold K.learning_phase(); it then takes 1 (train) or 0 (test).

    Raises TypeError when inputs is no list, ValueError for a keyword that means something to TensorFlow only.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(
            f'Invalid argument "{next(iter(kwargs))}" passed to K.function: it takes none but name'
        )
    if not isinstance(inputs, list | tuple):
        raise TypeError(f"the inputs of a function are a list or tuple of tensors, met {inputs!r}")
    single = isinstance(outputs, Tensor)
    fetched = [outputs] if single else list(outputs or [])
    # Fetching an update runs it, as in TensorFlow.
    assigned = [*(updates or []), *[output for output in fetched if isinstance(output, Update)]]
    made = fetching(fetched, lambda outputs: Function(inputs, outputs, assigned, name))
    return _Single(made) if single else made


class _Single:
    """A function of one output, which it answers without a list around it."""

    def __init__(self, function: Callable[[Sequence[Any]], list[Any]]) -> None:
        self.function = function

    def __call__(self, arrays: Sequence[Any]) -> np.ndarray:
        return self.function(arrays)[0]


def gradients(loss: Any, variables: Any) -> list[Tensor | None]:
    """The gradient of `loss` (its sum, where it is no scalar) with respect to each of `variables`, as a list.

    loss: a tensor, or a list of tensors, which are added up.
    variables: a tensor or a list of them: variables, placeholders or anything between.  None stands where the loss
    does not depend on one.

    The gradient of a table from which K.gather (an Embedding, say) took rows is what it is in TensorFlow: in
    arithmetic a tensor of the table's shape; as an output of K.function the rows themselves, one for each look-up and
    not added up, with `values`, `indices` and `dense_shape`.  `gradient + 0` is the dense one there too.
    """
    wanted = [variables] if isinstance(variables, Tensor) else list(variables)
    loss = total(sum_(part) for part in loss) if isinstance(loss, list | tuple) else as_tensor(loss)
    return [with_slices(found) for found in gradient.gradients(loss, wanted)]


def stop_gradient(variables: Any) -> Any:
    """The same values, through which no gradient passes; a list gives a list."""
    if isinstance(variables, list | tuple):
        return [e.stop_gradient(x) for x in variables]
    return e.stop_gradient(variables)
