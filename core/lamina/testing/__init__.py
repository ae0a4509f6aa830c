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

__all__ = [
    "PROMISES",
    "Case",
    "classes",
    "collected",
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
    "predict",
    "probabilities",
    "signs",
    "uniform",
]
