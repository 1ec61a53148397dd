"""Size classes: few, close above the size, and padded with zeros."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distcausal._base.shapes import pad_rows, size_class


@given(st.integers(1, 10**7))
def test_class_holds_the_count_and_wastes_at_most_half_of_it(count):
    size = size_class(count)
    assert count <= size
    assert size <= max(16, 1.5 * count)
    assert size_class(size) == size


def test_a_decade_of_sizes_needs_few_classes():
    assert len({size_class(n) for n in range(100, 1001)}) <= 8


def test_padding_appends_rows_of_zeros_and_keeps_a_full_array():
    array = np.arange(6.0).reshape(3, 2)
    padded = pad_rows(array, 5)
    np.testing.assert_array_equal(padded[:3], array)
    assert (padded[3:] == 0).all()
    assert pad_rows(array, 3) is array
