"""Event files: what TensorBoard reads, written with the messages and records of tensorboardX."""

from __future__ import annotations

import itertools
import os
import struct
import time
import weakref
import zlib
from collections.abc import Mapping
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
    """A new event file in `folder`, which is made if need be."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        # The name holds the second; two trainings may begin in the same.
        self._writer = EventsWriter(os.path.join(folder, "events"), f".{os.getpid()}.{next(_count)}")
        self._end = weakref.finalize(
            self, self._writer.close
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
        self._writer.write_event(Event(wall_time=time.time(), graph_def=graph.SerializeToString()))

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._end()

    def _write(self, values: list[Any], step: int) -> None:
        if values:
            self._writer.write_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))


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
        return HistogramProto(
            min=self.smallest,
            max=self.largest,
            num=float(self.counts.sum()),
            sum=self.sum,
            sum_squares=self.squares,
            bucket_limit=_BOUNDS[first + 1 : last + 1].tolist(),
            bucket=self.counts[first:last].tolist(),
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
