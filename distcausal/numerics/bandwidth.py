"""Bandwidths that balance the leading bias and variance at a cutoff.

With bias ``h^{s+1} B`` and variance ``V / (n h)`` the mean squared error is least at
``h = [V / (2 (s+1) B²)]^{1/(2s+3)} n^{-1/(2s+3)}``. What differs between the rules on
offer is what stands for B and V: the difference of the two sides, their sum, or one
side alone, at one quantile level or integrated over levels. Each rule is one line here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distcausal.errors import check_choice

__all__ = ["SELECTORS", "LeadingTerms", "Selector", "coverage_factor", "optimal"]

_RULES = {"": "rd", "rd": "rd", "two": "two", "sum": "sum"}
_RULES |= {"comb1": "comb1", "comb2": "comb2"}
SELECTORS = tuple(
    f"{prefix}{stem}{suffix}"
    for prefix in ("", "cer-")
    for stem in ("imse", "mse")
    for suffix in _RULES
)


@dataclass(frozen=True)
class Selector:
    """A bandwidth rule, taken apart.

    Attributes
    ----------
    integrated
        One bandwidth for the integral over levels, instead of one per level.
    rule
        ``"rd"`` (difference of the sides), ``"sum"``, ``"two"`` (each side its own),
        ``"comb1"`` (smaller of rd and sum), ``"comb2"`` (median of two, rd and sum).
    coverage
        Shrink towards the rate that is best for the coverage of intervals.
    """

    integrated: bool
    rule: str
    coverage: bool

    @classmethod
    def parse(cls, name: str) -> Selector:
        """Read a selector's name, such as ``"cer-imsetwo"``."""
        check_choice("selector", name, SELECTORS)
        coverage = name.startswith("cer-")
        stem = name.removeprefix("cer-")
        integrated = stem.startswith("i")
        return cls(integrated, _RULES[stem.removeprefix("i")[3:]], coverage)


@dataclass(frozen=True)
class LeadingTerms:
    """Estimated constants of bias and variance on the two sides of the cutoff.

    Attributes
    ----------
    bias
        ``B``, shape ``(side, level)``, side 0 below.
    variance
        ``V``, shape ``(side, level)``.
    bias_variance
        Sampling variance of the estimated ``B``, shape ``(side, level)``.
    """

    bias: np.ndarray
    variance: np.ndarray
    bias_variance: np.ndarray


def optimal(
    terms: LeadingTerms,
    *,
    order: int,
    units: int,
    selector: Selector,
    widths: np.ndarray,
    regularisation: float,
    fallback: np.ndarray,
) -> np.ndarray:
    """Bandwidths of a rule.

    Parameters
    ----------
    terms
        Constants by side and level.
    order
        Order ``s`` of the estimator whose error is balanced.
    units
        Number of units.
    selector
        The rule.
    widths
        Weight of each level in the integral, shape ``(level,)``.
    regularisation
        Multiple of the sampling variance of the bias constant added to its square.
    fallback
        Bandwidths, shape ``(group, side)``, used where the bias cannot be told from
        zero even by rounding standards.

    Returns
    -------
    Shape ``(group, side)``: one group if integrated, else one per level.

    References
    ----------
    Calonico, Cattaneo and Titiunik (2014), *Econometrica* 82(6).
    """

    def total(term: np.ndarray) -> np.ndarray:
        if selector.integrated:
            return np.sum(term * widths, axis=-1, keepdims=True)
        return term

    def balance(
        bias: np.ndarray, variance: np.ndarray, noise: np.ndarray
    ) -> np.ndarray:
        square, spread = total(bias**2), total(noise)
        known = square > 1e-12 * spread
        penalised = np.where(known, square + regularisation * spread, 1.0)
        best = total(variance) / (2 * (order + 1) * penalised * units)
        best = best ** (1 / (2 * order + 3))
        chosen = np.where(known, best, fallback.T)
        return np.broadcast_to(chosen, (2, chosen.shape[-1])).T

    below, above = terms.bias
    variance, noise = terms.variance.sum(axis=0), terms.bias_variance.sum(axis=0)
    difference = balance(above - below, variance, noise)
    if selector.rule == "rd":
        return difference
    summed = balance(above + below, variance, noise)
    if selector.rule == "sum":
        return summed
    if selector.rule == "comb1":
        return np.minimum(difference, summed)
    separate = balance(terms.bias, terms.variance, terms.bias_variance)
    if selector.rule == "two":
        return separate
    return np.median(np.stack([separate, difference, summed]), axis=0)


def coverage_factor(units: int, order: int) -> float:
    """Factor from the mean-squared-error to the coverage-error rate.

    References
    ----------
    Calonico, Cattaneo and Farrell (2020), *Econometrics Journal* 23(2).
    """
    return float(units ** (-order / ((2 * order + 3) * (order + 3))))
