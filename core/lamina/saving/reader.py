"""HDF5 files read with suspicion.

A `Folder` is a group of a file that may come from anywhere.  It answers with texts, lists of names and arrays, and
with nothing else: no link that leaves its place (soft, external or user-defined links are refused, one step of a
path at a time), no storage outside the file, no virtual dataset, no filter but HDF5's own compression, and no
array larger than the bytes stored for it, checked before memory is taken.

HDF5 itself has had overflows on crafted files.  What is checked here keeps a damaged or hostile file from hanging,
bursting or leaving the process, and HDF5 from reading strings at all; still, load files of strangers in a process
of its own.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias

import h5py
import numpy as np

from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina.saving.gate import Allowance
from lamina.saving.header import Attribute, Attributes
from lamina.saving.heap import check_heaps
from lamina_registry import shown

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_LAYOUTS = h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED
_MOST_CHUNKS = 1_000_000

Source: TypeAlias = str | os.PathLike[str] | h5py.Group | BinaryIO


@contextlib.contextmanager
def reading(source: Source) -> Iterator[Folder]:
    """The root folder of an HDF5 file, checked and open for the length of the block.

    source: a path, a binary file open for reading, or an h5py File or Group (which HDF5 has parsed already,
        so that the check of its heaps comes too late and is left out).

    Raises UnsafeFile or DamagedFile naming the file, what was met and what to do; OSError when there is no such
    file; TypeError for another kind of source.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(opened(source))
        if isinstance(file, h5py.Group):
            where = str(file.file.filename)
            yield Folder(file, where, Allowance(file.file.id.get_filesize(), where), _attributes)
            return
        where = str(getattr(file, "name", "this file"))
        size = file.seek(0, io.SEEK_END)
        check_heaps(file, size, where)
        # The open file itself, so that what was checked is what is read.
        with _translated(where):
            root = stack.enter_context(_closing(h5py.File(file, "r")))
        headers = Attributes(file, size, where)
        yield Folder(
            root, where, Allowance(size, where), lambda group: headers.of(h5py.h5o.get_info(group.id).addr)
        )


@contextlib.contextmanager
def opened(source: Source) -> Iterator[h5py.Group | BinaryIO]:
    """What is at a path, open for the length of the block, or the open file or group that was given.

    Raises OSError when there is no such file, TypeError for another kind of source.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            yield file
    elif isinstance(source, h5py.Group) or (hasattr(source, "seek") and hasattr(source, "read")):
        yield source
    else:
        raise TypeError(
            f"A model is read from a path, an h5py.File or an open binary file, not from {source!r}"
        )


class Folder:
    """A group of an HDF5 file: `text`, `names`, `folder` and `array` are all that it gives."""

    def __init__(
        self,
        group: h5py.Group,
        where: str,
        allowance: Allowance,
        attributes: Callable[[h5py.Group], dict[str, Attribute]],
    ):
        self._group = group
        self.where = where
        self.allowance = allowance
        self._read = attributes
        with _translated(where):
            self._attributes = attributes(group)

    def text(self, name: str) -> str | None:
        """The text of an attribute, or None where there is no such attribute."""
        attribute = self._attributes.get(name)
        if attribute is None:
            return None
        if attribute.items is None or len(attribute.items) != 1:
            raise DamagedFile(f"{self.where}: the attribute {shown(name)} should be text")
        return attribute.items[0].decode("utf-8", "replace")

    def names(self, name: str) -> list[str] | None:
        """A list of names: one attribute, or several called name0, name1, ... when it is too long for one."""
        if name in self._attributes:
            return self._list(name)
        if f"{name}0" not in self._attributes:
            return None
        names: list[str] = []
        chunk = 0
        while f"{name}{chunk}" in self._attributes:
            names += self._list(f"{name}{chunk}")
            chunk += 1
        return names

    def _list(self, name: str) -> list[str]:
        attribute = self._attributes[name]
        if attribute.items is None or attribute.shape == ():
            raise DamagedFile(f"{self.where}: the attribute {shown(name)} should be a list of names")
        try:
            return [item.decode("utf-8") for item in attribute.items]
        except UnicodeDecodeError as error:
            raise DamagedFile(
                f"{self.where}: the attribute {shown(name)} holds names that are not UTF-8"
            ) from error

    def folder(self, path: str) -> Folder | None:
        """The group at `path`, or None where there is none.  Raises UnsafeFile for a link that leaves its place."""
        found = linked(self._group, path, self.where)
        if found is None:
            return None
        if not isinstance(found, h5py.Group):
            raise DamagedFile(f"{self.where}: {shown(path)} should be a group and is {shown(found)}")
        return Folder(found, self.where, self.allowance, self._read)

    def array(self, path: str) -> Array | None:
        """The dataset at `path`, not yet read, or None where there is none."""
        found = linked(self._group, path, self.where)
        if found is None:
            return None
        if not isinstance(found, h5py.Dataset):
            raise DamagedFile(f"{self.where}: {shown(path)} should be an array and is {shown(found)}")
        return Array(found, f"{self.where}: {shown(path)}", self.allowance)


def linked(group: h5py.Group, path: str, where: str) -> Any:
    """The object at `path` in a group, reached over hard links only; None where there is none."""
    here: Any = group
    steps = [step for step in path.split("/") if step not in ("", ".")]
    if not steps:
        raise DamagedFile(f"{where}: {shown(path)} names nothing")
    for step in steps:
        with _translated(where):
            name = step.encode("utf-8", "surrogateescape")
            if not isinstance(here, h5py.Group) or b"\0" in name or not here.id.links.exists(name):
                return None
            if here.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise UnsafeFile(
                    f"{where}: {shown(path)} is a link to another place, which is never "
                    "followed; copy the data itself into the file"
                )
            here = here[step]
    return here


def check_place(dataset: h5py.Dataset, where: str) -> None:
    """Raise UnsafeFile for a dataset whose content lies in other files."""
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        raise UnsafeFile(
            f"{where} is stored in another file, which is never opened; copy the data itself into this one"
        )
    if plist.get_layout() not in _LAYOUTS:
        raise UnsafeFile(
            f"{where} is a virtual dataset, made of other files, which are never opened; "
            "copy the data itself into this one"
        )


class Array:
    """A dataset that is known to lie in its file, of numbers, no larger than what is stored for it."""

    def __init__(self, dataset: h5py.Dataset, where: str, allowance: Allowance):
        self._dataset = dataset
        self._where = where
        self._allowance = allowance
        with _translated(where):
            self.shape, self.dtype, self._bytes = self._checked(dataset)

    def _checked(self, dataset: h5py.Dataset) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        check_place(dataset, self._where)
        plist = dataset.id.get_create_plist()
        layout = plist.get_layout()
        filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        if not set(filters) <= _FILTERS:
            raise UnsafeFile(
                f"{self._where} is packed by the HDF5 filters {filters}, which would load code; "
                "rewrite the file with gzip or uncompressed (h5repack)"
            )
        kind = dataset.id.get_type()
        number = isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID) or _is_bool(kind)
        shape = dataset.shape
        if not number or kind.get_size() > 8 or shape is None:
            raise DamagedFile(f"{self._where} holds no numbers of at most 8 bytes")
        dtype = np.dtype(dataset.dtype)
        declared = math.prod(shape) * dtype.itemsize
        stored = dataset.id.get_storage_size()
        if layout == h5py.h5d.CHUNKED:
            declared = self._chunked(dataset, declared, stored, packed=h5py.h5z.FILTER_DEFLATE in filters)
        elif declared > stored:
            raise DamagedFile(f"{self._where} declares {declared:,} bytes and stores {stored:,}")
        elif layout == h5py.h5d.CONTIGUOUS and declared:
            offset = dataset.id.get_offset()
            if offset is None or offset + stored > self._allowance.stored:
                raise DamagedFile(f"{self._where} ends beyond the end of the file, which may be cut short")
        return shape, dtype, declared

    def _chunked(self, dataset: h5py.Dataset, declared: int, stored: int, packed: bool) -> int:
        """Bytes that reading may take: whole chunks, all of which must be there."""
        chunk = dataset.chunks or (1,)
        count = math.prod(-(-size // step) for size, step in zip(dataset.shape, chunk, strict=True))
        if count > _MOST_CHUNKS:
            raise UnsafeFile(
                f"{self._where} is cut into {count:,} chunks; rewrite the file in one piece (h5repack)"
            )
        if declared and dataset.id.get_num_chunks() < count:
            raise DamagedFile(
                f"{self._where} declares {count:,} chunks and stores {dataset.id.get_num_chunks():,}"
            )
        if not packed and declared > stored:
            raise DamagedFile(f"{self._where} declares {declared:,} bytes and stores {stored:,}")
        return max(declared, count * math.prod(chunk) * dataset.dtype.itemsize)

    def read(self) -> np.ndarray[Any, Any]:
        """The numbers.  Raises UnsafeFile when the arrays of this file together exceed what it may ask for."""
        self._allowance.spend(self._bytes, self._where)
        with _translated(self._where):
            return np.asarray(self._dataset[()])


def _is_bool(kind: Any) -> bool:
    """Whether a type is how h5py stores np.bool: an enumeration of FALSE and TRUE."""
    return isinstance(kind, h5py.h5t.TypeEnumID) and kind.get_size() == 1


def _attributes(group: h5py.Group) -> dict[str, Attribute]:
    """The attributes of a group as HDF5 reads them, for a file that is not ours to read."""
    return {name: Attribute(np.shape(value), _texts(value)) for name, value in group.attrs.items()}


def _texts(value: Any) -> list[bytes] | None:
    items = np.asarray(value, object).reshape(-1).tolist()
    if not all(isinstance(item, str | bytes) for item in items):
        return None
    return [item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item for item in items]


@contextlib.contextmanager
def _closing(file: h5py.File) -> Iterator[h5py.File]:
    """Close at the end, whatever HDF5 finds wrong with a file that was only read."""
    try:
        yield file
    finally:
        with contextlib.suppress(Exception):
            file.close()


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """Say what HDF5 could not read in our words."""
    try:
        yield
    except (UnsafeFile, DamagedFile, MemoryError):
        raise
    except (
        Exception
    ) as error:  # h5py maps HDF5's complaints to OSError, KeyError, RuntimeError, ValueError ...
        raise DamagedFile(
            f"{where} cannot be read: {_first_line(error)}; it may be cut short or altered: "
            "restore it from a copy, or fetch it again"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
