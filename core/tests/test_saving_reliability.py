"""Saves that are killed or run out of disk, files that are altered at random: counted, each in a process of its own.

    python core/tests/test_saving_reliability.py killed 200 DIRECTORY
    python core/tests/test_saving_reliability.py altered 20000 DIRECTORY

print what the tests below check, as one line of JSON.
"""

import collections
import faulthandler
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="this system counts no resources")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def measured(what, count, directory):
    """What one of the programs below found, run with `count` tries."""
    done = subprocess.run(
        [sys.executable, __file__, what, str(count), str(directory)],
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_save_leaves_a_whole_file_and_no_litter(count, tmp_path):
    found = measured("killed", count, tmp_path)
    assert found["unloadable"] == found["mixed"] == found["went back"] == 0
    assert found["most litter"] <= 1 and found["litter at the end"] == 0


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path):
    found = measured("full", 16, tmp_path)
    assert found == {"refused": 16, "named": 16, "old file intact": 16, "litter": 0, "bad exits": 0}


def test_two_processes_saving_to_one_path_never_mix_while_a_third_loads(tmp_path):
    found = measured("contended", 20, tmp_path)
    assert found["bad exits"] == found["mixed"] == found["litter"] == 0
    assert found["loads"] > 0


@pytest.mark.parametrize("count", [400, pytest.param(20_000, marks=pytest.mark.slow)])
def test_an_altered_file_is_loaded_or_refused_in_plain_words(count, tmp_path):
    found = measured("altered", count, tmp_path)
    assert found["untyped"] == {}
    assert found["loaded"] + found["refused"] == count
    assert found["slowest"] < 5
    assert found["megabytes"] < 64


def test_every_truncation_is_refused(tmp_path):
    found = measured("truncated", 60, tmp_path)
    assert found == {"DamagedFile": 60}


# --- the programs -----------------------------------------------------------------------------------------------------


def generation(number):
    """A model all of whose weights are one number."""
    model = parts.Sequential([parts.Affine(150, input_shape=(100,)), parts.Affine(150), parts.Affine(2)])
    return refilled(model, number)


def refilled(model, number):
    model.set_weights([weight * 0 + number for weight in model.get_weights()])
    return model


def generation_of(path):
    """The number of a loaded model, or None when its weights are of several."""
    weights = parts.load_model(path, parts.OBJECTS, compile=False).get_weights()
    numbers = {number for weight in weights for number in weight.reshape(-1).tolist()}
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


def killed(count, directory):
    path = directory / "model.h5"
    model = generation(0)
    parts.save_model(model, path)
    draw = random.Random(0)
    found = collections.Counter({"unloadable": 0, "mixed": 0, "went back": 0, "most litter": 0})
    last = 0

    def save_for_ever():
        for number in range(last + 1, 1 << 24):
            parts.save_model(refilled(model, number), path)

    for _ in range(count):
        pid = forked(save_for_ever)
        time.sleep(draw.uniform(0.005, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        try:
            number = generation_of(path)
        except Exception:
            found["unloadable"] += 1
            continue
        found["mixed"] += number is None
        found["went back"] += number is not None and number < last
        last = int(number or last)
        found["most litter"] = max(found["most litter"], litter(directory))
    parts.save_model(model, path)
    return {**found, "generations": last, "litter at the end": litter(directory)}


def full(count, directory):
    path = directory / "model.h5"
    parts.save_model(generation(1), path)
    before = path.read_bytes()
    model = generation(2)
    found = collections.Counter({"refused": 0, "named": 0, "old file intact": 0, "litter": 0, "bad exits": 0})
    for step in range(count):
        said, room = directory / "said", len(before) * step // count

        def save(room=room, said=said):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            try:
                parts.save_model(model, path)
            except OSError as error:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                said.write_text(str(error))

        _, status = os.waitpid(forked(save), 0)
        found["bad exits"] += status != 0
        found["refused"] += said.exists()
        found["named"] += said.exists() and str(path) in said.read_text() and "untouched" in said.read_text()
        found["old file intact"] += path.read_bytes() == before
        found["litter"] += litter(directory)
        said.unlink(missing_ok=True)
    return found


def contended(count, directory):
    path = directory / "model.h5"
    parts.save_model(generation(1), path)
    found = collections.Counter({"loads": 0, "mixed": 0, "bad exits": 0})

    def save(number):
        model = generation(number)
        for _ in range(count):
            parts.save_model(model, path)

    running = {forked(lambda number=number: save(number)) for number in (1, 2)}
    while running:
        found["loads"] += 1
        found["mixed"] += generation_of(path) is None
        pid, status = os.waitpid(-1, os.WNOHANG)
        running.discard(pid)
        found["bad exits"] += pid != 0 and status != 0
    return {**found, "litter": litter(directory)}


def trained(directory):
    """A small compiled model with its optimizer's state, as bytes."""
    model = parts.sequential()
    model.train_on_batch(parts.X, parts.Y)
    parts.save_model(model, directory / "whole.h5")
    return (directory / "whole.h5").read_bytes()


def alter(content, draw):
    """The bytes with one kind of damage."""
    spoilt = bytearray(content)
    kind = draw.randrange(6)
    at = draw.randrange(len(spoilt))
    if kind == 0:
        for _ in range(draw.randint(1, 8)):
            spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        spoilt[at] = draw.randrange(256)
    elif kind == 2:
        sector = at // 512 * 512
        spoilt[sector : sector + 512] = bytes(len(spoilt[sector : sector + 512]))
    elif kind == 3:
        number = draw.choice([0, 1, 1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1, len(spoilt)])
        spoilt[at // 8 * 8 : at // 8 * 8 + 8] = number.to_bytes(8, "little")
    elif kind == 4:
        spoilt[at : at + 64] = spoilt[(other := draw.randrange(len(spoilt))) : other + 64]
    else:
        text = spoilt.index(b'{"class_name"')
        at = draw.randrange(text, text + 600)
        spoilt[at : at + 1] = draw.choice(b'0123456789{}[],:"\\ nulaxe').to_bytes(1, "big")
    return bytes(spoilt)


def altered(count, directory):
    content = trained(directory)
    path = directory / "model.h5"
    draw = random.Random(int(os.environ.get("SEED", "0")))
    found, untyped, slowest = collections.Counter({"loaded": 0, "refused": 0}), {}, 0.0
    warnings.simplefilter("ignore")
    parts.load_model(directory / "whole.h5", parts.OBJECTS)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        spoilt = alter(content, draw)
        path.write_bytes(spoilt)
        parts.K.clear_session()
        faulthandler.dump_traceback_later(30, exit=True)  # a hang in C is the end of this program
        began = time.perf_counter()
        try:
            parts.load_model(path, parts.OBJECTS)
            found["loaded"] += 1
        except (ValueError, TypeError):
            found["refused"] += 1
        except BaseException as error:
            (directory / f"untyped-{number}.h5").write_bytes(spoilt)
            untyped[number] = repr(error)[:200]
        slowest = max(slowest, time.perf_counter() - began)
        faulthandler.cancel_dump_traceback_later()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "untyped": untyped, "slowest": slowest, "megabytes": (peak - start) / 1024}


def truncated(count, directory):
    content = trained(directory)
    path = directory / "model.h5"
    found = collections.Counter()
    for step in range(count):
        path.write_bytes(content[: len(content) * step // count])
        try:
            parts.load_model(path, parts.OBJECTS)
            found["loaded"] += 1
        except Exception as error:
            found[type(error).__name__] += 1
    return found


if __name__ == "__main__":
    import test_saving_hdf5 as parts

    what, tries, where = sys.argv[1:]
    print(json.dumps(globals()[what](int(tries), Path(where))))
