import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import constraints
from lamina.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from lamina.testing import Case, parametrize_constraints


def length(w, axis=0):
    return np.sqrt((w * w).sum(axis, keepdims=True))


@parametrize_constraints(
    Case(
        MaxNorm,
        {"max_value": 0.7},
        shape=(3, 4),
        reference=lambda w: w * np.minimum(length(w), 0.7) / (1e-7 + length(w)),
    ),
    Case(MaxNorm, {"max_value": 0.7, "axis": [0, 1, 2]}, shape=(2, 2, 3, 4)),
    Case(
        MinMaxNorm,
        {"min_value": 0.8, "max_value": 0.9},
        shape=(3, 4),
        reference=lambda w: w * np.clip(length(w), 0.8, 0.9) / (1e-7 + length(w)),
    ),
    Case(
        MinMaxNorm,
        {"min_value": 0.8, "max_value": 0.9, "rate": 0.5, "axis": 1},
        shape=(3, 4),
        reference=lambda w: (
            w * (0.5 * np.clip(length(w, 1), 0.8, 0.9) + 0.5 * length(w, 1)) / (1e-7 + length(w, 1))
        ),
        fails={"check_projection": "a rate below 1 goes part of the way"},
    ),
    Case(NonNeg, shape=(3, 4), reference=lambda w: np.maximum(w, 0)),
    Case(UnitNorm, shape=(3, 4), reference=lambda w: w / (1e-7 + length(w))),
    Case(UnitNorm, {"axis": 1}, shape=(3, 4)),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("max_norm", MaxNorm), ("maxnorm", MaxNorm), ("min_max_norm", MinMaxNorm), ("non_neg", NonNeg),
        ("nonneg", NonNeg), ("unit_norm", UnitNorm), ("unitnorm", UnitNorm),
    ],
)  # fmt: skip
def test_names_in_lower_case_are_the_classes(name, cls):
    assert isinstance(constraints.get(name), cls)


def test_a_column_that_is_too_long_is_shortened():
    # Columns (3, 4) of length 5 and (0, 1) of length 1.
    w = K.constant([[3.0, 0.0], [4.0, 1.0]])
    assert_allclose(K.eval(constraints.max_norm(2.5)(w)), [[1.5, 0.0], [2.0, 1.0]], rtol=1e-6)
    assert_allclose(K.eval(constraints.unit_norm()(w)), [[0.6, 0.0], [0.8, 1.0]], rtol=1e-6)


def test_configs_are_those_of_keras():
    assert MaxNorm(3.0, axis=1).get_config() == {"max_value": 3.0, "axis": 1}
    assert list(MinMaxNorm().get_config()) == ["min_value", "max_value", "rate", "axis"]
    assert NonNeg().get_config() == {}
