"""Arrays in NumPy's .npz files, whatever a file says of itself.

A .npz is a zip archive of .npy files: a header that tells dtype and shape, and the numbers; arrays of objects, such as
lists of words, are pickles instead.  `numpy.load` takes memory for the shape that a header tells, and unpickles.

Source: the NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from lamina.saving.errors import DamagedFile
from lamina_registry import shown
from lamina_utils.archives import told, zip_members
from lamina_utils.pickles import check_characters, unpickled

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_PIECE = 1 << 20


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a .npz file, by their names.

    Arrays of objects are read as `lamina_utils.pickles.read_pickle` says.  Memory: that of the arrays, for which the
    file holds all bytes; a file that unpacks to over 64 MB and 200 times its size is refused before.

    Raises UnsafeFile for a file that asks for more than arrays, DamagedFile for one that cannot be read.
    """
    path = Path(path)
    found: dict[str, np.ndarray[Any, Any]] = {}
    with told(path):
        for name, content in zip_members(path):
            if content is None or not name.endswith(".npy") or name in found:
                raise DamagedFile(
                    f"{path} holds {shown(name)}: a .npz file holds arrays alone, name.npy, each once"
                )
            with content:
                found[name.removesuffix(".npy")] = _array(_whole(content), f"{shown(name)} of {path}")
    return found


def _whole(content: IO[bytes]) -> bytearray:
    """All of a member, whose declared size may be far from what it holds."""
    found = bytearray()
    while piece := content.read(_PIECE):
        found += piece
    return found


def _array(data: bytearray, where: str) -> np.ndarray[Any, Any]:
    """The array of a .npy file; numbers lie where they were read."""
    start = io.BytesIO(data[:65536])
    version = np.lib.format.read_magic(start)
    if version not in _HEADERS:
        raise DamagedFile(f"{where} is written in version {version} of its format; 1.0 and 2.0 are read")
    try:
        shape, fortran, dtype = _HEADERS[version](start)
    except Exception as error:  # NumPy parses it as Python does a program
        raise DamagedFile(
            f"{where} has a header that cannot be read: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    at = start.tell()
    if dtype.hasobject:
        value = unpickled(bytes(data[at:]), where)
        if not isinstance(value, np.ndarray) or (value.dtype, value.shape) != (dtype, shape):
            raise DamagedFile(f"{where} does not hold the objects that it declares")
        return value
    fair = dtype.itemsize > 0 and all(type(length) is int for length in shape)
    if not fair or math.prod(shape) * dtype.itemsize != len(data) - at:
        raise DamagedFile(
            f"{where} declares {str(dtype)[:100]} of shape {shown(shape)} and holds {len(data) - at:,} bytes"
        )
    value = np.ndarray(shape, dtype, data, at, order="F" if fortran else "C")
    check_characters(value)
    return value
