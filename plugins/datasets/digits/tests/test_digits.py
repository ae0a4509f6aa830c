import numpy as np

from lamina.datasets import digits


def test_every_image_is_in_one_of_the_two_parts():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1438, 8, 8) and y_train.shape == (1438,)
    assert x_test.shape == (359, 8, 8) and y_test.shape == (359,)
    assert x_train.dtype == x_test.dtype == y_train.dtype == y_test.dtype == np.uint8


def test_pixels_and_digits_are_in_range():
    (x_train, y_train), (_, y_test) = digits.load_data()
    assert x_train.min() == 0 and x_train.max() == 16
    assert set(y_train) == set(y_test) == set(range(10))


def test_the_first_image_is_a_zero():
    (x_train, y_train), _ = digits.load_data()
    assert y_train[0] == 0
    assert x_train[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_each_call_gives_arrays_of_its_own():
    (first, _), _ = digits.load_data()
    first[:] = 0
    (second, _), _ = digits.load_data()
    assert second.any()
