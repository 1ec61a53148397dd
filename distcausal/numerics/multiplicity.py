"""P-values adjusted for testing several hypotheses.

Whoever tests twenty true hypotheses at 5 % rejects one of them. Adjusted p-values can
be held against the level as if there were one test: stepping from the smallest upwards
for the chance of any false rejection, from the largest downwards for their share.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CORRECTIONS", "adjusted"]

CORRECTIONS = ("holm", "bonferroni", "bh", "none")


def adjusted(p_values: np.ndarray, correction: str = "holm") -> np.ndarray:
    """Adjust p-values, shape ``(test,)``; NaN stands for no test and stays.

    ``"holm"`` and ``"bonferroni"`` bound the chance of any false rejection under any
    dependence, ``"bh"`` (Benjamini and Hochberg) the expected share of false ones under
    independence, ``"none"`` leaves them as they are.
    """
    found = np.array(p_values, dtype=float)
    known = ~np.isnan(found)
    found[known] = _adjusted(found[known], correction)
    return found


def _adjusted(p_values: np.ndarray, correction: str) -> np.ndarray:
    count = len(p_values)
    if correction == "none":
        return p_values
    if correction == "bonferroni":
        return np.minimum(count * p_values, 1.0)
    order = np.argsort(p_values)
    rank = np.arange(count)
    stepped = np.empty_like(p_values)
    if correction == "bh":
        scaled = p_values[order] * count / (rank + 1)
        upwards = np.minimum.accumulate(scaled[::-1])[::-1]
    else:
        upwards = np.maximum.accumulate((count - rank) * p_values[order])
    stepped[order] = np.minimum(upwards, 1.0)
    return stepped
