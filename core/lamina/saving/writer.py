"""HDF5 files written whole: a new one takes its place only when it has been closed, synced and read back."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias, cast

import h5py

from lamina.saving.atomic import replacing
from lamina.saving.reader import reading

FilePath: TypeAlias = str | os.PathLike[str]
Target: TypeAlias = FilePath | h5py.Group | BinaryIO


def may_write(filepath: Any, overwrite: bool) -> bool:
    """Whether to go on: what exists is replaced only when `overwrite`, or when the person there says so."""
    name = _existing(filepath)
    if overwrite or name is None:
        return True
    if not sys.stdin or not sys.stdin.isatty():
        raise FileExistsError(
            f"{name} already exists and overwrite is False; choose another name, or pass True"
        )
    answer = ""
    while answer not in ("y", "n"):
        answer = input(f"[WARNING] {name} already exists - overwrite? [y/n] ").strip().lower()[:1]
    if answer == "y":
        print("[TIP] Next time specify overwrite=True!")
    return answer == "y"


def _existing(filepath: Any) -> str | None:
    """What a save to `filepath` would replace, by name, or None."""
    if isinstance(filepath, h5py.Group):
        return f"A model in {filepath.file.filename}" if _ours(filepath) else None
    if isinstance(filepath, str | os.PathLike) and os.path.exists(filepath):
        return os.fspath(filepath)
    return None


def _ours(group: h5py.Group) -> list[str]:
    """The attributes of a group that a save wrote."""
    return [name for name in group.attrs if re.fullmatch(r"model_config|training_\w+|layer_names\d*", name)]


def _clear(group: h5py.Group) -> None:
    """Take away the model, or the weights, that an open group holds."""
    parts = ["model_weights", "optimizer_weights", "optimizer_state"]
    for name in _ours(group):
        if name.startswith("layer_names"):
            parts += [part.decode() if isinstance(part, bytes) else part for part in group.attrs[name]]
        del group.attrs[name]
    for part in parts:
        if part in group:
            del group[part]


def write_texts(group: h5py.Group, texts: Mapping[str, str]) -> None:
    """Texts as attributes, in the bytes that Keras 2 under h5py 2 wants."""
    for name, text in texts.items():
        group.attrs[name] = text.encode("utf-8")


@contextlib.contextmanager
def writing(filepath: Target) -> Iterator[h5py.Group]:
    """The group to write to: the root of a new file that takes its place when it is whole, or an open one as it is.

    An open one loses the model that it may hold.
    """
    if isinstance(filepath, h5py.Group):
        if filepath.file.mode == "r":
            raise ValueError(
                f"{filepath.file.filename} is open for reading only; to save a model in it, open it in mode 'a'"
            )
        _clear(filepath)
        yield filepath
    elif isinstance(filepath, str | os.PathLike):
        with replacing(filepath) as file:
            with _hdf5(file) as root:
                yield root
            _reopened(file)
    elif hasattr(filepath, "write") and hasattr(filepath, "seek"):
        with _hdf5(filepath) as root:
            yield root
    else:
        raise TypeError(
            f"A model is saved to a path, an h5py.File or an open binary file, not to {filepath!r}"
        )


@contextlib.contextmanager
def _hdf5(file: BinaryIO) -> Iterator[h5py.File]:
    """A new HDF5 file in an open binary file, in the oldest format that holds it, for old readers."""
    disk = _Disk(file)
    try:
        with h5py.File(cast(BinaryIO, disk), "w", libver="earliest") as root:
            yield root
    except Exception:
        if disk.failure is None:
            raise
    if disk.failure is not None:
        raise disk.failure


class _Disk:
    """A file that keeps its first failure to itself until HDF5 has let go of it.

    HDF5 that cannot flush cannot close, and tries again when the process ends.
    """

    def __init__(self, file: BinaryIO):
        self.failure: OSError | None = None
        self._file = file

    def _tried(self, call: Any, *args: Any) -> Any:
        if self.failure is None:
            try:
                return call(*args)
            except OSError as error:
                self.failure = error
        return None

    def write(self, data: Any) -> int:
        self._tried(self._file.write, data)
        return len(data)

    def flush(self) -> None:
        self._tried(self._file.flush)

    def truncate(self, size: int) -> None:
        self._tried(self._file.truncate, size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._tried(self._file.seek, offset, whence) or 0

    def read(self, size: int = -1) -> bytes:
        return self._tried(self._file.read, size) or b""

    def tell(self) -> int:
        return self._tried(self._file.tell) or 0


def _reopened(file: BinaryIO) -> None:
    """Make sure that what was written can be opened and names what it holds, while the old file is still there."""
    file.flush()
    try:
        with reading(file) as root:
            whole = (root.folder("model_weights") or root).names("layer_names") is not None
    except ValueError as error:
        raise OSError("what was written cannot be read back") from error
    if not whole:
        raise OSError("what was written is not what can be read back")
