"""Adjusted p-values are those of statsmodels, and absent tests do not count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from distcausal.numerics.multiplicity import CORRECTIONS, adjusted

THEIRS = {"holm": "holm", "bonferroni": "bonferroni", "bh": "fdr_bh"}
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=9).map(np.array)


@pytest.mark.parametrize("correction", THEIRS)
@given(raw=p_values)
def test_adjusted_as_statsmodels_does(correction, raw):
    from statsmodels.stats.multitest import multipletests

    theirs = multipletests(raw, method=THEIRS[correction])[1]
    # products of a p-value and a count of at most nine
    assert_allclose(adjusted(raw, correction), theirs, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("correction", CORRECTIONS)
@given(raw=p_values, data=st.data())
def test_absent_tests_change_nothing(correction, raw, data):
    place = data.draw(st.integers(0, len(raw)))
    found = adjusted(np.insert(raw, place, np.nan), correction)
    assert np.isnan(found[place])
    assert_allclose(np.delete(found, place), adjusted(raw, correction), rtol=0)


@given(raw=p_values)
def test_without_correction_nothing_changes(raw):
    assert_allclose(adjusted(raw, "none"), raw, rtol=0)
