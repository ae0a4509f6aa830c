"""Callbacks on a model that learns nothing or a given amount, so that every number is known."""

import csv
import http.server
import json
import os
import threading
import urllib.parse
import warnings

import numpy as np
import pytest

from lamina import backend as K
from lamina.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    RemoteMonitor,
    TerminateOnNaN,
)
from lamina.layers import Input, Layer
from lamina.models import Model, load_model
from lamina.optimizers import Optimizer


class Weight(Layer):
    """w * x, with one weight."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Steps(Optimizer):
    """Takes lr off every weight."""

    def __init__(self, lr=0.25, **kwargs):
        super().__init__(**kwargs)
        self.lr = K.variable(lr)

    def get_updates(self, loss, params):
        return [K.update_sub(p, self.lr) for p in params]

    def get_config(self):
        return {"lr": float(K.get_value(self.lr))}


def difference(y_true, y_pred):
    return K.mean(y_pred - y_true, axis=-1)


OBJECTS = {"Weight": Weight, "Steps": Steps, "difference": difference}
ONE = np.ones((1, 1), "float32")


def new_model(lr=0.25):
    x = Input((1,))
    model = Model(x, Weight(name="weight")(x))
    model.compile(Steps(lr), difference)
    return model


@pytest.fixture
def model():
    """Its val_loss after epoch 1, 2, 3 ... is 0.75, 0.5, 0.25 ..."""
    return new_model()


def fit(model, *callbacks, epochs=1, **kwargs):
    arguments = {"validation_data": (ONE, 0 * ONE), "verbose": 0, **kwargs}
    return model.fit(ONE, 0 * ONE, epochs=epochs, callbacks=list(callbacks), **arguments).history


class Told(Callback):
    """Puts values of its own into the logs of each epoch."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.values.items()})


# ---- TerminateOnNaN


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_training_at_once(model, capsys, bad):
    x = np.array([[1.0], [1.0], [bad], [1.0], [1.0]])
    batches = []
    history = model.fit(
        x,
        0 * ONE.repeat(5, 0),
        batch_size=1,
        epochs=3,
        shuffle=False,
        verbose=0,
        callbacks=[TerminateOnNaN(), LambdaCallback(on_batch_end=lambda batch, logs: batches.append(batch))],
    )
    assert batches == [0, 1, 2] and history.epoch == [0]
    assert not np.isfinite(history.history["loss"][0])
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"


# ---- ModelCheckpoint


def test_a_checkpoint_is_named_by_epoch_and_logs(model, tmp_path, capsys):
    fit(model, ModelCheckpoint(tmp_path / "w.{epoch:02d}-{val_loss:.2f}.h5", verbose=1), epochs=2)
    assert sorted(os.listdir(tmp_path)) == ["w.01-0.75.h5", "w.02-0.50.h5"]
    assert f"\nEpoch 00001: saving model to {tmp_path}/w.01-0.75.h5\n" in capsys.readouterr().out
    assert load_model(tmp_path / "w.01-0.75.h5", OBJECTS).get_weights() == [0.75]


def test_only_the_best_is_saved(model, tmp_path, capsys):
    path = tmp_path / "best.h5"
    told = Told(score=[2.0, 3.0, 1.0, 1.0])
    fit(model, told, ModelCheckpoint(str(path), "score", verbose=1, save_best_only=True), epochs=4)
    assert load_model(path, OBJECTS).get_weights() == [0.25]
    assert capsys.readouterr().out.split("\n\n") == [
        f"\nEpoch 00001: score improved from inf to 2.00000, saving model to {path}",
        "Epoch 00002: score did not improve from 2.00000",
        f"Epoch 00003: score improved from 2.00000 to 1.00000, saving model to {path}",
        "Epoch 00004: score did not improve from 1.00000\n",
    ]


@pytest.mark.parametrize(
    ("monitor", "mode", "kept"),
    [
        ("val_acc", "auto", 0.25),
        ("fmeasure", "auto", 0.25),
        ("score", "auto", 0.5),
        ("score", "max", 0.25),
        ("acc", "min", 0.5),
    ],
)
def test_the_mode_says_what_is_best(model, tmp_path, monitor, mode, kept):
    told = Told(**{monitor: [2.0, 1.0, 3.0, np.nan]})
    fit(model, told, ModelCheckpoint(tmp_path / "a.h5", monitor, save_best_only=True, mode=mode), epochs=4)
    assert load_model(tmp_path / "a.h5", OBJECTS).get_weights() == [kept]


def test_an_unknown_mode_becomes_auto(tmp_path):
    for make, who in (
        (ModelCheckpoint, "ModelCheckpoint"),
        (EarlyStopping, "EarlyStopping"),
        (ReduceLROnPlateau, "Learning Rate Plateau Reducing"),
    ):
        given = {"filepath": "x"} if make is ModelCheckpoint else {}
        with pytest.warns(RuntimeWarning, match=f"{who} mode best is unknown, fallback to auto mode"):
            assert make(monitor="acc", mode="best", **given).best == -np.inf


def test_weights_alone_every_other_epoch(model, tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.h5", save_weights_only=True, period=2)
    fit(model, checkpoint, epochs=5)
    assert sorted(os.listdir(tmp_path)) == ["2.h5", "4.h5"]
    model.load_weights(tmp_path / "2.h5")
    assert model.get_weights() == [0.5]


def test_a_value_or_field_that_is_missing(model, tmp_path):
    with pytest.warns(RuntimeWarning, match="Can save best model only with val_acc available, skipping."):
        fit(model, ModelCheckpoint(tmp_path / "a.h5", "val_acc", save_best_only=True))
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyError, match="no 'val_acc', only epoch, val_loss, loss"):
        fit(model, ModelCheckpoint(tmp_path / "{val_acc}.h5"))


@pytest.mark.parametrize("weights_only", [False, True])
def test_the_best_outlives_a_restart(model, tmp_path, weights_only):
    path = tmp_path / "best.h5"

    def checkpoint():
        return ModelCheckpoint(path, "score", save_best_only=True, save_weights_only=weights_only)

    fit(model, Told(score=[1.0]), checkpoint())
    if weights_only:
        again = new_model()
        again.load_weights(path)
    else:
        again = load_model(path, OBJECTS)
    fit(again, Told(score=[3.0, 2.0]), checkpoint(), epochs=2)
    model.load_weights(path)
    assert model.get_weights() == [0.75]
    fit(again, Told(score=[0.5]), checkpoint())
    model.load_weights(path)
    assert model.get_weights() == [0.0]


def test_a_restart_from_another_file_of_the_run_knows_the_best_too(model, tmp_path):
    best, last = tmp_path / "best.h5", tmp_path / "last.h5"
    fit(model, Told(score=[1.0, 2.0]), ModelCheckpoint(best, "score", save_best_only=True), epochs=2)
    model.save(last)
    again = load_model(last, OBJECTS)
    fit(again, Told(score=[1.5]), ModelCheckpoint(best, "score", save_best_only=True))
    assert load_model(best, OBJECTS).get_weights() == [0.75]
    # Another monitor, another file, a file that is gone, and a new model have another best.
    fit(again, Told(other=[1.5]), ModelCheckpoint(best, "other", save_best_only=True))
    assert load_model(best, OBJECTS).get_weights() == again.get_weights()
    fit(again, Told(score=[1.5]), ModelCheckpoint(tmp_path / "b.h5", "score", save_best_only=True))
    assert (tmp_path / "b.h5").exists()
    best.unlink()
    fit(again, Told(score=[9.0]), ModelCheckpoint(best, "score", save_best_only=True))
    assert best.exists()
    fit(new_model(), Told(score=[99.0]), ModelCheckpoint(best, "score", save_best_only=True))
    assert load_model(best, OBJECTS).get_weights() == [0.75]


def test_a_save_that_fails_is_no_best(model, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    checkpoint = ModelCheckpoint(folder / "best.h5", save_best_only=True)
    with pytest.raises(OSError, match="gone"):
        fit(model, LambdaCallback(on_epoch_begin=lambda epoch, logs: folder.rmdir()), checkpoint)
    assert checkpoint.best == np.inf
    folder.mkdir()
    fit(model, checkpoint)
    assert checkpoint.best == 0.5


@pytest.mark.parametrize(
    ("filepath", "error", "says"),
    [
        ("nowhere/{epoch}.h5", FileNotFoundError, "ModelCheckpoint has no directory.*nowhere"),
        ("{epoch:q}.h5", ValueError, "cannot fill in .*epoch:q.*fields look like {epoch:02d}"),
        ("{0}.h5", ValueError, "cannot fill in"),
        ("{epoch.h5", ValueError, "cannot fill in"),
    ],
)
def test_a_file_that_can_never_be_written_is_told_before_training(model, tmp_path, filepath, error, says):
    with pytest.raises(error, match=says):
        fit(model, ModelCheckpoint(tmp_path / filepath))
    assert model.get_weights() == [1.0]


# ---- EarlyStopping


def epochs_run(model, *callbacks, epochs=20, **values):
    fit(
        model,
        Told(**{name: [*some, *[some[-1]] * epochs] for name, some in values.items()}),
        *callbacks,
        epochs=epochs,
    )
    return len(model.history.epoch)


@pytest.mark.parametrize(
    ("arguments", "values", "epochs"),
    [
        ({}, [3, 2, 1, 1], 4),
        ({"patience": 1}, [3, 2, 1, 1], 4),
        ({"patience": 3}, [3, 2, 1, 1], 6),
        ({"patience": 2}, [3, 4, 2, 4, 4], 5),
        ({"min_delta": 0.5}, [3, 2.6], 2),
        ({"min_delta": -0.5}, [3, 2.4, 2.0], 3),
        ({"mode": "max"}, [1, 2, 3, 3], 4),
        ({"mode": "max", "min_delta": 1}, [1, 2.5, 3], 3),
        ({"baseline": 2, "patience": 2}, [3, 2.5, 1], 2),
        ({"baseline": 4}, [3, 2.5, 3], 3),
        ({}, [3, np.nan], 2),
    ],
)
def test_training_stops_when_nothing_improves(model, arguments, values, epochs):
    assert epochs_run(model, EarlyStopping("score", **arguments), score=values) == epochs


def test_accuracies_should_grow(model):
    assert epochs_run(model, EarlyStopping("val_acc"), val_acc=[1, 2, 3, 3]) == 4


def test_stopping_is_told(model, capsys):
    stopping = EarlyStopping("score", patience=2, verbose=1)
    epochs_run(model, stopping, score=[1])
    assert capsys.readouterr().out == "Epoch 00003: early stopping\n"
    assert (stopping.stopped_epoch, stopping.best) == (2, 1)
    assert epochs_run(model, stopping, score=[9, 8, 8]) == 4  # used again, it begins again


def test_the_best_weights_come_back(model, capsys):
    stopping = EarlyStopping("score", patience=2, verbose=1, restore_best_weights=True)
    assert epochs_run(model, stopping, score=[2, 1, 3]) == 4
    assert model.get_weights() == [0.5]
    assert "Restoring model weights from the end of the best epoch\n" in capsys.readouterr().out
    # Without a best there is nothing to restore.
    never = EarlyStopping("score", baseline=0, restore_best_weights=True)
    assert epochs_run(model, never, score=[2]) == 1


def test_a_value_that_does_not_exist_warns_and_goes_on(model):
    told = "conditioned on metric `val_acc` which is not available. Available metrics are: val_loss,loss"
    with pytest.warns(RuntimeWarning, match=f"Early stopping {told}"):
        fit(model, EarlyStopping("val_acc"), epochs=2)
    assert len(model.history.epoch) == 2
    with pytest.warns(RuntimeWarning, match=f"Reduce LR on plateau {told},lr"):
        fit(model, ReduceLROnPlateau("val_acc"), epochs=2)


# ---- learning rates


def test_a_schedule_sets_the_rate_of_each_epoch(model, capsys):
    history = fit(model, LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1), verbose=1), epochs=2)
    assert history["lr"] == [0.5, 0.25] and history["val_loss"] == [0.5, 0.25]
    assert list(history) == ["val_loss", "loss", "lr"]
    assert "\nEpoch 00002: LearningRateScheduler setting learning rate to 0.25.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, lr: lr / 2,
        lambda epoch, lr=None: lr / 2,
        lambda *given: given[1] / 2,
        lambda epoch: 0.25 / 2 ** (epoch + 1),
        lambda epoch: np.float32(0.25 / 2 ** (epoch + 1)),
    ],
)
def test_a_schedule_may_look_at_the_rate_so_far(model, schedule):
    assert fit(model, LearningRateScheduler(schedule), epochs=2)["lr"] == [0.125, 0.0625]


def test_an_error_inside_a_schedule_is_not_hidden(model):
    def schedule(epoch, lr):
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        fit(model, LearningRateScheduler(schedule))


def test_a_rate_is_a_float_and_has_an_optimizer(model):
    with pytest.raises(ValueError, match='output of the "schedule" function should be float, not 1'):
        fit(model, LearningRateScheduler(lambda epoch: 1))
    del model.optimizer.lr
    with pytest.raises(ValueError, match='Optimizer must have a "lr" attribute'):
        fit(model, LearningRateScheduler(lambda epoch: 1.0))


def rates(model, values, **arguments):
    told = Told(score=values)
    return fit(model, told, ReduceLROnPlateau("score", **arguments), epochs=len(values))["lr"]


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({"patience": 1, "factor": 0.5}, [1, 1, 1, 0, 0], [0.25, 0.25, 0.125, 0.0625, 0.0625]),
        ({"patience": 2, "factor": 0.5}, [1, 1, 1, 1, 1], [0.25, 0.25, 0.25, 0.125, 0.125]),
        ({"patience": 0, "factor": 0.5}, [1, 1, 1], [0.25, 0.25, 0.125]),
        ({"patience": 1, "factor": 0.5, "min_lr": 0.1}, [1] * 4, [0.25, 0.25, 0.125, 0.1]),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, [1] * 5, [0.25, 0.25, 0.125, 0.125, 0.0625]),
        ({"patience": 1, "factor": 0.5, "epsilon": 1}, [3, 2.5, 1], [0.25, 0.25, 0.125]),
        ({"patience": 1, "factor": 0.5, "min_delta": 1}, [3, 2.5, 1], [0.25, 0.25, 0.125]),
        ({"patience": 1, "factor": 0.5}, [3, 2.5, 1], [0.25, 0.25, 0.25]),
        ({"patience": 1, "factor": 0.5, "mode": "max"}, [1, 2, 3], [0.25, 0.25, 0.25]),
    ],
)
def test_the_rate_is_reduced_on_a_plateau(model, arguments, values, expected):
    assert rates(model, values, **arguments) == pytest.approx(expected)


def test_reductions_are_told(model, capsys):
    rates(model, [1, 1], patience=1, factor=0.5, verbose=1)
    assert capsys.readouterr().out == "\nEpoch 00002: ReduceLROnPlateau reducing learning rate to 0.125.\n"
    with pytest.raises(ValueError, match="does not support a factor >= 1.0"):
        ReduceLROnPlateau(factor=1.0)
    assert ReduceLROnPlateau("acc", 0.1, 10, 0, "auto", 0.5, 1, 0.1).min_delta == 0.5


# ---- CSVLogger


def table(path, separator=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_a_line_for_each_epoch(model, tmp_path):
    fit(model, CSVLogger(tmp_path / "log.csv"), epochs=2)
    assert (tmp_path / "log.csv").read_bytes() == (b"epoch,loss,val_loss\r\n0,1.0,0.75\r\n1,0.75,0.5\r\n")
    fit(model, CSVLogger(tmp_path / "log.csv", separator=";"))
    assert table(tmp_path / "log.csv", ";") == [["epoch", "loss", "val_loss"], ["0", "0.5", "0.25"]]


def test_a_restart_goes_on_with_the_table(model, tmp_path):
    path = tmp_path / "log.csv"
    path.touch()
    fit(model, CSVLogger(path, append=True))
    with open(path, "a") as file:
        file.write("1,0.5")  # the line that a kill cut short
    with pytest.warns(RuntimeWarning, match="no columns for score: they are left out"):
        fit(
            model,
            Told(score=[1, 1, 7]),
            CSVLogger(path, append=True),
            initial_epoch=2,
            epochs=3,
            validation_data=None,
        )
    assert table(path) == [
        ["epoch", "loss", "val_loss"],
        ["0", "1.0", "0.75"],
        ["1", "0.5"],
        ["2", "0.75", "NA"],
    ]


def test_cells_may_be_words_lists_and_arrays(model, tmp_path):
    told = Told(array=[np.array([1, 2])], rate=[np.array(0.5)], word=["good"], list=[[1.5, "a"]])
    fit(model, told, CSVLogger(tmp_path / "log.csv"), validation_data=None)
    assert table(tmp_path / "log.csv") == [
        ["epoch", "array", "list", "loss", "rate", "word"],
        ["0", '"[1, 2]"', '"[1.5, a]"', "1.0", "0.5", "good"],
    ]


def test_an_interrupted_table_is_closed_by_the_next(model, tmp_path):
    def interrupt(batch, logs):
        raise KeyboardInterrupt

    logger = CSVLogger(tmp_path / "log.csv")
    with pytest.raises(KeyboardInterrupt):
        fit(model, logger, LambdaCallback(on_batch_end=interrupt))
    fit(model, logger)
    assert len(table(tmp_path / "log.csv")) == 2 and logger.csv_file is None


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no disk that is always full")
def test_a_table_on_a_full_disk_is_named(model, tmp_path):
    logger = CSVLogger("/dev/full")
    with pytest.raises(OSError, match="CSVLogger could not write epoch 0: No space left .*/dev/full"):
        fit(model, logger)
    logger.filename = str(tmp_path / "log.csv")
    fit(model, logger, epochs=2)
    assert len(table(tmp_path / "log.csv")) == 3


def test_what_was_stopped_before_validation_is_na(model, tmp_path):
    def stop(batch, logs):
        if model.history.epoch:
            model.stop_training = True

    fit(model, LambdaCallback(on_batch_end=stop), CSVLogger(tmp_path / "log.csv"), epochs=5)
    assert table(tmp_path / "log.csv")[-1] == ["1", "0.75", "NA"]


# ---- RemoteMonitor


@pytest.fixture
def server(monkeypatch):
    """A server that keeps what is posted to it; /refuse answers 500."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Keeps(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.posts.append((self.path, dict(self.headers), body))
            self.send_response(500 if self.path == "/refuse" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeps) as server:
        server.posts = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_epochs_are_posted_as_a_form(model, server):
    told = Told(array=[np.arange(2), np.arange(2)], rate=[np.float32(0.5)] * 2)
    fit(model, told, RemoteMonitor(root=server.url, headers={"X-Run": "7"}), epochs=2)
    (path, headers, body), (_, _, second) = server.posts
    assert path == "/publish/epoch/end/"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded" and headers["X-Run"] == "7"
    assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == {
        "epoch": 0,
        "val_loss": 0.75,
        "loss": 1.0,
        "array": [0, 1],
        "rate": 0.5,
    }
    assert json.loads(urllib.parse.parse_qs(second)["data"][0])["epoch"] == 1


def test_epochs_are_posted_as_json(model, server):
    fit(model, RemoteMonitor(root=server.url, path="/here", send_as_json=True))
    ((path, headers, body),) = server.posts
    assert (path, headers["Content-Type"]) == ("/here", "application/json")
    assert json.loads(body) == {"epoch": 0, "val_loss": 0.75, "loss": 1.0}


@pytest.mark.parametrize("path", ["/refuse", None])
def test_a_server_that_fails_warns_and_training_goes_on(model, server, path):
    url = server.url if path else "http://127.0.0.1:9"
    with pytest.warns(UserWarning, match=f"could not reach RemoteMonitor root server at {url}"):
        assert len(fit(model, RemoteMonitor(root=url, path=path or "/"), epochs=2)["loss"]) == 2
    with pytest.raises(ValueError, match="http or https"):
        RemoteMonitor(root="file:///tmp")


# ---- LambdaCallback


def test_functions_are_called_by_position_at_their_events(model):
    lines = []
    fit(
        model,
        LambdaCallback(
            on_epoch_begin=lambda epoch, logs: lines.append(("epoch begin", epoch)),
            on_epoch_end=lambda epoch, logs: lines.append(("epoch end", epoch, sorted(logs))),
            on_batch_begin=lambda batch, logs: lines.append(("batch begin", batch)),
            on_batch_end=lambda batch, logs: lines.append(("batch end", batch)),
            on_train_begin=lambda logs: lines.append("begin"),
            on_train_end=lambda logs: lines.append("end"),
        ),
    )
    assert lines == [
        "begin",
        ("epoch begin", 0),
        ("batch begin", 0),
        ("batch end", 0),
        ("epoch end", 0, ["loss", "val_loss"]),
        "end",
    ]


def test_other_keywords_become_attributes(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LambdaCallback(note=3).note == 3
        fit(model, LambdaCallback())


@pytest.mark.parametrize("content", [b"epoch," + b"a" * 200_000, b"\xff\xfe,\n"])
def test_what_is_no_table_is_not_gone_on_with(tmp_path, content):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no table that CSVLogger can go on with"):
        CSVLogger(path, append=True).on_train_begin()
    assert path.read_bytes() == content
