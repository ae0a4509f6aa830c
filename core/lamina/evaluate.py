"""Plain evaluation: each op's definition, one after another.  The reference that plans are held against.

Nothing is rewritten, fused or reused here.  Variables are made with it, constants are folded with it, and
functions whose shapes depend on data run by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.devices import Device, current_device
from lamina.tensor import Apply, Constant, Placeholder, Tensor, Variable, toposort


def evaluate(
    outputs: Sequence[Tensor], feeds: Mapping[Tensor, Any] | None = None, device: Device | None = None
) -> list[np.ndarray]:
    """The values of `outputs` as NumPy arrays, given `feeds` for placeholders (or any other tensor).

    Raises ValueError naming a placeholder that is needed and not fed.
    """
    device = device or current_device()
    values = {id(t): device.to_device(dense(value, t.dtype)) for t, value in (feeds or {}).items()}
    stop = list(feeds or {})
    arrays = compute(toposort(outputs, stop), values, device)
    return [np.array(device.to_host(leaf(tensor, arrays, device))) for tensor in outputs]


def dense(value: Any, dtype: str) -> np.ndarray:
    """`value` as a NumPy array, a scipy sparse matrix among what it may be."""
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value, dtype=dtype)


def compute(order: Sequence[Apply], values: dict[int, Any], device: Device) -> dict[int, Any]:
    """Run the definitions in `order`, from the arrays in `values` (keyed by id of tensor) on; they are added there."""
    with np.errstate(all="ignore"):
        for apply in order:
            arrays = [leaf(tensor, values, device) for tensor in apply.inputs]
            try:
                found = apply.op.define(device.xp, *arrays, **apply.attrs)
            except Exception as error:
                raise located(error, apply) from error
            several = found if isinstance(found, tuple | list) else (found,)
            for tensor, array in zip(apply.outputs, several, strict=True):
                if id(tensor) not in values:  # one of several outputs may be given
                    values[id(tensor)] = array if array.dtype == tensor.dtype else array.astype(tensor.dtype)
    return values


def leaf(tensor: Tensor, values: Mapping[int, Any], device: Device) -> Any:
    """The array of a tensor: computed already, or a leaf that carries its own."""
    found = values.get(id(tensor))
    if found is not None:
        return found
    if isinstance(tensor, Variable):
        return on_device(tensor, device)
    if isinstance(tensor, Constant):
        return device.to_device(tensor.value) if device.name != "cpu" else tensor.value
    if isinstance(tensor, Placeholder) and tensor.static:
        from lamina.backend import phase

        return device.xp.asarray(phase.fixed() or 0, dtype=tensor.dtype)
    raise ValueError(
        f"{tensor!r} has no value: give an array for it (an input of the function, or feed_dict of eval), "
        "or let the result not depend on it"
    )


def on_device(variable: Variable, device: Device) -> Any:
    """The variable's array, moved to `device` if it lives elsewhere."""
    if variable.device is not device:
        variable.move(device.to_device(variable.device.to_host(variable.storage)), device)
    return variable.storage


def located(error: Exception, apply: Apply) -> Exception:
    """`error` again, of the same kind, saying in which op of which layer it happened."""
    where = f"in {apply!r}" + (f" of layer {'/'.join(apply.scope)}" if apply.scope else "")
    kinds = (ValueError, TypeError, IndexError, AttributeError, FloatingPointError, MemoryError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), RuntimeError)
    return kind(f"{error} ({where})")
