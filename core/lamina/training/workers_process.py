"""A worker in a process of its own, and what runs there.

The process is started by Python's `forkserver`: a fork of a program that has threads in a matrix product hangs.  It
ends when its parent does, however that ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Iterator
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from lamina.training.workers import Ended, WorkerError, late

START = 60.0  # seconds that a process may take to start: it imports what the data needs
_END = 2.0  # seconds that a process has to end before it is killed


class Cargo:
    """A Sequence or an iterator on its way to `takers` processes, packed anew when it has changed.

    Raises what pickle raises for a source that cannot travel; TypeError where it needs the program's own file, and
    the processes would run the whole program to read that.
    """

    def __init__(self, source: Any, takers: int) -> None:
        self.source, self.takers = source, takers
        self.version = 0
        self._packed = b""
        self._taken = 0
        self._digest = b""
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Notice a change of the source."""
        digest = _Digest()
        ForkingPickler(digest, pickle.HIGHEST_PROTOCOL).dump(self.source)
        if digest.value() != self._digest:
            self._digest = digest.value()
            self._packed, self._taken = bytes(ForkingPickler.dumps(self.source, pickle.HIGHEST_PROTOCOL)), 0
            self.version += 1
            self.needs_main = b"__main__" in self._packed
            if self.needs_main and not _main_may_be_imported():
                raise TypeError(
                    "its class, or something in it, is of the program's main file, and other processes can import "
                    'that only where it is a file that does its work under `if __name__ == "__main__":`'
                )

    def take(self) -> bytes:
        """The packed source, for one of the takers; it is not kept longer than they need it."""
        with self._lock:
            packed = self._packed
            self._taken += 1
            if self._taken == self.takers:
                self._packed = b""
        return packed


class _Digest:
    """A file that keeps no more than the hash of what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b()

    def write(self, data: Any) -> None:
        self._hash.update(data)

    def value(self) -> bytes:
        return self._hash.digest()


class Remote:
    """Makes the batches of a `cargo` in another process: called with (index, seed), answers what is there.

    seed: list of integers, for the process's np.random and random, so that what a batch draws does not depend on who
        makes it.

    Raises what was raised there, with its traceback as a note; WorkerError for a process that died, or took longer
    than `limit` seconds.
    """

    def __init__(self, cargo: Cargo, limit: float) -> None:
        self.cargo = cargo
        self.limit = limit
        self._version = 0
        methods = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._pipe, theirs = context.Pipe()
        self._stack, stack = context.Pipe(duplex=False)
        try:
            self.process = context.Process(
                target=serve, args=(theirs, stack), name="lamina-worker", daemon=True
            )
            with contextlib.nullcontext() if cargo.needs_main else _without_main():
                self.process.start()
        except BaseException:
            self._pipe.close()
            self._stack.close()
            raise
        finally:
            theirs.close()
            stack.close()
        self._until: float | None = time.monotonic() + START  # when it must have said that it is there

    def __call__(self, task: tuple[int, list[int]]) -> Any:
        if self._until is not None:
            self._receive(self._until - time.monotonic(), START)
            self._until = None
        if self._version != self.cargo.version:
            self._send(b"take", self.cargo.take())
            self._version = self.cargo.version
        self._send(b"make", pickle.dumps(task))
        answer, error, told = self._receive(self.limit, self.limit)
        if told is None:
            return answer
        if error is None:
            raise WorkerError(f"{self} failed:\n{told}")
        error.add_note(f"In {self}:\n{told}")
        raise error

    def __str__(self) -> str:
        return f"The worker process {self.process.pid}"

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self.process.terminate()

    def close(self) -> None:
        """Wait until the process is gone."""
        self.process.join(_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_END)
        self._pipe.close()
        self._stack.close()
        if not self.process.is_alive():
            self.process.close()

    # ---- the pipe

    def _send(self, what: bytes, data: bytes) -> None:
        try:
            self._pipe.send_bytes(what)
            self._pipe.send_bytes(data)
        except OSError as error:
            raise self._death() from error

    def _receive(self, seconds: float, limit: float) -> Any:
        ready = connection.wait([self._pipe, self.process.sentinel], max(0.0, seconds))
        if not ready:
            where = self._where()
            self.process.kill()
            raise WorkerError(late(str(self), limit, where))
        if self._pipe not in ready:  # gone, and with it nothing that it wrote before
            raise self._death()
        try:
            return pickle.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._death() from error

    def _death(self) -> WorkerError:
        self.process.join(_END)
        code = self.process.exitcode
        if code is not None and code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
            how += "; when memory runs out the system does that" if code == -signal.SIGKILL else ""
        else:
            how = f"ended by itself with status {code}"
        if self._until is not None:
            how += " before it could start; it may have said why on the standard error output"
        return WorkerError(f"{self} {how}")

    def _where(self) -> str:
        """Where the process is, in its own words."""
        if not hasattr(signal, "SIGUSR1") or not self.process.pid:
            return ""
        try:
            os.kill(self.process.pid, signal.SIGUSR1)
            text, until = b"", time.monotonic() + 1
            while not text.endswith(b"\n") or self._stack.poll(0.1):
                if not self._stack.poll(max(0.0, until - time.monotonic())):
                    break
                text += os.read(self._stack.fileno(), 65536)
        except OSError:
            return ""
        return text.decode("utf-8", "replace")


def _main_may_be_imported() -> bool:
    """Whether the program's main file can be imported without running the program."""
    try:
        with open(sys.modules["__main__"].__file__ or "", encoding="utf-8") as file:
            return "__name__" in file.read()
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started in the block do not import the program's main file, as Python's do otherwise."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# ---- in the process


def serve(pipe: Any, stack: Any) -> None:
    """Answer tasks until the parent ends this process, or itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, too, and that decides
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=stack.fileno(), all_threads=False)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send_bytes(pickle.dumps(None))
    source: Any = None
    while True:
        try:
            what, data = pipe.recv_bytes(), pipe.recv_bytes()
        except (EOFError, OSError):
            return
        if what == b"take":
            source = data
            continue
        try:
            if isinstance(source, bytes):
                source = pickle.loads(source)
            answer: Any = ForkingPickler.dumps(
                (_made(source, *pickle.loads(data)), None, None), pickle.HIGHEST_PROTOCOL
            )
        except BaseException as error:  # SystemExit too: it goes to the parent like any other
            answer = pickle.dumps((None, _travelling(error), traceback.format_exc()))
        pipe.send_bytes(answer)


def _made(source: Any, index: int, seed: list[int]) -> Any:
    np.random.seed(seed)
    random.seed(repr(seed))
    if hasattr(source, "__next__"):
        return next(source, Ended())
    return source[index]


def _travelling(error: BaseException) -> BaseException | None:
    """The error, where it survives the way to another process."""
    try:
        again = pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return again if isinstance(again, BaseException) else None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
