"""Models that are made, trained and dropped, and predictions that go on for ever: memory and objects do not grow.

    python tests/reliability/test_leaks.py dropped 2000 DIRECTORY

prints what a test checks as one line of JSON.

What is counted is what is in use: objects that the collector knows, small blocks of Python's own allocator, and bytes
of the C library's, where arrays live. Resident memory moves by whole arenas of 1 MiB and bounds the rest.
"""

import ctypes
import gc
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lamina import backend as K
from lamina.layers import (
    LSTM,
    BatchNormalization,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    concatenate,
)
from lamina.models import Model, Sequential

resource = pytest.importorskip("resource", reason="this system counts no resources")


class MallInfo(ctypes.Structure):
    """What glibc says of its allocator; see mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
        )
    ]  # fmt: skip


try:
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = MallInfo
except (AttributeError, OSError, TypeError):
    pytest.skip("memory in use is told by glibc 2.33 and later", allow_module_level=True)

BYTES = 0.2 * 1024  # a round, by malloc
BLOCKS = 0.2  # a round: whatever is kept of each takes at least one
RESIDENT = 4 << 20  # bytes in all, while the counts above stay as they are


def test_no_object_is_left_of_a_model_that_is_dropped(measured):
    assert measured("dropped", 12)["objects"] <= 0


@pytest.mark.slow
@pytest.mark.parametrize(("what", "count"), [("dropped", 2000), ("cleared", 2000), ("predicted", 50_000)])
def test_memory_does_not_grow(what, count, measured):
    found = measured(what, count)
    assert found["objects"] <= 0
    assert found["blocks a round"] < BLOCKS
    assert found["bytes a round"] < BYTES
    assert found["resident growth"] < RESIDENT


# --- the programs -----------------------------------------------------------------------------------------------------

rng = np.random.default_rng(0)
WORDS, SIGNAL = rng.integers(0, 20, (8, 6)), rng.normal(size=(8, 6, 3)).astype("float32")
Y = np.eye(2)[rng.integers(0, 2, 8)]


def round_of_training():
    words, signal = Input((6,), dtype="int32"), Input((6, 3))
    read = LSTM(4)(Embedding(20, 5, mask_zero=True)(words))
    heard = Flatten()(BatchNormalization()(Conv1D(4, 3, activation="relu")(signal)))
    inner = Sequential([Dense(5, input_shape=(20,)), Dropout(0.5)])
    out = Dense(2, activation="softmax", kernel_regularizer="l2")(inner(concatenate([read, heard])))
    model = Model([words, signal], out)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit([WORDS, SIGNAL], Y, verbose=0)
    return model


def dropped(count):
    return measured(count, round_of_training)


def cleared(count):
    def round_and_clear():
        round_of_training()
        K.clear_session()

    return measured(count, round_and_clear)


def predicted(count):
    model = round_of_training()
    return measured(count, lambda: model.predict([WORDS, SIGNAL]))


def measured(count, act):
    """What the last half of `count` times `act` leave behind."""
    states = []
    for number in range(count + 1):
        if number in (count // 2, count):
            gc.collect()
            info = mallinfo2()
            in_use = info.uordblks + info.hblkhd
            states.append((len(gc.get_objects()), sys.getallocatedblocks(), in_use, resident()))
        act()
    objects, blocks, in_use, grown = (after - before for before, after in zip(*states, strict=True))
    rounds = count - count // 2
    return {
        "objects": objects,
        "blocks a round": blocks / rounds,
        "bytes a round": in_use / rounds,
        "resident growth": grown,
        "resident": states[-1][-1],
    }


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    what, tries, _ = sys.argv[1:]
    print(json.dumps(globals()[what](int(tries))))
