"""Writes that happen whole or not at all.

A save killed half way leaves an unloadable file nearly every time; a save into a temporary file that is synced
and then renamed over the old one never does.  Every file that Lamina writes goes through `replacing`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed and so needs no lock against the sweep
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".lamina-tmp"
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}" + re.escape(_SUFFIX))


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file open for writing and reading that takes the place of `path` when the block ends well.

    Until then, and after any failure or kill, `path` is what it was.  A link is followed, so that it goes on
    pointing to the new file; the old file's mode and owner are kept.  Temporary files that killed processes
    left in the directory are removed: their locks died with them.

    Raises OSError naming `path` when it cannot be written: a full disk, a missing directory, no permission,
    or something there that is no regular file.
    """
    target = Path(os.path.realpath(os.fspath(path)))
    old = _writable(target)
    _sweep(target.parent)
    file = _temporary(target, old)
    temporary = file.name
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()
        os.replace(temporary, target)  # before the lock goes, or another process could sweep it away
    except BaseException as error:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            raise _named(error, target, old is not None) from error
        raise
    file.close()
    _sync(target.parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def _writable(target: Path) -> os.stat_result | None:
    """The status of the file to be replaced, or None where there is none; what a plain open would refuse, refused."""
    try:
        old = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT,
                f"There is no directory {target.parent} to save in; create it first",
                str(target),
            ) from None
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(
            errno.EISDIR, "This is a directory; give the name of a file to save to", str(target)
        )
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "This is no regular file, and a save would replace it", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(
            errno.EACCES, "This file is read-only; choose another name or chmod it", str(target)
        )
    return old


def _temporary(target: Path, old: os.stat_result | None) -> BinaryIO:
    """A fresh file beside `target`, locked for as long as it is open."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", target.name)[:80]
    while True:
        temporary = target.with_name(f".{readable}.{secrets.token_hex(8)}{_SUFFIX}")
        try:
            file = open(temporary, "x+b")
        except OSError as error:
            raise OSError(error.errno, f"Cannot save here: {error.strerror}", str(target)) from error
        _lock(file.fileno(), wait=True)
        if temporary.exists():  # else a sweep came between the two lines above
            break
        file.close()
    if old is not None:
        with contextlib.suppress(OSError, AttributeError):
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
            os.chown(temporary, old.st_uid, old.st_gid)
    return file


def _lock(descriptor: int, wait: bool = False) -> bool:
    """Whether this process now holds the lock of an open file; some file systems have none."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _sweep(directory: Path) -> None:
    """Remove the temporary files of writers that no longer run: those whose lock can be had."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_stale(entry.path)


def _remove_stale(path: str) -> None:
    if fcntl is None:
        os.unlink(path)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    """Make the rename itself survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _named(error: OSError, target: Path, existed: bool) -> OSError:
    """The same failure, saying which file was being written and what is there now."""
    left = "the file that was there is untouched" if existed else "nothing was left behind"
    return OSError(
        error.errno or errno.EIO, f"Could not be saved ({error.strerror or error}); {left}", str(target)
    )
