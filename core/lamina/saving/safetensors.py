"""Weights as safetensors: a header that says where each tensor lies, their numbers, and nothing else.

    8 bytes     the length of the header, little-endian
    header      JSON, {"dense_1/kernel": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]}, ...}
    the rest    the numbers, little-endian in C order, one tensor after the other

The entry "__metadata__" holds texts: here `keras_version`, `backend`, and `layers`, which is JSON once more and lists
the layers with the names of their weights, both in order: [["dense_1", ["dense_1/kernel", "dense_1/bias"]], ...].
Files of other programs have no such list; in these a layer's weights are found by the names they would have here.

The format is read here, within the limits of `lamina.saving.gate`, because the package of its name tells the metadata
of files on disk only, and knows no bfloat16 under NumPy.
Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

import numpy as np

from lamina import backend as K
from lamina.saving import gate
from lamina.saving.config import BACKEND, KERAS_VERSION
from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina.saving.matching import StoredArray, StoredWeights
from lamina_registry import shown

if TYPE_CHECKING:
    from lamina.engine.layer import Layer

SUFFIX = ".safetensors"
_METADATA = "__metadata__"
_MOST_AXES = 32
_KINDS = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "BF16": "bfloat16",  # of which NumPy has none: the upper half of a float32
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
_WORDS = {numpy: word for word, numpy in _KINDS.items()}


def is_named(filepath: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a path asks for this format by its ending."""
    return isinstance(filepath, str | os.PathLike) and os.fspath(filepath).endswith(SUFFIX)


def is_in(file: BinaryIO) -> bool:
    """Whether an open file begins like one of these."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


# --- writing ----------------------------------------------------------------------------------------------------------


def write(file: BinaryIO, layers: Sequence[Layer], texts: Mapping[str, str]) -> None:
    """Write the weights of layers, and read back what lies where.  texts: more to keep with them, by names.

    Raises ValueError naming a weight of a type that the format has no word for, OSError for what cannot be read back.
    """
    listed = _named(layers)
    found = [pair for layer, names in listed for pair in zip(names, layer.weights, strict=True)]
    found.sort(
        key=lambda pair: -np.dtype(pair[1].dtype).itemsize
    )  # so that each lies at a multiple of its size
    header: dict[str, Any] = {
        _METADATA: {
            "backend": BACKEND,
            "keras_version": KERAS_VERSION,
            "layers": json.dumps([[layer.name, names] for layer, names in listed]),
            **texts,
        }
    }
    at = 0
    for name, weight in found:
        kind = np.dtype(weight.dtype)
        if kind.name not in _WORDS:
            raise ValueError(f"The weight {weight.name!r} is of {kind}, which safetensors cannot hold")
        end = at + math.prod(weight.shape) * kind.itemsize
        header[name] = {"dtype": _WORDS[kind.name], "shape": list(weight.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, weight in found:
        value = np.asarray(K.get_value(weight))
        file.write(value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes())
    file.flush()
    try:
        Tensors(file)
    except ValueError as error:
        raise OSError("what was written cannot be read back") from error


def _named(layers: Iterable[Layer]) -> list[tuple[Layer, list[str]]]:
    """The layers that have weights, with names of these that are unique in the file."""
    taken = {_METADATA}
    listed = []
    for layer in layers:
        names = []
        for index, weight in enumerate(layer.weights):
            own = str(getattr(weight, "name", None) or f"param_{index}")
            wanted = name = f"{layer.name}/{own.removeprefix(layer.name + '/').removesuffix(':0')}"
            count = 0
            while name in taken:
                count += 1
                name = f"{wanted}_{count}"
            taken.add(name)
            names.append(name)
        if names:
            listed.append((layer, names))
    return listed


# --- reading ----------------------------------------------------------------------------------------------------------


class Tensors:
    """The tensors of an open file by name, checked against its size and not yet read, and its metadata.

    Raises UnsafeFile or DamagedFile naming the file.
    """

    def __init__(self, file: BinaryIO):
        self.where = str(getattr(file, "name", "this file"))
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise DamagedFile(
                f"{self.where} announces a header of {length:,} bytes and has {max(size - 8, 0):,} after that: it is "
                "cut short, or no safetensors file"
            )
        if length > gate.LONGEST_TEXT:
            raise UnsafeFile(
                f"{self.where} has a header of {length:,} bytes; at most {gate.LONGEST_TEXT:,} are read"
            )
        try:
            text = file.read(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFile(f"{self.where} has a header that is no UTF-8") from error
        header = gate.parse_json(text, f"the header of {self.where}")
        if not isinstance(header, dict):
            raise DamagedFile(f"the header of {self.where} should be a JSON object, and is {shown(header)}")
        self.metadata = header.pop(_METADATA, {})
        if not isinstance(self.metadata, dict) or not all(
            isinstance(value, str) for value in self.metadata.values()
        ):
            raise DamagedFile(f"{_METADATA} of {self.where} should hold texts, and is {shown(self.metadata)}")
        start, allowance = 8 + length, gate.Allowance(size, self.where)
        self.by_name = {
            name: _Tensor(entry, file, start, f"{self.where}: {shown(name)}", allowance)
            for name, entry in header.items()
        }
        end = 0
        for tensor in sorted(self.by_name.values(), key=lambda tensor: tensor.span):
            if tensor.span[0] != end:
                raise DamagedFile(
                    f"{tensor.where} begins at byte {tensor.span[0]} of the numbers, after {end}"
                )
            end = tensor.span[1]
        if end != size - start:
            raise DamagedFile(f"{self.where} announces {end:,} bytes of numbers and has {size - start:,}")

    def weights(self, layers: Iterable[Layer]) -> StoredWeights:
        """The weights in the file by layer.  layers: whose names are looked for where the file does not list any."""
        text = self.metadata.get("layers")
        if text is None:
            named = [
                (layer.name, names)
                for layer, names in _named(layers)
                if any(name in self.by_name for name in names)
            ]
        else:
            named = _list_of_layers(gate.parse_json(text, f"the list of layers of {self.where}"), self.where)
        found = [(layer, [self._tensor(name) for name in names]) for layer, names in named]
        version = self.metadata.get("keras_version", KERAS_VERSION)
        return StoredWeights(found, self.where, self.metadata.get("backend"), version)

    def _tensor(self, name: str) -> StoredArray:
        if name not in self.by_name:
            raise DamagedFile(f"{self.where} has no tensor {shown(name)}; it has {shown([*self.by_name])}")
        return self.by_name[name]


def _list_of_layers(listed: Any, where: str) -> list[tuple[str, list[str]]]:
    match listed:
        case list() if all(
            isinstance(each, list)
            and len(each) == 2
            and isinstance(each[0], str)
            and isinstance(each[1], list)
            and all(isinstance(name, str) for name in each[1])
            for each in listed
        ):
            if len({layer for layer, _ in listed}) < len(listed):
                raise DamagedFile(f"{where} has a layer twice")
            return [(layer, names) for layer, names in listed]
    raise DamagedFile(f"{where} should list layers as [[name, [weights ...]], ...], not {shown(listed)}")


class _Tensor:
    """A tensor of a file: `span` is where its bytes lie among the numbers, from the first to after the last."""

    def __init__(self, entry: Any, file: BinaryIO, start: int, where: str, allowance: gate.Allowance):
        self.where = where
        match entry:
            case {"dtype": str(word), "shape": list(shape), "data_offsets": [first, end]} if all(
                type(number) is int and number >= 0 for number in (*shape, first, end)
            ):
                pass
            case _:
                raise DamagedFile(
                    f"{where} should have a dtype, a shape and two data_offsets, and is {shown(entry)}"
                )
        if word not in _KINDS or len(shape) > _MOST_AXES or max(shape, default=0) >= 1 << 31:
            raise DamagedFile(
                f"{where} is of type {shown(word)} and shape {shown(shape)}; what is read are {', '.join(_KINDS)} of "
                f"at most {_MOST_AXES} axes below 2**31"
            )
        self.span = first, end
        self._kind = np.dtype("uint16" if word == "BF16" else _KINDS[word]).newbyteorder("<")
        self._is_half = word == "BF16"
        self._shape = shape
        if end - first != math.prod(shape) * self._kind.itemsize:
            raise DamagedFile(f"{where} is {word} of shape {tuple(shape)}, and lies in {end - first:,} bytes")
        self._file, self._start, self._allowance = file, start, allowance

    def read(self) -> np.ndarray[Any, Any]:
        first, end = self.span
        self._allowance.spend(end - first, self.where)
        self._file.seek(self._start + first)
        data = self._file.read(end - first)
        if len(data) != end - first:
            raise DamagedFile(f"{self.where} was cut short while it was read")
        value = np.frombuffer(data, self._kind).reshape(self._shape)
        return (value.astype("uint32") << 16).view("float32") if self._is_half else value
