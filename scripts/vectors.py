"""What the scripts make_vectors.py beside the tests have in common: numbers by tf_keras, in float64, in a file that
lamina.testing.parametrize_vectors makes tests of; `lamina.testing.vectors` says what is in it.

    pip install tensorflow tf_keras        # in an environment of its own: Lamina needs neither
    PYTHONPATH=scripts python plugins/layers/merge/tests/make_vectors.py

Each vector draws from a generator seeded by its id, so that one more leaves the others as they are.  What is drawn is a
whole number of 2048ths: exact in float32, where it is not the rounding of the inputs that is compared.
"""

import runpy
import zlib
from copy import deepcopy
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

ROOT = Path(__file__).resolve().parents[1]

tf_keras.backend.set_floatx("float64")


# ---- draws: functions of a generator


def normal(*shape):
    """About standard normal, and never 0 or equal by chance where it matters: an odd number of 2048ths."""
    return lambda rng: (2 * np.floor(rng.standard_normal(shape) * 1024) + 1) / 2048


def uniform(low, high, *shape):
    """Between low and high."""
    return lambda rng: (2 * np.floor(rng.uniform(low, high, shape) * 1024) + 1) / 2048


def whole(high, *shape):
    """Whole numbers from 0 to high - 1."""
    return lambda rng: rng.integers(0, high, shape).astype("int32")


def signs(*shape):
    """-1 or 1."""
    return lambda rng: rng.choice([-1.0, 1.0], shape)


def bits(*shape):
    """0 or 1."""
    return lambda rng: rng.integers(0, 2, shape).astype(float)


def one_hot(*shape):
    """Rows with one 1 and zeros."""
    return lambda rng: np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def probabilities(*shape):
    """Positive rows that add up to 1."""

    def draw(rng):
        places = rng.permuted(np.tile(np.arange(1, 64), (*shape[:-1], 1)), axis=-1)
        cuts = np.sort(places[..., : shape[-1] - 1], axis=-1)
        return np.diff(cuts, axis=-1, prepend=0, append=64) / 64

    return draw


def given(array):
    """These very numbers."""
    return lambda rng: np.asarray(array)


# ---- the vectors of a file


class Vectors:
    """The vectors of one file."""

    def __init__(self):
        self.peer = f"tf_keras {tf_keras.__version__} on tensorflow {tf.__version__}"
        self.found = {}

    def add(self, id, kind, name, config, arrays, **more):
        """A vector whose numbers are there already."""
        if id in self.found:
            raise ValueError(f"two vectors are called {id!r}")
        arrays = {key: np.asarray(array) for key, array in arrays.items()}
        self.found[id] = {"kind": kind, "name": name, "config": config, **more}, arrays
        return arrays

    def layer(
        self,
        name,
        config,
        *inputs,
        id=None,
        peer=None,
        masks=(),
        states=(),
        penalty=None,
        training=False,
        **more,
    ):
        """A layer called on inputs, each a shape or a draw.

        peer: the layer of tf_keras, or its description, where it is not the one that the config describes.
        masks: one for each input, or None.  states: initial states, each a shape or a draw.
        penalty: function of layer and output.
        """
        id = id or _called(name, config)
        rng = generator(id)
        peer = peer or {"class_name": name, "config": config}
        layer = tf_keras.layers.deserialize(deepcopy(peer)) if isinstance(peer, dict) else peer
        for sublayer in layer._flatten_layers():
            sublayer.zero_output_for_mask = False  # Keras 2.2 repeats the output before a masked step
        xs = [tf.constant(draw(rng)) for draw in map(_draw, inputs)]
        ss = [tf.constant(draw(rng)) for draw in map(_draw, states)]
        arguments = {"initial_state": ss} if ss else {}
        if any(mask is not None for mask in masks) and layer._expects_mask_arg:
            arguments["mask"] = one_or_list([None if m is None else tf.constant(m, bool) for m in masks])
        if training:
            arguments["training"] = True
        layer(one_or_list(xs), **arguments)
        owner = layer.layer if name == "TimeDistributed" else layer
        owner.set_weights([_weight(rng, weight) for weight in owner.weights])
        weights = owner.get_weights()
        with tf.GradientTape() as tape:
            floats = [x for x in xs if x.dtype.is_floating]
            tape.watch([*floats, *ss])
            ys = flat(layer(one_or_list(xs), **arguments))
            cs = [normal(*y.shape)(rng) for y in ys]
            p = penalty(layer, one_or_list(ys)) if penalty else None
            total = tf.add_n([tf.reduce_sum(y * c) for y, c in zip(ys, cs, strict=True)])
            total = total if p is None else total + p
        wrt = {"gx": floats, "gs": ss, "gw": list(layer.trainable_weights)}
        slopes = tape.gradient(total, wrt, unconnected_gradients="zero")
        arrays = {}
        for key, series in {"x": xs, "s": ss, "w": weights, "y": ys, "c": cs, **slopes}.items():
            arrays |= {f"{key}{at}": tf.convert_to_tensor(each) for at, each in enumerate(series)}
        arrays |= {f"m{at}": mask for at, mask in enumerate(masks) if mask is not None}
        if p is not None:
            arrays["p0"] = p
        if training:
            more["training"] = True
        return self.add(id, "layers", name, config, arrays, **more)

    def function(self, kind, name, *inputs, peer=None, id=None, wrt=None, rtol=None, **config):
        """A function of inputs, each a shape or a draw.

        peer: what computes it, a function of the same inputs and arguments, where that is not tf_keras's of that name.
        wrt: numbers of the inputs to differentiate for; all that hold floats when None.
        rtol: how exact the peer is, where that is not float64's.
        """
        id = id or _called(name, config)
        rng = generator(id)
        peer = peer or getattr(_HOMES[kind], name)
        xs = [tf.constant(draw(rng)) for draw in map(_draw, inputs)]
        at = [i for i, x in enumerate(xs) if x.dtype.is_floating] if wrt is None else wrt
        with tf.GradientTape() as tape:
            tape.watch([xs[i] for i in at])
            ys = flat(peer(*xs, **config))
            cs = [normal(*y.shape)(rng) if y.dtype.is_floating else None for y in ys] if at else []
            total = tf.add_n([tf.reduce_sum(y * c) for y, c in zip(ys, cs, strict=True)]) if at else None
        arrays = {f"x{i}": x for i, x in enumerate(xs)} | {f"y{i}": y for i, y in enumerate(ys)}
        if at:
            slopes = tape.gradient(total, [xs[i] for i in at], unconnected_gradients="zero")
            slopes = map(tf.convert_to_tensor, slopes)
            arrays |= {f"gx{i}": g for i, g in zip(at, slopes, strict=True)}
            arrays |= {f"c{i}": c for i, c in enumerate(cs)}
        return self.add(id, kind, name, config, arrays, **({"rtol": rtol} if rtol else {}))

    def save(self, script):
        """Write vectors.npz beside the script."""
        write = runpy.run_path(str(ROOT / "core/lamina/testing/vector_file.py"))["write"]
        write(Path(script).with_name("vectors.npz"), self.peer, self.found)


_HOMES = {
    "activations": tf_keras.activations,
    "losses": tf_keras.losses,
    "metrics": tf_keras.metrics,
    "ops": tf_keras.backend,
}


def described(class_name, **config):
    """A layer in a config."""
    return {"class_name": class_name, "config": config}


def generator(id):
    """The generator of the vector of that id."""
    return np.random.default_rng(zlib.crc32(id.encode()))


def one_or_list(things):
    """What a layer takes: a list only of several."""
    return things if len(things) > 1 else things[0]


def flat(found):
    """A list of what a layer or function answers."""
    return [y for each in found for y in flat(each)] if isinstance(found, list | tuple) else [found]


def _draw(what):
    return what if callable(what) else normal(*what)


def _weight(rng, weight):
    positive = "variance" in weight.name
    return (uniform(0.5, 1.5, *weight.shape) if positive else uniform(-1, 1, *weight.shape))(rng)


def _called(name, config):
    told = ", ".join(f"{key}={value}" for key, value in config.items())
    return f"{name}({told})"
