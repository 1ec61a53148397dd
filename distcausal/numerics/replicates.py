"""Averages of products over points, and their errors from the spread of the parts.

An average ``(1/n) Σ v_i y_i`` over independent parts has a standard error that needs no
model: the spread of the parts. Parts may be single points, or blocks of points that
depend on each other inside a block only. Where points of a block repel each other, the
spread of single points overstates the error, so it is always safe to use.

Terms are centred before they are squared: where all parts agree the error is zero, not
what rounding leaves of a difference of large numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Average", "average_products"]


class Average(NamedTuple):
    """An average and its error.

    Attributes
    ----------
    mean
        Shape ``(..., column, response)``.
    variance
        Of the mean, shape ``(..., column, response)``; NaN for a single part.
    covariance
        Shape ``(..., response, column, column)``; None where not asked for.
    """

    mean: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray | None


def average_products(
    rows: np.ndarray, response: np.ndarray, parts: int, *, full: bool
) -> Average:
    """Average rows times responses over points.

    Parameters
    ----------
    rows
        Shape ``(..., point, column)``.
    response
        Shape ``(..., point, response)``.
    parts
        How many independent parts of equal size the points are, in their order.
    full
        Whether covariances of the columns are wanted.

    Returns
    -------
    Average

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.numerics.replicates import average_products
    >>> y = np.arange(4.0)[:, None]
    >>> found = average_products(np.ones((4, 1)), y, 2, full=False)
    >>> found.mean.item(), found.variance.item()
    (1.5, 1.0)
    """
    *lead, points, columns = rows.shape
    blocks = rows.reshape(*lead, parts, points // parts, columns)
    values = response.reshape(*lead, parts, points // parts, response.shape[-1])
    spare = parts * (parts - 1)
    found = []
    for column in np.moveaxis(values, -1, 0):
        terms = np.mean(blocks * column[..., None], axis=-2)
        mean = terms.mean(axis=-2)
        terms -= mean[..., None, :]
        with np.errstate(invalid="ignore"):
            variance = np.sum(terms**2, axis=-2) / spare if spare else mean * np.nan
        product = np.swapaxes(terms, -1, -2) @ terms / spare if full and spare else None
        found.append((mean, variance, product))
    means, variances, products = zip(*found, strict=True)
    return Average(
        np.stack(means, axis=-1),
        np.stack(variances, axis=-1),
        np.stack(products, axis=-3) if full and spare else None,
    )
