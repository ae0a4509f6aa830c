"""Choosing between tensors, and applying a function along the first axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.backend.phase import learning_phase
from lamina.op import as_tensor
from lamina.ops import control
from lamina.ops import elementwise as e
from lamina.ops import shape as s
from lamina.ops.scan import scan
from lamina.tensor import Placeholder, Tensor

__all__ = ["foldl", "foldr", "in_test_phase", "in_train_phase", "map_fn", "switch"]

# ---- choosing


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Tensor:
    """then_expression where the condition holds (is not 0), else_expression elsewhere.

    condition: a scalar chooses one of the two as a whole; one of more axes chooses element by element, and its axes
        are the first ones of the expressions: (n,) picks rows of (n, d).
    The expressions may be callables without arguments.

    Raises ValueError when the condition has more axes than the expressions.
    """
    condition = as_tensor(condition)
    chosen, other = as_tensor(_called(then_expression)), as_tensor(_called(else_expression))
    chosen, other = e.add.convert((chosen, other))
    if condition.ndim == 0:
        if chosen.shape == other.shape:
            return e.where(condition, chosen, other)
        return control.choose(e.cast(condition, dtype="bool"), chosen, other)
    if condition.ndim > max(chosen.ndim, other.ndim):
        raise ValueError(
            "Rank of `condition` should be less than or equal to rank of `then_expression` and `else_expression`: "
            f"met ndim(condition)={condition.ndim}, ndim(then_expression)={chosen.ndim}, "
            f"ndim(else_expression)={other.ndim}"
        )
    if condition.ndim < chosen.ndim:
        condition = s.expand_axes(condition, axes=tuple(range(condition.ndim, chosen.ndim)))
    return e.where(condition, chosen, other)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x in training, alt in testing; either may be a callable without arguments.

    training: True or 1, False or 0, or a tensor; K.learning_phase() when None.
    """
    phase = learning_phase() if training is None else training
    if not isinstance(phase, Tensor):
        return _called(x) if phase else _called(alt)
    x, alt = _called(x), _called(alt)
    if x is alt:
        return x
    if not (isinstance(phase, Placeholder) and phase.static):
        return switch(phase, x, alt)
    return control.phase_switch(phase, *e.add.convert((as_tensor(x), as_tensor(alt))))


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x in testing, alt in training: `in_train_phase` the other way round."""
    return in_train_phase(alt, x, training)


def _called(x: Any) -> Any:
    return x() if callable(x) else x


# ---- along the first axis


def map_fn(fn: Callable[..., Any], elems: Any, name: str | None = None, dtype: str | None = None) -> Any:
    """fn(elems[0]), fn(elems[1]), ... stacked: the first axis is the one mapped over.

    elems: a tensor, or a tuple or list of tensors with equal first axes; fn then takes one of each, in the same
        structure.  dtype: of the result; that of fn's result when None.
    """
    elems = _tensors(elems)
    made: list[Any] = []

    def step(elements: list[Tensor], _: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        made.append(_tensors(fn(_filled(elems, elements))))
        return _leaves(made[0]), []

    outputs, _ = scan(step, _sequences(elems, "map_fn"))
    kinds = dtype if isinstance(dtype, list | tuple) else [dtype] * len(outputs)
    outputs = [x if kind is None else e.cast(x, dtype=kind) for x, kind in zip(outputs, kinds, strict=True)]
    return _filled(made[0], outputs)


def foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(... fn(fn(initializer, elems[0]), elems[1]) ...): from the first element to the last.

    Without an initializer the first element is it.
    """
    return _fold("foldl", fn, elems, initializer, reverse=False)


def foldr(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(... fn(fn(initializer, elems[-1]), elems[-2]) ...): from the last element to the first.

    Without an initializer the last element is it.
    """
    return _fold("foldr", fn, elems, initializer, reverse=True)


def _fold(what: str, fn: Callable[..., Any], elems: Any, initializer: Any, reverse: bool) -> Any:
    elems = _tensors(elems)
    sequences = _sequences(elems, what)
    if initializer is None:
        if any(x.shape[0] == 0 for x in sequences):
            raise ValueError(f"{what} over no elements needs an initializer")
        initial = _like(elems, lambda x: x[-1 if reverse else 0])
        sequences = [x[:-1] if reverse else x[1:] for x in sequences]
    else:
        initial = _tensors(initializer)

    def step(elements: list[Tensor], states: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        return [], _leaves(_tensors(fn(_filled(initial, states), _filled(elems, elements))))

    _, last = scan(step, sequences, _leaves(initial), reverse=reverse)
    return _filled(initial, last)


def _like(elems: Any, f: Callable[[Tensor], Any]) -> Any:
    """f of a tensor, or of each tensor of a nested structure."""
    return type(elems)(_like(item, f) for item in elems) if isinstance(elems, list | tuple) else f(elems)


def _tensors(elems: Any) -> Any:
    if isinstance(elems, list | tuple) and any(
        isinstance(item, Tensor | np.ndarray | list | tuple) for item in elems
    ):
        return type(elems)(_tensors(item) for item in elems)
    return as_tensor(elems)


def _leaves(elems: Any) -> list[Tensor]:
    """The tensors of a nested structure, in order."""
    return [x for item in elems for x in _leaves(item)] if isinstance(elems, list | tuple) else [elems]


def _filled(elems: Any, leaves: Sequence[Tensor]) -> Any:
    """The nested structure of `elems` with other tensors in it."""
    found = iter(leaves)
    return _like(elems, lambda _: next(found))


def _sequences(elems: Any, what: str) -> list[Tensor]:
    """The tensors to go along.  Raises ValueError for scalars, and where first axes differ."""
    found = _leaves(elems)
    for x in found:
        if not x.ndim:
            raise ValueError(f"{what} needs elements along a first axis, met the scalar {x!r}")
    known = {x.shape[0] for x in found} - {None}
    if len(known) > 1:
        raise ValueError(f"{what}: the first axes have different sizes {sorted(map(str, known))}")
    return found
