"""Callbacks: what they are told and when; the progress bar; History."""

import sys

import numpy as np
import pytest

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.training import progbar
from lamina.training.callbacks import BaseLogger, Callback, CallbackList, History, ProgbarLogger, overrides
from lamina.training.progbar import Progbar


class Scale(Layer):
    """w * x, with one weight w that starts at 1."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Still(Optimizer):
    """Changes nothing."""

    def get_updates(self, loss, params):
        return []


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


class Diary(Callback):
    """Writes down everything it is told."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def on_train_begin(self, logs=None):
        self.lines.append(("train begin", dict(logs)))

    def on_train_end(self, logs=None):
        self.lines.append(("train end", dict(logs)))

    def on_epoch_begin(self, epoch, logs=None):
        self.lines.append(("epoch begin", epoch, dict(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.lines.append(("epoch end", epoch, dict(logs)))

    def on_batch_begin(self, batch, logs=None):
        self.lines.append(("batch begin", batch, dict(logs)))

    def on_batch_end(self, batch, logs=None):
        self.lines.append(("batch end", batch, dict(logs)))


X = np.array([[1.0], [2.0], [3.0]], "float32")
Y = np.zeros_like(X)


@pytest.fixture
def model():
    x = Input(shape=(1,))
    model = Model(x, Scale()(x))
    model.compile(Still(), squared)
    return model


def fit(model, *callbacks, **kwargs):
    arguments = {"batch_size": 2, "shuffle": False, "verbose": 0, **kwargs}
    return model.fit(X, Y, callbacks=list(callbacks), **arguments)


def test_events_and_logs_come_in_keras_order(model):
    diary = Diary()
    fit(model, diary, validation_data=(X[:1], Y[:1]))
    assert diary.lines == [
        ("train begin", {}),
        ("epoch begin", 0, {}),
        ("batch begin", 0, {"batch": 0, "size": 2}),
        ("batch end", 0, {"batch": 0, "size": 2, "loss": 2.5}),
        ("batch begin", 1, {"batch": 1, "size": 1}),
        ("batch end", 1, {"batch": 1, "size": 1, "loss": 9.0}),
        ("epoch end", 0, {"val_loss": 1.0, "loss": pytest.approx(14 / 3)}),
        ("train end", {}),
    ]
    assert diary.model is model
    assert diary.params == {
        "batch_size": 2,
        "epochs": 1,
        "steps": None,
        "samples": 3,
        "verbose": 0,
        "do_validation": True,
        "metrics": ["loss", "val_loss"],
    }
    assert [np.ravel(array).tolist() for array in diary.validation_data] == [[1], [0], [1]]


def test_generator_forms_count_steps(model):
    diary = Diary()
    model.fit_generator(iter([(X, Y), (X[:1], Y[:1])]), 2, verbose=0, callbacks=[diary])
    assert diary.params == {
        "epochs": 1,
        "steps": 2,
        "verbose": 0,
        "do_validation": False,
        "metrics": ["loss", "val_loss"],
    }
    assert diary.lines[4][:1] == ("batch begin",)
    assert diary.lines[4][2] == {"batch": 1, "size": 1}
    assert diary.lines[-2][2] == {"loss": pytest.approx((3 * 14 / 3 + 1) / 4)}


def test_callbacks_write_into_the_history(model):
    class Rate(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["lr"] = epoch / 2

    assert fit(model, Rate(), epochs=2).history["lr"] == [0.0, 0.5]


def test_what_on_batch_begin_writes_on_batch_end_reads(model):
    class Note(Callback):
        def on_batch_begin(self, batch, logs=None):
            logs["note"] = batch

        def on_batch_end(self, batch, logs=None):
            assert logs["note"] == batch

    fit(model, Note())


@pytest.mark.parametrize("event", ["on_batch_end", "on_epoch_end", "on_epoch_begin", "on_batch_begin"])
def test_training_stops_when_a_callback_asks(model, event):
    diary = Diary()
    stop = Callback()
    setattr(stop, event, lambda *_: setattr(model, "stop_training", True))
    history = fit(model, stop, diary, epochs=3, validation_data=(X, Y))
    batches = [line for line in diary.lines if line[0] == "batch end"]
    assert len(batches) == (2 if event == "on_epoch_end" else 1)
    assert diary.lines[-1][0] == "train end"
    assert history.epoch == [0]
    # As in Keras: an epoch cut short is not validated.
    assert ("val_loss" in history.history) == (event == "on_epoch_end")
    assert fit(model).epoch == [0]
    assert not model.stop_training


def test_an_interrupt_passes_and_leaves_the_model_usable(model):
    class Interrupt(Diary):
        def on_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    diary = Interrupt()
    with pytest.raises(KeyboardInterrupt):
        fit(model, diary)
    assert diary.lines[-1][0] == "batch begin"  # on_train_end is not called, as in Keras
    assert fit(model).history["loss"] == [pytest.approx(14 / 3)]


def test_only_overridden_methods_are_called():
    class Batchwise(Callback):
        def on_batch_end(self, batch, logs=None):
            pass

    given = Callback()
    given.on_epoch_end = lambda epoch, logs: None
    assert overrides(Batchwise(), "on_batch_end") and not overrides(Batchwise(), "on_batch_begin")
    assert overrides(given, "on_epoch_end")
    told = CallbackList([Callback(), History(), Batchwise()])
    assert len(told.watching("on_batch_end")) == 1
    assert told.watching("on_batch_begin") == []


def test_base_logger_averages_by_size():
    logger = BaseLogger(stateful_metrics=["count"])
    logger.set_params({"metrics": ["loss", "count"]})
    logger.on_epoch_begin(0)
    logger.on_batch_end(0, {"size": 3, "loss": 1.0, "count": 5})
    logger.on_batch_end(1, {"size": 1, "loss": 5.0, "count": 7})
    logs = {}
    logger.on_epoch_end(0, logs)
    assert logs == {"loss": 2.0, "count": 7}


# ---- progress


class Terminal:
    """A terminal: keeps what is written."""

    def __init__(self):
        self.text, self.writes = "", 0

    def isatty(self):
        return True

    def write(self, text):
        self.text += text
        self.writes += 1

    def flush(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves by hand."""

    class Clock:
        now = 1000.0

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progbar, "time", clock)
    return clock


def test_elsewhere_than_on_a_terminal_an_epoch_is_one_line(model, capsys, clock):
    fit(model, verbose=1, epochs=2, validation_data=(X, Y))
    line = "3/3 [==============================] - 0s 0us/step - loss: 4.6667 - val_loss: 4.6667\n"
    assert (
        capsys.readouterr().out
        == f"Train on 3 samples, validate on 3 samples\nEpoch 1/2\n{line}Epoch 2/2\n{line}"
    )


def test_verbose_2_prints_values_only(model, capsys, clock):
    fit(model, verbose=2)
    assert capsys.readouterr().out == "Epoch 1/1\n - 0s - loss: 4.6667\n"


def test_verbose_0_prints_nothing(model, capsys):
    fit(model, validation_data=(X, Y))
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert capsys.readouterr().out == ""


def test_evaluate_and_predict_show_a_bar(model, capsys, clock):
    model.evaluate(X, Y, batch_size=2)
    model.predict(X, verbose=1)
    model.predict_generator(iter([X, X]), 2, verbose=1)
    bar = "[==============================] - 0s 0us/step\n"
    assert capsys.readouterr().out == f"3/3 {bar}3/3 {bar}2/2 {bar}"


def test_a_bar_moves_on_a_terminal_after_each_interval(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert Progbar(100).interval == 0.1
    bar = Progbar(100, interval=1 / 8)
    for done in range(1, 101):
        clock.now += 1 / 64
        bar.update(done, [("loss", float(done))])
    assert terminal.writes == 14  # at 1, 9, 17 ... 97, and at 100
    assert terminal.text.startswith("\r  1/100 [..............................] - ETA: 1s - loss: 1.0000")
    assert terminal.text.endswith("100/100 [==============================] - 2s 16ms/step - loss: 50.5000\n")
    assert " 49/100 [=============>................]" in terminal.text


def test_times_to_go():
    bar = Progbar(10)
    for left, text in ((59, " - ETA: 59s"), (61, " - ETA: 1:01"), (3661, " - ETA: 1:01:01")):
        bar.seen, bar.target = 1, 2
        bar._start = progbar.time.time() - left - 0.5
        assert bar._eta() == text


def test_small_values_are_shown_in_full(capsys):
    Progbar(1).update(1, [("loss", 1e-4), ("acc", -0.5)])
    assert capsys.readouterr().out.endswith("loss: 1.0000e-04 - acc: -0.5000\n")


def test_a_bar_counts_samples_or_steps():
    with pytest.raises(ValueError, match="'epochs'"):
        ProgbarLogger("epochs")


def test_an_epoch_cut_short_shows_how_far_it_came(model, capsys, clock):
    stop = Callback()
    stop.on_batch_end = lambda *_: setattr(model, "stop_training", True)
    fit(model, stop, verbose=1)
    assert "2/3 [===================>..........]" in capsys.readouterr().out
