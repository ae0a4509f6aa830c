import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import regularizers
from lamina.regularizers import L1L2, l1, l1_l2, l2
from lamina.testing import Case, parametrize_regularizers


@parametrize_regularizers(
    Case(L1L2, {"l1": 0.5}, shape=(3, 4), reference=lambda x: 0.5 * abs(x).sum()),
    Case(L1L2, {"l2": 0.25}, shape=(3, 4), reference=lambda x: 0.25 * (x * x).sum()),
    Case(L1L2, {"l1": 0.1, "l2": 0.2}, shape=(4,), reference=lambda x: (0.1 * abs(x) + 0.2 * x * x).sum()),
    Case(l1, shape=(3,)),
    Case(l2, shape=(3,)),
    Case(l1_l2, shape=(3,)),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(
    # 1 + 2 = 3 and 1 + 4 = 5, times 0.01.
    ("name", "penalty"),
    [("l1", 0.03), ("l2", 0.05), ("l1_l2", 0.08)],
)
def test_names_stand_for_factors_of_one_hundredth(name, penalty):
    assert_allclose(K.eval(regularizers.get(name)(K.constant([1.0, -2.0]))), penalty, rtol=1e-6)


def test_keras_writes_all_of_them_as_l1l2():
    assert regularizers.serialize(l2(0.5)) == {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}


def test_none_is_none():
    assert regularizers.get(None) is None
