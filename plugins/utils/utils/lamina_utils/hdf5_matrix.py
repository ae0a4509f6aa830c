"""HDF5Matrix: rows of an HDF5 dataset in place of an array."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from lamina.saving.errors import UnsafeFile
from lamina.saving.reader import check_place, linked
from lamina_registry import shown


class HDF5Matrix:
    """Rows start to end of a dataset, read from the file as they are asked for.

        x = HDF5Matrix("data.h5", "images", end=50_000)
        model.fit(x, y, shuffle="batch")

    datapath: of the HDF5 file.  dataset: name in it.
    start, end: first row and the one after the last; None is the end of the dataset.
    normalizer: called with what is read, answers what is given.

    It stands for an array wherever a model takes one.  shuffle="batch" reads runs of rows; shuffle=True, which Keras 2
    refuses, reads single ones and takes longer.  A process that it is sent to opens the file anew.

    Raises IndexError for rows outside start to end, KeyError for a dataset that is not there, UnsafeFile for one that
    lies in another file (a link, external storage, a virtual dataset), which is not opened, or holds no numbers.
    """

    def __init__(
        self,
        datapath: str | os.PathLike[str],
        dataset: str,
        start: int = 0,
        end: int | None = None,
        normalizer: Callable[[Any], Any] | None = None,
    ) -> None:
        self.datapath = os.fspath(datapath)
        self.dataset = dataset
        self.normalizer = normalizer
        rows = len(self.data)
        self.start = start
        self.end = rows if end is None else end
        if not 0 <= self.start <= self.end <= rows:
            raise IndexError(
                f"{self.datapath}: {dataset} has {rows} rows, and start={start}, end={end} is no part of them"
            )
        sample = np.asarray(self[: min(1, len(self))])  # as the normalizer makes it
        self._row, self._dtype = sample.shape[1:], sample.dtype

    @property
    def data(self) -> h5py.Dataset:
        """The whole dataset."""
        if "_data" not in self.__dict__:
            file = h5py.File(self.datapath, "r")
            try:
                self._data = self._found(file)
            except BaseException:
                file.close()
                raise
        return self._data

    def _found(self, file: h5py.File) -> h5py.Dataset:
        where = f"{self.datapath}: {shown(self.dataset)}"
        try:
            found = linked(file, self.dataset, self.datapath)
            if isinstance(found, h5py.Dataset):
                check_place(found, where)
                if found.dtype.hasobject:  # in a heap, of which a damaged one keeps HDF5 reading for ever
                    raise UnsafeFile(
                        f"{where} holds texts or references of any length; store numbers in their place"
                    )
                return found
        except UnsafeFile as error:
            error.add_note(
                "Data of your own in several files may be given as what h5py opened: x = h5py.File(...)[...]"
            )
            raise
        if found is not None:
            raise ValueError(f"{where} is no dataset, but {found!r}")
        raise KeyError(f"{self.datapath} has no dataset {self.dataset!r}; it has {', '.join(sorted(file))}")

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> Any:
        """Rows, for a number, a slice, or a list or array of numbers."""
        found = self._slice(key) if isinstance(key, slice) else self._rows(np.asarray(key), key)
        return found if self.normalizer is None else self.normalizer(found)

    def _slice(self, key: slice) -> Any:
        size = len(self)
        if any(end is not None and not -size <= end <= size for end in (key.start, key.stop)):
            raise IndexError(f"{key} is outside the {size} rows of this HDF5Matrix")
        first, last, step = key.indices(size)
        if step < 1:
            raise IndexError(f"{key} goes backwards, and HDF5 is read forwards")
        return self.data[self.start + first : self.start + max(first, last) : step]

    def _rows(self, where: np.ndarray, key: Any) -> Any:
        size = len(self)
        if where.dtype == bool:
            (where,) = np.nonzero(where)
        if where.size and not (-size <= where.min() and where.max() < size):
            raise IndexError(f"{key!r} is outside the {size} rows of this HDF5Matrix")
        where = np.where(where < 0, where + size, where).astype("int64") + self.start
        if where.ndim == 0:
            return self.data[int(where)]
        rows, places = np.unique(where, return_inverse=True)  # HDF5 reads rising rows, each once
        found = self.data[rows.tolist()]
        return found if len(rows) == len(where) and (rows == where).all() else found[places]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # In one piece, where NumPy would go from row to row.
        return np.asarray(self[:], dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_data"}

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...): of what the normalizer gives."""
        return (len(self), *self._row)

    @property
    def dtype(self) -> np.dtype:
        return self._dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Numbers in all."""
        return int(np.prod(self.shape))
