"""TensorBoard: what is in the files, read record by record, and by TensorBoard itself where that is installed.

Checked so with tensorboard 2.21.0 on 21 Nov 2026: scalars, histograms, images and the graph were all found.
"""

import errno
import struct
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.record_writer import masked_crc32c

from lamina import backend as K
from lamina.callbacks import Callback, TensorBoard
from lamina.layers import Dense, Dropout, Embedding, Flatten, Input, concatenate
from lamina.models import Model
from lamina_callbacks.events import Histogram


def records(folder):
    """The events of all files in a folder, oldest file first."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            header, (size,) = data[at : at + 8], struct.unpack("<Q", data[at : at + 8])
            body = data[at + 12 : at + 12 + size]
            checks = struct.unpack("<I", data[at + 8 : at + 12]) + struct.unpack(
                "<I", data[at + 12 + size : at + 16 + size]
            )
            assert checks == (masked_crc32c(header), masked_crc32c(body))
            found.append(Event.FromString(body))
            at += 16 + size
    return found


def values(folder, kind):
    """{tag: {step: value}} of one kind."""
    found = {}
    for event in records(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == kind:
                found.setdefault(value.tag, {})[event.step] = getattr(value, kind)
    return found


X = np.arange(12.0).reshape(6, 2) / 12
Y = X[:, :1]


def new_model():
    np.random.seed(0)
    a = Input((2,), name="a")
    b = Dense(3, activation="relu", name="b")(a)
    c = Dropout(0.5, name="c")(b)
    d = Dense(1, name="d")(concatenate([a, c], name="both"))
    model = Model(a, d)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def fit(model, *callbacks, **kwargs):
    arguments = {"epochs": 2, "batch_size": 2, "verbose": 0, "validation_data": (X[:4], Y[:4]), **kwargs}
    return model.fit(X, Y, callbacks=list(callbacks), **arguments).history


def test_curves_have_a_point_for_each_epoch(tmp_path):
    class Rate(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["lr"] = np.float32(0.5)
            logs["many"] = np.ones(3)

    history = fit(new_model(), Rate(), TensorBoard(tmp_path / "logs"))
    found = values(tmp_path / "logs", "simple_value")
    names = {"loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error", "lr"}
    assert found.keys() == names
    for name in names:
        assert list(found[name]) == [0, 1]
        assert_allclose(list(found[name].values()), history[name], rtol=1e-6)


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [2, 4, 6, 8, 10, 12]), (4, [4, 8, 12])])
def test_curves_may_have_more_points(tmp_path, update_freq, steps):
    fit(new_model(), TensorBoard(tmp_path, update_freq=update_freq))
    found = values(tmp_path, "simple_value")
    assert list(found["loss"]) == sorted({*steps, 6, 12})
    assert list(found["val_loss"]) == [6, 12]


def test_the_first_record_names_the_format_and_the_graph_follows(tmp_path):
    fit(new_model(), TensorBoard(tmp_path), epochs=1)
    first, second, *_ = records(tmp_path)
    assert first.file_version == "brain.Event:2"
    nodes = {node.name: node for node in GraphDef.FromString(second.graph_def).node}
    assert {name: (node.op, list(node.input)) for name, node in nodes.items()} == {
        "a": ("InputLayer", []),
        "b": ("Dense", ["a"]),
        "c": ("Dropout", ["b"]),
        "both": ("Concatenate", ["a", "c"]),
        "d": ("Dense", ["both"]),
    }
    assert [dim.size for dim in nodes["both"].attr["_output_shapes"].list.shape[0].dim] == [-1, 5]


def test_no_graph_unless_asked(tmp_path):
    fit(new_model(), TensorBoard(tmp_path, write_graph=False), epochs=1)
    assert not any(event.graph_def for event in records(tmp_path))


def test_histograms_of_weights_outputs_and_gradients(tmp_path):
    model = new_model()
    fit(model, TensorBoard(tmp_path, histogram_freq=2, batch_size=3, write_grads=True), epochs=3)
    found = values(tmp_path, "histo")
    weights = {"b/kernel_0", "b/bias_0", "d/kernel_0", "d/bias_0"}
    outputs = {"a_out", "b_out", "c_out", "both_out", "d_out"}
    assert found.keys() == weights | outputs | {f"{weight}_grad" for weight in weights}
    assert all(list(steps) == [0, 2] for steps in found.values())
    # After the last epoch the model is what it was then.
    kernel = K.get_value(model.get_layer("b").kernel)
    histogram = found["b/kernel_0"][2]
    assert (histogram.num, histogram.min, histogram.max) == (6, kernel.min(), kernel.max())
    assert histogram.sum == pytest.approx(kernel.sum())
    predicted = model.predict(X[:4])
    assert found["d_out"][2].num == 4
    assert found["d_out"][2].sum == pytest.approx(float(predicted.sum()))
    assert found["a_out"][2].sum == pytest.approx(X[:4].sum(), rel=1e-6)
    # The gradient of mean((p - y)^2) by the last bias is 2 mean(p - y), here of batches of 3 and 1.
    errors = predicted - Y[:4]
    expected = [2 * errors[:3].mean(), 2 * errors[3:].mean()]
    assert found["d/bias_0_grad"][2].sum == pytest.approx(sum(expected), rel=1e-4)


def test_histograms_need_validation_data(tmp_path):
    with pytest.raises(ValueError, match="validation_data must be provided, and cannot be a generator"):
        fit(new_model(), TensorBoard(tmp_path, histogram_freq=1), validation_data=None)
    stream = iter([(X, Y)] * 4)
    with pytest.raises(ValueError, match="cannot be a generator"):
        new_model().fit_generator(
            stream,
            2,
            validation_data=stream,
            validation_steps=1,
            callbacks=[TensorBoard(tmp_path, histogram_freq=1)],
            verbose=0,
        )


def test_a_histogram_counts_every_number_once():
    histogram = Histogram()
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 1e3):
        histogram.add(rng.normal(scale=scale, size=(50, 4)))
    histogram.add(np.array([0.0, np.nan, np.inf, 1e30, -1e30]))
    proto = histogram.proto()
    assert sum(proto.bucket) == proto.num == 603
    assert (proto.min, proto.max) == (-1e30, 1e30)
    assert list(proto.bucket_limit) == sorted(proto.bucket_limit)
    assert len(proto.bucket) == len(proto.bucket_limit)
    assert list(Histogram().proto().bucket) == [0.0]


def test_a_training_that_goes_astray_is_shown_as_far_as_it_can_be(tmp_path):
    model = new_model()
    model.get_layer("b").set_weights([np.full((2, 3), np.nan), np.zeros(3)])
    fit(model, TensorBoard(tmp_path, histogram_freq=1, write_images=True), epochs=1)
    assert values(tmp_path, "histo")["b/kernel_0"][0].num == 0
    assert np.isnan(values(tmp_path, "simple_value")["loss"][0])


def pixels(image):
    """The greys of a PNG file."""
    data = image.encoded_image_string
    assert data[:16] == b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    width, height = struct.unpack(">II", data[16:24])
    assert (height, width) == (image.height, image.width)
    at = data.index(b"IDAT")
    lines = np.frombuffer(zlib.decompress(data[at + 4 : -16]), "uint8").reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


def test_weights_as_pictures(tmp_path):
    model = new_model()
    model.get_layer("d").set_weights([np.array([[0.0], [1], [2], [3], [4]]), np.array([-2.0])])
    model.compile(model.optimizer, "mse")
    K.set_value(model.optimizer.lr, 0.0)
    fit(model, TensorBoard(tmp_path, histogram_freq=1, write_images=True), epochs=1)
    found = values(tmp_path, "image")
    assert found.keys() == {
        f"{name}/image" for name in ("b/kernel_0", "b/bias_0", "d/kernel_0", "d/bias_0")
    } - {
        "d/bias_0/image"  # a single number
    }
    assert found["b/kernel_0/image"][0].height == 2 and found["b/kernel_0/image"][0].width == 3
    assert_array_equal(pixels(found["d/kernel_0/image"][0]), np.array([[0, 64, 128, 191, 255]]).T)


def test_training_again_writes_another_file(tmp_path):
    model, board = new_model(), TensorBoard(tmp_path)
    fit(model, board)
    fit(model, board, epochs=4, initial_epoch=2)
    assert len(list(tmp_path.glob("events*"))) == 2
    assert sorted(values(tmp_path, "simple_value")["loss"]) == [0, 1, 2, 3]
    assert board.writer is None


def test_events_on_a_full_disk_are_named(tmp_path, monkeypatch):
    flush, failures = EventsWriter.flush, [OSError(errno.ENOSPC, "No space left on device")]

    def full_once(writer):
        if failures:
            raise failures.pop()
        flush(writer)

    monkeypatch.setattr(EventsWriter, "flush", full_once)
    board = TensorBoard(tmp_path)
    with pytest.raises(OSError, match=f"TensorBoard's events could not be written: No space.*{tmp_path}"):
        fit(new_model(), board)
    fit(new_model(), board, epochs=2)
    assert sorted(values(tmp_path, "simple_value")["loss"]) == [0, 1]


# ---- embeddings


def words():
    np.random.seed(0)
    a = Input((3,), name="a")
    embedded = Embedding(5, 2, name="embedded")(a)
    model = Model(a, Dense(1)(Flatten()(embedded)))
    model.compile("sgd", "mse")
    return model


def table(path):
    return np.array([[float(cell) for cell in line.split("\t")] for line in path.read_text().splitlines()])


def test_embeddings_are_tables_for_the_projector(tmp_path):
    model, x = words(), np.arange(12).reshape(4, 3) % 5
    board = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata="words.tsv")
    model.fit(x, np.ones(4), verbose=0, callbacks=[board])
    assert_allclose(table(tmp_path / "keras_embedding-embedded.tsv"), model.get_weights()[0], rtol=1e-6)
    assert (tmp_path / "projector_config.pbtxt").read_text().split() == [
        "embeddings",
        "{",
        "tensor_name:",
        '"embedded"',
        "tensor_path:",
        '"keras_embedding-embedded.tsv"',
        "metadata_path:",
        '"words.tsv"',
        "}",
    ]


def test_outputs_of_layers_may_be_shown_in_their_place(tmp_path):
    model, x = words(), np.arange(12).reshape(4, 3) % 5
    board = TensorBoard(
        tmp_path,
        batch_size=3,
        embeddings_freq=1,
        embeddings_layer_names=["embedded"],
        embeddings_metadata={"other": "x.tsv"},
        embeddings_data=x,
    )
    model.fit(x, np.ones(4), verbose=0, callbacks=[board])
    rows = model.get_weights()[0][x].reshape(4, -1)
    assert_allclose(table(tmp_path / "keras_embedding-embedded.tsv"), rows, rtol=1e-6)
    assert "metadata" not in (tmp_path / "projector_config.pbtxt").read_text()


# ---- by TensorBoard itself


def test_tensorboard_finds_everything(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = fit(new_model(), TensorBoard(tmp_path, histogram_freq=1, write_grads=True, write_images=True))
    found = reader.EventAccumulator(str(tmp_path), {"images": 0, "histograms": 0}).Reload()
    tags = found.Tags()
    assert set(tags["scalars"]) == set(history) and tags["graph"]
    assert {"b/kernel_0", "b/kernel_0_grad", "d_out"} <= set(tags["histograms"])
    assert "b/kernel_0/image" in tags["images"]
    assert_allclose([point.value for point in found.Scalars("val_loss")], history["val_loss"], rtol=1e-6)
    assert {node.name for node in found.Graph().node} == {"a", "b", "c", "both", "d"}
