"""What functions of tensors promise besides: activations, losses and metrics, and ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend as K
from lamina.devices import current_device
from lamina.evaluate import evaluate
from lamina.gradient import gradients
from lamina.op import Op
from lamina.providers import providers_for
from lamina.tensor import Spec
from lamina.testing.case import Case, one_hot
from lamina.testing.common import promise, shapes_are_as_told, through_json
from lamina.testing.failures import assert_close, assert_equal, assert_finite, fail
from lamina.testing.graph import Graph, fresh, graph_of
from lamina_registry import deserialize, serialize


def check_name(case: Case) -> None:
    """The name that stands for the function in a config leads back to it."""
    name = through_json(case, serialize(case.kind, case.target))
    found = deserialize(case.kind, name, case.custom_objects)
    assert_equal(case, f"what {name!r} in a config leads to", found, case.target)


# ---- shapes


def check_shape(case: Case) -> None:
    """What is computed has the shape that was announced, whether sizes were known beforehand or not."""
    with fresh():
        graph = graph_of(case)
        shapes_are_as_told(graph)
        if case.kind == "activations":
            arrays = graph.draw()
            assert_equal(case, "shape of the output", graph.run(arrays)[0].shape, arrays[0].shape)


def check_reduction(case: Case) -> None:
    """There is one number for each sample, or for each position but the last axis; a metric may also answer one."""
    with fresh():
        graph = graph_of(case)
        shapes_are_as_told(graph)
        arrays = graph.draw()
        met = graph.run(arrays)[0].shape
        if met != arrays[1].shape[:-1] and not (case.kind == "metrics" and met == ()):
            fail(case, f"shape for predictions of shape {arrays[1].shape}", met, arrays[1].shape[:-1])


# ---- extreme inputs


def check_extremes(case: Case) -> None:
    """An activation of -1e4, 0 and 1e4 is finite, and so is its gradient."""
    with fresh():
        graph = graph_of(case)
        for filled in (-1e4, 0.0, 1e4):
            arrays = [np.full_like(array, filled) for array in graph.draw()]
            _stays_finite(graph, arrays, f"where every input is {filled:g}")


def check_finite(case: Case) -> None:
    """A loss is finite, and so is its gradient, where predictions are exactly 0 and 1, and where all targets are 0."""
    with fresh():
        graph = graph_of(case)
        target, prediction = graph.draw()
        corner = one_hot(np.random.default_rng(6), prediction.shape).astype(prediction.dtype)
        _stays_finite(graph, [target, corner], "where predictions are 0 and 1")
        _stays_finite(graph, [np.zeros_like(target), prediction], "where targets are 0")


def _stays_finite(graph: Graph, arrays: list[np.ndarray], where: str) -> None:
    found = gradients(K.sum(graph.outputs[0]), graph.inputs[-1:])
    probe = Graph(graph.case, graph.inputs, [graph.outputs[0], *[g for g in found if g is not None]])
    for what, array in zip(("result", "gradient"), probe.run(arrays), strict=False):
        assert_finite(graph.case, f"{what} {where}", array)


# ---- executions of an op


def check_plan(case: Case) -> None:
    """The op as planned, with kernels and fusion, agrees with its definition evaluated plainly."""
    for floatx, rtol in (("float32", 1e-5), ("float64", 1e-12)):
        with fresh(floatx):
            graph = graph_of(case)
            arrays = graph.draw()
            current_device().reseed(0)
            plain = evaluate(graph.outputs, dict(zip(graph.inputs, arrays, strict=True)))
            for met, expected in zip(graph.run(arrays), plain, strict=True):
                assert_close(case, f"plan against definition in {floatx}", met, expected, rtol, rtol / 10)


@promise(lambda case: isinstance(case.target, Op))
def check_kernels(case: Case) -> None:
    """Every faster kernel of the op that this machine can run agrees with the definition."""
    op: Op = case.target
    attrs = {**op.attributes, **case.arguments}
    device = current_device()
    for floatx, rtol in (("float32", 1e-5), ("float64", 1e-12)):
        with fresh(floatx):
            graph = Graph(case, op.convert(graph_of(case).inputs), [])
            arrays = [device.to_device(array) for array in graph.draw()]
            specs = [Spec(array.shape, array.dtype.name) for array in arrays]
            for provider in providers_for(device):
                run = op.kernels[provider](*specs, **attrs) if provider in op.kernels else None
                if run is None:
                    continue
                expected = _several(op.define(device.xp, *arrays, **attrs))
                outs = [device.xp.empty(array.shape, array.dtype) for array in expected]
                out = outs[0] if len(outs) == 1 else tuple(outs)
                bind = getattr(run, "bind", None)
                bind(out, *arrays)() if bind else run(out, *arrays)
                for met, want in zip(outs, expected, strict=True):
                    what = f"kernel {provider!r} against definition in {floatx}"
                    assert_close(case, what, device.to_host(met), device.to_host(want), rtol, rtol / 10)


def _several(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]
