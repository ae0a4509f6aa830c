"""Core's own ops, one file a family.  Importing this package gives tensors their operators."""

from lamina.ops import (
    control,
    crossentropy,
    dropout,
    elementwise,
    joining,
    linalg,
    normalization,
    operators,
    positions,
    random,
    reduction,
    shape,
    slices,
)

__all__ = [
    "control",
    "crossentropy",
    "dropout",
    "elementwise",
    "joining",
    "linalg",
    "normalization",
    "operators",
    "positions",
    "random",
    "reduction",
    "shape",
    "slices",
]
