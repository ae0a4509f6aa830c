"""The forms in which users pass arrays, brought to one: a list with an array, or rows to read, for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.tensor import Shape, Tensor


def standardize(data: Any, names: Sequence[str], ranks: Sequence[int], where: str) -> list[Any]:
    """`data` as one array per name.

    data: an array, a list of arrays, or a dict of arrays by name; lists of numbers and data frames count as arrays.
    ranks: dimensions that each should have, which tell a list of arrays from an array written as a list.
    where: what errors call it, such as "model_1: input".
    """
    if not names:
        if data is None or (hasattr(data, "__len__") and len(data) == 0):
            return []
        raise ValueError(f"{where}: expected no data, but got {shown(data)}")
    if data is None:
        raise ValueError(f"{where}: no data was given; expected arrays for {list(names)}")
    if isinstance(data, Mapping):
        for name in names:
            if name not in data:
                raise ValueError(
                    f'{where}: No data provided for "{name}". Need data for each key in: {list(names)}; '
                    f"met the keys {list(data)}"
                )
        found = [data[name] for name in names]
    elif isinstance(data, list | tuple):
        found = [data] if len(names) == 1 and _is_array(data, ranks[0]) else list(data)
    else:
        found = [data]
    if len(found) != len(names):
        if len(names) == 1 and len(found) > 1 and all(np.ndim(item) == np.ndim(found[0]) for item in found):
            hint = " If the list holds the samples, make one array of it: np.array(data)."
        else:
            hint = ""
        raise ValueError(
            f"{where}: the list of arrays has not the size the model expects: expected {len(names)} array(s) for "
            f"{list(names)}, but got {len(found)}: {shown(data)}.{hint}"
        )
    return [
        as_rows(item, f"{where} {name!r}", rank) for item, name, rank in zip(found, names, ranks, strict=True)
    ]


def as_rows(value: Any, where: str, rank: int = 2) -> Any:
    """`value` as something with a shape whose first axis counts samples.

    Flat arrays become columns, as in Keras, unless rank is 1.  Datasets of h5py, HDF5Matrix and sparse matrices stay
    what they are, and are read batch by batch.
    """
    if value is None:
        raise ValueError(f"{where}: no data was given (None)")
    if isinstance(value, Tensor):
        raise TypeError(
            f"{where}: met the symbolic {value!r}, and needs arrays. To feed a tensor, make it part of the model: "
            "Input(tensor=...) for inputs, compile(target_tensors=...) for targets"
        )
    if type(value).__name__ in ("DataFrame", "Series"):
        value = getattr(value, "values", value)  # of pandas; NumPy understands those of Polars
    if hasattr(value, "tocsr"):
        value = value.tocsr()  # of the sparse formats the one that has rows
    elif not is_lazy(value):
        value = as_array(value, where)
    if len(value.shape) == 0:
        raise ValueError(f"{where}: met the single number {value!r}; the first axis must count samples")
    if len(value.shape) == 1 and rank != 1:
        value = np.asarray(value[:])[:, None]
    return value


def is_lazy(value: Any) -> bool:
    """Whether it is read batch by batch: not an array or data frame, but with a shape and rows to ask for."""
    return (
        not isinstance(value, np.ndarray | np.generic | memoryview)
        and not hasattr(value, "to_numpy")
        and hasattr(value, "shape")
        and hasattr(value, "__getitem__")
    )


class Rows:
    """Rows start to stop of something that is read batch by batch, not read yet."""

    def __init__(self, source: Any, start: int, stop: int) -> None:
        self.source, self.start = source, start
        self.shape = (stop - start, *source.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Rows by slice, or by list of rising numbers."""
        if isinstance(key, slice):
            first, last, step = key.indices(len(self))
            return self.source[self.start + first : self.start + max(first, last) : step]
        return self.source[(np.asarray(key) + self.start).tolist()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def as_array(value: Any, where: str) -> np.ndarray:
    """`value` as an array of numbers.  Raises ValueError or TypeError where it is none."""
    if np.ma.is_masked(value):  # and np.asarray would answer what lies under the mask
        raise ValueError(f"{where}: met masked numbers in {shown(value)}: fill in or drop what is missing")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = np.asarray(array.tolist())
        absent = array.dtype.kind == "O" and any(item is None for item in array.flat)
        if array.dtype.kind == "O" and not absent:
            array = array.astype("float64")
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{where}: cannot make one array of numbers of {shown(value)} ({error}). All samples need the same shape; "
            "sequences of different lengths can be padded"
        ) from error
    if absent:  # of which NumPy would make NaN without a word
        raise ValueError(
            f"{where}: met None among the numbers of {shown(value)}: fill in or drop what is missing"
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{where}: expected numbers, met an array of {array.dtype}: {shown(value)}")
    return array


def _is_array(data: Sequence[Any], rank: int) -> bool:
    """Whether a list passed for a single array is that array written out, and not a list that holds it."""
    if not data or np.isscalar(data[0]):
        return True
    if not isinstance(data[0], list | tuple):
        return False
    try:
        return np.ndim(data) == rank or np.ndim(data[0]) != rank
    except ValueError:  # samples of different lengths: said better later
        return True


def check_shape(array: Any, name: str, shape: Shape, where: str, hint: str = "") -> None:
    """Raises ValueError when the rank or a known size, other than the batch's, differs.  hint: how it ends."""
    if len(array.shape) != len(shape):
        raise ValueError(
            f"{where}: expected {name} to have {len(shape)} dimensions, {shape} with the batch first, "
            f"but got array with shape {tuple(array.shape)}{hint}"
        )
    if any(want not in (None, have) for want, have in zip(shape[1:], array.shape[1:], strict=True)):
        raise ValueError(
            f"{where}: expected {name} to have shape {shape}, but got array with shape {tuple(array.shape)}{hint}"
        )


def shown(data: Any) -> str:
    """Data in a few words: arrays by type and shape, all else by its beginning."""
    if isinstance(data, np.ndarray) and data.dtype.kind in "biuf":
        return f"{data.dtype} array of shape {data.shape}"
    if isinstance(data, list | tuple) and data and all(isinstance(item, np.ndarray) for item in data):
        return f"[{', '.join(map(shown, data))}]"
    text = repr(data)
    return text if len(text) <= 200 else text[:200] + "..."


def len_of(array: Any) -> int:
    return int(array.shape[0])
