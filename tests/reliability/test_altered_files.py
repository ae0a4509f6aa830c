"""Files altered at random: read or refused in plain words, at once, in little memory, and without running anything.

    python tests/reliability/test_altered_files.py altered 20000 DIRECTORY

prints what a test checks as one line of JSON.
"""

import collections
import contextlib
import copy
import faulthandler
import functools
import io
import json
import os
import pickle
import random
import shutil
import sys
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lamina import backend as K
from lamina.layers import (
    LSTM,
    Activation,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    MaxPooling2D,
    Reshape,
    TimeDistributed,
)
from lamina.models import Model, Sequential, load_model, model_from_json, model_from_yaml
from lamina_registry import KINDS, catalog
from lamina_utils.archives import extract_archive
from lamina_utils.npz import read_npz
from lamina_utils.pickles import read_pickle

resource = pytest.importorskip("resource", reason="this system counts no resources")

SLACK = 64 << 20  # bytes that refusing a file may take,
GROWTH = 4  # and how many times its size besides
SLOWEST = 5.0  # seconds that one file may take
HANGING = 30  # seconds after which it is taken to hang
# What no file may cause.  Imports are: a config may name what a plugin offers, so all of it is imported beforehand.
FORBIDDEN = (
    "ctypes.dlopen", "exec", "import", "marshal.loads", "open", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
    "os.system", "pickle.find_class", "pty.spawn", "socket.connect", "socket.getaddrinfo", "subprocess.Popen",
)  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="peaks are measured by Linux")
@pytest.mark.parametrize("count", [220, pytest.param(20_000, marks=pytest.mark.slow)])
def test_an_altered_file_is_read_or_refused_in_plain_words(count, measured):
    found = measured("altered", count)
    assert found["untyped"] == found["events"] == found["too much memory"] == {}
    assert set(found["files"]) == set(ROADS)
    assert sum(counts["read"] + counts["refused"] for counts in found["files"].values()) == count
    for road, counts in found["files"].items():
        # Of few alterations of an archive, most of which is filling, all may be harmless.
        assert counts["refused"] > 0 or count < 1000, f"no alteration of {road} did any harm: is it altered?"
        assert counts["slowest"] < SLOWEST
    assert found["growth"] < SLACK


@pytest.mark.slow
def test_every_file_cut_short_is_refused(measured):
    assert measured("cut", 400) == {
        name: {"DamagedFile": 400} for name in ("model.h5", "weights.h5", "weights.safetensors")
    }


# --- the files --------------------------------------------------------------------------------------------------------


def pictures():
    """A model of many kinds of layers, trained for a batch, so that its optimizer has a state."""
    image, words = Input((8, 8, 2), name="image"), Input((4,), dtype="int32", name="words")
    seen = Conv2D(3, 3, padding="same", activation="relu", kernel_regularizer="l2")(image)
    seen = MaxPooling2D()(BatchNormalization()(seen))
    seen = Dropout(0.25)(Flatten()(seen))
    read = Embedding(12, 4, mask_zero=True)(words)
    read = Bidirectional(LSTM(3, return_sequences=True))(read)
    read = LSTM(5, kernel_constraint="max_norm")(TimeDistributed(Dense(3))(read))
    both = Concatenate()([seen, read])
    inner = Sequential([Dense(6, input_shape=(53,), name="inside"), Activation("tanh")], name="inner")
    out = Reshape((6, 1))(inner(both))
    return Model([image, words], Dense(2, activation="softmax")(Flatten()(out)), name="pictures")


def files(folder):
    """A whole file for each road."""
    model = pictures()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch([np.ones((2, 8, 8, 2)), np.ones((2, 4))], np.eye(2))
    model.save(folder / "model.h5")
    model.save_weights(folder / "weights.h5")
    model.save_weights(folder / "weights.safetensors")
    (folder / "model.json").write_text(model.to_json())
    (folder / "model.yaml").write_text(model.to_yaml())
    words = np.empty(3, object)
    words[:] = [1, 5, 300, 70_000], [2], list(range(40))
    np.savez_compressed(folder / "data.npz", x=words, y=np.arange(3), z=np.eye(4, dtype="float32"))
    data = {"labels": list(range(60)), "data": np.arange(90, dtype="uint8").reshape(30, 3), "words": words}
    (folder / "data.pickle").write_bytes(pickle.dumps(data, 2))
    packed = {"a/one.txt": b"1" * 700, "a/two.txt": random.Random(0).randbytes(3000), "three.txt": b""}
    for ending in ("tar", "tar.gz", "tar.xz"):
        with tarfile.open(folder / f"files.{ending}", f"w:{ending[4:]}") as archive:
            for name, content in packed.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(folder / "files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed.items():
            archive.writestr(name, content)


def read_model(path):

    return load_model(path)


def read_weights(path):
    _twin().load_weights(path)


@functools.cache
def _twin():
    return pictures()


def read_json(path):

    return model_from_json(path.read_text(errors="replace"))


def read_yaml(path):

    return model_from_yaml(path.read_text(errors="replace"))


def unpack(path):
    """All of the archive or nothing, below its folder."""

    folder = path.with_name("unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        if not extract_archive(path, folder):
            raise ValueError("no archive")
    except Exception:
        assert os.listdir(folder) == []
        raise


ROADS = {
    "model.h5": read_model,
    "weights.h5": read_weights,
    "weights.safetensors": read_weights,
    "model.json": read_json,
    "model.yaml": read_yaml,
    "data.npz": read_npz,
    "data.pickle": read_pickle,
    "files.tar": unpack,
    "files.tar.gz": unpack,
    "files.tar.xz": unpack,
    "files.zip": unpack,
}


# --- the damage -------------------------------------------------------------------------------------------------------

NUMBERS = 0, 1, 1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1


def altered_bytes(content, draw):
    """The bytes of a file with one kind of damage."""
    spoilt = bytearray(content)
    kind, at = draw.randrange(7), draw.randrange(len(spoilt))
    if kind == 0:
        for _ in range(draw.randint(1, 8)):
            spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        spoilt[at] = draw.randrange(256)
    elif kind == 2:
        sector = at // 512 * 512
        spoilt[sector : sector + 512] = bytes(len(spoilt[sector : sector + 512]))
    elif kind == 3:
        number = draw.choice([*NUMBERS, len(spoilt)])
        spoilt[at // 8 * 8 : at // 8 * 8 + 8] = number.to_bytes(8, "little")
    elif kind == 4:
        other = draw.randrange(len(spoilt))
        spoilt[at : at + 64] = spoilt[other : other + 64]
    elif kind == 5 and (text := content.find(b'{"class_name"')) >= 0:
        at = draw.randrange(text, text + 600)
        spoilt[at : at + 1] = draw.choice(b'0123456789{}[],:"\\ nulaxe').to_bytes(1, "big")
    else:
        del spoilt[at : at + draw.randint(1, 64)]
    return bytes(spoilt)


STRANGE = (
    None, True, -1, 0, 1, 2, 7, 0.5, -0.0, 1e308, float("nan"), 10**9, 2**63, 10**30, "", "x" * 5000, "Dense", "Lambda",
    "relu", "../../x", "/etc/passwd", "os.system", "builtins>eval", "image", "inner", "\x00", [], {}, [[]], [0], [1, 2],
    {"class_name": "Dense"}, {"class_name": "Dense", "config": {"units": 3}}, {"type": "ndarray", "value": [[1], 2]},
)  # fmt: skip


def altered_config(config, draw):
    """A config with one of its values exchanged, taken out, repeated or made a strange one."""
    config = copy.deepcopy(config)
    places = list(_places(config))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        holder, key = draw.choice(places)
        if (isinstance(holder, list) and not -len(holder) <= key < len(holder)) or (
            isinstance(holder, dict) and key not in holder
        ):
            continue  # gone with the last alteration
        kind = draw.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            other, at = draw.choice(places)
            with contextlib.suppress(IndexError, KeyError):
                holder[key] = copy.deepcopy(other[at])
        elif kind == 2 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif kind == 3 and isinstance(holder, dict):
            holder[draw.choice(("name", "module", "class_name", "x", "dtype"))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(draw.choice(STRANGE))
    return config


def _places(config):
    """(list or dict, key) of every value in a config."""
    for key, value in list(config.items() if isinstance(config, dict) else enumerate(config)):
        yield config, key
        if isinstance(value, dict | list):
            yield from _places(value)


def altered_file(name, content, draw):
    """The bytes of a file of this name, altered; texts also in what they say."""
    if name.endswith((".json", ".yaml")) and draw.randrange(3):
        config = altered_config(json.loads(content) if name.endswith(".json") else _config(content), draw)
        if name.endswith(".json"):
            return json.dumps(config).encode()
        import yaml

        return yaml.safe_dump(config).encode()
    return altered_bytes(content, draw)


@functools.cache
def _config(text):
    import yaml

    return yaml.safe_load(text)


# --- the programs -----------------------------------------------------------------------------------------------------


def altered(count, directory):
    files(directory)
    whole = {name: (directory / name).read_bytes() for name in ROADS}
    _import_everything()
    draw = random.Random(int(os.environ.get("SEED", "0")))
    counts = {name: collections.Counter({"read": 0, "refused": 0}) for name in ROADS}
    slowest = dict.fromkeys(ROADS, 0.0)
    untyped, events, hungry = {}, {}, {}
    heard = _listen()
    warnings.simplefilter("ignore")
    for name, read in ROADS.items():
        read(directory / name)
    limit = _pages(0) + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    start = _pages(1)
    for number in range(count):
        name = list(ROADS)[number % len(ROADS)]
        spoilt = altered_file(name, whole[name], draw)
        path = directory / f"altered-{name}"
        path.write_bytes(spoilt)
        _clear_session()
        before = _peak(fresh=True)
        heard.clear()
        heard.listening = True
        faulthandler.dump_traceback_later(HANGING, exit=True)  # a hang in C is the end of this program
        began = time.perf_counter()
        try:
            ROADS[name](path)
            counts[name]["read"] += 1
        except (ValueError, TypeError):
            counts[name]["refused"] += 1
        except MemoryError:  # of a text, which may well ask for a model of any size
            assert name in ("model.json", "model.yaml")
            counts[name]["refused"] += 1
        except BaseException as error:
            untyped[f"{number} {name}"] = f"{type(error).__name__}: {error}"[:300]
        heard.listening = False
        faulthandler.cancel_dump_traceback_later()
        slowest[name] = max(slowest[name], time.perf_counter() - began)
        taken = _peak() - before
        if taken > SLACK + GROWTH * len(spoilt):
            hungry[f"{number} {name}"] = taken
        if strange := [event for event in heard if not _fair(event, path)]:
            events[f"{number} {name}"] = strange[:5]
        if heard.clear() or f"{number} {name}" in {*untyped, *events, *hungry}:
            shutil.copy(path, directory / f"{number}-{name}")
    return {
        "files": {name: {**counts[name], "slowest": round(slowest[name], 3)} for name in ROADS},
        "untyped": untyped,
        "events": events,
        "too much memory": hungry,
        "growth": _pages(1) - start,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    }


def _clear_session():

    K.clear_session()


def _import_everything():
    """What names in a config may stand for, so that no import is heard for them."""

    for kind in KINDS:
        for name in catalog().names(kind):
            with contextlib.suppress(Exception):
                catalog().find(kind, name)


class _Heard(list):
    listening = False


def _listen():
    heard = _Heard()

    def hear(event, args):
        if heard.listening and event in FORBIDDEN:
            heard.append((event, *map(str, args[:2])))

    sys.addaudithook(hear)
    return heard


def _fair(event, path):
    """Whether it is the file that is read, or what is unpacked from it."""
    what, *about = event
    if what != "open":
        return False
    place = Path(about[0])
    # Unpacking also opens by number, and, to tidy up, by names inside an open folder.
    below = not place.is_absolute() and path.name.startswith("altered-files")
    return about[0].isdigit() or below or place.is_relative_to(path.parent)


def _pages(which):
    """Bytes of this process: 0 its addresses, 1 what it has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[which]) * resource.getpagesize()


def _peak(fresh=False):
    """The most memory this process has had at once, in bytes: since it began, or the last `fresh`."""
    if fresh:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def cut(count, directory):
    files(directory)
    found = {}
    for name in ("model.h5", "weights.h5", "weights.safetensors"):
        whole = (directory / name).read_bytes()
        ends = collections.Counter()
        for step in range(count):
            (directory / f"cut-{name}").write_bytes(whole[: len(whole) * step // count])
            try:
                ROADS[name](directory / f"cut-{name}")
                ends["read"] += 1
            except Exception as error:
                ends[type(error).__name__] += 1
        found[name] = ends
    return found


if __name__ == "__main__":
    what, tries, where = sys.argv[1:]
    print(json.dumps(globals()[what](int(tries), Path(where))))
