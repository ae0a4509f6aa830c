"""The progress bar of Keras 2: rewritten in place on a terminal, one finished line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

INTERVAL = 0.1  # seconds between two updates on a terminal


class Progbar:
    """Shows how far along something is, with the averages of some values.

    target: the count at which it is done, or None when unknown.
    width: of the bar, in characters.
    verbose: 0 nothing, 1 a bar, 2 one line of values at the end.
    interval: least time between two updates, in seconds.
    stateful_metrics: names of values that are shown as they are, not averaged.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 30,
        verbose: int = 1,
        interval: float = INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
    ) -> None:
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen = 0
        self._sums: dict[str, list[float]] = {}  # name -> [sum, count]
        self._start = time.time()
        self._shown_at = 0.0
        self._length = 0
        self._dynamic = verbose == 1 and _rewrites_lines()

    def update(self, current: int, values: Iterable[tuple[str, float]] = ()) -> None:
        """`current` are done; `values` are (name, mean over those done since the last update)."""
        self._gather(current, values)
        if self.target is not None and current >= self.target:
            self.finish()
        elif self._dynamic and time.time() - self._shown_at >= self.interval:
            self._write(self._bar() + self._eta() + _listed(self._averages()))

    def add(self, n: int, values: Iterable[tuple[str, float]] = ()) -> None:
        """`n` more are done."""
        self.update(self.seen + n, values)

    def finish(self, values: Iterable[tuple[str, float]] | None = None) -> None:
        """The last line, with `values` in place of the averages when given."""
        values = self._averages() if values is None else list(values)
        elapsed = time.time() - self._start
        if self.verbose == 1:
            self._write(
                f"{self._bar()} - {elapsed:.0f}s{_pace(elapsed, self.seen)}{_listed(values)}", end="\n"
            )
        elif self.verbose == 2:
            sys.stdout.write(f" - {elapsed:.0f}s{_listed(values)}\n")
            sys.stdout.flush()

    def _gather(self, current: int, values: Iterable[tuple[str, float]]) -> None:
        new = current - self.seen
        for name, value in values:
            if name in self.stateful_metrics:
                self._sums[name] = [value, 1]
            elif name in self._sums:
                known = self._sums[name]
                known[0] += value * new
                known[1] += new
            else:
                self._sums[name] = [value * new, new]
        self.seen = current

    def _averages(self) -> list[tuple[str, float]]:
        return [(name, total / max(1, count)) for name, (total, count) in self._sums.items()]

    def _write(self, text: str, end: str = "") -> None:
        self._shown_at = time.time()
        back = "\b" * self._length + "\r" if self._dynamic else ""
        sys.stdout.write(back + text.ljust(self._length) + end)
        sys.stdout.flush()
        self._length = len(text)

    def _bar(self) -> str:
        if self.target is None:
            return f"{self.seen:7d}/Unknown"
        done = int(self.width * min(1.0, self.seen / max(1, self.target)))
        arrow = "=" * (done - 1) + (">" if self.seen < self.target else "=") if done else ""
        return f"{self.seen:{len(str(self.target))}d}/{self.target} [{arrow}{'.' * (self.width - done)}]"

    def _eta(self) -> str:
        elapsed = time.time() - self._start
        if self.target is None:
            return f" - {elapsed:.0f}s{_pace(elapsed, self.seen)}"
        left = int(elapsed / max(1, self.seen) * (self.target - self.seen))
        if left > 3600:
            return f" - ETA: {left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d}"
        return f" - ETA: {left // 60}:{left % 60:02d}" if left > 60 else f" - ETA: {left}s"


def _pace(elapsed: float, count: int) -> str:
    each = elapsed / max(1, count)
    if each >= 1:
        return f" {each:.0f}s/step"
    return f" {each * 1e3:.0f}ms/step" if each >= 1e-3 else f" {each * 1e6:.0f}us/step"


def _listed(values: Iterable[tuple[str, Any]]) -> str:
    return "".join(f" - {name}: {_number(value)}" for name, value in values)


def _number(value: Any) -> str:
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def _rewrites_lines() -> bool:
    """Whether output goes to a terminal or a notebook, where a line can be written over."""
    return (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()) or "ipykernel" in sys.modules
