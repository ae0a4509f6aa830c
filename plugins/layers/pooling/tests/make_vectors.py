"""Write vectors.npz: poolings and their gradients as PyTorch computes them, in float64.

    python plugins/layers/pooling/tests/make_vectors.py    # needs torch, which the tests do not

Each case is stored under its own number: x and g as given, y and to_x as found, in the layout of channels_last, with
the arguments as text; poolings of whole images under "max of all 2" and the like.  PyTorch knows no padding="same", so
the images are padded beforehand: with -inf for the maximum, and with zeros for sums, which are divided by sums of ones.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HOME = Path(__file__).with_name("vectors.npz")
CASES = [
    {"shape": (2, 6, 4, 3), "pool_size": (2, 2), "strides": (2, 2), "padding": "valid"},
    {"shape": (2, 5, 7, 2), "pool_size": (3, 2), "strides": (2, 3), "padding": "valid"},
    {"shape": (2, 5, 6, 2), "pool_size": (3, 3), "strides": (1, 1), "padding": "same"},
    {"shape": (2, 5, 6, 2), "pool_size": (3, 4), "strides": (2, 2), "padding": "same"},
    {"shape": (1, 4, 5, 3, 2), "pool_size": (2, 2, 2), "strides": (2, 1, 2), "padding": "same"},
    {"shape": (2, 7, 3), "pool_size": (2,), "strides": (2,), "padding": "valid"},
    {"shape": (2, 8, 3), "pool_size": (3,), "strides": (2,), "padding": "same"},
]
GLOBAL = [(2, 5, 3), (2, 4, 3, 2), (2, 3, 2, 4, 3)]


def padding_of(case):
    """What F.pad takes, the last axis first: TensorFlow's same padding has the odd one at the end."""
    pairs = []
    for size, window, stride in zip(case["shape"][1:-1], case["pool_size"], case["strides"], strict=True):
        total = max((-(-size // stride) - 1) * stride + window - size, 0) if case["padding"] == "same" else 0
        pairs.insert(0, (total // 2, total - total // 2))
    return [n for pair in pairs for n in pair]


def pool(x, case, mode):
    rank = len(case["pool_size"])
    how = case["pool_size"], case["strides"]
    if mode == "max":
        return {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[rank](
            F.pad(x, padding_of(case), value=-torch.inf), *how
        )
    mean = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[rank]
    return mean(F.pad(x, padding_of(case)), *how) / mean(F.pad(torch.ones_like(x), padding_of(case)), *how)


def pool_all(x, mode):
    rank = x.ndim - 2
    adaptive = {
        "max": {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d},
        "avg": {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d},
    }
    return adaptive[mode][rank](x, 1).flatten(1)


def numbers(rng, shape, function):
    x = torch.tensor(rng.standard_normal(shape)).movedim(-1, 1).requires_grad_()
    y = function(x)
    g = torch.tensor(rng.standard_normal(y.shape))
    (to_x,) = torch.autograd.grad((y * g).sum(), [x])
    arrays = {"x": x, "y": y, "g": g, "to_x": to_x}
    return {name: array.movedim(1, -1).detach().numpy() for name, array in arrays.items()}


def main() -> None:
    rng = np.random.default_rng(0)
    cases = [{**case, "pool_mode": mode} for case in CASES for mode in ("max", "avg")]
    found = {"cases": np.array(json.dumps(cases))}
    for number, case in enumerate(cases):
        arrays = numbers(rng, case["shape"], partial(pool, case=case, mode=case["pool_mode"]))
        found |= {f"{number}/{name}": array for name, array in arrays.items()}
    for shape in GLOBAL:
        for mode in ("max", "avg"):
            arrays = numbers(rng, shape, partial(pool_all, mode=mode))
            found |= {f"{mode} of all {len(shape) - 2}/{name}": array for name, array in arrays.items()}
    np.savez_compressed(HOME, **found)


if __name__ == "__main__":
    main()
