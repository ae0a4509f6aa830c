"""Event files: what TensorBoard reads, written with the messages and records of tensorboardX."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import struct
import time
import weakref
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.summary_pb2 import HistogramProto, Summary

_POSITIVE = 1e-12 * 1.1 ** np.arange(774)  # the bounds of TensorFlow's histograms, up to 1e20
_BOUNDS = np.concatenate(
    [[-np.finfo("float64").max], -_POSITIVE[::-1], [0.0], _POSITIVE, [np.finfo("float64").max]]
)
_count = itertools.count()


class EventFile:
    """A new event file in `folder`, which is made if need be.

    Raises OSError naming the folder when it cannot be written to; the file is then closed.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        # The name holds the second; two trainings may begin in the same.
        self._writer = EventsWriter(os.path.join(folder, "events"), f".{os.getpid()}.{next(_count)}")
        self._end = weakref.finalize(
            self, _close, self._writer
        )  # at the latest when nobody holds this any more

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._write([Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()], step)

    def histograms(self, histograms: Mapping[str, Histogram], step: int) -> None:
        self._write([Summary.Value(tag=tag, histo=one.proto()) for tag, one in histograms.items()], step)

    def images(self, images: Mapping[str, np.ndarray], step: int) -> None:
        """images: arrays of (rows, columns)."""
        self._write([Summary.Value(tag=tag, image=_image(one)) for tag, one in images.items()], step)

    def graph(self, nodes: Mapping[str, tuple[str, list[str], list[Any]]]) -> None:
        """nodes: name -> (kind, names of the nodes it reads, shapes of its outputs)."""
        graph = GraphDef()
        for name, (kind, inputs, shapes) in nodes.items():
            node = NodeDef(name=name, op=kind, input=inputs)
            for shape in shapes:
                dims = node.attr["_output_shapes"].list.shape.add().dim
                for size in shape:
                    dims.add(size=-1 if size is None else size)
            graph.node.append(node)
        self._tried(
            self._writer.write_event, Event(wall_time=time.time(), graph_def=graph.SerializeToString())
        )

    def flush(self) -> None:
        self._tried(self._writer.flush)

    def close(self) -> None:
        if self._end.alive:
            self.flush()
        self._end()

    def _write(self, values: list[Any], step: int) -> None:
        if values:
            event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
            self._tried(self._writer.write_event, event)

    def _tried(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            call(*args)
        except OSError as error:
            self._end()
            reason = f"TensorBoard's events could not be written: {error.strerror or error}"
            raise OSError(error.errno or errno.EIO, reason, self._folder) from error


def _close(writer: Any) -> None:
    with contextlib.suppress(OSError):  # what could not be written has been told of
        writer.close()


class Histogram:
    """How many of the numbers added so far lie between which bounds; those that are not finite are left out."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(_BOUNDS) - 1, "int64")
        self.smallest, self.largest = np.inf, -np.inf
        self.sum = self.squares = 0.0

    def add(self, values: np.ndarray) -> None:
        found = np.asarray(values, "float64").ravel()
        found = found[np.isfinite(found)]
        if found.size:
            self.counts += np.histogram(found, _BOUNDS)[0]
            self.smallest = min(self.smallest, float(found.min()))
            self.largest = max(self.largest, float(found.max()))
            self.sum += float(found.sum())
            self.squares += float(found @ found)

    def proto(self) -> Any:
        (filled,) = np.nonzero(self.counts)
        if not len(filled):
            return HistogramProto(bucket_limit=[0.0], bucket=[0.0])
        # An empty bucket comes first, whose bound is where the first filled one begins.
        first, last = max(int(filled[0]) - 1, 0), int(filled[-1]) + 1
        counts, bounds = self.counts[first:last], _BOUNDS[first + 1 : last + 1]
        told = (counts > 0) | np.append(counts[1:] > 0, False)  # of several empty buckets the last
        return HistogramProto(
            min=self.smallest,
            max=self.largest,
            num=float(self.counts.sum()),
            sum=self.sum,
            sum_squares=self.squares,
            bucket_limit=bounds[told].tolist(),
            bucket=counts[told].tolist(),
        )


def _image(values: np.ndarray) -> Any:
    """A grey picture: from 0 black to the largest white; with negative numbers 0 is mid-grey."""
    values = np.where(np.isfinite(values), values, 0.0).astype("float64")
    size = np.abs(values).max(initial=0.0) or 1.0
    grey = values / size * 255 if values.min(initial=0.0) >= 0 else 127 + values / size * 127
    rows, columns = values.shape
    return Summary.Image(
        height=rows, width=columns, colorspace=1, encoded_image_string=_png(grey.round().astype("uint8"))
    )


def _png(grey: np.ndarray) -> bytes:
    """A PNG file of 8-bit greys."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns = grey.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    lines = np.zeros((rows, columns + 1), "uint8")  # each begins with its filter: none
    lines[:, 1:] = grey
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
