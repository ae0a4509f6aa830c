"""Vectors: what an independent implementation makes of given arrays, kept in a file beside the tests.

    @parametrize_vectors(Path(__file__).with_name("vectors.npz"))
    def test_numbers_are_those_of_tf_keras(vector, check):
        check(vector)

`lamina.testing.vector_file` writes such a file: {ID: (description, {KEY: array})}, with the versions of what computed
the numbers.

A description has the "kind" ("layers", "losses", "ops" ...), the "name" and the "config": the config of a layer,
optimizer, regularizer or constraint, and arguments by name for a function.  It may have "training": true for a layer in
training, "channels": the axis of the channels under channels_first, 1 unless it is said, and "rtol": how exact the
numbers are, where they come of a peer that computes in float32.

Given, counted from 0:
    x0  inputs; whole numbers where they are indices.  Of an optimizer: a parameter.
    m0  the mask of the input of that number.
    s0  initial states.
    w0  weights, in the order of get_weights; those of the layer inside for TimeDistributed.
    c0  a number for each of the output's: what is differentiated is sum(y0 * c0) + sum(y1 * c1) + ... and, if there
        is a p0, the penalties.  Of an optimizer: the gradients of a parameter, (steps, ...).
Expected, as far as they are there:
    y0  outputs.  Of an optimizer: a parameter after each step, (steps, ...).
    n0  masks of the outputs.
    p0  the sum of the layer's penalties.
    gx0, gs0, gw0  the gradients of inputs, states and trainable weights.
    u0  weights after the call in training; of an optimizer, its weights after the last step.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np

from lamina import backend as K
from lamina import config
from lamina.devices import device as on_device
from lamina.tensor import Placeholder, Tensor
from lamina.testing.case import own_arguments
from lamina.testing.failures import assert_close, assert_equal, fail
from lamina.testing.graph import fresh, function
from lamina.testing.optimizers import Training
from lamina.testing.vector_file import read
from lamina_registry import deserialize, lookup

# Of the largest number in an array.  The vectors are float64 throughout, so that only the order of sums differs.
TOLERANCES = {"float64": 1e-9, "float32": 1e-5}

_collected: list[Vector] = []


@dataclass(frozen=True, eq=False, repr=False)
class Vector:
    """One use of one thing, with the arrays given to it and what must come of them.

    id: names it in its file and in test ids.
    kind, name, config, training, channels, rtol, arrays: as the file has them.
    peer: what computed the numbers.
    custom_objects: things by the names that the config has for them, where no plugin offers them.
    """

    id: str
    kind: str
    name: str
    config: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    peer: str = ""
    training: bool = False
    channels: int = 1
    rtol: float = 0.0
    custom_objects: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<Vector {self.id}>"

    @property
    def target(self) -> Any:
        """The class or function."""
        if self.kind == "ops" and self.name not in self.custom_objects:
            return getattr(K, self.name)
        return lookup(self.kind, self.name, self.custom_objects)

    @property
    def names(self) -> set[str]:
        """The names of the thing and of all that its config describes: of a wrapped layer, of cells."""
        return {self.name, *_class_names(self.config)}

    def make(self) -> Any:
        """The thing as the config describes it; a function with its arguments."""
        if self.kind in ("layers", "optimizers", "regularizers", "constraints"):
            described = {"class_name": self.name, "config": dict(self.config)}
            return deserialize(self.kind, described, self.custom_objects)
        return functools.partial(self.target, **self.config)

    def series(self, key: str) -> list[np.ndarray]:
        """The arrays KEY0, KEY1, ..., in the float type of the moment where they hold floats."""
        found: list[np.ndarray] = []
        while f"{key}{len(found)}" in self.arrays:
            found.append(_in_type(self.arrays[f"{key}{len(found)}"]))
        return found

    def channels_first(self) -> Vector:
        """The same in channels_first: the images transposed, of inputs, outputs and their gradients."""
        axis = self.channels - self.arrays["x0"].ndim  # from the end: the same before the layer and behind it
        images = ("x0", "y0", "c0", "gx0")
        turned = {
            # What has no more axes than that is no image: the result of global pooling, say.
            key: np.moveaxis(array, -1, axis) if key in images and array.ndim > -axis else array
            for key, array in self.arrays.items()
        }
        return replace(
            self,
            id=f"{self.id}, channels_first",
            config={**self.config, "data_format": "channels_first"},
            arrays=turned,
        )


def vectors(path: str | PathLike[str], custom_objects: Mapping[str, Any] | None = None) -> list[Vector]:
    """The vectors in a file."""
    peer, found = read(path)
    return [
        Vector(name, arrays=arrays, peer=peer, custom_objects=custom_objects or {}, **description)
        for name, (description, arrays) in found.items()
    ]


def parametrize_vectors(
    path: str | PathLike[str], custom_objects: Mapping[str, Any] | None = None
) -> Callable[[Any], Any]:
    """Decorator: test(vector, check) for each vector of a file, in float64 and in float32, on each device; in
    channels_first, too, where the thing has a data_format and the config leaves it open.

    custom_objects: things by the names that the configs have for them, where no plugin offers them.
    """
    import pytest  # a dependency of tests, not of lamina-core

    from lamina.testing.collect import devices

    found = vectors(path, custom_objects)
    _collected.extend(found)
    return pytest.mark.parametrize(
        ("vector", "check"),
        [
            pytest.param(
                laid_out,
                functools.partial(_check_on, device, floatx),
                id=f"{laid_out.id}-{floatx}" + (f"-{device}" if device != "cpu" else ""),
            )
            for vector in found
            for laid_out in _layouts(vector)
            for device in devices()
            for floatx in TOLERANCES
        ],
    )


def collected_vectors() -> list[Vector]:
    """Every vector given to parametrize_vectors so far."""
    return list(_collected)


def check_vector(vector: Vector, floatx: str = "float64") -> None:
    """Everything expected comes of what is given, to 1e-9 of its largest number in float64 and to 1e-5 in float32."""
    rtol = max(TOLERANCES[floatx], vector.rtol)
    with fresh(floatx):
        met = dict(_COMPUTE.get(vector.kind, _of_function)(vector))
        expected = {key: array for key, array in vector.arrays.items() if key[0] in "ynpgu"}
        assert_equal(vector, "numbers to compare", sorted(met.keys() & expected.keys()), sorted(expected))
        for key, want in expected.items():
            array = np.asarray(met[key])
            if want.dtype.kind == "f":
                assert_equal(vector, f"dtype of {key} in {floatx}", array.dtype.name, floatx)
            atol = rtol * float(np.abs(want).max(initial=0))
            assert_close(vector, f"{key} against {vector.peer} in {floatx}", array, want, 0, atol)


def _layouts(vector: Vector) -> list[Vector]:
    takes = vector.kind in ("layers", "ops") and "data_format" in own_arguments(vector.target)
    return [vector, vector.channels_first()] if takes and "data_format" not in vector.config else [vector]


def _check_on(device: str, floatx: str, vector: Vector) -> None:
    with on_device(device):
        check_vector(vector, floatx)


# ---- what comes of it: (key, array) for everything that can be compared


def _of_layer(vector: Vector) -> Iterator[tuple[str, Any]]:
    layer = vector.make()
    xs, states = vector.series("x"), vector.series("s")
    inputs, initial = [_input(x) for x in xs], [_input(state) for state in states]
    arguments: dict[str, Any] = {"initial_state": initial} if initial else {}
    masks = [
        K.constant(vector.arrays[f"m{at}"], dtype="bool") if f"m{at}" in vector.arrays else None
        for at in range(len(xs))
    ]
    masked = any(mask is not None for mask in masks)
    if masked and "mask" in inspect.signature(layer.call).parameters:
        arguments["mask"] = _one_or_list(masks)
    outputs = _flat(layer(_one_or_list(inputs), **arguments))
    layer.set_weights(vector.series("w"))
    penalties = [_total(layer.losses)] if "p0" in vector.arrays else []
    wrt = {"gx": inputs, "gs": initial, "gw": list(layer.trainable_weights)}
    slopes = _slopes(vector, outputs, penalties, wrt)
    behind = [
        mask
        for mask in _flat(layer.compute_mask(_one_or_list(inputs), _one_or_list(masks)))
        if mask is not None
    ]
    names = [*_numbered("y", outputs), *_numbered("n", behind), *_numbered("p", penalties), *slopes]
    run = function(
        [*inputs, *initial],
        [*outputs, *behind, *penalties, *slopes.values()],
        layer.get_updates_for(_one_or_list(inputs)) if vector.training else (),
    )
    yield from zip(names, run([*xs, *states, int(vector.training)]), strict=True)
    after = layer.get_weights()
    yield from zip(_numbered("u", after), after, strict=True)


def _of_function(vector: Vector) -> Iterator[tuple[str, Any]]:
    """Of an activation, a loss, a metric, an op, a regularizer or a constraint."""
    xs = vector.series("x")
    inputs = [Placeholder(x.shape, x.dtype.name) for x in xs]
    outputs = _flat(vector.make()(*inputs))
    slopes = _slopes(vector, outputs, [], {"gx": inputs})
    found = function(inputs, [*outputs, *slopes.values()])([*xs, 0])
    yield from zip([*_numbered("y", outputs), *slopes], found, strict=True)


def _of_optimizer(vector: Vector) -> Iterator[tuple[str, Any]]:
    training = Training(vector.make(), vector.series("x"))
    after = []
    for gradients in zip(*vector.series("c"), strict=True):
        training.step(gradients)
        after.append(training.values)
    values = [np.stack(each) for each in zip(*after, strict=True)]
    yield from zip(_numbered("y", values), values, strict=True)
    state = training.optimizer.get_weights()
    yield from zip(_numbered("u", state), state, strict=True)


_COMPUTE = {"layers": _of_layer, "optimizers": _of_optimizer}


def _slopes(
    vector: Vector, outputs: Sequence[Any], penalties: Sequence[Tensor], wrt: Mapping[str, Sequence[Tensor]]
) -> dict[str, Tensor]:
    """The gradients that the vector has, by their keys."""
    wanted = {
        f"{key}{at}": tensor
        for key, tensors in wrt.items()
        for at, tensor in enumerate(tensors)
        if f"{key}{at}" in vector.arrays
    }
    if not wanted:
        return {}
    cotangents = vector.series("c")
    if len(cotangents) != len(outputs):
        fail(vector, "arrays c0, c1, ...", len(cotangents), f"{len(outputs)}, one for each output")
    loss = _total([*(K.sum(y * K.constant(c)) for y, c in zip(outputs, cotangents, strict=True)), *penalties])
    found = K.gradients(loss, list(wanted.values()))
    return {
        key: K.zeros_like(tensor) if slope is None else slope
        for (key, tensor), slope in zip(wanted.items(), found, strict=True)
    }


def _input(array: np.ndarray) -> Tensor:
    from lamina.layers import Input

    return Input(batch_shape=(None, *array.shape[1:]), dtype=array.dtype.name)


def _in_type(array: np.ndarray) -> np.ndarray:
    kinds = {"f": config.floatx(), "i": "int32"}
    return array.astype(kinds.get(array.dtype.kind, array.dtype))


def _numbered(key: str, things: Sequence[Any]) -> list[str]:
    return [f"{key}{at}" for at in range(len(things))]


def _total(terms: Sequence[Any]) -> Any:
    return functools.reduce(lambda a, b: a + b, terms)


def _one_or_list(things: list[Any]) -> Any:
    return things if len(things) > 1 else things[0]


def _flat(found: Any) -> list[Any]:
    """The tensors in an answer, one or several, in lists or not."""
    if isinstance(found, list | tuple):
        return [tensor for each in found for tensor in _flat(each)]
    return [found]


def _class_names(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for each in config:
        yield from _class_names(each)
