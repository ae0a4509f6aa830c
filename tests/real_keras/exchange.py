"""Have Lamina and real Keras read each other's files, and say how far their predictions and next updates differ.

    python tests/real_keras/exchange.py write lamina DIRECTORY      # with each package in an environment of its own
    python tests/real_keras/exchange.py read tf_keras DIRECTORY
    KERAS_BACKEND=jax python tests/real_keras/exchange.py read keras DIRECTORY

and the other way round.  `write` fills DIRECTORY with NAME.h5, a whole model, NAME_weights.h5, and NAME.npz, what the
model predicts; and for each optimizer with a model in the middle of its training, and the weights after it went on.
`read` prints tables in Markdown of the largest differences, as |a - b| / (1 + max |b|): in the predictions of the model
as it is loaded, and of one built here that is given the weights by order; and in the weights after training went on.
"""

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from cases import CASES, OPTIMIZERS, STEPS, batches, drawn, fill, trainable

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Package:
    """A Keras: its layers, models and optimizers."""

    def __init__(self, name):
        self.name = name
        package = importlib.import_module(name)
        parts = (importlib.import_module(f"{name}.{part}") for part in ("layers", "models", "optimizers"))
        self.layers, self.models, self.optimizers = parts
        self.version = getattr(package, "__version__", "")
        # The optimizers with Keras 2's formulas and arguments; Keras 3 has none.
        self.of_keras_2 = getattr(self.optimizers, "legacy", self.optimizers)

    def build(self, name):
        return CASES[name][0](self.layers, self.models)

    def optimizer(self, name):
        cls, arguments = OPTIMIZERS[name]
        if self.name != "lamina":
            arguments = {"learning_rate" if key == "lr" else key: value for key, value in arguments.items()}
        if self.name == "keras":
            arguments = {key: value for key, value in arguments.items() if key != "decay"}
            return getattr(self.optimizers, cls)(**arguments)
        return getattr(self.of_keras_2, cls)(**arguments)


def predictions(model, inputs):
    made = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return [np.asarray(each) for each in (made if isinstance(made, list | tuple) else [made])]


def updates(model, steps):
    for x, y in zip(*(array[steps] for array in batches()), strict=True):
        model.train_on_batch(x, y)


BEFORE, AFTER = slice(0, STEPS), slice(STEPS, 2 * STEPS)


# ---- write


def write(package, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        try:
            model = fill(package.build(name))
        except AttributeError as error:  # a layer that this Keras does not have
            print(f"{name}: {first_line(error)}")
            continue
        model.save(str(folder / f"{name}.h5"))
        if package.name != "keras":  # which writes weights alone in a layout of its own
            model.save_weights(str(folder / f"{name}_weights.h5"))
        np.savez(folder / f"{name}.npz", *predictions(model, drawn(name)))
    for name in OPTIMIZERS:
        model = fill(trainable(package.layers, package.models))
        model.compile(package.optimizer(name), "mse")
        updates(model, BEFORE)
        model.save(str(folder / f"optimizer_{name}.h5"))
        updates(model, AFTER)
        np.savez(folder / f"optimizer_{name}.npz", *model.get_weights())
    print(f"{package.name} {package.version} wrote {len(list(folder.glob('*.h5')))} files to {folder}")


# ---- read


def read(package, folder):
    print(f"{package.name} {package.version} reads {folder}\n")
    print("| case | whole model | weights by order |\n| --- | --- | --- |")
    for name in CASES:
        if (folder / f"{name}.npz").exists():
            print(
                f"| {name} | {tried(whole, package, folder, name)} | {tried(weights, package, folder, name)} |"
            )
    print("\n| optimizer | trained on |\n| --- | --- |")
    for name in OPTIMIZERS:
        print(f"| {name} | {tried(going_on, package, folder, name)} |")


def tried(check, *arguments):
    """What a check finds, or the first line of its error."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = check(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    said = [str(each.message) for each in caught if "optimizer state" in str(each.message)]
    return f"{found:.1e}" + (f" ({said[0].splitlines()[0][:60]})" if said else "")


def first_line(error):
    return " ".join(str(error).split())[:150].replace("|", "/")


def whole(package, folder, name):
    model = package.models.load_model(str(folder / f"{name}.h5"), compile=False)
    return difference(predictions(model, drawn(name)), stored(folder / f"{name}.npz"))


def weights(package, folder, name):
    model = package.build(name)
    alone = folder / f"{name}_weights.h5"
    model.load_weights(str(alone if alone.exists() else folder / f"{name}.h5"))
    return difference(predictions(model, drawn(name)), stored(folder / f"{name}.npz"))


def going_on(package, folder, name):
    """Load with the training configuration, and train on."""
    model = package.models.load_model(str(folder / f"optimizer_{name}.h5"))
    updates(model, AFTER)
    return difference(model.get_weights(), stored(folder / f"optimizer_{name}.npz"))


def stored(path):
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays.files]


def difference(found, wanted):
    """The largest |a - b| / (1 + max |b|)."""
    if [each.shape for each in found] != [each.shape for each in wanted]:
        raise ValueError(
            f"shapes {[each.shape for each in found]}, expected {[each.shape for each in wanted]}"
        )
    pairs = list(zip(found, wanted, strict=True))
    return max(float(np.max(np.abs(a - b)) / (1 + np.max(np.abs(b)))) for a, b in pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["write", "read"])
    parser.add_argument("package", choices=["lamina", "tf_keras", "keras"])
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    {"write": write, "read": read}[asked.what](Package(asked.package), asked.folder)
