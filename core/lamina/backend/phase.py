"""The learning phase: 1 in training, 0 in testing; an input of functions until it is fixed."""

from __future__ import annotations

from lamina.tensor import Placeholder

__all__ = ["learning_phase", "set_learning_phase"]

_fixed: int | None = None
_placeholder: Placeholder | None = None


def learning_phase() -> Placeholder | int:
    """The flag that layers such as Dropout look at: 1 in training, 0 in testing.

    A symbolic input of functions; once `set_learning_phase` was called, that number.
    """
    global _placeholder
    if _fixed is not None:
        return _fixed
    if _placeholder is None:
        _placeholder = Placeholder((), "int32", "keras_learning_phase:0", static=True)
    return _placeholder


def set_learning_phase(value: int) -> None:
    """Fix the phase to 0 (test) or 1 (train) for what is built from now on.  Raises ValueError otherwise."""
    global _fixed
    if value not in (0, 1):
        raise ValueError(f"the learning phase is 0 (test) or 1 (train), met {value!r}")
    _fixed = int(value)


def fixed() -> int | None:
    """The fixed phase, or None."""
    return _fixed


def reset() -> None:
    """Forget a fixed phase, as `clear_session` does."""
    global _fixed
    _fixed = None
