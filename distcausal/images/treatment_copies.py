"""Covariates that are the treatment in disguise, found before they are used.

A regression on a column that contains the treatment explains the effect away. Such
columns come with real data (a contract's date, a dose, a question asked of the treated
alone), so each is looked for in the ways they arise: an affine copy, missing in exactly
one arm, the treatment times another column, one value in one arm and many in the other,
or a sum with other columns that gives the treatment back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distcausal.errors import DataError, DataWarning, listing, warn_user

__all__ = ["check_covariates"]

_EXACT = 1e-9  # relative to a column's spread
_STRONG = 0.3
_LEAST = 5  # units of an arm before being constant there is held against a column


def check_covariates(
    covariates: np.ndarray,
    treatment: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    experiment: bool = True,
) -> None:
    """Refuse covariates equal to the treatment or built from it.

    Parameters
    ----------
    covariates
        Shape ``(unit, covariate)``; missing values may be NaN.
    treatment
        0 or 1, shape ``(unit,)``.
    names
        Names of the covariates; their places if None.
    experiment
        Whether the treatment was randomised, so that strong correlation with a
        covariate is a surprise worth a warning.

    Raises
    ------
    DataError
        Naming every such column and how it contains the treatment.

    Warns
    -----
    DataWarning
        In an experiment, if a covariate's correlation with the treatment exceeds 0.3
        in absolute value.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.images.treatment_copies import check_covariates
    >>> w = np.tile([0, 1], 10)
    >>> check_covariates(np.column_stack([np.arange(20), 3 - w]), w, ["age", "paid"])
    Traceback (most recent call last):
    ...
    distcausal.errors.DataError: covariates may not contain the treatment: paid (an
    affine copy). Leave these columns out.
    """
    treated = treatment == 1
    known = names or [str(place) for place in range(covariates.shape[1])]
    found = {}
    for place, column in enumerate(covariates.T):
        others = np.delete(covariates, place, axis=1)
        reason = _disguise(column, others, treated)
        if reason:
            found[place] = reason
    if not found:
        found = dict.fromkeys(_sum(covariates, treated), "with others it adds up to it")
    if found:
        shown = listing(f"{known[place]} ({why})" for place, why in found.items())
        raise DataError(
            f"covariates may not contain the treatment: {shown}. Leave these columns "
            "out."
        )
    if experiment:
        _warn_strong(covariates, treated, known)


def _disguise(column: np.ndarray, others: np.ndarray, treated: np.ndarray) -> str:
    """How one column gives the treatment away; empty if it does not."""
    missing = np.isnan(column)
    if missing.any() and (
        np.array_equal(missing, treated) or np.array_equal(missing, ~treated)
    ):
        return "missing in exactly one arm"
    arms = [column[arm & ~missing] for arm in (~treated, treated)]
    spread = np.ptp(column[~missing]) if not missing.all() else 0.0
    if spread == 0 or min(map(len, arms)) == 0:
        return ""
    still = [np.ptp(arm) <= _EXACT * spread for arm in arms]
    if all(still):
        return "an affine copy"
    if not any(still):
        return ""
    varying = arms[int(still[0])]
    where = (treated if still[0] else ~treated) & ~missing
    if any(_affine(other[where], varying) for other in others.T):
        return "the treatment times another column"
    # A rare trait may be absent from one arm by chance; a measurement may not.
    most = np.unique(varying, return_counts=True)[1].max()
    fixed = arms[1 - int(still[0])]
    if len(fixed) >= _LEAST and len(varying) >= _LEAST and most <= len(varying) / 2:
        return "one value in one arm, many in the other"
    return ""


def _affine(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a column is another one but for unit and origin."""
    if len(one) < 3 or np.isnan(one).any():
        return False
    a, b = one - one.mean(), other - other.mean()
    if not (a @ a > 0 and b @ b > 0):
        return False
    rest = b - (a @ b) / (a @ a) * a
    return bool(rest @ rest <= _EXACT**2 * (b @ b))


def _sum(covariates: np.ndarray, treated: np.ndarray) -> list[int]:
    """Columns that together give the treatment back exactly."""
    complete = ~np.isnan(covariates).any(axis=1)
    rows, arm = covariates[complete], treated[complete].astype(float)
    # With hardly more units than columns a perfect fit is no evidence.
    if len(rows) < 2 * covariates.shape[1] + 2 or np.ptp(arm) == 0:
        return []
    arm = arm - arm.mean()
    columns = rows - rows.mean(axis=0)
    size = np.sqrt((columns**2).sum(axis=0))
    columns = columns / np.where(size > 0, size, 1.0)
    coef = np.linalg.lstsq(columns, arm, rcond=_EXACT)[0]
    rest = arm - columns @ coef
    if rest @ rest > _EXACT**2 * (arm @ arm):
        return []
    return [int(place) for place in np.flatnonzero(np.abs(coef) > 1e-6)]


def _warn_strong(
    covariates: np.ndarray, treated: np.ndarray, names: Sequence[str]
) -> None:
    strong = []
    for name, column in zip(names, covariates.T, strict=True):
        there = ~np.isnan(column)
        arm, values = treated[there].astype(float), column[there]
        if len(values) < 3 or np.ptp(values) == 0 or np.ptp(arm) == 0:
            continue
        correlation = float(np.corrcoef(values, arm)[0, 1])
        if abs(correlation) > _STRONG:
            strong.append(f"{name} ({correlation:.2f})")
    if strong:
        warn_user(
            f"{len(strong)} covariates are strongly correlated with a treatment said "
            f"to be randomised: {listing(strong)}. Were they measured before it?",
            DataWarning,
        )
