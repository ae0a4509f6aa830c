"""Pickles of plain data and arrays, read without running anything: the files that some datasets come as.

`pickle.loads` does what a file tells it to.  Here the file's words are read by rules of our own.  The only names that a
file may use, matched exactly, are those of `NAMES`, which picklers use for arrays and bytes; each stands for a function
below, and for nothing else.

Python's unpickler with a `find_class` of ours would not do: it takes memory for what a file merely declares, and
hashes what a file makes a key, which takes for ever for tuples of tuples.

Sources: Python's `pickletools`, which describes each opcode; `numpy.ndarray.__reduce__` and `__reduce_ex__`.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina_registry import shown

DEEPEST = 100  # levels of lists, tuples and dicts
MOST = 100_000  # of these and of remembered values, and one more for each four bytes of the pickle
_MOST_AXES = 32
_LONGEST_NAME = 200  # characters
_SMALL_DICT = 1000  # entries
_KIND = re.compile(r"[biufc][1-9]\d?|[SU][1-9]\d{0,5}|O[48]?")
_ATOMS = {type(None), bool, int, float, str, bytes}
# Each opcode says how long its number is, so that numbers in a row are found, and left to Python's own reader.
_NUMBERS = re.compile(rb"(?:K.|M..|J....|G.{8}){4,1000}+", re.DOTALL)


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """What a pickle file of plain data holds.

    None, booleans, numbers, texts, bytes, lists, tuples, dicts whose keys are texts, bytes or integers of 32 bits (of
    17 in a dict of over 1,000 entries), and NumPy's arrays and numbers; written by protocol 2, 3, 4 or 5.  Texts of
    Python 2 (`str`) come as bytes.  One list, tuple, dict or array in two places is refused.

    Memory: at most about 40 bytes for each byte of the file, and 64 MB.

    Raises UnsafeFile for a pickle that asks for anything else, DamagedFile for one that cannot be read.
    """
    with open(path, "rb") as file:
        return unpickled(file.read(), os.fspath(path))


def unpickled(data: bytes, where: str) -> Any:
    """What a pickle holds, as `read_pickle` says.  where: what messages call it."""
    try:
        return _Reader(data, where).read()
    except UnsafeFile:
        raise
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        reason = "it ends too soon" if isinstance(error, LookupError) else error
        raise DamagedFile(f"{where} is no whole pickle of plain data: {reason}") from error


class _Kind:
    """A dtype, which is remembered before its byte order is told."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or state[2:5] != (None, None, None):
            raise ValueError("an array of records")
        self.dtype = self.dtype.newbyteorder(_text(state[1]))  # type: ignore[arg-type]


class _Array:
    """An array, which is remembered before its numbers are told."""

    value: np.ndarray[Any, Any] | None = None

    def set_state(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if type(kind) is _Kind and kind.dtype.hasobject:
            if type(content) is not list:
                raise TypeError("an array of objects without a list of them")
            flat = np.empty(len(content), object)
            for number, item in enumerate(content):  # at once, lists of one length would become another axis
                flat[number] = item
            self.value = flat.reshape(_shape(shape, len(content)), order="F" if fortran else "C")
        else:
            self.value = _array(content, kind, shape, "F" if fortran else "C")


def _shape(shape: Any, size: int) -> tuple[int, ...]:
    """A shape of so many elements."""
    fair = type(shape) is tuple and len(shape) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in shape)
    if not fair or math.prod(shape) != size:
        raise ValueError(f"an array of shape {shown(shape)} with {size:,} elements")
    return shape


def _array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """An array of numbers from its bytes."""
    if (
        type(content) is not bytes
        or type(kind) is not _Kind
        or kind.dtype.hasobject
        or order not in ("C", "F")
    ):
        raise TypeError("an array without its bytes, type and order")
    count, rest = divmod(len(content), kind.dtype.itemsize)
    if rest:
        raise ValueError(f"an array of {kind.dtype} with {len(content):,} bytes")
    value = np.ndarray(_shape(shape, count), kind.dtype, content, order=order).copy(order=order)
    check_characters(value)
    return value


def check_characters(array: np.ndarray[Any, Any]) -> None:
    """Raise ValueError for texts with numbers that stand for no character: Python fails when it meets one."""
    for name in array.dtype.names or ():
        check_characters(array[name])
    if array.dtype.kind == "U" and array.nbytes:
        numbers = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if numbers.max() > sys.maxunicode:
            raise ValueError("an array of texts with what is no character")


# ---- the names


class _Name:
    """What a file may name, and what it makes of arguments."""

    def __init__(self, make: Callable[..., Any] | None = None) -> None:
        self.make = make


_NDARRAY = _Name()


def _begun(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _NDARRAY or shape != (0,) or code not in (b"b", "b"):
        raise ValueError("an array that does not begin empty")
    return _Array()


def _dtype(code: Any, align: Any = False, copy: Any = False) -> _Kind:
    code = _text(code)
    if not _KIND.fullmatch(code):
        raise ValueError(f"an array of dtype {shown(code)}")
    return _Kind(np.dtype("O" if code.startswith("O") else code))


def _scalar(kind: Any, content: Any) -> Any:
    return _array(content, kind, (), "C")[()]


def _encoded(text: Any, encoding: Any) -> bytes:
    if encoding != "latin1" or type(text) is not str:
        raise ValueError("bytes in an encoding other than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


NAMES = {
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _Name(_dtype),
    "numpy.core.multiarray _reconstruct": _Name(_begun),
    "numpy._core.multiarray _reconstruct": _Name(_begun),
    "numpy.core.multiarray scalar": _Name(_scalar),
    "numpy._core.multiarray scalar": _Name(_scalar),
    "numpy.core.numeric _frombuffer": _Name(_array),
    "numpy._core.numeric _frombuffer": _Name(_array),
    "_codecs encode": _Name(_encoded),  # bytes, as protocol 2 says them
    "__builtin__ bytes": _Name(_no_bytes),
}


def _text(value: Any) -> str:
    """A name or code, which Python 2 wrote as bytes."""
    text = value.decode("ascii") if type(value) is bytes else value
    if type(text) is not str or len(text) > _LONGEST_NAME:
        raise TypeError(f"a name should be a short text, and is {shown(text)}")
    return text


# ---- the reader


class _Arguments(tuple[Any, ...]):
    """A tuple that holds names: good for a call, and for nothing else."""


class _Reader:
    """One pass over a pickle.  Each opcode takes from a stack and puts back, as `pickletools` tells."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where, self.at = data, where, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.next_memo = 0  # the place in the memo that MEMOIZE takes
        self.left = MOST + len(data) // 4
        self.heights: dict[int, int] = {}  # by id, of containers that hold containers

    def read(self) -> Any:
        if not self.data.startswith((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")):
            raise ValueError("it does not begin as protocols 2 to 5 do")
        self.at = 2
        data, stack, opcodes, match = self.data, self.stack, _OPCODES, _NUMBERS.match
        while (code := data[self.at]) != 0x2E:
            if code in b"KMJG" and (numbers := match(data, self.at)):
                stack.extend(pickle.loads(b"(" + numbers[0] + b"l."))
                self.at = numbers.end()
                continue
            act = opcodes[code]
            if act is None:
                raise UnsafeFile(
                    f"{self.where} is a pickle that does more than hold data (opcode {data[self.at : self.at + 1]!r} "
                    f"at byte {self.at:,}): nothing that a pickle asks for is done here"
                )
            self.at += 1
            act(self)
        if len(stack) != 1 or self.at + 1 != len(data):
            raise ValueError("it does not end with one value")
        return self.plain(stack)[0]

    # What opcodes need

    def take(self, size: int) -> bytes:
        """The next bytes of the pickle, which has so many or is damaged."""
        if not 0 <= size <= len(self.data) - self.at:
            raise ValueError(f"it ends within {size:,} bytes at byte {self.at:,}")
        self.at += size
        return self.data[self.at - size : self.at]

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> str:
        end = self.data.index(b"\n", self.at, self.at + _LONGEST_NAME)
        text = self.take(end - self.at).decode("ascii")
        self.at += 1
        return text

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise UnsafeFile(
                f"{self.where} is a pickle of more lists, tuples and dicts than its size justifies"
            )

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("it takes more than it has put down")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """What lies uppermost, and has to be of this kind."""
        value = self.pop()
        if type(value) is not kind:
            raise TypeError(f"it adds to a {type(value).__name__}")
        self.stack.append(value)
        return value

    def marked(self) -> list[Any]:
        """All above the last mark, which goes as well."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def plain(self, items: list[Any]) -> list[Any]:
        """Values as others see them: no names, and arrays that are complete."""
        if _ATOMS.issuperset(map(type, items)):
            return items
        found = []
        for item in items:
            kind = type(item)
            if kind is _Array and item.value is not None:
                item = item.value
            elif kind in (_Name, _Array, _Kind, _Arguments):
                raise ValueError("it holds a part of an array by itself")
            found.append(item)
        return found

    def put_into(self, holder: Any, items: Sequence[Any]) -> None:
        """Note that a container holds these."""
        if _ATOMS.issuperset(map(type, items)):
            return
        heights = self.heights
        inside = (item for item in items if isinstance(item, list | tuple | dict | np.ndarray))
        deepest = max((heights.get(id(item), 1) for item in inside), default=0)
        if deepest >= DEEPEST:
            raise UnsafeFile(f"{self.where} is a pickle more than {DEEPEST} levels deep")
        if deepest:
            heights[id(holder)] = max(heights.get(id(holder), 1), deepest + 1)

    def tuple_of(self, items: list[Any]) -> None:
        self.spend()
        if any(type(item) in (_Name, _Kind) for item in items):
            self.stack.append(_Arguments(items))  # for a call, or an array's state
        else:
            made = tuple(self.plain(items))
            self.heights.pop(id(made), None)  # of one that was here before
            self.put_into(made, made)
            self.stack.append(made)

    # Numbers and texts

    def number(self, form: str) -> None:
        self.stack.append(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def long(self) -> None:
        self.stack.append(int.from_bytes(self.take(self.unsigned(1)), "little", signed=True))

    def text(self, size: int) -> None:
        self.stack.append(self.take(self.unsigned(size)).decode("utf-8", "surrogatepass"))

    def content(self, size: int) -> None:
        self.stack.append(self.take(self.unsigned(size)))

    def frame(self) -> None:
        self.take(8)  # how much a reader of streams may fetch at once

    # Containers

    def empty(self, kind: type) -> None:
        self.spend()
        made = kind()
        self.heights.pop(id(made), None)
        self.stack.append(made)

    def mark(self) -> None:
        if len(self.marks) > 2 * DEEPEST:
            raise UnsafeFile(f"{self.where} is a pickle more than {DEEPEST} levels deep")
        self.marks.append(len(self.stack))

    def tuple_up(self, count: int) -> None:
        self.tuple_of([self.pop() for _ in range(count)][::-1])

    def append(self, items: list[Any]) -> None:
        holder = self.top(list)
        items = self.plain(items)
        self.put_into(holder, items)
        holder.extend(items)

    def set_items(self, items: list[Any]) -> None:
        holder = self.top(dict)
        items = self.plain(items)
        keys, values = items[::2], items[1::2]
        # Large numbers can be chosen so that each of them goes past all others on its way to a free place of the dict.
        bits = 31 if len(holder) + len(keys) <= _SMALL_DICT else 17
        if not all(
            isinstance(key, str | bytes) or (type(key) is int and abs(key) >> bits == 0) for key in keys
        ):
            raise UnsafeFile(
                f"{self.where} is a pickle of a dict whose keys are no texts or integers of 32 bits, or of "
                f"{_SMALL_DICT:,} entries and integers of over 17 bits"
            )
        self.put_into(holder, values)
        holder.update(zip(keys, values, strict=True))

    # The memo

    def remember(self, place: int) -> None:
        self.next_memo += 1
        value = self.stack[-1]
        # Lists and the like are left out: one that holds itself has no end.
        if isinstance(value, str | bytes | np.generic | _Name | _Kind):
            self.spend()
            self.memo[place] = value
        else:
            self.memo.pop(place, None)

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise UnsafeFile(
                f"{self.where} is a pickle that holds one list, tuple, dict or array in two places"
            )
        self.stack.append(self.memo[place])

    # Names, calls and states

    def name(self, module: str, name: str) -> None:
        known = NAMES.get(f"{module} {name}")
        if known is None:
            raise UnsafeFile(
                f"{self.where} is a pickle that names {shown(f'{module}.{name}')}: data needs no name but those of "
                "NumPy's arrays, and no other is looked up"
            )
        self.stack.append(known)

    def stack_name(self) -> None:
        name, module = _text(self.pop()), _text(self.pop())
        self.name(module, name)

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if type(function) is not _Name or function.make is None:
            raise UnsafeFile(f"{self.where} is a pickle that calls a {type(function).__name__}")
        if type(arguments) not in (tuple, _Arguments):
            raise TypeError("a call without a tuple")
        self.spend()
        made = function.make(*arguments)
        self.heights.pop(id(made), None)
        self.stack.append(made)

    def build(self) -> None:
        state, holder = self.pop(), self.pop()
        if type(holder) not in (_Array, _Kind):
            raise UnsafeFile(f"{self.where} is a pickle that sets the state of a {type(holder).__name__}")
        holder.set_state(state)
        if type(holder) is _Array:
            self.heights.pop(id(holder.value), None)
            self.put_into(holder.value, [state[-1]])
        self.stack.append(holder)


def _opcodes() -> list[Callable[[_Reader], None] | None]:
    """What each opcode does, by its byte; None for those that do more than hold data."""
    known: dict[bytes, Callable[[_Reader], None]] = {
        b"\x95": _Reader.frame,
        b"N": lambda r: r.stack.append(None),
        b"\x88": lambda r: r.stack.append(True),
        b"\x89": lambda r: r.stack.append(False),
        b"K": lambda r: r.number("<B"),
        b"M": lambda r: r.number("<H"),
        b"J": lambda r: r.number("<i"),
        b"G": lambda r: r.number(">d"),
        b"\x8a": _Reader.long,
        b"X": lambda r: r.text(4),
        b"\x8c": lambda r: r.text(1),
        b"\x8d": lambda r: r.text(8),
        b"U": lambda r: r.content(1),
        b"T": lambda r: r.content(4),
        b"C": lambda r: r.content(1),
        b"B": lambda r: r.content(4),
        b"\x8e": lambda r: r.content(8),
        b"\x96": lambda r: r.content(8),
        b"(": _Reader.mark,
        b"]": lambda r: r.empty(list),
        b"}": lambda r: r.empty(dict),
        b")": lambda r: r.tuple_of([]),
        b"\x85": lambda r: r.tuple_up(1),
        b"\x86": lambda r: r.tuple_up(2),
        b"\x87": lambda r: r.tuple_up(3),
        b"t": lambda r: r.tuple_of(r.marked()),
        b"a": lambda r: r.append([r.pop()]),
        b"e": lambda r: r.append(r.marked()),
        b"s": lambda r: r.set_items([r.pop(), r.pop()][::-1]),
        b"u": lambda r: r.set_items(r.marked()),
        b"q": lambda r: r.remember(r.unsigned(1)),
        b"r": lambda r: r.remember(r.unsigned(4)),
        b"\x94": lambda r: r.remember(r.next_memo),
        b"h": lambda r: r.recall(r.unsigned(1)),
        b"j": lambda r: r.recall(r.unsigned(4)),
        b"c": lambda r: r.name(r.line(), r.line()),
        b"\x93": _Reader.stack_name,
        b"R": _Reader.call,
        b"b": _Reader.build,
    }
    return [known.get(bytes([code])) for code in range(256)]


_OPCODES = _opcodes()
