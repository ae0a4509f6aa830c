"""get_file: a file from the web, fetched once."""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import shutil
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from lamina import config
from lamina.saving.atomic import replacing
from lamina.saving.errors import DamagedFile
from lamina.utils import Progbar
from lamina_utils.archives import extract_archive

SILENCE = 30.0  # seconds that a server may say nothing
SLOWEST = 1024.0  # bytes a second, over any WINDOW seconds
WINDOW = 20.0
LONGEST = 6 * 3600.0  # seconds that any download may take
LARGEST_UNTOLD = 2 << 30  # bytes of a file whose length the server does not tell
_PIECE = 1 << 18


def get_file(
    fname: str | os.PathLike[str],
    origin: str,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
) -> str:
    """The path of a file that is downloaded unless it is there.

    fname: its name there; an absolute path is taken as it is.
    origin: URL, http(s), ftp or file.
    file_hash: the sha256 (64 digits) or md5 (32) it must have; a file that is there with another is fetched again.
        md5_hash is its older name.
    cache_subdir: folder in the cache, or an absolute path.
    hash_algorithm: "md5", "sha256", or "auto": by the length of the hash.
    extract: also unpack it beside itself.  untar: fetch fname.tar.gz, unpack it, and answer the path of fname.
    archive_format: "tar", "zip", a list of these, "auto" for both, None for neither.  tar may be compressed.
    cache_dir: of the cache.  By default a file is taken from Lamina's directory (LAMINA_HOME, ~/.lamina) or Keras's
        (KERAS_HOME, ~/.keras), wherever it is, and fetched to Lamina's if there is one, else to Keras's; where that
        cannot be written, to /tmp/.keras.

    The file gets its name when it has arrived whole and with the right hash; until then, and after any failure, what
    was there is untouched.  Raises OSError ("URL fetch failure on ...") when it cannot be fetched, ends early or comes
    too slowly, DamagedFile (a ValueError) when it has another hash or cannot be unpacked, UnsafeFile (a ValueError) for
    an archive with anything but files and folders below its own.
    """
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) + (".tar.gz" if untar else "")
    path = _found(name, cache_dir, cache_subdir)
    fresh = path is None or (file_hash is not None and not validate_file(path, file_hash, hash_algorithm))
    if fresh and path is not None:
        print(
            "A local file was found, but it seems to be incomplete or outdated: "
            f"its hash is not {file_hash}, so we will re-download the data."
        )
    if fresh or path is None:
        path = Path(name) if os.path.isabs(name) else _writable(cache_dir, cache_subdir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(origin, path, file_hash, hash_algorithm)
    if untar:
        whole = path.with_name(path.name.removesuffix(".tar.gz"))
        if (fresh or not whole.exists()) and not extract_archive(path, path.parent, "tar", fresh):
            raise DamagedFile(f"{path}, from {origin}, is no tar archive")
        return str(whole)
    if extract:
        extract_archive(path, path.parent, archive_format, fresh)
    return str(path)


# ---- where


def _found(name: str, cache_dir: Any, subdir: str) -> Path | None:
    """The file, where it is: in Lamina's directory, Keras's, or the last resort."""
    keras, lamina = config.homes()
    bases = [lamina, keras, _last_resort()] if cache_dir is None else [Path(cache_dir).expanduser()]
    for base in bases:
        path = base / subdir / name
        if path.is_file() and (base != _last_resort() or _is_own(base)):
            return path
    return None


def _writable(cache_dir: Any, subdir: str) -> Path:
    """Where the file is to be fetched to; made if need be."""
    keras, lamina = config.homes()
    if cache_dir is not None:
        base = Path(cache_dir).expanduser()
    else:
        base = lamina if os.environ.get("LAMINA_HOME") or lamina.is_dir() else keras
    if not os.path.isabs(subdir):
        with suppress(OSError):  # what cannot be made cannot be written either
            base.mkdir(parents=True, exist_ok=True)
        if not os.access(base, os.W_OK):
            base = _last_resort()
            base.mkdir(mode=0o700, exist_ok=True)
            if not _is_own(base):
                raise PermissionError(
                    f"{base} belongs to somebody else: set LAMINA_HOME, or pass cache_dir, to a folder of your own"
                )
    folder = base / subdir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _last_resort() -> Path:
    return Path("/tmp/.keras")


def _is_own(folder: Path) -> bool:
    """Whether a folder where all may write is really ours."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


# ---- what


def validate_file(path: str | os.PathLike[str], file_hash: str, algorithm: str = "auto") -> bool:
    """Whether a file has this hash; algorithm as hash_algorithm of get_file."""
    hasher = _hasher(file_hash, algorithm)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest() == str(file_hash).lower()


def _hasher(file_hash: str | None, algorithm: str) -> Any:
    if algorithm not in ("auto", "md5", "sha256"):
        raise ValueError(f"hash_algorithm is 'md5', 'sha256' or 'auto', met {algorithm!r}")
    sha256 = algorithm == "sha256" or (algorithm == "auto" and len(str(file_hash)) == 64)
    return hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)


# ---- how


def _download(origin: str, path: Path, file_hash: str | None, algorithm: str) -> None:
    hasher = _hasher(file_hash, algorithm)
    print("Downloading data from", origin)
    try:
        with replacing(path) as file, closing(_fetched(origin)) as pieces:
            for piece in _paced(pieces, path):
                hasher.update(piece)
                file.write(piece)
            if file_hash is not None and hasher.hexdigest() != str(file_hash).lower():
                raise DamagedFile(
                    f"{origin} has the {hasher.name} {hasher.hexdigest()}, and {file_hash} was expected; nothing of it "
                    "was kept. Is the hash right, and the file not replaced?"
                )
    except _Failed as failed:
        error = failed.__cause__ or failed
        told = f"{error.code} -- {error.reason}" if isinstance(error, urllib.error.HTTPError) else error
        if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
            told = error.reason
        raise OSError(f"URL fetch failure on {origin}: {told or type(error).__name__}") from error


class _Failed(Exception):
    """A download that did not go well: by its cause, or as it says."""


def _paced(pieces: Iterator[Any], path: Path) -> Iterator[bytes]:
    """The pieces of a download, while it comes as it should.  The first of `pieces` is the length, if it is known."""
    length = next(pieces)
    free = shutil.disk_usage(path.parent).free
    if length is not None and length > free:
        raise _Failed(f"it has {length:,} bytes, and {path.parent} has room for {free:,}")
    limit = LARGEST_UNTOLD if length is None else length
    bar = Progbar(length)
    done = mark = 0
    started = since = time.monotonic()
    for piece in pieces:
        done += len(piece)
        if done > limit:
            raise _Failed(f"it goes on after {limit:,} bytes, where it should end")
        yield piece
        now = time.monotonic()
        if now - since > WINDOW:
            if done - mark < SLOWEST * (now - since):
                raise _Failed(f"it comes at less than {SLOWEST:,.0f} bytes a second")
            since, mark = now, done
        if now - started > LONGEST:
            raise _Failed(f"it was not done after {LONGEST / 3600:g} hours")
        if length is None or done < length:
            bar.update(done)
    if length is not None and done != length:
        raise _Failed(f"it ended after {done:,} of {length:,} bytes")
    bar.update(done)
    if length is None:
        bar.finish()


def _fetched(origin: str) -> Generator[Any, None, None]:
    """The length of what is at a URL, or None, and then its bytes, piece by piece.

    A thread of its own asks the server, for a server can keep whoever reads from it busy with next to nothing.
    """
    found: queue.Queue[Any] = queue.Queue(8)
    unwanted = threading.Event()

    def put(item: Any) -> None:
        while not unwanted.is_set():
            with suppress(queue.Full):
                found.put(item, timeout=1)
                return
        raise _Failed

    def fetch() -> None:
        try:
            with urllib.request.urlopen(origin, timeout=SILENCE) as answer:
                put(_length(answer))
                read = getattr(
                    answer, "read1", answer.read
                )  # what has come, without waiting for a whole piece
                while piece := read(_PIECE):
                    put(piece)
            put(b"")
        except Exception as error:
            with suppress(_Failed):
                put(error)

    threading.Thread(target=fetch, name="lamina-get-file", daemon=True).start()
    try:
        while True:
            try:
                item = found.get(timeout=2 * SILENCE)
            except queue.Empty:
                raise _Failed(f"nothing has come for {2 * SILENCE:g} seconds") from None
            if isinstance(item, Exception):
                if isinstance(item, urllib.error.HTTPError):
                    item.close()
                raise _Failed from item
            if item == b"":
                return
            yield item
    finally:
        unwanted.set()


def _length(answer: Any) -> int | None:
    if isinstance(answer, http.client.HTTPResponse):
        return answer.length
    told = answer.headers.get("Content-Length")
    return int(told) if told and told.isdigit() else None
