"""Cases: one way of using one thing, and the arrays to use it with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lamina import config
from lamina_registry import catalog

Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One way of using one thing.

    target: the class, function or op.
    config: arguments of the constructor, or attributes of an op; a function that answers them where every use needs
        new ones, such as a layer to wrap.
    shape: of an input, without the batch axis, for layers, activations, losses and metrics; whole for all others.
        None is a size that is not known beforehand.  A list of shapes for several inputs.  A loss or metric has
        two inputs, y_true and y_pred, of one shape unless there is a list.
    batch: the batch size, for a layer that must know it (stateful=True); any otherwise.
    dtype: of the inputs, "int32" where they are indices; the float type when None.  A list for several inputs.
    low, high: the inputs are drawn from low <= x < high.
    values: draws the inputs instead: values(generator, shape) answers an array.  A list for several inputs.
        `one_hot`, `probabilities`, `signs` and `classes(n)` are such functions.
    mask: what becomes of a mask on the input: it is "passed" on, "stopped" (the output has none) or "refused"
        with an error.  When None it follows from supports_masking, unless the layer has its own compute_mask.
    channels: axis of the channels where data_format="channels_first", the batch axis counted.
    reference: what the numbers must be, as a NumPy function: of the inputs and then the weights for a layer; of
        (y_true, y_pred) for a loss or metric; of the array for a regularizer or constraint; of (parameter,
        gradients), answering the parameter after all of them, for an optimizer.
    rtol: how far from the reference the numbers may be, relatively, in float64.
    steps: batches that an optimizer may take on the way down a parabola.
    fails: checks known to fail, with the reason: {"check_empty": "the mean of nothing"}.  One that passes all the
        same is an error.
    id: names the case in test ids.
    kind: "layers", "ops" and so on; parametrize_* sets it.
    """

    target: Any
    config: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    shape: Any = (4,)
    batch: int | None = None
    dtype: Any = None
    low: float = -1.0
    high: float = 1.0
    values: Any = None
    mask: Literal["passed", "stopped", "refused"] | None = None
    channels: int = 1
    reference: Callable[..., Any] | None = None
    rtol: float = 1e-7
    steps: int = 200
    fails: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    kind: str = ""

    def __str__(self) -> str:
        if self.id:
            return self.id
        given = {} if callable(self.config) else self.config
        shapes = self.shape if isinstance(self.shape, list) else [self.shape]
        arguments = ", ".join(f"{name}={_brief(value)}" for name, value in given.items())
        return f"{name_of(self.target)}({arguments}) on {' and '.join(map(str, shapes))}"

    def __repr__(self) -> str:
        return f"<Case {self}>"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments the target is made with, made anew where they must be."""
        return dict(self.config() if callable(self.config) else self.config)

    def make(self, **more: Any) -> Any:
        """What the target makes of the arguments."""
        return self.target(**{**self.arguments, **more})

    def takes(self, argument: str) -> bool:
        """Whether the target declares the argument."""
        return argument in own_arguments(self.target)

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """The shape of each input."""
        inputs = 2 if self.kind in ("losses", "metrics") else 1
        return [
            tuple(shape) for shape in (self.shape if isinstance(self.shape, list) else [self.shape] * inputs)
        ]

    @property
    def dtypes(self) -> list[str]:
        """The dtype of each input."""
        given = self.dtype if isinstance(self.dtype, list) else [self.dtype] * len(self.shapes)
        return [dtype or config.floatx() for dtype in given]

    def draw(
        self, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str], seed: int = 0
    ) -> list[np.ndarray]:
        """Arrays of these shapes and dtypes for the inputs; the same for the same seed."""
        rng = np.random.default_rng(seed)
        draws = (
            self.values
            if isinstance(self.values, list)
            else [self.values or uniform(self.low, self.high)] * len(shapes)
        )
        found = []
        for draw, shape, dtype in zip(draws, shapes, dtypes, strict=True):
            array = np.asarray(draw(rng, shape))
            if array.shape != tuple(shape):
                raise ValueError(
                    f"{self}: values() answered shape {array.shape} when asked for {tuple(shape)}"
                )
            found.append((np.floor(array) if np.dtype(dtype).kind in "iu" else array).astype(dtype))
        return found

    @property
    def custom_objects(self) -> dict[str, Any]:
        """What a file must be told to find the target: nothing when a plugin offers it."""
        if catalog().offer_of(self.kind, self.target) is not None:
            return {}
        return {name_of(self.target): self.target}

    @property
    def home(self) -> str:
        """The module the target is defined in."""
        return str(getattr(self.target, "define", self.target).__module__)


def uniform(low: float, high: float) -> Draw:
    """Draws from low <= x < high."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws positive numbers whose sum along the last axis is 1."""
    drawn = rng.uniform(0.1, 1.0, shape)
    return drawn / drawn.sum(-1, keepdims=True)


def one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws rows with a 1 at a random place of the last axis and 0 elsewhere."""
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws -1 or 1."""
    return rng.choice([-1.0, 1.0], shape)


def classes(n: int) -> Draw:
    """Draws whole numbers from 0 to n - 1."""
    return lambda rng, shape: rng.integers(0, n, shape)


def name_of(thing: Any) -> str:
    """The name a class, function or op goes by."""
    return str(getattr(thing, "__name__", None) or type(thing).__name__)


def own_arguments(target: Any) -> set[str]:
    """The arguments that a constructor or function declares by name."""
    # Of __init__, not of the class: some releases of Python answer the signature of an inherited __new__ for that.
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"self"}


def _brief(value: Any) -> str:
    text = (
        repr(value)
        if isinstance(value, bool | int | float | str | list | tuple | dict | None)
        else name_of(value)
    )
    return text if len(text) <= 40 else text[:37] + "..."
