"""Many threads at one model, while another model trains beside them: the bits are those of one thread alone.

    python tests/reliability/test_threads.py predicted 64 50 DIRECTORY

prints what a test checks as one line of JSON.
"""

import json
import sys
import threading

import numpy as np
import pytest

from lamina.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Input,
    MaxPooling2D,
    Reshape,
)
from lamina.models import Model


@pytest.mark.parametrize(("threads", "predicts"), [(8, 6), pytest.param(64, 50, marks=pytest.mark.slow)])
def test_predictions_in_threads_are_those_of_one(threads, predicts, measured):
    found = measured("predicted", threads, predicts)
    assert found["errors"] == []
    assert found["same bits"] == threads * predicts
    assert found["updates meanwhile"] >= 3
    assert found["training as alone"]  # nor did the threads disturb it


# --- the program ------------------------------------------------------------------------------------------------------


def network():
    """Layers of every kind that keeps something between calls: buffers, states, statistics, random streams."""
    x = Input((8, 8, 3))
    seen = MaxPooling2D()(BatchNormalization()(Conv2D(8, 3, padding="same", activation="relu")(x)))
    seen = Dropout(0.5)(Flatten()(GaussianNoise(0.1)(seen)))
    read = GRU(6)(Bidirectional(LSTM(5, return_sequences=True))(Reshape((8, 24))(x)))
    return Model(x, Dense(3, activation="softmax")(Concatenate()([seen, read])))


def trained(stop=lambda: False, most=1 << 30):
    """A model after as many batches as there is time for, and how many these were."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(64, 8, 8, 3)), np.eye(3)[rng.integers(0, 3, 64)]
    np.random.seed(1)
    model = network()
    model.compile("adam", "categorical_crossentropy")
    count = 0
    while count < most and (count < 3 or not stop()):
        model.train_on_batch(x, y)
        count += 1
    return model, count


def predicted(threads, predicts, _):
    rng = np.random.default_rng(0)
    # Several sizes of batches, some of which are cut in two: plans are made, bound and shared meanwhile.
    asked = [rng.normal(size=(size, 8, 8, 3)).astype("float32") for size in (1, 7, 32, 33, 64)]
    model = network()
    serial = [model.predict(x).tobytes() for x in asked]
    fresh = network()  # that no thread has asked before
    fresh.set_weights(model.get_weights())
    done, errors, gate = threading.Event(), [], threading.Barrier(threads)
    same = [0] * threads
    beside = []

    def predict(number):
        try:
            gate.wait()
            for turn in range(predicts):
                which = (number + turn) % len(asked)
                same[number] += fresh.predict(asked[which]).tobytes() == serial[which]
        except BaseException as error:
            errors.append(repr(error))

    trainer = threading.Thread(target=lambda: beside.append(trained(done.is_set)))
    trainer.start()
    workers = [threading.Thread(target=predict, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    trainer.join()
    (together, count), (alone, _) = beside[0], trained(most=beside[0][1])
    weights = zip(together.get_weights(), alone.get_weights(), strict=True)
    return {
        "errors": errors,
        "same bits": sum(same),
        "updates meanwhile": count,
        "training as alone": all(one.tobytes() == other.tobytes() for one, other in weights),
    }


if __name__ == "__main__":
    what, *numbers, where = sys.argv[1:]
    print(json.dumps(globals()[what](*map(int, numbers), where)))
