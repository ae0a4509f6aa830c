"""CSVLogger: a table of all epochs."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import warnings
from collections.abc import Iterable
from typing import Any, TextIO

from lamina.callbacks import Callback


class CSVLogger(Callback):
    """Writes a line for each epoch: its number, counted from 0, and its logs, in the order of their names.

    filename: of the table.
    separator: between columns.
    append: go on with a table that is there, in its columns: what an epoch lacks is NA, and what the table has no
        column for is left out, with a warning.  Otherwise the table starts anew.

    Raises OSError naming the file when it cannot be written to, ValueError for one to go on with that is no table.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: TextIO | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.on_train_end()  # of a training that was interrupted
        self.keys = None
        begun = self._begun() if self.append else None
        self.csv_file = open(self.filename, "w" if begun is None else "a", newline="")
        if begun is not None:
            self.keys, whole = begun
            if not whole:  # somebody was killed in the middle of a line
                self.csv_file.write("\r\n")

    def _begun(self) -> tuple[list[str], bool] | None:
        """The columns of the table that is there, and whether its last line is whole; None where none is."""
        try:
            with open(self.filename, newline="") as file:
                header = next(csv.reader(file, delimiter=self.sep), [])
                if not header:
                    return None
                text = file.read()
        except FileNotFoundError:
            return None
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{self.filename} is no table that CSVLogger can go on with: {error}") from error
        return header[1:], not text or text.endswith("\n")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        assert self.csv_file is not None
        writer = csv.writer(self.csv_file, delimiter=self.sep)
        if self.keys is None:
            self.keys = sorted(logs)
            writer.writerow(["epoch", *self.keys])
        lost = sorted(logs.keys() - set(self.keys))
        if lost:
            warnings.warn(
                f"{self.filename} has no columns for {', '.join(lost)}: they are left out",
                RuntimeWarning,
                stacklevel=2,
            )
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self._flush(epoch)

    def _flush(self, epoch: int) -> None:
        assert self.csv_file is not None
        try:
            self.csv_file.flush()
        except OSError as error:
            file, self.csv_file = self.csv_file, None
            with contextlib.suppress(OSError):  # it would try again
                file.close()
            reason = f"CSVLogger could not write epoch {epoch}: {error.strerror or error}"
            raise OSError(error.errno or errno.EIO, reason, self.filename) from error

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
            self.csv_file = None


def _cell(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
