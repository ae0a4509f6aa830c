"""Archives, unpacked by rules of our own: what a stranger packed stays below one folder, and of a fair size.

Only regular files and folders; no links, devices or sparse files, no absolute paths and no "..".  All of it goes
to a fresh folder first, and from there into place when the whole archive has been read and found good.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina_registry import shown

LARGEST = 1 << 38  # bytes of all files together
GROWTH = 200  # times the size of the archive that they may have in all
SLACK = 1 << 26  # bytes that they may have whatever the size of the archive
MOST = 2_000_000  # files and folders
_LONGEST_NAME, _LONGEST_PATH = 255, 4000
_PIECE = 1 << 20
_LONGEST_LIST = 1 << 26  # bytes
_COMPRESSED: list[tuple[bytes, Callable[..., Any]]] = [
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
]
_FAILURES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    RecursionError,  # headers that go before headers
    NotImplementedError,  # ways of compression that nobody uses
    ValueError,
    OverflowError,
    RuntimeError,
)

Member = tuple[str, IO[bytes] | None]  # a name and its content, None for a folder


def extract_archive(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str] = ".",
    archive_format: str | Sequence[str] | None = "auto",
    overwrite: bool = True,
) -> bool:
    """Unpack an archive into a folder, all of it or nothing.  Answers whether it is an archive of these formats.

    archive_format: "tar", "zip", a list of these, "auto" for both, None for neither.
    overwrite: False leaves everything as it is where all that the archive holds is there already.

    Files that are there are replaced by those of the same name; others stay.  Raises UnsafeFile for an archive that
    breaks the rules, DamagedFile for one that cannot be read.
    """
    formats = ["tar", "zip"] if archive_format == "auto" else archive_format or []
    for one in [formats] if isinstance(formats, str) else formats:
        if one not in _READERS:
            raise ValueError(f"archive_format is 'tar', 'zip', 'auto' or None, met {one!r}")
        looks_right, members = _READERS[one]
        if looks_right(path):
            _extract(Path(path), Path(folder), members, overwrite)
            return True
    return False


def _extract(path: Path, folder: Path, members: Callable[..., Any], overwrite: bool) -> None:
    with told(path):
        if not overwrite and all((folder / name).exists() for name, _ in _safe(path, members)):
            return
        fresh = Path(tempfile.mkdtemp(prefix=".extracting-", dir=folder))
        try:
            for name, content in _safe(path, members):
                _place(fresh, name, content, path)
            _merge(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def zip_members(path: Path) -> Iterator[Member]:
    """The files and folders of a zip archive, one after the other, while it keeps to the rules."""
    return _safe(path, _zip)


def _safe(path: Path, members: Callable[..., Any]) -> Iterator[Member]:
    """The members of an archive, while it keeps to the rules."""
    limit = min(LARGEST, SLACK + GROWTH * path.stat().st_size)
    with members(path, limit) as found:
        for count, (name, content) in enumerate(found, start=1):
            if count > MOST:
                raise UnsafeFile(f"{path} holds more than {MOST:,} files and folders")
            yield _relative(name, path), content


def _check(size: int, limit: int, path: Path) -> None:
    if size > limit:
        raise UnsafeFile(
            f"{path} would take more than {limit:,} bytes unpacked, over {GROWTH} times its size"
        )


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Failures to read the archive as DamagedFile."""
    try:
        yield
    except (UnsafeFile, DamagedFile):
        raise
    except _FAILURES as error:
        raise DamagedFile(f"{path} cannot be unpacked: {error or type(error).__name__}") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of the disk, not of a place that the archive names
            raise
        raise DamagedFile(f"{path} cannot be unpacked: {error}") from error


def _relative(name: str, path: Path) -> str:
    """A member's name as a path below the folder.  Raises UnsafeFile for any other."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    bad = (
        name.startswith("/")
        or ".." in parts
        or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts)
        or len(os.fsencode(name)) > _LONGEST_PATH
        or re.search(r"[\\\x00]|^[A-Za-z]:", name)
    )
    if bad:
        raise UnsafeFile(f"{path} holds a file that would not stay in its folder: {shown(name)}")
    return "/".join(parts)


def _place(fresh: Path, name: str, content: IO[bytes] | None, path: Path) -> None:
    """A file or folder in the fresh folder, where nothing but what was placed so is."""
    target = fresh / name
    try:
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = (
            os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(os.open(target, flags, 0o666), "wb") as file, content:
            shutil.copyfileobj(content, file, _PIECE)
    except (FileExistsError, NotADirectoryError) as error:
        raise UnsafeFile(f"{path} holds {shown(name)} twice, or in a file") from error


def _merge(fresh: Path, folder: Path) -> None:
    """Move what a fresh folder holds into another: whole where nothing is there, else file by file."""
    for entry in sorted(fresh.iterdir()):
        target = folder / entry.name
        if not os.path.lexists(target):
            os.rename(entry, target)
        elif entry.is_dir() and target.is_dir() and not target.is_symlink():
            _merge(entry, target)
        elif entry.is_file() and stat.S_ISREG(target.lstat().st_mode):
            os.replace(entry, target)
        else:
            raise FileExistsError(
                errno.EEXIST,
                "This is in the way of what an archive holds under its name: move it",
                str(target),
            )


# ---- tar


class _Metered(io.RawIOBase):
    """A stream that ends with an error where it gives too much, in all or at once."""

    def __init__(self, stream: Any, limit: int, path: Path) -> None:
        self._stream, self._limit, self._path = stream, limit, path

    def __str__(self) -> str:
        return str(self._path)

    def read(self, size: int = -1) -> bytes:
        # tarfile reads contents by pieces, but headers, which say how long they are, at once.
        if not 0 <= size <= _PIECE:
            raise UnsafeFile(f"{self._path} has a header of {size:,} bytes")
        data = self._stream.read(size)
        _check(self._stream.tell(), self._limit, self._path)
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        _check(place, self._limit, self._path)
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _Header(tarfile.TarInfo):
    """A header that cannot keep Python busy: of a long number it tries every digit as the start (CVE-2024-6232)."""

    def _proc_pax(self, archive: Any) -> Any:
        whole = archive.fileobj
        block = whole.read(-(-self.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
        if re.search(rb"\d{%d}" % (_LONGEST_NAME + 1), block):
            raise UnsafeFile(f"{whole} has a header with a number of hundreds of digits")
        archive.fileobj = _Replayed(block, whole)
        try:
            return super()._proc_pax(archive)  # type: ignore[misc]
        finally:
            archive.fileobj = whole


class _Replayed:
    """A stream whose last block was taken to look at, and is given once more."""

    def __init__(self, block: bytes, stream: Any) -> None:
        self._block: bytes | None = block
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def __str__(self) -> str:
        return str(self._stream)

    def read(self, size: int = -1) -> bytes:
        block, self._block = self._block, None
        return self._stream.read(size) if block is None else block


@contextmanager
def _tar(path: Path, limit: int) -> Iterator[Iterator[Member]]:
    with _uncompressed(path) as stream:
        # Of each member, headers and filling come on top of its content.
        with tarfile.open(fileobj=_Metered(stream, limit, path), mode="r:", tarinfo=_Header) as tar:
            yield _tar_members(tar, path)


def _tar_members(tar: tarfile.TarFile, path: Path) -> Iterator[Member]:
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        if member.type == tarfile.DIRTYPE:
            yield member.name, None
        elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse():
            yield member.name, tar.extractfile(member)
        else:
            raise UnsafeFile(f"{path} holds {shown(member.name)}, which is neither a plain file nor a folder")


@contextmanager
def _uncompressed(path: Path) -> Iterator[Any]:
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        for magic, opened in _COMPRESSED:
            if start.startswith(magic):
                with opened(file, "rb") as stream:
                    yield stream
                return
        yield file


def _is_tar(path: str | os.PathLike[str]) -> bool:
    with _uncompressed(Path(path)) as stream:
        try:
            block = stream.read(512)
        except (EOFError, OSError, lzma.LZMAError, zlib.error):
            return True  # compressed, and damaged; reading it will tell
    try:
        if block != bytes(512):  # which begins an archive of nothing
            tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except _FAILURES:
        return False
    return True


# ---- zip


@contextmanager
def _zip(path: Path, limit: int) -> Iterator[Iterator[Member]]:
    with open(path, "rb") as file, zipfile.ZipFile(_Sipped(file, path)) as archive:  # type: ignore[arg-type]
        yield _zip_members(archive, limit, path)


class _Sipped:
    """A file that is not read too much of at once: zipfile reads the whole list of contents."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path = file, path
        self._size = os.fstat(file.fileno()).st_size
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _LONGEST_LIST:
            raise UnsafeFile(f"{self._path} has a list of contents of {size:,} bytes")
        # Python takes memory for all that is asked for before it reads: no more than there is.
        rest = max(self._size - self.tell(), 0)
        return self._file.read(min(rest, size if size >= 0 else _LONGEST_LIST))


def _zip_members(archive: zipfile.ZipFile, limit: int, path: Path) -> Iterator[Member]:
    # No member gives more than it declares: zipfile stops there.
    _check(sum(info.file_size for info in archive.infolist()), limit, path)
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
        if info.orig_filename != info.filename and "\x00" in info.orig_filename:
            raise UnsafeFile(f"{path} holds {shown(info.orig_filename)}, a name with an end inside")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeFile(
                f"{path} holds {shown(info.filename)}, which is neither a plain file nor a folder"
            )
        if info.flag_bits & 1:
            raise UnsafeFile(f"{path} holds {shown(info.filename)}, which is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile unpacks all of a piece of these at once, however much it is.
            raise UnsafeFile(
                f"{path} holds {shown(info.filename)}, which is neither stored nor deflated: pack it as tar.xz"
            )
        if info.is_dir():
            yield info.filename, None
        else:
            yield info.filename, archive.open(info)


_READERS: dict[str, tuple[Callable[..., bool], Callable[..., Any]]] = {
    "tar": (_is_tar, _tar),
    "zip": (zipfile.is_zipfile, _zip),
}
