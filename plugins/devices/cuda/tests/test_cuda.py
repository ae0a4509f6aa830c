"""The CUDA device: where a GPU is, everything agrees with the CPU; where none is, the reason is told."""

import numpy as np
import pytest

import lamina
import lamina.ops
from lamina.devices import get_device
from lamina.function import Function
from lamina.gradient import gradients
from lamina.ops import crossentropy, dropout, joining, reduction
from lamina.ops import elementwise as e
from lamina.ops import shape as s
from lamina.ops.linalg import matmul
from lamina.tensor import Placeholder, Variable
from lamina_cuda.device import unavailable

needs_gpu = pytest.mark.skipif(unavailable() is not None, reason=f"no GPU: {unavailable()}")


@pytest.mark.skipif(unavailable() is None, reason="a GPU is present")
def test_without_a_gpu_the_device_says_why():
    with pytest.raises(RuntimeError, match=r"CuPy|CUDA|GPU"):
        get_device("cuda")


def functions():
    """(name, function of one float tensor) for every kind of step."""
    yield "chain", lambda x: e.tanh(x * 2 + 1) * e.sigmoid(x) - e.square(x)
    yield "select", lambda x: e.where(e.greater(x, 0), x, x * 0.1)
    yield "maximum", lambda x: e.maximum(x, 0.5) + e.minimum(x, -0.5) + e.clip(x, low=-1.0, high=1.0)
    yield "elu", lambda x: e.elu(x, alpha=0.5) + e.softplus(x) + e.hard_sigmoid(x)
    yield "cast", lambda x: e.cast(e.cast(x * 10, dtype="int32"), dtype="float32") / 4
    yield (
        "power",
        lambda x: e.power(e.absolute(x) + 1, 2.5) + e.log(e.absolute(x) + 1) + e.sqrt(e.absolute(x) + 1),
    )
    yield "softmax", lambda x: crossentropy.softmax(x)
    yield "sum", lambda x: reduction.sum_(x, axis=0) + reduction.max_(x, axis=1, keepdims=True)
    yield (
        "views",
        lambda x: joining.concatenate(x[:, ::-1], s.transpose(x[:4, :4], axes=(1, 0))[:1] * x[:, :4]),
    )
    yield "product", lambda x: matmul(x, s.transpose(x, axes=(1, 0)))


def once(build, array):
    x = Placeholder((None, 6))
    y = build(x)
    (g,) = gradients(reduction.sum_(y * y), [x])
    outputs = [y] if g is None else [y, g]
    return Function([x], outputs)([array])


@needs_gpu
@pytest.mark.parametrize(("name", "build"), list(functions()), ids=[name for name, _ in functions()])
def test_the_gpu_computes_what_the_cpu_does(name, build):
    array = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    expected = once(build, array)
    with lamina.device("cuda"):
        found = once(build, array)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def train(steps=20):
    rng = np.random.default_rng(0)
    x, t = Placeholder((None, 12)), Placeholder((None, 4))
    weights = [Variable(rng.normal(size=size) * 0.3) for size in [(12, 16), (16,), (16, 4), (4,)]]
    output = crossentropy.softmax(matmul(e.relu(matmul(x, weights[0]) + weights[1]), weights[2]) + weights[3])
    loss = reduction.mean(crossentropy.categorical_crossentropy(output, t, epsilon=1e-7))
    updates = []
    for weight, g in zip(weights, gradients(loss, weights), strict=True):
        slot = Variable(np.zeros(weight.shape))
        velocity = slot * 0.9 - g * 0.1
        updates += [(slot, velocity), (weight, weight + velocity)]
    function = Function([x, t], [loss], updates)
    arrays = [rng.normal(size=(32, 12)), np.eye(4)[rng.integers(0, 4, 32)]]
    return [float(function(arrays)[0]) for _ in range(steps)], [weight.value for weight in weights]


@needs_gpu
def test_training_on_the_gpu_follows_training_on_the_cpu():
    losses, weights = train()
    with lamina.device("cuda"):
        gpu_losses, gpu_weights = train()
    np.testing.assert_allclose(gpu_losses, losses, rtol=1e-4)
    for a, b in zip(gpu_weights, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@needs_gpu
def test_dropout_draws_the_same_elements_on_every_device_for_one_key():
    from lamina.tensor import Constant

    x = Placeholder((None, 33))
    y = dropout._dropout(x, Constant(np.uint32(1234)), rate=0.3, noise_shape=None)
    array = np.ones((17, 33), "float32")
    (expected,) = Function([x], [y])([array])
    with lamina.device("cuda"):
        (found,) = Function([x], [y])([array])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@needs_gpu
def test_random_draws_repeat_under_a_seed():
    from lamina.ops.random import draw, random_normal

    with lamina.device("cuda"):
        a, b = (draw(random_normal, (1000,), seed=3, mean=1.0, stddev=2.0).eval() for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert abs(a.mean() - 1) < 0.3 and abs(a.std() - 2) < 0.3
