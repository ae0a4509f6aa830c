"""The conformance kit: what everything that plugs into Lamina owes it, as tests anybody can run.

    @parametrize_layers(
        Case(PReLU, shape=(5,)),
        Case(PReLU, {"shared_axes": [1, 2]}, shape=(4, 4, 3)),
    )
    def test_conforms(case, check):
        check(case)

A `Case` is one way of using one thing; a check is one promise, and runs on every device present.  The checks are the
functions check_* of `lamina.testing.common`, `.layers`, `.functions` (activations, losses, metrics, ops), `.parts`
(initializers, regularizers, constraints) and `.optimizers`; `PROMISES` says which kind makes which.

A `Vector` is one way of using one thing, with the numbers that an independent implementation found.  A file of them
becomes tests by `parametrize_vectors`; `lamina.testing.vectors` says what is in it.
"""

from lamina.testing.case import Case, classes, one_hot, probabilities, signs, uniform
from lamina.testing.collect import (
    PROMISES,
    collected,
    devices,
    parametrize_activations,
    parametrize_constraints,
    parametrize_initializers,
    parametrize_layers,
    parametrize_losses,
    parametrize_metrics,
    parametrize_ops,
    parametrize_optimizers,
    parametrize_regularizers,
)
from lamina.testing.graph import predict
from lamina.testing.vectors import Vector, collected_vectors, parametrize_vectors

__all__ = [
    "PROMISES",
    "Case",
    "Vector",
    "classes",
    "collected",
    "collected_vectors",
    "devices",
    "one_hot",
    "parametrize_activations",
    "parametrize_constraints",
    "parametrize_initializers",
    "parametrize_layers",
    "parametrize_losses",
    "parametrize_metrics",
    "parametrize_ops",
    "parametrize_optimizers",
    "parametrize_regularizers",
    "parametrize_vectors",
    "predict",
    "probabilities",
    "signs",
    "uniform",
]
