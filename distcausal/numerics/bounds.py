"""Bounds on how well random points keep a space of functions apart.

A least-squares fit is stable when the Gram matrix ``G`` of its points is near the
identity, and how likely that is can be bounded before any point is drawn. The numbers
decide how many points to ask for and what an error bound conditional on a stable draw
is worth.

Every bound rests on one number besides the dimension m, the peak ``R = sup w k_m`` of
the weighted squared length of a row: m under optimal weights, ``m / a`` when a share a
of the density is the optimal one.

Independent points: ``n G`` is a sum of n independent matrices below ``R I`` with
expectation ``n I``, so Tropp's inequality gives ``P(min < 1 - δ) <= m exp(-n c / R)``
with ``c = δ + (1 - δ) log(1 - δ)`` and ``P(max > 1 + δ) <= m exp(-n d / R)`` with
``d = (1 + δ) log(1 + δ) - δ``. Since ``d <= c``, twice the second bounds the chance
that the norm of ``G - I`` exceeds δ.

Volume sampling: n - m of its points are independent, the others only add to G, so
``G >= (1 - m/n) G'`` with ``G'`` that of n - m independent points, and its smallest
eigenvalue is below 1 - δ only if that of ``G'`` is below ``(1 - δ) n / (n - m)``.
Under optimal weights there is a second way: the law has density ``A det G`` to
independent points, where ``A = n^m (n - m)! / n!``. The trace of G is m, so its
determinant is at most one, and at most ``(1 - δ) e^δ`` where an eigenvalue is below
1 - δ. Chances under independent points times these factors bound those under it. The
smaller of the two bounds counts.

References: Tropp (2012); Cohen and Migliorati (2017); Nouy and Michel (2025).
"""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma

import numpy as np

__all__ = [
    "conditional_error_factor",
    "iid_lower",
    "iid_norm",
    "least_size",
    "native_factor",
    "uniform_factor",
    "volume_lower",
    "volume_norm",
]

_MOST_POINTS = 2**53  # beyond it floats no longer count


def iid_lower(size: int, n: int, delta: float, peak: float | None = None) -> float:
    """Bound the chance that the smallest eigenvalue of G is below ``1 - delta``.

    Parameters
    ----------
    size
        Dimension m of the space.
    n
        Number of independent points.
    delta
        In (0, 1).
    peak
        Largest value of ``w k_m``; m if left out, as under optimal weights.

    Returns
    -------
    At most one.

    Examples
    --------
    >>> from distcausal.numerics.bounds import iid_lower
    >>> round(iid_lower(11, 265, 0.9), 6)
    1e-06
    """
    return _chance(np.log(size) - n * _below(delta) / _peak(size, peak))


def iid_norm(size: int, n: int, delta: float, peak: float | None = None) -> float:
    """Bound the chance that ``|G - I|`` exceeds ``delta``; arguments of `iid_lower`.

    Examples
    --------
    >>> from distcausal.numerics.bounds import iid_norm
    >>> iid_norm(11, 264, 0.9) > 0.01 >= iid_norm(11, 265, 0.9)
    True
    """
    return _chance(np.log(2 * size) - n * _above(delta) / _peak(size, peak))


def volume_lower(size: int, n: int, delta: float, peak: float | None = None) -> float:
    """Bound as `iid_lower` does, for volume sampling with n points.

    Examples
    --------
    >>> from distcausal.numerics.bounds import volume_lower
    >>> volume_lower(11, 12, 0.5), volume_lower(11, 400, 0.9) < 0.01
    (1.0, True)
    """
    spare = n - size
    if spare <= 0:
        return 1.0
    loss = 1 - n * (1 - delta) / spare
    bound = iid_lower(size, spare, loss, peak) if loss > 0 else 1.0
    if _peak(size, peak) > size:
        return bound
    log_ratio = _log_density(size, n) + np.log1p(-delta) + delta
    return min(bound, _chance(log_ratio + np.log(size) - n * _below(delta) / size))


def volume_norm(size: int, n: int, delta: float) -> float:
    """Bound as `iid_norm` does, for volume sampling under optimal weights.

    Examples
    --------
    >>> from distcausal.numerics.bounds import iid_norm, volume_norm
    >>> iid_norm(11, 400, 0.9) < volume_norm(11, 400, 0.9) < 0.01
    True
    """
    if n < size:
        return 1.0
    log_chance = np.log(2 * size) - n * _above(delta) / size
    return _chance(_log_density(size, n) + log_chance)


def least_size(
    bound: Callable[[int], float], eta: float, size: int, best_of: int = 1
) -> int:
    """Fewest points that a bound finds enough.

    Parameters
    ----------
    bound
        Bound on the chance of an unstable draw, as a nonincreasing function of n.
    eta
        Chance allowed, in (0, 1).
    size
        Dimension m of the space; no fewer points are considered.
    best_of
        Draws of which the most stable is kept. All of them have to fail.

    Returns
    -------
    Smallest n of at least m whose bound is at most ``eta ** (1 / best_of)``.

    Raises
    ------
    OverflowError
        If no number of points that a float can count is enough.

    Examples
    --------
    >>> from distcausal.numerics.bounds import iid_norm, least_size
    >>> least_size(lambda n: iid_norm(11, n, 0.9), 0.01, 11)
    265
    >>> least_size(lambda n: iid_norm(11, n, 0.9), 0.01, 11, best_of=100)
    108
    """
    allowed = eta ** (1 / best_of)
    low, high = size - 1, size
    while bound(high) > allowed:
        low, high = high, 2 * high
        if high > _MOST_POINTS:
            raise OverflowError("no number of points satisfies the bound")
    while high - low > 1:
        middle = (low + high) // 2
        if bound(middle) > allowed:
            low = middle
        else:
            high = middle
    return high


def conditional_error_factor(n: int, delta: float, chance: float, peak: float) -> float:
    """Bound of the expected squared error, given stability, over the best one.

    With e the error of the best approximation and b the weighted mean of ``φ e``, the
    coefficients are off by ``G⁻¹ b``, which has at most ``|b| / (1 - δ)`` on stable
    draws. As ``E|b|² <= (R / n) |e|²``, so is its part on stable draws, and dividing
    by their chance gives ``1 + (R / n) (1 - δ)⁻² / P``.

    Parameters
    ----------
    n
        Number of points.
    delta
        The smallest eigenvalue of G is at least ``1 - delta`` on stable draws.
    chance
        Probability P of a stable draw, or a lower bound of it; a best-of rule selects
        more sharply, and P is then the chance of what it selects.
    peak
        Largest value R of ``w k_m``: the dimension under optimal weights. Others are
        covered for independent points only.

    Examples
    --------
    >>> from distcausal.numerics.bounds import conditional_error_factor
    >>> round(conditional_error_factor(265, 0.9, 0.99, 11), 3)
    5.193
    """
    return 1 + peak / n / (1 - delta) ** 2 / chance if chance > 0 else np.inf


def uniform_factor(
    weight: float | np.ndarray, least: float | np.ndarray
) -> float | np.ndarray:
    """Bound of the error in mean square over the smallest uniform error of the space.

    For every v of the space, ``|f - f̂| <= |f - v| + |f̂ - v|``, where ``f̂ - v`` is the
    projection of ``f - v`` at the points: its norm there is at most that of ``f - v``,
    and its norm under the measure at most ``least ** -1/2`` times as large. The first
    is at most the root of the mean weight times the uniform norm.

    Parameters
    ----------
    weight
        Bound of the weights, or of their mean where the points are known.
    least
        Smallest eigenvalue of G, or ``1 - delta``; infinite bounds where it is zero.

    Examples
    --------
    >>> from distcausal.numerics.bounds import uniform_factor
    >>> float(uniform_factor(2.0, 0.5))
    3.0
    """
    with np.errstate(divide="ignore"):
        return 1 + np.sqrt(np.divide(weight, least))


def native_factor(embedding: float, trace: float, share: float, least: float) -> float:
    """Bound of the error in mean square over the best one in a native space.

    As `uniform_factor`, for functions of a space with kernel k and for weights with
    ``1/w >= (1 - a) k(x, x) / trace``: then ``w |g(x)|² <= trace |g|² / (1 - a)``.

    Parameters
    ----------
    embedding
        Norm of the embedding of the native space into mean square.
    trace
        Integral of ``k(x, x)`` under the measure.
    share
        Share a of the optimal density in the sampling measure, below one.
    least
        Smallest eigenvalue of G, or ``1 - delta``.

    Examples
    --------
    >>> from distcausal.numerics.bounds import native_factor
    >>> native_factor(0.5, 1.0, 0.5, 0.5)
    2.5
    """
    if share >= 1 or least <= 0:
        return np.inf
    return embedding + float(np.sqrt(trace / ((1 - share) * least)))


def _below(delta: float) -> float:
    return float(delta + (1 - delta) * np.log1p(-delta))


def _above(delta: float) -> float:
    return float((1 + delta) * np.log1p(delta) - delta)


def _log_density(size: int, n: int) -> float:
    """Logarithm of ``n^m (n - m)! / n!``, the inverse of the mean of ``det G``."""
    return size * float(np.log(n)) + lgamma(n - size + 1) - lgamma(n + 1)


def _peak(size: int, peak: float | None) -> float:
    return size if peak is None else peak


def _chance(log_bound: float) -> float:
    return float(np.exp(min(log_bound, 0.0)))
