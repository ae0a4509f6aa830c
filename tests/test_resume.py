"""A run that is saved and taken up in another process goes on like one that never stopped, bit for bit.

    python tests/test_resume.py train DIRECTORY      # np.random.seed, fit(2n); and again fit(n), save
    python tests/test_resume.py resume DIRECTORY     # load, fit(n)

are the processes of the tests below; each has strings hashed by another seed.
"""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

EPOCHS = 2
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "decay": 0.01, "nesterov": True},
    "RMSprop": {"decay": 0.01},
    "Adagrad": {"decay": 0.01},
    "Adadelta": {"decay": 0.01},
    "Adam": {"decay": 0.01, "amsgrad": True, "clipnorm": 1.0},
    "Adamax": {"decay": 0.01},
    "Nadam": {"clipvalue": 0.5},
}


def test_every_optimizer_is_tried():
    from lamina_registry import catalog

    ours = {
        name
        for name in catalog().names("optimizers")
        if any(offer.package == "lamina-optimizers" for offer in catalog().offers("optimizers", name))
    }
    assert ours - {"TFOptimizer"} == OPTIMIZERS.keys()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    process("train", folder)
    return folder


@pytest.mark.parametrize("how", ["initial_epoch", "plain", "set_state", "generator", "checkpoint"])
def test_fit_goes_on_in_another_process_as_if_it_had_not_stopped(trained, how):
    process("resume", trained, how)
    for name in OPTIMIZERS:
        whole = dict(np.load(trained / f"{name}-{'generator' if how == 'generator' else 'arrays'}.npz"))
        resumed = dict(np.load(trained / f"{name}-{how}-resumed.npz"))
        assert whole.keys() == resumed.keys() and len(whole) > 10
        for key, array in whole.items():
            assert array.dtype == resumed[key].dtype
            assert array.tobytes() == resumed[key].tobytes(), f"{name}: {key} differs"


def test_a_seed_alone_repeats_a_run_in_another_process(trained, tmp_path):
    process("train", tmp_path)
    for path in sorted(trained.glob("*-arrays.npz")):
        one, other = dict(np.load(path)), dict(np.load(tmp_path / path.name))
        assert all(array.tobytes() == other[key].tobytes() for key, array in one.items()), path.name


def test_a_seed_of_ones_own_is_respected(trained):
    """Fine-tuning from a file under several seeds must not be the same training each time."""
    process("reseeded", trained)
    found = np.load(trained / "reseeded.npz")
    assert found["1"].tobytes() == found["1 again"].tobytes() != found["2"].tobytes()


def process(*arguments):
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": "random"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


# ---- the processes


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 6)).astype("float32"), rng.integers(0, 2, (50, 1)).astype("float32")


def model_for(name, seed):
    from lamina import optimizers
    from lamina.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Input
    from lamina.models import Model

    np.random.seed(seed)
    inputs = Input((6,))
    x = Dense(8, activation="relu")(inputs)
    x = Dropout(0.3)(x)
    x = BatchNormalization()(x)
    x = GaussianNoise(0.1)(x)
    x = Dense(8, activation="tanh")(x)
    x = Dropout(0.5, seed=7)(x)
    model = Model(inputs, Dense(1, activation="sigmoid")(x))
    model.compile(getattr(optimizers, name)(**OPTIMIZERS[name]), "binary_crossentropy", metrics=["accuracy"])
    return model


def fitted(model, how, callbacks=(), **epochs):
    x, y = data()
    if how == "generator":
        model.fit_generator(sequence(x, y), verbose=0, workers=1, **epochs)
    else:
        model.fit(x, y, batch_size=16, validation_split=0.2, verbose=0, callbacks=list(callbacks), **epochs)


def sequence(x, y):
    from lamina.utils import Sequence

    class Noisy(Sequence):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            rows = slice(16 * index, 16 * index + 16)
            return x[rows] + np.random.normal(scale=0.1, size=x[rows].shape), y[rows]

    return Noisy()


def kept(model, path):
    from lamina import backend as K

    arrays = {f"weight {at}": array for at, array in enumerate(model.get_weights())}
    for at, array in enumerate(model.optimizer.get_weights()):
        arrays[f"optimizer {at}"] = array
    for name, value in sorted(vars(model.optimizer).items()):
        if hasattr(value, "assign"):
            arrays[f"optimizer {name}"] = K.get_value(value)
    np.savez(path, **arrays)


def train(folder):
    from lamina.callbacks import ModelCheckpoint

    for seed, name in enumerate(OPTIMIZERS):
        for how in ("arrays", "generator"):
            model = model_for(name, seed)
            checkpoint = ModelCheckpoint(folder / f"{name}-{how}-{{epoch}}.h5")
            fitted(model, how, [checkpoint], epochs=2 * EPOCHS)
            kept(model, folder / f"{name}-{how}.npz")
            model = model_for(name, seed)
            fitted(model, how, epochs=EPOCHS)
            model.save(folder / f"{name}-{how}.h5")
            _, key, *rest = np.random.get_state()
            np.savez(folder / f"{name}-{how}-state.npz", key=key, rest=rest)


def resume(folder, how):
    from lamina.models import load_model

    for name in OPTIMIZERS:
        kind = "generator" if how == "generator" else "arrays"
        if how == "plain":  # nobody seeded np.random, and each model is the first that is loaded
            np.random.set_bit_generator(np.random.MT19937())
        elif how != "set_state":
            np.random.seed(99)
        file = f"{name}-{kind}-{EPOCHS}.h5" if how == "checkpoint" else f"{name}-{kind}.h5"
        model = load_model(folder / file)
        if how == "set_state":
            state = np.load(folder / f"{name}-{kind}-state.npz")
            position, has_gauss, gauss = state["rest"]
            np.random.seed(3)
            np.random.set_state(("MT19937", state["key"], int(position), int(has_gauss), gauss))
        epochs = {"epochs": EPOCHS} if how in ("plain", "set_state") else {}
        fitted(model, kind, **(epochs or {"epochs": 2 * EPOCHS, "initial_epoch": EPOCHS}))
        kept(model, folder / f"{name}-{how}-resumed.npz")


def reseeded(folder):
    from lamina.models import load_model

    found = {}
    for key, seed in (("1", 1), ("2", 2), ("1 again", 1)):
        np.random.seed(seed)
        model = load_model(folder / "SGD-arrays.h5")
        fitted(model, "arrays", epochs=1)
        found[key] = model.get_weights()[0]
    np.savez(folder / "reseeded.npz", **found)


if __name__ == "__main__":
    warnings.simplefilter("error")
    {"train": train, "resume": resume, "reseeded": reseeded}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
