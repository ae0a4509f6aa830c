"""Saves that are killed, run out of disk, or are at one path at once: the file is the old one or the new one, whole.

    python tests/reliability/test_saves.py killed checkpoint 200 DIRECTORY

prints what a test checks as one line of JSON.
"""

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lamina import backend as K
from lamina.callbacks import ModelCheckpoint
from lamina.layers import Dense
from lamina.models import Sequential, load_model
from lamina.optimizers import Optimizer

resource = pytest.importorskip("resource", reason="this system counts no resources")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

slow = pytest.mark.slow
WAYS = ["save", "save_weights", "checkpoint", "checkpoint_weights"]
OTHERS = [pytest.param(way, marks=slow) for way in WAYS if way != "checkpoint"]


def whole_device(*command):
    """Words to put before a command so that it may mount what it likes; None where the system does not let us."""
    words = ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None:
        return None
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    return None if subprocess.run([*words, *mount], capture_output=True).returncode else [*words, *command]


@pytest.mark.parametrize(
    ("way", "count"), [("checkpoint", 5), *(pytest.param(way, 200, marks=slow) for way in WAYS)]
)
def test_a_killed_save_leaves_a_whole_file_and_no_litter(way, count, measured):
    found = measured("killed", way, count)
    assert found["unloadable"] == found["mixed"] == found["went back"] == 0
    assert found["most litter"] <= 1 and found["litter at the end"] == 0
    assert found["generations"] > 0  # some saves were done


@slow
@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_may_not_grow_leaves_the_old_one_and_is_named(way, measured):
    assert measured("limited", way, 16) == {"refused": 16, "named": 16, "old file intact": 16, "litter": 0}


@pytest.mark.parametrize("way", ["checkpoint", *OTHERS])
def test_a_full_disk_leaves_the_old_file_and_is_named(way, measured):
    if whole_device() is None:
        pytest.skip("a file system of its own needs unshare and user namespaces")
    assert measured("full", way, 1) == {"refused": 1, "named": 1, "old file intact": 1, "litter": 0}


@slow
def test_two_processes_saving_to_one_path_never_mix_while_a_third_loads(measured):
    found = measured("contended", "save", 100)
    assert found["bad exits"] == found["mixed"] == found["litter"] == 0
    assert found["loads"] > 0


# --- a model that counts ----------------------------------------------------------------------------------------------


class Count(Optimizer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.iterations = K.variable(0.0)

    def get_updates(self, loss, params):
        self.weights = [self.iterations]
        return [K.update_add(each, 1.0) for each in [*params, *self.weights]]


def counting(number=0):
    """A model all of whose weights, and the state of its optimizer, are one number; an update adds 1 to each."""
    model = Sequential([Dense(150, input_shape=(100,)), Dense(150), Dense(1)])
    model.compile(Count(), "mse")
    model._make_train_function()
    return renumbered(model, number)


def renumbered(model, number):
    for part in (model, model.optimizer):
        part.set_weights([weight * 0 + number for weight in part.get_weights()])
    return model


def saved(model, way, path):
    """Save a model in one of the ways; the checkpoint goes on to count, and to save, for ever."""
    if way.startswith("checkpoint"):
        checkpoint = ModelCheckpoint(path, save_weights_only=way.endswith("weights"))
        x, y = np.ones((1, 100)), np.ones((1, 1))
        model.fit(x, y, epochs=1 << 24, callbacks=[checkpoint], verbose=0)
    else:
        getattr(model, way)(str(path))


def once(way):
    """The way to write such a file a single time."""
    return "save_weights" if way.endswith("weights") else "save"


class Reader:
    """What number the model in a file has; None where it has several."""

    def __init__(self, way):
        self.whole = not way.endswith("weights")
        self.model = counting()

    def __call__(self, path):
        model = self.model
        if self.whole:
            model = load_model(path, {"Count": Count})
            model._make_train_function()
        else:
            model.load_weights(path)
        arrays = [*model.get_weights(), *(model.optimizer.get_weights() if self.whole else [])]
        numbers = {number for array in arrays for number in array.reshape(-1).tolist()}
        return numbers.pop() if len(numbers) == 1 else None


def litter(directory):
    return sum(name.endswith(".lamina-tmp") for name in os.listdir(directory))


def forked(work):
    """A child that does `work` and ends as a program does, exit handlers and all."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            sys.stdout.flush()
            sys.exit(status)
    return pid


# --- the programs -----------------------------------------------------------------------------------------------------


def killed(way, count, directory):
    path = directory / "model.h5"
    read = Reader(way)
    model = counting()
    saved(model, once(way), path)
    draw = random.Random(0)
    found = collections.Counter({"unloadable": 0, "mixed": 0, "went back": 0, "most litter": 0})
    last = 0

    def save_for_ever():
        while True:
            saved(model, way, path)
            renumbered(model, model.get_weights()[0].item(0) + 1)

    for _ in range(count):
        renumbered(model, last + 1)
        before, until = os.stat(path).st_ino, time.monotonic() + 60
        pid = forked(save_for_ever)
        while os.stat(path).st_ino == before and time.monotonic() < until:
            time.sleep(0.001)  # until it has saved once, however busy the machine is
        time.sleep(draw.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        try:
            number = read(path)
        except Exception:
            found["unloadable"] += 1
            continue
        found["mixed"] += number is None
        found["went back"] += number is not None and number < last
        last = int(number or last)
        found["most litter"] = max(found["most litter"], litter(directory))
    saved(model, once(way), path)
    return {**found, "generations": last, "litter at the end": litter(directory)}


def limited(way, count, directory):
    """Saves of which the system lets some part be written, and no more."""
    path = directory / "model.h5"
    saved(counting(1), once(way), path)
    before = path.read_bytes()
    model = counting(2)
    found = collections.Counter({"refused": 0, "named": 0, "old file intact": 0, "litter": 0})
    for step in range(count):
        said, room = directory / "said", len(before) * step // count

        def save(room=room, said=said):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            try:
                saved(model, way, path)
            except OSError as error:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                said.write_text(str(error))

        _, status = os.waitpid(forked(save), 0)
        found["refused"] += said.exists() and status == 0
        found["named"] += said.exists() and str(path) in said.read_text() and "untouched" in said.read_text()
        found["old file intact"] += path.read_bytes() == before
        found["litter"] += litter(directory)
        said.unlink(missing_ok=True)
    return found


def full(way, count, directory):
    """One save on a file system that has room for a single file, which is there."""
    done = subprocess.run(
        whole_device(sys.executable, __file__, "on_full_device", way, str(count), str(directory)),
        capture_output=True,
        text=True,
    )
    sys.stderr.write(done.stderr)
    return json.loads(done.stdout)


def on_full_device(way, count, directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=240k", "tmpfs", directory], check=True)
    path = directory / "model.h5"
    saved(counting(1), once(way), path)
    before = path.read_bytes()
    assert 120 << 10 < len(before) < 240 << 10
    try:
        saved(counting(2), way, path)
        said = ""
    except OSError as error:
        said = str(error)
    return {
        "refused": int(bool(said)),
        "named": int(str(path) in said and "No space left" in said and "untouched" in said),
        "old file intact": int(path.read_bytes() == before and Reader(way)(path) == 1),
        "litter": litter(directory),
    }


def contended(way, count, directory):
    path = directory / "model.h5"
    read = Reader(way)
    saved(counting(1), way, path)
    found = collections.Counter({"loads": 0, "mixed": 0, "bad exits": 0})

    def save(number):
        model = counting(number)
        for _ in range(count):
            saved(model, way, path)

    running = {forked(lambda number=number: save(number)) for number in (1, 2)}
    while running:
        found["loads"] += 1
        found["mixed"] += read(path) is None
        pid, status = os.waitpid(-1, os.WNOHANG)
        running.discard(pid)
        found["bad exits"] += pid != 0 and status != 0
    return {**found, "litter": litter(directory)}


if __name__ == "__main__":
    what, how, tries, where = sys.argv[1:]
    print(json.dumps(globals()[what](how, int(tries), Path(where))))
