"""Attributes of HDF5 objects, read without HDF5.

Names and configs are attributes, most of them strings of variable length.  HDF5 takes the length that a string
claims at its word: it fills 4 GB for a damaged one, and copies past its end for a hostile one.  So attributes are
taken from the object headers here, each piece checked to lie where it must, and the library reads numbers only.
Source: HDF5 File Format Specification, versions 1 and 2 of the object header, IV.A.2.m and III.E.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from lamina.saving.errors import DamagedFile
from lamina.saving.heap import objects

_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x15
_UNDEFINED = bytes([255] * 8)
_STRING, _VARIABLE = 3, 9  # classes of types
_SHARED = 2  # the flag of a message that is kept elsewhere
_LONGEST = 1 << 24  # bytes of one object header, which may be in many parts
_REPEATS = (
    8  # times the size of the file: what all headers may have that are read, some of them more than once
)
_REFERENCE = struct.Struct("<IQI")  # length, address of the heap, index in it


@dataclass(frozen=True)
class Attribute:
    """An attribute as stored.  items: one bytes for each text; None for anything but text."""

    shape: tuple[int, ...]
    items: list[bytes] | None


class Attributes:
    """The attributes of the objects of one file.

    file: open for reading, of `size` bytes, its heaps checked; where: its name for messages.
    """

    def __init__(self, file: BinaryIO, size: int, where: str):
        self._file = file
        self._size = size
        self._where = where
        self._heap = cache(lambda address: objects(file, address, size))
        self._headers_left = _LONGEST + _REPEATS * size
        self._texts_left = 0

    def of(self, address: int) -> dict[str, Attribute]:
        """The attributes of the object whose header is at `address`.  Raises DamagedFile."""
        self._texts_left = self._size  # HDF5 keeps one text for each reference
        try:
            found = (self._parsed(message) for kind, message in self._messages(address) if kind == _ATTRIBUTE)
            return dict(found)
        except (struct.error, IndexError, ValueError) as error:
            raise DamagedFile(
                f"{self._where} has a damaged object header at byte {address} ({error}): restore it from a copy, or "
                "fetch it again"
            ) from error

    def _read(self, at: int, length: int) -> bytes:
        if at < 0 or length < 0 or at + length > self._size:
            raise ValueError("a part lies beyond the end of the file")
        self._file.seek(at)
        return self._file.read(length)

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Type and content of each message of an object header, of either version."""
        if self._read(address, 4) == b"OHDR":
            flags = self._read(address, 6)[5]
            at = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
            width = 1 << (flags & 3)
            blocks = [(at + width, int.from_bytes(self._read(at, width), "little"))]
            head = struct.Struct("<BHB" + "2x" * bool(flags & 0x04))
            skipped = 4  # of a later block: its signature, and as much for the checksum at its end
        else:
            version, _, length = struct.unpack("<BxHxxxxI", self._read(address, 12))
            if version != 1:
                raise ValueError("no object header")
            blocks = [(address + 16, length)]
            head, skipped = struct.Struct("<HHB3x"), 0
        total = 0
        for at, length in blocks:
            total += length + 1
            self._headers_left -= length + 1
            if total > _LONGEST or self._headers_left < 0:
                raise ValueError("it never ends")
            block = self._read(at, length)
            position = 0
            while position + head.size <= length:
                kind, size, flags = head.unpack_from(block, position)
                position += head.size
                message = block[position : position + size]
                position += size
                if position > length:
                    raise ValueError("a message is longer than its part")
                if kind == _CONTINUATION:
                    more, size = struct.unpack_from("<QQ", message)
                    blocks.append((more + skipped, size - 2 * skipped))
                elif kind == _ATTRIBUTE and flags & _SHARED:
                    raise ValueError("a shared attribute, which no Keras writes")
                elif kind == _ATTRIBUTE_INFO and message[2 + 2 * (message[1] & 1) :][:8] != _UNDEFINED:
                    raise ValueError("more attributes than a header holds, which no Keras writes")
                else:
                    yield kind, message

    def _parsed(self, message: bytes) -> tuple[str, Attribute]:
        """Name and content of an attribute message."""
        version, flags, *sizes = struct.unpack_from("<BBHHH", message)
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise ValueError("an attribute of a kind that no Keras writes")
        position = 9 if version == 3 else 8
        fields = []
        for size in sizes:
            fields.append(message[position : position + size])
            position += (size + 7) // 8 * 8 if version == 1 else size
        name, kind, space = fields
        shape = _shape(space)
        items = self._items(kind, math.prod(shape), message[position:])
        return name.split(b"\0")[0].decode("utf-8", "surrogateescape"), Attribute(shape, items)

    def _items(self, kind: bytes, count: int, data: bytes) -> list[bytes] | None:
        """The texts of an attribute; none, and not None, for a list of no elements, which is stored as floats."""
        size = struct.unpack_from("<I", kind, 4)[0]
        form = kind[0] & 0x0F
        if form == _VARIABLE and (kind[1] & 0x0F != 1 or size != _REFERENCE.size):
            raise ValueError("an attribute of lists, which no Keras writes")
        if form not in (_STRING, _VARIABLE):
            return None if count else []
        if size * count > len(data) or not size:
            raise ValueError("an attribute is shorter than it says")
        pieces = [data[at : at + size] for at in range(0, size * count, size)]
        return [piece.rstrip(b"\0") if form == _STRING else self._long(piece) for piece in pieces]

    def _long(self, reference: bytes) -> bytes:
        """The text of variable length that a reference stands for."""
        length, address, index = _REFERENCE.unpack(reference)
        if length == 0:
            return b""
        at, size = self._heap(address).get(index, (0, -1))
        if length != size:
            raise ValueError(f"a text of {length} bytes is kept in {max(size, 0)}")
        self._texts_left -= length
        if self._texts_left < 0:
            raise ValueError("its texts are longer than the file")
        return self._read(at, length).split(b"\0")[0]


def _shape(space: bytes) -> tuple[int, ...]:
    """The sizes of a dataspace: () for a single value, (0,) for none at all."""
    version, rank = struct.unpack_from("<BB", space)
    if version == 2 and space[3] == 2:
        return (0,)
    if version not in (1, 2) or rank > 32:
        raise ValueError("an attribute of unknown shape")
    return struct.unpack_from(f"<{rank}Q", space, 8 if version == 1 else 4)
