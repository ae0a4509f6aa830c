"""Promises that things of several kinds make: types, gradients, batches, threads, imports."""

from __future__ import annotations

import ast
import contextvars
import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend as K
from lamina.gradient import gradients
from lamina.ops import elementwise as e
from lamina.tensor import Constant, Tensor
from lamina.testing.case import Case
from lamina.testing.failures import assert_all_equal, assert_close, assert_equal, fail
from lamina.testing.graph import BATCH, Graph, concrete, fresh, graph_of

STEP = 1e-6  # of the central difference, whose own error is of the order of STEP ** 2
THREADS = 8


def promise(when: Callable[[Case], bool]) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Decorator: a check that applies to some cases only."""

    def mark(check: Callable[[Case], None]) -> Callable[[Case], None]:
        check.applies = when  # type: ignore[attr-defined]
        return check

    return mark


def takes_any_batch(case: Case) -> bool:
    """Whether the first axis of every input is a batch of any size."""
    if case.kind == "ops":
        return all(shape[:1] == (None,) for shape in case.shapes)
    return case.batch is None


def is_foreign(case: Case) -> bool:
    """Whether the target comes from a plugin rather than from core."""
    return case.home.partition(".")[0] != "lamina"


def is_float(tensor: Any) -> bool:
    """Whether it holds floats."""
    return np.dtype(tensor.dtype).kind == "f"


# ---- types


def check_dtype(case: Case) -> None:
    """float32 stays float32 and float64 stays float64, in outputs and weights; and each is as announced."""
    for floatx in ("float32", "float64"):
        with fresh(floatx):
            graph = graph_of(case)
            given = {tensor.dtype for tensor in graph.inputs if is_float(tensor)}
            for phase in graph.phases:
                for tensor, array in zip(graph.outputs, graph.run(graph.draw(), phase), strict=True):
                    assert_equal(case, f"dtype computed in {floatx}", array.dtype.name, tensor.dtype)
                    if is_float(tensor) and given <= {floatx}:
                        assert_equal(case, f"dtype of the output for {floatx} inputs", tensor.dtype, floatx)
            for weight in graph.layer.weights if graph.layer is not None else ():
                if is_float(weight):
                    assert_equal(case, f"dtype of {weight.name} under floatx {floatx}", weight.dtype, floatx)


# ---- shapes


def shapes_are_as_told(graph: Graph, *told: Sequence[Sequence[int | None]]) -> None:
    """Fail unless what is computed has the shapes of the outputs; None says nothing about an axis.

    told: lists of shapes that somebody else gave for the outputs.
    """
    batches = (1, BATCH) if any(tensor.shape[:1] == (None,) for tensor in graph.inputs) else (BATCH,)
    for phase in graph.phases:
        for batch in batches:
            arrays = graph.run(graph.draw(batch=batch), phase)
            for shapes in ([tensor.shape for tensor in graph.outputs], *told):
                for index, (shape, array) in enumerate(zip(shapes, arrays, strict=True)):
                    if not fits(array.shape, shape):
                        fail(
                            graph.case,
                            f"shape of output {index} for a batch of {batch}",
                            array.shape,
                            tuple(shape),
                        )


def fits(shape: Sequence[int], told: Sequence[int | None]) -> bool:
    """Whether a shape is what was told of it."""
    return len(shape) == len(told) and all(
        want in (None, size) for size, want in zip(shape, told, strict=True)
    )


# ---- gradients


def check_gradient(case: Case) -> None:
    """Along a random direction the gradient is the slope that central differences find, in float64: for every input
    and every trainable weight, in training and out of it."""
    with fresh("float64"):
        _gradient_agrees(_off_its_start(graph_of(case)))


def check_second_gradient(case: Case) -> None:
    """The gradient can be differentiated again, and agrees with central differences then, too."""
    with fresh("float64"):
        graph = _off_its_start(graph_of(case))
        loss = _projection(graph)
        if loss is not None:
            found = [g for g in gradients(loss, _variables(graph)) if g is not None]
            _gradient_agrees(Graph(case, graph.inputs, found, graph.layer))


def _gradient_agrees(graph: Graph) -> None:
    loss = _projection(graph)
    if loss is None:
        return
    wrt = _variables(graph)
    found = gradients(loss, wrt)
    probe = Graph(graph.case, graph.inputs, [loss, *[g for g in found if g is not None]], graph.layer)
    arrays = probe.draw()
    rng = np.random.default_rng(1)
    for phase in graph.phases:
        value, *slopes = probe.run(arrays, phase)
        for variable, g in zip(wrt, found, strict=True):
            direction = rng.standard_normal(concrete(variable.shape))
            direction /= np.linalg.norm(direction) or 1.0
            slope = 0.0 if g is None else float(np.vdot(slopes.pop(0), direction))
            ahead = _moved(probe, arrays, phase, variable, STEP * direction)
            behind = _moved(probe, arrays, phase, variable, -STEP * direction)
            # The loss is rounded in its 16th place, and the step divides what that leaves.
            atol = 1e-8 * (1 + abs(float(value)))
            what = f"gradient with respect to {variable.name}" + (" in training" if phase else "")
            assert_close(
                graph.case, f"{what}, along a direction", slope, (ahead - behind) / (2 * STEP), 1e-6, atol
            )


def _variables(graph: Graph) -> list[Tensor]:
    """What the gradient is promised for: a loss promises none with respect to the targets, which may be labels."""
    inputs = graph.inputs[1:] if graph.case.kind == "losses" else graph.inputs
    return [*[tensor for tensor in inputs if is_float(tensor)], *graph.weights]


def _off_its_start(graph: Graph) -> Graph:
    """The graph with weights moved off their initial zeros and ones, where mistakes may cancel."""
    rng = np.random.default_rng(2)
    for weight in graph.weights:
        weight.assign(weight.value + rng.uniform(-0.1, 0.1, concrete(weight.shape)))
    return graph


def _projection(graph: Graph) -> Tensor | None:
    """The sum of the outputs, each number times a random one of its own; None when no output is of floats."""
    rng = np.random.default_rng(3)
    terms: list[Any] = [
        K.sum(e.multiply(output, Constant(rng.standard_normal(value.shape), output.dtype)))
        for output, value in zip(graph.outputs, graph.run(graph.draw()), strict=True)
        if is_float(output)
    ]
    return functools.reduce(e.add, terms) if terms else None


def _moved(graph: Graph, arrays: list[np.ndarray], phase: int, variable: Any, by: np.ndarray) -> float:
    """The first output with one input or weight moved."""
    places = [index for index, tensor in enumerate(graph.inputs) if tensor is variable]
    if places:
        moved = [array + by if index in places else array for index, array in enumerate(arrays)]
        return float(graph.run(moved, phase)[0])
    before = variable.value
    variable.assign(before + by)
    try:
        return float(graph.run(arrays, phase)[0])
    finally:
        variable.assign(before)


# ---- numbers


@promise(lambda case: case.reference is not None)
def check_reference(case: Case) -> None:
    """The numbers are those of the reference, in float64."""
    with fresh("float64"):
        graph = graph_of(case)
        arrays = graph.draw()
        weights = [weight.value for weight in graph.layer.weights] if graph.layer is not None else []
        expected = case.reference(*arrays, *weights)  # type: ignore[misc]
        for met, want in zip(
            graph.run(arrays), expected if isinstance(expected, list) else [expected], strict=True
        ):
            assert_close(case, "result against the reference", met, want, case.rtol, case.rtol / 100)


# ---- batches


@promise(takes_any_batch)
def check_empty(case: Case) -> None:
    """A batch of no samples gives outputs of no samples, in training and out of it."""
    with fresh():
        graph = graph_of(case)
        for phase in graph.phases:
            for tensor, array in zip(graph.outputs, graph.run(graph.draw(batch=0), phase), strict=True):
                if not fits(array.shape, (0, *tensor.shape[1:]) if tensor.ndim else ()):
                    fail(case, "shape of the output for an empty batch", array.shape, (0, *tensor.shape[1:]))


@promise(takes_any_batch)
def check_single(case: Case) -> None:
    """A sample alone gives what it gives in a batch, outside of training."""
    with fresh("float64"):
        graph = graph_of(case)
        arrays = graph.draw()
        for alone, together in zip(
            graph.run([array[:1] for array in arrays]), graph.run(arrays), strict=True
        ):
            if together.ndim == 0:  # a metric that averages over the batch
                continue
            # Products of other shapes add in another order: a few units in the last place of float64.
            assert_close(case, "the first sample, alone", alone, together[:1], 1e-10, 1e-12)


# ---- threads


def check_threads(case: Case) -> None:
    """Eight threads that run at once, each on inputs of its own, get the bits that each gets alone."""
    with fresh():
        graph = graph_of(case)
        batches = [graph.draw(seed=seed) for seed in range(THREADS)]
        alone = [graph.run(arrays) for arrays in batches]

        start = threading.Barrier(THREADS)

        def work(at: int) -> list[list[np.ndarray]]:
            start.wait(60)
            return [graph.function([*batches[at], 0]) for _ in range(3)]

        with ThreadPoolExecutor(THREADS) as pool:
            # A thread starts without context, and the device in use is part of it.
            jobs = [pool.submit(contextvars.copy_context().run, work, at) for at in range(THREADS)]
            for job, expected in zip(jobs, alone, strict=True):
                for met in job.result():
                    assert_all_equal(case, "result in one of eight threads", met, expected)


# ---- configs


def through_json(case: Case, config: Any) -> Any:
    """The config as it comes back from a file."""
    import json

    try:
        return json.loads(json.dumps(config))
    except TypeError:
        fail(
            case,
            "the config",
            _not_plain(config),
            "plain data: numbers, strings, lists and dicts, as serialize() gives",
        )


def _not_plain(config: Any, path: str = "config") -> str:
    """Where in a config something stands that JSON does not know."""
    inner = (
        config.items()
        if isinstance(config, dict)
        else enumerate(config)
        if isinstance(config, list | tuple)
        else ()
    )
    for key, value in inner:
        found = _not_plain(value, f"{path}[{key!r}]")
        if found:
            return found
    return (
        "" if isinstance(config, dict | list | tuple | str | int | float | None) else f"{path} is {config!r}"
    )


# ---- imports


@promise(is_foreign)
def check_imports(case: Case) -> None:
    """Nothing in the plugin uses a module or name of Lamina that begins with an underscore."""
    package = sys.modules.get(case.home.partition(".")[0])
    file = Path(getattr(package, "__file__", None) or "nowhere")
    for path in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file] * file.is_file():
        for line, name in _private_uses(path):
            fail(
                case,
                f"{path}:{line} uses a private name of Lamina",
                name,
                "public names, which are kept stable",
            )


@functools.cache
def _private_uses(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple(_private_in(ast.parse(path.read_text("utf-8"))))


def _private_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _ours(alias.name):
                    modules.add(alias.asname or alias.name.partition(".")[0])
                    if _private(alias.name):
                        yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and _ours(node.module or ""):
            for alias in node.names:
                modules.add(alias.asname or alias.name)
                if _private(f"{node.module}.{alias.name}"):
                    yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr):
            base = node.value
            while isinstance(base, ast.Attribute):
                base = base.value
            # Of modules only: the names that Keras 2 puts on tensors and layers, such as x._keras_shape, stay.
            if isinstance(base, ast.Name) and base.id in modules and (base.id == "K" or base.id.islower()):
                yield node.lineno, ast.unparse(node)


def _ours(module: str) -> bool:
    return module.partition(".")[0] in ("lamina", "lamina_registry")


def _private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
