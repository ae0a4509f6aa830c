"""Random draws.  Each op has its own stream, seeded when the op is made (see `lamina.devices.Seed`)."""

from __future__ import annotations

import numpy as np

from lamina import config
from lamina.devices import Seed, current_device
from lamina.op import as_tensor, op
from lamina.ops.kernels import bound
from lamina.tensor import Spec, Tensor, dtype_name


def _infer_draw(shape, *, dtype, **_):
    value = shape.value if shape.value is not None else (None,) * (shape.shape[0] or 0)
    return Spec(tuple(value), dtype)


def _sizes(shape):
    return tuple(int(size) for size in shape)


def _generator(seed: Seed):
    return seed.stream(current_device()).generator


@op(infer=_infer_draw, stateful=True)
def random_uniform(xp, shape, *, low, high, dtype, seed):
    """Uniform draws from low <= x < high."""
    return (_generator(seed).random(_sizes(shape), dtype="float64") * (high - low) + low).astype(dtype)


@op(infer=_infer_draw, stateful=True)
def random_normal(xp, shape, *, mean, stddev, dtype, seed):
    """Normal draws."""
    return (_generator(seed).standard_normal(_sizes(shape), dtype="float64") * stddev + mean).astype(dtype)


@op(infer=_infer_draw, stateful=True)
def truncated_normal(xp, shape, *, mean, stddev, dtype, seed):
    """Normal draws; those further than two standard deviations from the mean are drawn again."""
    generator = _generator(seed)
    draws = generator.standard_normal(_sizes(shape), dtype="float64")
    outside = xp.abs(draws) > 2
    while outside.any():
        draws[outside] = generator.standard_normal(int(outside.sum()), dtype="float64")
        outside = xp.abs(draws) > 2
    return (draws * stddev + mean).astype(dtype)


@op(infer=_infer_draw, stateful=True)
def random_binomial(xp, shape, *, p, dtype, seed):
    """1 with probability p, else 0."""
    return (_generator(seed).random(_sizes(shape), dtype="float64") < p).astype(dtype)


def _infer_key(*, seed):
    return Spec((), "uint32")


@op(infer=_infer_key, stateful=True)
def random_key(xp, *, seed):
    """One random 32-bit number for this run: what counter-based draws (dropout) start from."""
    return xp.asarray(_generator(seed).integers(2**32, dtype="uint32"))


def _draw_kernel(step):
    """A kernel that draws into one buffer, in float64 as the definition does.  step(generator, draws, **attrs)."""

    def factory(shape, *, dtype, seed, **attrs):
        def bind(out, _):
            draws = np.empty(out.shape, "float64")

            def run():
                step(_generator(seed), draws, **attrs)
                np.copyto(out, draws, casting="unsafe")

            return run

        return bound(bind)

    return factory


@random_uniform.kernel("numpy")
@_draw_kernel
def _(generator, draws, *, low, high):
    generator.random(out=draws)
    np.multiply(draws, high - low, out=draws)
    np.add(draws, low, out=draws)


@random_normal.kernel("numpy")
@_draw_kernel
def _(generator, draws, *, mean, stddev):
    generator.standard_normal(out=draws)
    np.multiply(draws, stddev, out=draws)
    np.add(draws, mean, out=draws)


@random_binomial.kernel("numpy")
@_draw_kernel
def _(generator, draws, *, p):
    generator.random(out=draws)
    np.less(draws, p, out=draws)


for _draw in (random_uniform, random_normal, truncated_normal, random_binomial):
    _draw.vjp(lambda g, y, shape, **_: (None,))
random_key.vjp(lambda g, y, **_: ())


def draw(kind, shape, dtype=None, seed=None, **parameters) -> Tensor:
    """One of the draws above with Keras's conventions: dtype None is floatx, seed None is drawn from np.random."""
    if isinstance(shape, tuple | list) and any(
        size is None or not (isinstance(size, Tensor) or size >= 0) for size in shape
    ):
        raise ValueError(f"the sizes of a draw are 0 or more, or tensors such as K.shape(x)[0]; met {shape}")
    return kind(
        as_tensor(list(shape) if isinstance(shape, tuple | list) else shape, "int32"),
        dtype=dtype_name(dtype or config.floatx()),
        seed=Seed(seed),
        **parameters,
    )
