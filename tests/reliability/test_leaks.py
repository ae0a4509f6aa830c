"""Models that are made, trained and dropped, and predictions that go on for ever: memory and objects do not grow.

    python tests/reliability/test_leaks.py dropped 2000 DIRECTORY

prints what a test checks as one line of JSON.
"""

import gc
import itertools
import json
import statistics
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
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured by Linux")

# Bytes a round; fewer rounds than 2,000 say more about malloc than about us.
SLOPE = 0.2 * 1024


def test_no_object_is_left_of_a_model_that_is_dropped(measured):
    assert measured("dropped", 12)["objects"] <= 0


@pytest.mark.slow
@pytest.mark.parametrize(("what", "count"), [("dropped", 2000), ("cleared", 2000), ("predicted", 50_000)])
def test_memory_does_not_grow(what, count, measured):
    found = measured(what, count)
    assert found["objects"] <= 0
    assert found["bytes a round"] < SLOPE


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
    """What `count` times `act` leave behind, by the last half of them.

    Bytes are the median of five parts of that half: what leaks leaks in all of them, while malloc takes another heap
    from the system in one.
    """
    part = max(count // 10, 1)
    marks = [count - part * number for number in reversed(range(6))]
    states = []
    for number in range(count + 1):
        if number in marks:
            gc.collect()
            states.append((len(gc.get_objects()), resident()))
        act()
    grown = [(after - before) / part for (_, before), (_, after) in itertools.pairwise(states)]
    return {
        "objects": states[-1][0] - states[0][0],
        "bytes a round": statistics.median(grown),
        "resident": states[-1][1],
    }


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    what, tries, _ = sys.argv[1:]
    print(json.dumps(globals()[what](int(tries))))
