"""K.local_conv1d, K.local_conv2d and the ops below them."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.evaluate import evaluate
from lamina.gradient import gradients
from lamina.tensor import Placeholder
from lamina.testing import Case, parametrize_ops
from lamina_local import matmul
from lamina_local.functions import local_conv1d, local_conv2d
from lamina_local.local_conv import local_conv


def by_loops(x, kernel, *, window, strides, data_format="channels_last"):
    """Window by window, as the formula says it."""
    first = data_format == "channels_first"
    sizes = x.shape[2:] if first else x.shape[1:-1]
    counts = [
        (size - length) // stride + 1 for size, length, stride in zip(sizes, window, strides, strict=True)
    ]
    rows = []
    for p, place in enumerate(itertools.product(*map(range, counts))):
        inside = tuple(slice(i * s, i * s + w) for i, s, w in zip(place, strides, window, strict=True))
        patch = x[(slice(None), slice(None), *inside) if first else (slice(None), *inside)]
        rows.append(patch.reshape(len(x), -1) @ kernel[p])
    y = np.stack(rows, -2).reshape(len(x), *counts, kernel.shape[-1])
    return np.moveaxis(y, -1, 1) if first else y


@parametrize_ops(
    Case(
        local_conv1d,
        {"kernel_size": (3,), "strides": (1,)},
        shape=[(None, 6, 2), (4, 6, 3)],
        reference=lambda x, kernel: by_loops(x, kernel, window=(3,), strides=(1,)),
    ),
    Case(
        local_conv1d,
        {"kernel_size": (2,), "strides": (3,), "data_format": "channels_first"},
        shape=[(None, 3, 9), (3, 6, 2)],
        reference=lambda x, kernel: by_loops(
            x, kernel, window=(2,), strides=(3,), data_format="channels_first"
        ),
    ),
    Case(local_conv1d, {"kernel_size": (3,), "strides": (2,)}, shape=[(None, None, 2), (2, 6, 3)]),
    Case(
        local_conv2d,
        {"kernel_size": (2, 3), "strides": (2, 1), "output_shape": (2, 3)},
        shape=[(None, 5, 5, 2), (6, 12, 3)],
        reference=lambda x, kernel: by_loops(x, kernel, window=(2, 3), strides=(2, 1)),
    ),
    Case(
        local_conv2d,
        {"kernel_size": (2, 2), "strides": (1, 1), "output_shape": (3, 2), "data_format": "channels_first"},
        shape=[(None, 2, 4, 3), (6, 8, 3)],
        reference=lambda x, kernel: by_loops(
            x, kernel, window=(2, 2), strides=(1, 1), data_format="channels_first"
        ),
    ),
    Case(
        local_conv,
        {"window": (1, 2, 1), "strides": (1, 1, 2), "counts": (2, 2, 1), "data_format": "channels_last"},
        shape=[(None, 2, 3, 2, 2), (4, 4, 2)],
        reference=lambda x, kernel: by_loops(x, kernel, window=(1, 2, 1), strides=(1, 1, 2)),
    ),
)
def test_conforms(case, check):
    check(case)


WAYS = [
    # sizes, window, strides
    ((9,), (3,), (1,)),
    ((9,), (2,), (3,)),
    ((7,), (1,), (1,)),
    ((6, 5), (2, 3), (2, 1)),
    ((4, 6), (4, 1), (1, 2)),
    ((3, 4, 3), (2, 2, 1), (1, 2, 1)),
]


@pytest.mark.parametrize("block", [1, 400, matmul.BLOCK], ids=["one by one", "some blocks", "one block"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("sizes", "window", "strides"), WAYS)
def test_kernels_and_their_gradients_are_the_definitions(
    sizes, window, strides, data_format, channels, block, monkeypatch
):
    monkeypatch.setattr(matmul, "BLOCK", block)
    counts = tuple((n - w) // s + 1 for n, w, s in zip(sizes, window, strides, strict=True))
    rng = np.random.default_rng(0)
    shape = (2, channels, *sizes) if data_format == "channels_first" else (2, *sizes, channels)
    x = rng.standard_normal(shape)
    weights = rng.standard_normal((np.prod(counts), np.prod(window) * channels, 3))
    inputs = [Placeholder(array.shape, "float64") for array in (x, weights)]
    attrs = {"window": window, "strides": strides, "counts": counts, "data_format": data_format}
    y = local_conv(*inputs, **attrs)
    outputs = [y, *gradients(K.sum(K.square(y)), inputs)]
    f = K.function(inputs, outputs)
    plan = [line for line in f.explain([x.shape, weights.shape]).splitlines() if "local_conv" in line]
    assert len(plan) == 3 and all("numpy" in line for line in plan)
    plain = evaluate(outputs, dict(zip(inputs, [x, weights], strict=True)))
    for met, expected in zip(f([x, weights]), plain, strict=True):
        assert_allclose(met, expected, rtol=1e-12, atol=1e-12)
    assert_allclose(plain[0], by_loops(x, weights, window=window, strides=strides, data_format=data_format))
