"""Sliding windows: how many there are and what they see, by hand."""

import numpy as np
import pytest

from lamina_conv.windows import Slide, counts, slides, windows


def test_valid_windows_lie_inside():
    (slide,) = slides([7], [3], [2], [1], "valid")
    assert (slide.before, slide.after, slide.count) == (0, 0, 3)


def test_the_odd_position_of_same_padding_is_at_the_end():
    (slide,) = slides([6], [3], [2], [1], "same")
    assert (slide.before, slide.after, slide.count) == (0, 1, 3)


def test_same_padding_follows_the_span_of_dilated_windows():
    (slide,) = slides([8], [3], [1], [2], "same")
    assert (slide.span, slide.before, slide.after, slide.count) == (5, 2, 2, 8)


def test_there_is_no_negative_padding():
    (slide,) = slides([5], [1], [3], [1], "same")
    assert (slide.before, slide.after, slide.count) == (0, 0, 2)


@pytest.mark.parametrize(
    ("position", "placed", "pixels"),
    [
        (0, [1, 2, 3], [1, 3, 5]),  # -1, 1, 3, 5
        (1, [0, 1, 2, 3], [0, 2, 4, 6]),
        (2, [0, 1, 2], [1, 3, 5]),  # 1, 3, 5, 7
    ],
)
def test_each_position_sees_pixels_of_the_axis_only(position, placed, pixels):
    slide = Slide(size=7, window=3, stride=2, before=1, after=1)
    which, where = slide.seen(position)
    assert np.arange(slide.count)[which].tolist() == placed
    assert np.arange(slide.size)[where].tolist() == pixels


def test_some_of_the_windows_are_counted_from_the_first_of_them():
    slide = Slide(size=7, window=3, stride=2, before=1, after=1)
    which, where = slide.seen(0, start=1, stop=3)
    assert np.arange(2)[which].tolist() == [0, 1]
    assert np.arange(7)[where].tolist() == [1, 3]


def test_a_position_that_lies_in_the_padding_alone_sees_nothing():
    slide = Slide(size=2, window=3, stride=5, before=1, after=1)
    assert slide.seen(0) == (slice(0, 0), slice(0, 0))


def test_windows_are_a_view():
    x = np.arange(10.0).reshape(1, 5, 2)
    seen = windows(np, x, slides([5], [2], [2], [2], "valid"))
    assert np.shares_memory(seen, x)
    assert seen[0, :, :, 0].tolist() == [[0, 4], [4, 8]]


def test_unknown_sizes_stay_unknown():
    assert counts([None, 5], [3, 3], [1, 1], [1, 1], "same") == (None, 5)


def test_an_axis_smaller_than_a_window_is_named_with_the_remedy():
    with pytest.raises(ValueError, match="spans 5 positions .* spatial axis 1, which has 4.*padding='same'"):
        counts([9, 4], [3, 3], [1, 1], [1, 2], "valid")


def test_an_empty_axis_has_no_windows():
    with pytest.raises(ValueError, match="spatial axis 0, which has 0"):
        counts([0], [1], [1], [1], "same")


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match="'full' is neither 'valid' nor 'same'"):
        slides([4], [2], [1], [1], "full")
