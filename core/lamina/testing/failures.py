"""What a failed check says: the case, what was met, and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np


def fail(case: object, what: str, met: Any, expected: Any) -> NoReturn:
    """Raise an AssertionError that names the case, what was met, and what was expected."""
    raise AssertionError(f"{case}: {what}\n  met:      {met}\n  expected: {expected}")


def assert_equal(case: object, what: str, met: Any, expected: Any) -> None:
    """Fail unless both are the same; arrays in every bit."""
    if isinstance(expected, np.ndarray):
        if not (
            met.dtype == expected.dtype
            and met.shape == expected.shape
            and np.array_equal(met, expected, True)
        ):
            fail(case, what, _shown(met, expected), _shown(expected, expected))
    elif met != expected:
        fail(case, what, met, expected)


def assert_all_equal(case: object, what: str, met: Sequence[Any], expected: Sequence[Any]) -> None:
    """Fail unless both lists are the same; arrays in every bit."""
    assert_equal(case, f"{what}: how many", len(met), len(expected))
    for one, other in zip(met, expected, strict=True):
        assert_equal(case, what, one, other)


def assert_close(case: object, what: str, met: Any, expected: Any, rtol: float, atol: float = 0.0) -> None:
    """Fail unless the arrays have one shape and differ by at most atol + rtol * |expected|."""
    met, expected = np.asarray(met), np.asarray(expected)
    if met.shape != expected.shape or not np.allclose(met, expected, rtol, atol, equal_nan=True):
        fail(case, f"{what} (rtol {rtol:g}, atol {atol:g})", _shown(met, expected), _shown(expected, met))


def assert_finite(case: object, what: str, met: np.ndarray) -> None:
    """Fail if there is an infinity or a NaN."""
    if not np.all(np.isfinite(met)):
        fail(case, what, _shown(met, np.where(np.isfinite(met), met, 0)), "finite numbers")


def _shown(array: Any, other: Any) -> str:
    """The array in short: its type, and the first few numbers that are not as in the other."""
    array, other = np.asarray(array), np.asarray(other)
    head = f"{array.dtype}{list(array.shape)}"
    if array.shape != other.shape:
        return head
    at = np.argwhere(np.atleast_1d((array != other) & ~((array != array) & (other != other))))[:3]
    if not len(at):
        return head
    return f"{head}, " + ", ".join(f"{list(map(int, i))}: {np.atleast_1d(array)[tuple(i)]!r}" for i in at)
