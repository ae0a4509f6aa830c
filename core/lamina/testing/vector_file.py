"""The file that keeps vectors: descriptions as JSON, and all their numbers in one array.

It imports nothing of Lamina, so that a script can write one where Lamina is not installed.  In the file, which is what
numpy.savez_compressed makes, "about" is a text in JSON:

    {"peer": what computed the numbers, "vectors": {ID: {..., "arrays": {KEY: [dtype, shape], ...}}, ...}}

and "numbers" holds the arrays in that order, each flattened, as float64: hundreds of arrays of a few numbers each would
be ten times as large one by one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

Vectors = dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]]


def write(
    path: str | PathLike[str],
    peer: str,
    vectors: Mapping[str, tuple[Mapping[str, Any], Mapping[str, np.ndarray]]],
) -> None:
    """Write the vectors, {id: (description, {key: array})}.  The same vectors make the same bytes.

    peer: what computed the numbers, with its version.
    """
    about: dict[str, Any] = {}
    numbers: list[np.ndarray] = []
    for name, (description, arrays) in vectors.items():
        laid_out = {key: [array.dtype.name, list(array.shape)] for key, array in arrays.items()}
        about[name] = {**description, "arrays": laid_out}
        numbers += [array.astype("float64").ravel() for array in arrays.values()]
    text = json.dumps({"peer": peer, "vectors": about})
    np.savez_compressed(path, about=np.array(text), numbers=np.concatenate(numbers))


def read(path: str | PathLike[str]) -> tuple[str, Vectors]:
    """The peer and the vectors in a file.  Raises ValueError for one that `write` did not write."""
    with np.load(path) as file:
        if set(file.files) != {"about", "numbers"}:
            raise ValueError(
                f"{path} is no file of vectors, which holds 'about' and 'numbers': met {file.files[:3]}"
            )
        about, numbers = json.loads(str(file["about"])), file["numbers"]
    found: Vectors = {}
    at = 0
    for name, description in about["vectors"].items():
        arrays = {}
        for key, (dtype, shape) in description.pop("arrays").items():
            count = int(np.prod(shape))
            arrays[key] = numbers[at : at + count].reshape(shape).astype(dtype)
            at += count
        found[name] = description, arrays
    return about["peer"], found
