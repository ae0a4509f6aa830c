"""HDF5's global heaps, checked before HDF5 parses them.

HDF5 keeps strings of variable length, and so `model_config`, in blocks that begin with GCOL.  Two damaged bytes
there make the C library loop for ever, out of Python's reach; walking each block by the library's own rule finds
them first.  One pass over the file, about a second a gigabyte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from lamina.saving.errors import DamagedFile

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL"
_HEAP_HEADER = struct.Struct("<4sB3xQ")  # signature, version, size of the whole block
_OBJECT_HEADER = struct.Struct("<HH4xQ")  # index (0 is free space), references, size
_SMALLEST_HEAP = 4096
_MOST_OBJECTS = 300_000  # which take 70 MB
_CHUNK = 1 << 22

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive, such as a .keras file of Keras 3: save it there as .h5"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with git lfs pull"),
    (b"\x80", "a pickle, which is never opened"),
    (b"{", "JSON: read it with model_from_json"),
    (b"<", "a web page, perhaps an error page saved by a download"),
)
_SAFETENSORS = (
    "a safetensors file, of weights alone: build the model and call its load_weights"  # after 8 bytes
)


def check_heaps(file: BinaryIO, size: int, where: str) -> None:
    """Refuse a file that is not HDF5, or whose global heaps HDF5 could not walk to the end.

    file: open for reading, of `size` bytes; where: its name for messages.  Raises DamagedFile.
    """
    _check_superblock(file, where)
    walked = 0  # end of the last heap: two that overlap are damage, and would make the walk quadratic
    count = 0
    for at in _occurrences(file, _HEAP):
        file.seek(at)
        header = file.read(_HEAP_HEADER.size)
        if len(header) < _HEAP_HEADER.size:
            continue
        _, version, length = _HEAP_HEADER.unpack(header)
        if version != 1:  # chance, or a header that HDF5 itself refuses
            continue
        if length < _SMALLEST_HEAP or length > size - at or at < walked:
            raise _damaged(where, at)
        walked = at + length
        try:
            count += sum(1 for _ in _walk(file, at, length))
        except ValueError as error:
            raise _damaged(where, at) from error
        if count > _MOST_OBJECTS:
            raise DamagedFile(
                f"{where} keeps more than {_MOST_OBJECTS:,} strings in its global heaps: no model has so many; "
                "copy what you need of it with h5py"
            )


def _check_superblock(file: BinaryIO, where: str) -> None:
    file.seek(0)
    head = file.read(64)
    if not head.startswith(_SIGNATURE):
        if not head.strip(b"\0"):
            met = "it is empty" if not head else "it begins with zeros, so it was never written to the end"
        else:
            met = next(
                (f"it is {what}" for magic, what in _FOREIGN if head.lstrip().startswith(magic)),
                f"it is {_SAFETENSORS}" if head[8:9] == b"{" else f"it begins with {head[:8]!r}",
            )
        raise DamagedFile(f"{where} is no HDF5 file: {met}")
    version = head[8] if len(head) > 8 else 255
    sizes, base = (head[13:15], head[24:32]) if version < 2 else (head[9:11], head[12:20])
    if sizes != b"\x08\x08" or base != bytes(8):
        raise DamagedFile(
            f"{where} has a damaged HDF5 header: addresses and lengths of {tuple(sizes)} bytes, counted from {base!r}, "
            "instead of (8, 8), from 0; restore the file from a copy"
        )


def _occurrences(file: BinaryIO, pattern: bytes) -> Iterator[int]:
    """Where `pattern` stands in the file, in order; the file may be read elsewhere between two answers."""
    start, kept = 0, b""
    while True:
        file.seek(start + len(kept))
        chunk = file.read(_CHUNK)
        if not chunk:
            return
        block = kept + chunk
        at = block.find(pattern)
        while at >= 0:
            yield start + at
            at = block.find(pattern, at + 1)
        kept = block[-(len(pattern) - 1) :]
        start += len(block) - len(kept)


def objects(file: BinaryIO, at: int, size: int) -> dict[int, tuple[int, int]]:
    """Where the objects of the heap at `at` lie and how long they are, by their index.  Raises ValueError."""
    file.seek(at)
    header = file.read(_HEAP_HEADER.size)
    if len(header) < _HEAP_HEADER.size or not header.startswith(_HEAP):
        raise ValueError("there is no heap where one should be")
    _, version, length = _HEAP_HEADER.unpack(header)
    if version != 1:  # which `check_heaps` did not walk
        raise ValueError("there is a heap of an unknown version")
    return {index: (position, size) for index, position, size in _walk(file, at, min(length, size - at))}


def _walk(file: BinaryIO, at: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Index, place and size of each object of one heap, in HDF5's steps.  Raises ValueError where it would not end."""
    file.seek(at)
    heap = file.read(length)
    position = _HEAP_HEADER.size
    while position + _OBJECT_HEADER.size <= length:
        index, _, size = _OBJECT_HEADER.unpack_from(heap, position)
        # Free space counts its own header in its size, an object does not and is padded to 8 bytes.
        step = size if index == 0 else _OBJECT_HEADER.size + (size + 7) // 8 * 8
        if step < _OBJECT_HEADER.size or step > length - position:
            raise ValueError("a heap that does not end")
        if index:
            yield index, at + position + _OBJECT_HEADER.size, size
        position += step


def _damaged(where: str, at: int) -> DamagedFile:
    return DamagedFile(
        f"{where} has a damaged global heap at byte {at}, which HDF5 would read for ever: "
        "restore the file from a copy, or fetch it again"
    )
