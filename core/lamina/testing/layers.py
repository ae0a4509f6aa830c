"""What a layer promises besides: its config, shapes, masks, weights, files, and image layouts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.engine.layer import Layer
from lamina.engine.signature import BASE
from lamina.tensor import Placeholder, Tensor
from lamina.testing.case import Case, own_arguments
from lamina.testing.common import promise, shapes_are_as_told, through_json
from lamina.testing.failures import assert_all_equal, assert_close, assert_equal, assert_finite, fail
from lamina.testing.graph import Graph, call, fresh, function, graph_of


def check_config(case: Case) -> None:
    """The config holds the name and every argument, goes through JSON, and makes a layer of that name that computes the
    same.  Of the arguments that every layer has it need not hold more: weights to start from are in no config."""
    from lamina.layers import deserialize, serialize

    with fresh():
        graph = graph_of(case)
        config = through_json(case, graph.layer.get_config())
        missing = (own_arguments(case.target) - set(BASE) | {"name"}) - config.keys()
        if missing:
            fail(case, "get_config() answers", sorted(config), f"also {', '.join(sorted(missing))}")
        again = deserialize(through_json(case, serialize(graph.layer)), custom_objects=case.custom_objects)
        assert_equal(case, "type made from the config", type(again), type(graph.layer))
        assert_equal(
            case, "config of what was made from the config", through_json(case, again.get_config()), config
        )
        copy = Graph(case, graph.inputs, call(again, graph.inputs), again)
        again.set_weights(graph.layer.get_weights())
        arrays = graph.draw()
        assert_all_equal(
            case, "output of the layer made from the config", copy.run(arrays), graph.run(arrays)
        )


def check_shape(case: Case) -> None:
    """Outputs have the shapes they announce, and those compute_output_shape tells, in training and out of it."""
    with fresh():
        graph = graph_of(case)
        shapes = [tensor.shape for tensor in graph.inputs]
        told = graph.layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0])
        told = told if isinstance(told, list) else [told]
        assert_equal(case, "outputs that compute_output_shape tells of", len(told), len(graph.outputs))
        shapes_are_as_told(graph, told, [tensor._keras_shape for tensor in graph.outputs])


def check_mask(case: Case) -> None:
    """A mask on the input is passed on, stopped or refused, as the layer declares; one that passes harms nothing."""
    with fresh():
        graph = graph_of(case)
        inputs, layer = graph.inputs, graph.layer
        masks = [Placeholder(tensor.shape[: max(1, min(2, tensor.ndim - 1))], "bool") for tensor in inputs]
        declared = case.mask or _declared(layer)
        try:
            answer = layer.compute_mask(_one_or_list(inputs), _one_or_list(masks))
        except TypeError as error:
            if declared == "refused":
                return
            fail(
                case,
                "compute_mask with a mask",
                f"TypeError: {error}",
                f"a mask that is {declared or 'taken'}",
            )
        found = answer if isinstance(answer, list) else [answer]
        if declared == "refused":
            fail(
                case,
                "compute_mask with a mask, though the layer does not support masking",
                answer,
                "a TypeError",
            )
        if declared == "stopped" and any(mask is not None for mask in found):
            fail(case, "mask behind a layer that stops it", answer, None)
        if declared == "passed":
            _passes(case, masks, found)
        for mask, output in zip(found, graph.outputs, strict=False):
            if mask is not None and (mask.dtype != "bool" or mask.ndim > output.ndim):
                fail(case, "mask of an output", mask, f"a bool tensor of at most {output.ndim} axes")
        if all(tensor.ndim > 2 for tensor in inputs):
            _runs_masked(graph)


def check_weights(case: Case) -> None:
    """Weights come back as they were set, wrong ones are refused, and trainable=False freezes them all."""
    with fresh():
        layer = graph_of(case).layer
        rng = np.random.default_rng(4)
        arrays = [
            rng.uniform(0.1, 1.0, array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
            for array in layer.get_weights()
        ]
        assert_equal(case, "number of weights", len(arrays), len(layer.weights))
        assert_equal(case, "count_params()", layer.count_params(), sum(array.size for array in arrays))
        layer.set_weights(arrays)
        assert_all_equal(case, "get_weights() after set_weights()", layer.get_weights(), arrays)
        wrong = {"one array too many": [*arrays, np.zeros(3)]}
        if arrays:
            wrong["an array of another shape"] = [np.zeros((*arrays[0].shape, 2)), *arrays[1:]]
        for what, given in wrong.items():
            try:
                layer.set_weights(given)
            except ValueError:
                assert_all_equal(
                    case, f"weights after set_weights() with {what}", layer.get_weights(), arrays
                )
            else:
                fail(case, f"set_weights() with {what}", "no error", "a ValueError")
        layer.trainable = False
        assert_equal(case, "trainable weights of a frozen layer", list(layer.trainable_weights), [])
        assert_equal(case, "other weights of a frozen layer", len(layer.non_trainable_weights), len(arrays))


def check_save(case: Case) -> None:
    """A model with the layer, saved to HDF5 and loaded again, computes the same bits."""
    from lamina.models import Model, load_model

    with fresh(), tempfile.TemporaryDirectory() as folder:
        graph = graph_of(case)
        path = str(Path(folder) / "model.h5")
        Model(_one_or_list(graph.inputs), _one_or_list(graph.outputs)).save(path)
        model = load_model(path, custom_objects=case.custom_objects, compile=False)
        loaded = Graph(case, model.inputs, model.outputs)
        arrays = graph.draw()
        assert_all_equal(case, "output of the loaded model", loaded.run(arrays), graph.run(arrays))


@promise(lambda case: case.takes("data_format"))
def check_data_format(case: Case) -> None:
    """channels_first gives on transposed images what channels_last gives on images, transposed."""
    with fresh("float64"):
        last = graph_of(case, data_format="channels_last")
        arrays = last.draw()
        axis = (
            case.channels - arrays[0].ndim
        )  # of the channels, from the end: the same before the layer and behind it
        moved = [np.ascontiguousarray(np.moveaxis(array, -1, axis)) for array in arrays]
        places = [
            Placeholder((case.batch, *array.shape[1:]), tensor.dtype)
            for array, tensor in zip(moved, last.inputs, strict=True)
        ]
        layer = case.make(data_format="channels_first")
        first = Graph(case, places, call(layer, places), layer)
        layer.set_weights(last.layer.get_weights())
        for met, expected in zip(first.run(moved), last.run(arrays), strict=True):
            if met.ndim > -axis:  # the output still has batch, space and channels
                met = np.moveaxis(met, axis, -1)
            assert_close(case, "channels_first against channels_last", met, expected, 1e-10, 1e-12)


def _declared(layer: Any) -> str | None:
    """What a layer says by supports_masking alone; None when it has a compute_mask of its own."""
    if type(layer).compute_mask is not Layer.compute_mask:
        return None
    return "passed" if layer.supports_masking else "refused"


def _passes(case: Case, masks: list[Placeholder], found: list[Any]) -> None:
    """Fail unless the masks behind the layer are those before it, in identity or in value."""
    assert_equal(case, "number of masks passed on", len(found), len(masks))
    for mask, given in zip(found, masks, strict=True):
        if mask is None:
            fail(case, "mask behind a layer that passes it", None, "the mask")
        if mask is not given:
            array = np.random.default_rng(5).integers(0, 2, [size or 3 for size in given.shape]).astype(bool)
            assert_equal(case, "mask passed on", function([given], [mask])([array, 0])[0], array)


def _runs_masked(graph: Graph) -> None:
    """Fail unless the layer, behind one that masks, gives finite outputs of the same shape."""
    layer = graph.case.make()
    masked = [_Masked()(tensor) for tensor in graph.inputs]
    behind = Graph(graph.case, graph.inputs, call(layer, masked), layer)
    layer.set_weights(graph.layer.get_weights())
    arrays = graph.draw()
    for met, plain in zip(behind.run(arrays), graph.run(arrays), strict=True):
        assert_equal(graph.case, "shape of the output behind a mask", met.shape, plain.shape)
        assert_finite(graph.case, "output behind a mask", met)


class _Masked(Layer):
    """Passes its input on, with a mask that leaves out the last step of axis 1."""

    supports_masking = True

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        return inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        ones: Any = K.ones_like(inputs[(slice(None), slice(None), *[0] * (inputs.ndim - 2))], "int32")
        steps: Any = K.shape(inputs)
        return K.cumsum(ones, axis=1) < steps[1]


def _one_or_list(tensors: Sequence[Tensor]) -> Any:
    return tensors if len(tensors) > 1 else tensors[0]
