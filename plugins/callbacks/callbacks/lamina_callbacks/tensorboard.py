"""TensorBoard: curves, histograms, pictures and the graph of a training, for `tensorboard --logdir`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.callbacks import Callback
from lamina.saving.atomic import write_text
from lamina.training.compiled import feed_inputs
from lamina_callbacks.events import EventFile, Histogram

_PICTURES = 3  # of one weight


class TensorBoard(Callback):
    """Writes event files that TensorBoard shows:  tensorboard --logdir=logs

    log_dir: where they go; made if need be.
    histogram_freq: epochs from one set of histograms to the next; 0 for none.  They show all weights, and the
        outputs of all layers for the validation data, which must be given as arrays or as a split.
    batch_size: samples at a time, for the outputs.
    write_graph: also write the graph of layers.
    write_grads: also histograms of the gradients, over batches of the validation data.
    write_images: also pictures of the weights, along with the histograms.
    embeddings_freq: epochs from one save of embeddings, for the projector, to the next; 0 for none.
    embeddings_layer_names: names of layers; None or [] is every Embedding.
    embeddings_metadata: name of a file with a line for each row of an embedding, in log_dir, or a dict of such names
        by layer.
    embeddings_data: inputs for which the outputs of these layers are saved.  None saves their first weight.
    update_freq: "epoch", "batch", or a number of samples: how often the curves get a point.

    Tags: the keys of the logs; <weight>, <weight>_grad, <weight>/image and <layer>_out, where a weight's name has
    '_' in place of ':'.  Raises ValueError at the end of an epoch for histograms without validation data.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "./logs",
        histogram_freq: int = 0,
        batch_size: int = 32,
        write_graph: bool = True,
        write_grads: bool = False,
        write_images: bool = False,
        embeddings_freq: int = 0,
        embeddings_layer_names: Sequence[str] | None = None,
        embeddings_metadata: str | Mapping[str, str] | None = None,
        embeddings_data: Any = None,
        update_freq: int | str = "epoch",
    ) -> None:
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.batch_size = batch_size
        self.write_graph = write_graph
        self.write_grads = write_grads
        self.write_images = write_images
        self.embeddings_freq = embeddings_freq
        self.embeddings_layer_names = embeddings_layer_names
        self.embeddings_metadata = embeddings_metadata or {}
        self.embeddings_data = embeddings_data
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.samples_seen = 0
        self._shown_at = 0
        self.writer: EventFile | None = None
        self._function: Any = None
        self._tags: list[str] = []
        if self.update_freq != "epoch":
            # On the instance: training asks nothing of a callback that has nothing to do for a batch.
            self.on_batch_end = self._on_batch_end  # type: ignore[method-assign]

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self.on_train_end()  # of a training that was interrupted
        self.writer = EventFile(self.log_dir)
        self._function = None
        if self.write_graph:
            self.writer.graph(dict(_nodes(model)))

    def _on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.samples_seen += (logs or {}).get("size", 0)
        if self.samples_seen - self._shown_at >= int(self.update_freq):
            self._shown_at = self.samples_seen
            self._scalars(logs or {}, self.samples_seen)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self.writer is not None
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._embeddings()
        self._scalars(logs or {}, epoch if self.update_freq == "epoch" else self.samples_seen)
        self.writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def _scalars(self, logs: Mapping[str, Any], step: int) -> None:
        assert self.writer is not None
        shown = {key: value for key, value in logs.items() if key not in ("batch", "size")}
        self.writer.scalars({key: float(value) for key, value in shown.items() if np.ndim(value) == 0}, step)

    # ---- histograms and pictures

    def _histograms(self, epoch: int) -> None:
        if not self.validation_data:
            raise ValueError(
                "If printing histograms, validation_data must be provided, and cannot be a generator."
            )
        assert self.writer is not None
        histograms: dict[str, Histogram] = {}
        pictures: dict[str, np.ndarray] = {}
        for weight in _weights(self.model.layers):
            tag, value = _tag(weight), K.get_value(weight)
            histograms[tag] = Histogram()
            histograms[tag].add(value)
            if self.write_images:
                pictures.update(_pictures(tag, value))
        for batch in self._batches():
            for tag, value in zip(self._tags, self._function(batch), strict=True):
                histograms.setdefault(tag, Histogram()).add(value)
        self.writer.histograms(histograms, epoch)
        self.writer.images(pictures, epoch)

    def _batches(self) -> Iterator[list[np.ndarray]]:
        """The validation data, cut for the function of outputs and gradients, which is made when first needed."""
        model = self.model
        fed = [(t, w) for t, w in zip(model.targets, model.sample_weights, strict=True) if w is not None]
        inputs = [*feed_inputs(model), *(target for target, _ in fed), *(weights for _, weights in fed)]
        if self._function is None:
            shown = dict(_outputs(model.layers))
            if self.write_grads:
                weights = list(model.trainable_weights)
                for weight, g in zip(weights, K.gradients(model.total_loss, weights), strict=True):
                    if g is not None:
                        shown[f"{_tag(weight)}_grad"] = g
            self._tags = list(shown)
            self._function = K.function(inputs, list(shown.values()))
        data = self.validation_data[: len(inputs)]
        for start in range(0, len(data[0]) if data else 0, self.batch_size):
            yield [np.asarray(array[start : start + self.batch_size]) for array in data]

    # ---- embeddings

    def _embeddings(self) -> None:
        """Write each embedding as a table, and the list of tables that the projector reads."""
        names = self.embeddings_layer_names or [
            layer.name for layer in self.model.layers if type(layer).__name__ == "Embedding"
        ]
        config = []
        for name in names:
            layer = self.model.get_layer(name)
            rows = np.asarray(self._embedding(layer))
            file = f"keras_embedding-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.tsv"
            lines = ("\t".join(map(repr, row)) for row in rows.reshape(len(rows), -1).tolist())
            write_text(os.path.join(self.log_dir, file), "\n".join(lines) + "\n")
            config.append("embeddings {")
            config += [f"  tensor_name: {_quoted(name)}", f"  tensor_path: {_quoted(file)}"]
            metadata = self.embeddings_metadata
            described = metadata if isinstance(metadata, str) else metadata.get(name)
            if described is not None:
                config.append(f"  metadata_path: {_quoted(described)}")
            config.append("}")
        write_text(os.path.join(self.log_dir, "projector_config.pbtxt"), "\n".join(config) + "\n")

    def _embedding(self, layer: Any) -> np.ndarray:
        if self.embeddings_data is None:
            return K.get_value(layer.weights[0])
        data = self.embeddings_data
        arrays = [np.asarray(one) for one in (data if isinstance(data, list | tuple) else [data])]
        found = K.function(feed_inputs(self.model), [layer.output])
        starts = range(0, len(arrays[0]), self.batch_size)
        return np.concatenate([found([a[at : at + self.batch_size] for a in arrays])[0] for at in starts])


def _weights(layers: Sequence[Any]) -> Iterator[Any]:
    """The weights of layers, each once."""
    yield from {id(weight): weight for layer in layers for weight in layer.weights}.values()


def _outputs(layers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The outputs of layers that were called once, with their tags."""
    for layer in layers:
        output = getattr(layer, "output", None)
        if isinstance(output, list):
            yield from ((f"{layer.name}_out_{at}", one) for at, one in enumerate(output))
        elif output is not None:
            yield f"{layer.name}_out", output


def _nodes(model: Any) -> Iterator[tuple[str, tuple[str, list[str], list[Any]]]]:
    """The graph of layers: the calls between them, whichever of several."""
    layers = {layer.name: layer for layer in model.layers}
    sources = {
        name: [
            source for node in layer._inbound_nodes for source in node.inbound_layers if source is not None
        ]
        for name, layer in layers.items()
    }
    for name, layer in [*((s.name, s) for several in sources.values() for s in several), *layers.items()]:
        if name not in layers and type(layer).__name__ != "InputLayer":
            continue  # of another model that shares a layer
        inputs = list(dict.fromkeys(source.name for source in sources.get(name, ())))
        yield name, (type(layer).__name__, inputs, _shapes(layer))


def _shapes(layer: Any) -> list[Any]:
    try:
        shape = layer.output_shape
    except AttributeError:  # called several times, with several results
        return []
    return list(shape) if isinstance(shape, list) else [shape]


def _pictures(tag: str, value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A weight as pictures: a vector as a column, a matrix lying, the first kernels of a convolution."""
    value = value.squeeze()
    if value.ndim == 1:
        pictures = [value[:, None]]
    elif value.ndim == 2:
        pictures = [value.T if value.shape[0] > value.shape[1] else value]
    elif value.ndim == 3:
        pictures = list(np.moveaxis(value, -1, 0) if K.image_data_format() == "channels_last" else value)
    else:
        return
    for at, picture in enumerate(pictures[:_PICTURES]):
        yield f"{tag}/image" if len(pictures) == 1 else f"{tag}/image/{at}", picture


def _tag(weight: Any) -> str:
    return weight.name.replace(":", "_")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
