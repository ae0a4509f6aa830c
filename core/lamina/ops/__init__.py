"""Core's own ops, one file a family.  Importing this package gives tensors their operators."""

from lamina.ops import elementwise, linalg, nn, normalization, operators, random, reduction, shape

__all__ = ["elementwise", "linalg", "nn", "normalization", "operators", "random", "reduction", "shape"]
