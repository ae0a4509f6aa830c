"""Write vectors.npz: convolutions and their gradients as PyTorch computes them, in float64.

    python plugins/layers/conv/tests/make_vectors.py    # needs torch, which the tests do not

Each case is stored under its own number: x, kernel, bias, g as given; y, to_x, to_kernel, to_bias as found, all in the
layout of channels_last, with the arguments as text.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HOME = Path(__file__).with_name("vectors.npz")
CASES = [
    {"shape": (2, 7, 2), "window": (3,), "filters": 3, "padding": "valid", "strides": 2, "dilation_rate": 1},
    {"shape": (2, 8, 2), "window": (3,), "filters": 2, "padding": "causal", "strides": 1, "dilation_rate": 2},
    {
        "shape": (2, 5, 6, 2),
        "window": (3, 2),
        "filters": 3,
        "padding": "valid",
        "strides": 1,
        "dilation_rate": 1,
    },
    {
        "shape": (2, 5, 6, 3),
        "window": (3, 2),
        "filters": 2,
        "padding": "same",
        "strides": 2,
        "dilation_rate": 1,
    },
    {
        "shape": (1, 7, 6, 2),
        "window": (2, 3),
        "filters": 2,
        "padding": "same",
        "strides": 1,
        "dilation_rate": 2,
    },
    {
        "shape": (2, 4, 4, 3),
        "window": (1, 1),
        "filters": 4,
        "padding": "valid",
        "strides": 1,
        "dilation_rate": 1,
    },
    {
        "shape": (1, 3, 4, 5, 2),
        "window": (2, 3, 2),
        "filters": 2,
        "padding": "same",
        "strides": 1,
        "dilation_rate": 1,
    },
    {
        "shape": (1, 4, 4, 5, 1),
        "window": (2, 2, 3),
        "filters": 2,
        "padding": "valid",
        "strides": 2,
        "dilation_rate": 1,
    },
]


def padding_of(case):
    """What F.pad takes, the last axis first: TensorFlow's same padding has the odd one at the end."""
    pairs = []
    for size, window in zip(case["shape"][1:-1], case["window"], strict=True):
        reach = (window - 1) * case["dilation_rate"]
        total = {
            "valid": 0,
            "causal": reach,
            "same": max((-(-size // case["strides"]) - 1) * case["strides"] + reach + 1 - size, 0),
        }[case["padding"]]
        pairs.insert(0, (total, 0) if case["padding"] == "causal" else (total // 2, total - total // 2))
    return [n for pair in pairs for n in pair]


def main() -> None:
    rng = np.random.default_rng(0)
    found = {"cases": np.array(json.dumps(CASES))}
    for number, case in enumerate(CASES):
        rank = len(case["window"])
        x = torch.tensor(rng.standard_normal(case["shape"])).movedim(-1, 1).requires_grad_()
        kernel = rng.standard_normal((*case["window"], case["shape"][-1], case["filters"]))
        kernel = torch.tensor(kernel).movedim((-1, -2), (0, 1)).requires_grad_()
        bias = torch.tensor(rng.standard_normal(case["filters"])).requires_grad_()
        convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
        padded = F.pad(x, padding_of(case))
        y = convolve(padded, kernel, bias, stride=case["strides"], dilation=case["dilation_rate"])
        g = torch.tensor(rng.standard_normal(y.shape))
        to_x, to_kernel, to_bias = torch.autograd.grad((y * g).sum(), [x, kernel, bias])
        images = {"x": x, "y": y, "g": g, "to_x": to_x}
        kernels = {"kernel": kernel, "to_kernel": to_kernel}
        arrays = {
            **{name: image.movedim(1, -1) for name, image in images.items()},
            **{name: array.movedim((0, 1), (-1, -2)) for name, array in kernels.items()},
            "bias": bias,
            "to_bias": to_bias,
        }
        found |= {f"{number}/{name}": array.detach().numpy() for name, array in arrays.items()}
    np.savez_compressed(HOME, **found)


if __name__ == "__main__":
    main()
