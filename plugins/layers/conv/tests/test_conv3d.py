"""Conv3D: the promises of a layer, and the facts of this one."""

import numpy as np

from lamina.layers import Conv3D, Input
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(Conv3D, {"filters": 3, "kernel_size": (2, 1, 3)}, shape=(3, 4, 4, 2)),
    Case(
        Conv3D,
        {"filters": 2, "kernel_size": 2, "strides": (1, 2, 1), "padding": "same", "activation": "tanh"},
        shape=(None, None, None, 2),
    ),
    Case(
        Conv3D,
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "kernel_regularizer": "l2", "use_bias": False},
        shape=(4, 3, 3, 1),
    ),
)
def test_conforms(case, check):
    check(case)


def test_a_window_of_ones_adds_up_its_neighbours():
    layer = Conv3D(1, 2, kernel_initializer="ones")
    x = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    assert predict(layer, x).ravel().tolist() == [28]


def test_the_kernel_has_one_layout_for_both_data_formats():
    last, first = (Conv3D(4, (1, 2, 3), data_format=f"channels_{end}") for end in ("last", "first"))
    assert last(Input((5, 6, 7, 2))).shape == (None, 5, 5, 5, 4)
    assert first(Input((2, 5, 6, 7))).shape == (None, 4, 5, 5, 5)
    assert last.kernel.shape == first.kernel.shape == (1, 2, 3, 2, 4)
