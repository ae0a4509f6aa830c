"""Write vectors.npz: several steps of each optimizer as tf_keras takes them.  scripts/vectors.py says how to run it.

The optimizers it calls legacy have the formulas of Keras 2.2, down to where epsilon goes.
"""

from functools import partial

import numpy as np
import tensorflow as tf
import tf_keras
from vectors import Vectors, generator, normal

STEPS = 4
SHAPES = ((2, 3), (3,), ())
SLOTS = {
    "SGD": ["momentum"],
    "RMSprop": ["rms"],
    "Adagrad": ["accumulator"],
    "Adadelta": ["accum_grad", "accum_var"],
    "Adam": ["m", "v", "vhat"],
    "Adamax": ["m", "v"],
    "Nadam": ["m", "v"],
}
"""The state, by tf_keras's names and in Keras's order.  Keras's SGD has its slots without momentum, too, and its Adam
those of amsgrad: only where tf_keras has them can they be compared."""
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")  # Keras's files leave out how many updates they made
RENAMED = {"lr": "learning_rate", "clipnorm": "global_clipnorm"}  # Keras clips all gradients together
EXACT = (
    "lr",
    "momentum",
    "rho",
    "beta_1",
    "beta_2",
)  # which tf_keras keeps in float32, unless they are functions
DEFAULTS = {"RMSprop": {"rho": 0.9}, "Adadelta": {"rho": 0.95}}
DEFAULTS |= {name: {"beta_1": 0.9, "beta_2": 0.999} for name in ("Adam", "Adamax", "Nadam")}

WAYS = (
    ("SGD", {"lr": 0.125}),
    ("SGD", {"lr": 0.125, "momentum": 0.875}),
    ("SGD", {"lr": 0.125, "momentum": 0.875, "nesterov": True, "decay": 0.5}),
    ("SGD", {"lr": 0.125, "momentum": 0.5, "clipnorm": 1.0}),
    ("SGD", {"lr": 0.125, "momentum": 0.5, "clipvalue": 0.5}),
    ("RMSprop", {"lr": 0.0625}),
    ("RMSprop", {"lr": 0.0625, "rho": 0.75, "epsilon": 0.0625, "decay": 0.25}),
    ("RMSprop", {"lr": 0.0625, "clipnorm": 0.5}),
    ("Adagrad", {"lr": 0.125}),
    ("Adagrad", {"lr": 0.125, "epsilon": 0.0625, "decay": 0.25, "clipvalue": 0.25}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.5, "rho": 0.75, "epsilon": 0.0625, "decay": 0.25}),
    ("Adam", {"lr": 0.0625}),
    ("Adam", {"lr": 0.0625, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.0625, "decay": 0.25}),
    ("Adam", {"lr": 0.0625, "beta_1": 0.75, "beta_2": 0.5, "amsgrad": True, "clipnorm": 1.0}),
    ("Adamax", {"lr": 0.0625}),
    ("Adamax", {"lr": 0.0625, "beta_1": 0.75, "beta_2": 0.5, "epsilon": 0.0625, "decay": 0.25}),
    ("Nadam", {"lr": 0.0625}),
    (
        "Nadam",
        {"lr": 0.0625, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.0625, "schedule_decay": 0.0078125},
    ),
)


def optimizer(name, config):
    """tf_keras's."""
    arguments = {}
    for key, value in {**DEFAULTS.get(name, {}), **config}.items():
        arguments[RENAMED.get(key, key)] = partial(np.float64, value) if key in EXACT else value
    if name == "Adagrad":
        arguments["initial_accumulator_value"] = 0.0  # Keras starts from none
    return getattr(tf_keras.optimizers.legacy, name)(**arguments)


def main():
    vectors = Vectors()
    for name, config in WAYS:
        id = f"{name}({config})"
        rng = generator(id)
        start = [normal(*shape)(rng) for shape in SHAPES]
        gradients = [normal(STEPS, *shape)(rng) for shape in SHAPES]
        parameters = [tf.Variable(array) for array in start]
        peer = optimizer(name, config)
        after = []
        for step in range(STEPS):
            peer.apply_gradients(
                [(tf.constant(g[step]), p) for g, p in zip(gradients, parameters, strict=True)]
            )
            after.append([p.numpy() for p in parameters])
        arrays = {f"x{at}": array for at, array in enumerate(start)}
        arrays |= {f"c{at}": array for at, array in enumerate(gradients)}
        arrays |= {f"y{at}": np.stack(each) for at, each in enumerate(zip(*after, strict=True))}
        # 1 - 0.999, which goes into v, is off by 1e-5 of itself in float32.
        known = "beta_2" in config or "beta_2" not in DEFAULTS.get(name, {})
        if known and set(SLOTS[name]) <= set(peer.get_slot_names()):
            state = [peer.get_slot(p, slot) for slot in SLOTS[name] for p in parameters]
            state = state if name in UNCOUNTED else [peer.iterations, *state]
            arrays |= {f"u{at}": each.numpy() for at, each in enumerate(state)}
        vectors.add(id, "optimizers", name, config, arrays)
    vectors.save(__file__)


if __name__ == "__main__":
    main()
