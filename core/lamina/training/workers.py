"""Workers: threads that make batches ahead of the one who takes them, and in order.

Every wait here ends: whoever takes a batch looks at its worker twice a second, and a worker that has died, or has
been at one batch for longer than it may, becomes an error that says where it was.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import itertools
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

LIMIT = 8.0  # seconds that a worker may take for one batch, unless told otherwise
_LOOK = 0.5  # seconds between two looks at the workers
_LEAVE = 3.0  # seconds that workers have to finish a batch that nobody wants any more
_OLD = 5.0  # seconds after which a failure is told before the batches in front of it are used up


class WorkerError(RuntimeError):
    """A worker died, or took too long for a batch."""


class Ended:
    """The answer of an iterator that has no more."""


class Workers:
    """Threads, one for each of `makers`, that answer tasks ahead of time.

    makers: each turns a task into what is asked for, in a thread of its own.  One that has `stop` and `close` works
        elsewhere: `stop` makes it return at once from what it does, `close` waits until it is gone.
    ahead: how many tasks may be under way or done before they are taken.
    limit: seconds that one task may take.
    """

    def __init__(self, makers: Sequence[Callable[[Any], Any]], ahead: int, limit: float) -> None:
        self._makers = list(makers)
        self._ahead = max(1, ahead)
        self._limit = limit
        # These queues are the only thing the threads share that has a lock, and theirs is out of Python's sight: a
        # Ctrl-C that arrives at any point leaves nothing locked, and nothing unlocked twice.
        self._tasks: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._early: dict[int, _Answer] = {}  # answers that came before their turn
        self._busy: dict[int, tuple[threading.Thread, float]] = {}  # who is at which task, since when
        self._failed: _Answer | None = None  # the first that came
        self._gone: deque[str] = (
            deque()
        )  # names of threads that have ended; asking a thread itself takes a lock
        self._first, self._last = 1, 0  # numbers of the tasks that are still of use
        self._leaving = False
        self._patience = _LEAVE
        self._threads: list[threading.Thread] = []

    def map(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The answers to `tasks`, in their order.

        Raises what a maker raised; WorkerError for a worker that is gone, or over its limit.
        """
        tasks = iter(tasks)
        under_way: deque[int] = deque()
        self._start()
        try:
            while True:
                for task in itertools.islice(tasks, self._ahead - len(under_way)):
                    under_way.append(self._give(task))
                if not under_way:
                    return
                yield self._take(under_way.popleft())
        finally:
            self._forget()

    def close(self) -> None:
        """End the workers.  What they are at is waited for a moment, then interrupted."""
        self._leaving = True
        self._forget()
        for _ in self._threads:
            self._tasks.put((0, None))  # for them to wake up
        elsewhere: list[Any] = [maker for maker in self._makers if hasattr(maker, "stop")]
        for maker in elsewhere:
            maker.stop()
        until = time.monotonic() + self._patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        late = [thread for thread, _ in list(self._busy.values()) if thread.is_alive()]
        for thread in late:
            _interrupt(thread)
        for thread in late:
            thread.join(_LOOK)  # one that sleeps in a call outside Python ends when that returns
        for maker in elsewhere:
            maker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- whoever takes

    def _start(self) -> None:
        if self._threads:
            return
        for maker in self._makers:
            thread = threading.Thread(
                target=contextvars.copy_context().run,  # with the device in use, for makers that run models
                args=(self._work, maker),
                name=f"lamina-worker-{len(self._threads)}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)

    def _give(self, task: Any) -> int:
        self._last += 1
        self._tasks.put((self._last, task))
        return self._last

    def _take(self, number: int) -> Any:
        wait = False
        while True:
            self._gather(wait)
            if self._failed and time.monotonic() - self._failed.since > _OLD:
                number = self._failed.number
            if number in self._early:
                break
            self._look_after(number)
            wait = True
        found = self._early.pop(number)
        if found.error is None:
            return found.value
        try:
            raise found.error
        finally:
            del found  # or the error would keep itself alive, through the frames of its traceback

    def _gather(self, wait: bool) -> None:
        """Fetch the answers that are there; the first may be waited for, until it is time to look at the workers."""
        with contextlib.suppress(Empty):
            while True:
                answer = self._answers.get(wait, _LOOK)
                wait = False
                if answer.number >= self._first:
                    self._early[answer.number] = answer
                    if answer.error is not None and self._failed is None:
                        self._failed = answer

    def _forget(self) -> None:
        """Drop the tasks that nobody is at, and every answer, now or when it comes."""
        self._first = self._last + 1
        self._early.clear()
        self._failed = None
        for queue in self._tasks, self._answers:
            with contextlib.suppress(Empty):
                while True:
                    queue.get_nowait()

    def _look_after(self, number: int) -> None:
        """Raise where the worker of a task is gone, or has been at it for too long."""
        if self._gone:
            raise WorkerError(f"{self._gone[0]} has ended without an answer")
        if (found := self._busy.get(number)) is not None:
            thread, since = found
            if time.monotonic() - since > self._limit:
                self._patience = _LOOK  # it will not finish
                raise WorkerError(late(f"The thread {thread.name}", self._limit, _stack(thread)))

    # ---- whoever makes

    def _work(self, maker: Callable[[Any], Any]) -> None:
        try:
            with contextlib.suppress(_Unwanted):
                self._answer(maker)
        finally:
            self._gone.append(threading.current_thread().name)

    def _answer(self, maker: Callable[[Any], Any]) -> None:
        while not self._leaving:
            try:
                number, task = self._tasks.get(timeout=_LOOK)
            except Empty:
                continue
            if self._leaving:
                return
            self._busy[number] = threading.current_thread(), time.monotonic()
            answer = _answered(maker, number, task)
            del self._busy[number]
            self._answers.put(answer)
            del answer, task


class _Answer(NamedTuple):
    number: int
    value: Any
    error: BaseException | None
    since: float  # when it was ready


def _answered(maker: Callable[[Any], Any], number: int, task: Any) -> _Answer:
    try:
        return _Answer(number, maker(task), None, time.monotonic())
    except BaseException as error:  # SystemExit too: whoever takes the batch is told, whatever it is
        return _Answer(number, None, error, time.monotonic())


def late(who: str, limit: float, where: str) -> str:
    """The words for a worker that took too long."""
    return (
        f"{who} has been making one batch for {limit:g} s. It is here:\n{where}"
        "If the data only takes long, allow it more: worker_timeout = 60 (seconds) on the Sequence, or "
        "LAMINA_WORKER_TIMEOUT=60 in the environment; with workers=0 the batches are made where training runs, "
        "which waits for ever"
    )


def limit_for(source: Any) -> float:
    """Seconds that a batch of `source` may take: its worker_timeout, else LAMINA_WORKER_TIMEOUT, else 8."""
    given = getattr(source, "worker_timeout", None) or os.environ.get("LAMINA_WORKER_TIMEOUT")
    try:
        limit = float(given) if given else LIMIT
    except (TypeError, ValueError):
        limit = -1.0
    if not limit > 0:
        raise ValueError(f"a worker's timeout is a number of seconds above 0, met {given!r}")
    return limit


def _stack(thread: threading.Thread) -> str:
    """Where a thread is, as a traceback prints it, from the maker on."""
    frame = sys._current_frames().get(thread.ident or 0)
    found = traceback.extract_stack(frame) if frame else []
    starts = [at for at, entry in enumerate(found, start=1) if entry.filename == __file__]
    return "".join(traceback.format_list(found[max(starts, default=0) :]))


class _Unwanted(SystemExit):
    """Raised in a thread whose work nobody waits for any more."""


def _interrupt(thread: threading.Thread) -> None:
    """Raise in another thread, as soon as it runs Python again."""
    if hasattr(ctypes, "pythonapi") and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Unwanted))
