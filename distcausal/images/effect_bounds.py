"""How much units' effects can differ: what data bound and what only assumptions fix.

No unit is seen in both arms, so the joint law of its two outcomes is not identified.
The variance of unit effects within a cluster depends on their correlation, and the
paper's value is the one at correlation zero: an assumption. What holds without it are
bounds: for normal noise the squared difference and the squared sum of the standard
deviations (the noise of other families is no standard deviation of the outcome, and
variances are left out); for the share of units whose effect is at most t, the bounds of
Makarov, which need the two laws only and which some joint law attains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.session import versions
from distcausal.data.distributions import RandomDistributions
from distcausal.errors import DataError, DesignError
from distcausal.images.families import Family, Normal, as_family
from distcausal.images.posterior import Posterior

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["EffectBounds", "effect_bounds", "makarov"]

_LEVELS = np.arange(1, 1000) / 1000
_ROUNDING = 1e-12  # relative to the largest number in a comparison


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectBounds(Result):
    """Bounds on the spread and the law of unit effects, by cluster.

    Attributes
    ----------
    clusters
        Numbers of the clusters, from 1, ``(cluster,)``.
    low, independent, high
        Variance of the effects of units in one cluster with one image, posterior means:
        least and most under normal noise, and the value if the two outcomes of a unit
        were independent given image and cluster, ``(cluster,)``. All include the
        posterior variance of the cluster's effect. None where noise is not normal.
    points
        Effects t, ``(point,)``.
    share_low, share_high
        Bounds on the share of units with an effect of at most t, ``(cluster, point)``;
        None if there are no laws. They hold for any joint law with these two, and take
        the laws as known.
    settings
        Every argument as used, with versions.
    """

    cite_as: ClassVar[str] = "image_effects"

    clusters: np.ndarray
    low: np.ndarray | None
    independent: np.ndarray | None
    high: np.ndarray | None
    points: np.ndarray
    share_low: np.ndarray | None
    share_high: np.ndarray | None
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<EffectBounds: {len(self.clusters)} clusters>"

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per cluster and quantity.

        Terms are ``variance`` and ``share at most``. Columns: term, cluster, point,
        low, high, independent (the value under independence), and the columns of all
        results, which are missing: no data fix a value between the bounds, and bounds
        are not intervals, so that nothing here depends on ``confidence``.
        """
        import pandas as pd

        from distcausal.images._estimates import filled

        parts = []
        if (found := self._variances()) is not None:
            low, independent, high = found
            parts.append(
                pd.DataFrame(
                    {
                        "term": "variance",
                        "cluster": self.clusters,
                        "point": np.nan,
                        "low": low,
                        "high": high,
                        "independent": independent,
                    }
                )
            )
        if self.share_low is not None and self.share_high is not None:
            parts.append(
                pd.DataFrame(
                    {
                        "term": "share at most",
                        "cluster": np.repeat(self.clusters, self.points.size),
                        "point": np.tile(self.points, len(self.clusters)),
                        "low": self.share_low.ravel(),
                        "high": self.share_high.ravel(),
                        "independent": np.nan,
                    }
                )
            )
        return filled(pd.concat(parts, ignore_index=True), confidence)

    def _variances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Variances low, independent and high; None where noise is not normal."""
        if self.low is None or self.independent is None or self.high is None:
            return None
        return self.low, self.independent, self.high

    def glance(self) -> pd.DataFrame:
        """Return one row: clusters, and the widest bounds on the variance."""
        import pandas as pd

        found = self._variances()
        ends = (np.nan, np.nan) if found is None else (found[0].min(), found[2].max())
        row = {"clusters": len(self.clusters), "low": ends[0], "high": ends[1]}
        return pd.DataFrame([row])

    def plot_data(self) -> pd.DataFrame:
        """Return the frame behind the figure, `tidy`."""
        return self.tidy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw bounds on the law of unit effects, or on its variance without laws.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure without.

        Returns
        -------
        The axes.
        """
        from distcausal._base.figure import (
            EARTH,
            INK,
            legend_of,
            prepared,
            titled,
        )

        axes = prepared(ax)
        hues, spread = (INK, EARTH), self._variances()
        for k, name in enumerate(self.clusters):
            hue, label = hues[k % 2], f"cluster {name}"
            if self.share_low is None or self.share_high is None:
                assert spread is not None  # one of the two is always there
                least, middle, most = (part[k] for part in spread)
                axes.vlines(name, least, most, color=hue, linewidth=2)
                axes.plot(name, middle, "o", color=hue, label=label)
                continue
            low, high = self.share_low[k], self.share_high[k]
            if self.points.size == 1:
                axes.vlines(name, low, high, color=hue, linewidth=5, label=label)
            else:
                axes.fill_between(
                    self.points, low, high, color=hue, alpha=0.25, label=label
                )
        if self.share_low is None:
            titled(axes, "Cluster", "Variance of unit effects")
        elif self.points.size == 1:
            titled(axes, "Cluster", f"Share with effect at most {self.points[0]:g}")
        else:
            titled(axes, "Effect t", "Share with effect at most t")
        legend_of(axes)
        return axes

    def summary(self) -> Table:
        """Return the printable table."""
        from distcausal._base.table import Table, decimals, numbers

        rows: list[tuple[str, ...]] = []
        if (variances := self._variances()) is not None:
            places = decimals(float(variances[2].max()))
            for name, *found in zip(self.clusters, *variances, strict=True):
                rows.append((f"variance, cluster {name}", *numbers(found, places)))
            means = "bounds on the variance need normal noise, those on"
            note = f"The value under independence is an assumption; {means} "
        else:
            note = (
                f"The noise of family {self.settings['family']!r} is not normal, so "
                "variances are left out; bounds on "
            )
        if self.share_low is not None and self.share_high is not None:
            for k, name in enumerate(self.clusters):
                for at, point in enumerate(self.points):
                    ends = (self.share_low[k, at], self.share_high[k, at])
                    low, high = numbers(ends, 3)
                    label = f"share with effect <= {point:g}, cluster {name}"
                    rows.append((label, low, "", high))
        return Table(
            title="Bounds on the effects of units",
            columns=("", "low", "independent", "high"),
            rows=tuple(rows),
            notes=(
                f"No unit is seen in both arms. {note}shares need the two laws alone.",
            ),
        )


def effect_bounds(
    posterior: Posterior,
    laws: RandomDistributions | None = None,
    *,
    family: str | Family = "normal",
    points: Any = 0.0,
) -> EffectBounds:
    """Bound the variance and the law of unit effects in every cluster.

    Parameters
    ----------
    posterior
        Draws of effects and noise.
    laws
        Laws of the outcome by cluster and arm, as ``fit.distributions`` has them where
        outcomes are numbers; None leaves shares out.
    family
        Likelihood of the fit. Variances are bounded for ``"normal"`` alone: elsewhere
        the noise is a scale, that of logarithms, or not there at all.
    points
        Effects t for which the share of units with an effect of at most t is bounded;
        at 0 those whom treatment does not help.

    Returns
    -------
    EffectBounds

    Raises
    ------
    DataError
        If a point is not a finite number, or laws are not two per cluster.
    DesignError
        If noise is not normal and there are no laws, so that nothing is bounded.

    References
    ----------
    Makarov (1982), *Theory of Probability and its Applications* 26; Fan and Park
    (2010), *Econometric Theory* 26.

    Examples
    --------
    >>> from distcausal.images.effect_bounds import effect_bounds
    >>> from distcausal.images.transport import example_trial
    >>> found = effect_bounds(example_trial()[0])
    >>> found.low.round(2) + 0.0, found.independent.round(2), found.high.round(2)
    (array([0., 0.]), array([0.18, 0.18]), array([0.36, 0.36]))
    """
    asked = np.atleast_1d(np.asarray(points, dtype=float))
    if asked.ndim != 1 or not np.isfinite(asked).all():
        raise DataError("points should be finite numbers, such as 0.")
    likelihood = as_family(family)
    normal = isinstance(likelihood, Normal)
    if laws is None and not normal:
        raise DesignError(
            f"without laws only variances are bounded, and these need normal noise; "
            f"the family is {likelihood.name!r}. Give laws=fit.distributions."
        )
    low, independent, high = _spread(posterior) if normal else (None, None, None)
    clusters = np.arange(1, posterior.clusters + 1)
    shares = None if laws is None else _shares(laws, clusters, asked)
    return EffectBounds(
        clusters=clusters,
        low=low,
        independent=independent,
        high=high,
        points=asked,
        share_low=None if shares is None else shares[0],
        share_high=None if shares is None else shares[1],
        settings={
            "points": asked,
            "laws": laws is not None,
            "family": likelihood.name,
            "versions": versions(),
        },
    )


def _spread(posterior: Posterior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of unit effects for correlations 1, 0 and -1 of a unit's outcomes."""
    untreated, treated = posterior.noise[:, 0, :, 0], posterior.noise[:, 1, :, 0]
    unsure = posterior.effects[..., 0].var(axis=0)
    return (
        ((treated - untreated) ** 2).mean(axis=0) + unsure,
        (treated**2 + untreated**2).mean(axis=0) + unsure,
        ((treated + untreated) ** 2).mean(axis=0) + unsure,
    )


def _shares(
    laws: RandomDistributions, clusters: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Bounds ``(2, cluster, point)``; 0 and 1 where a cluster has no laws."""
    missing = {"cluster", "treatment"} - set(laws.columns)
    if missing:
        raise DataError(
            f"laws should have columns cluster and treatment; they lack "
            f"{', '.join(sorted(missing))}. Give fit.distributions."
        )
    found = np.stack([np.zeros((2, points.size))] * len(clusters), axis=1)
    found[1] = 1.0
    for k, name in enumerate(clusters):
        own = np.asarray(laws.columns["cluster"]) == name
        arm = np.asarray(laws.columns["treatment"])
        pair = [np.flatnonzero(own & (arm == number)) for number in (0, 1)]
        if all(len(one) == 1 for one in pair):
            found[:, k] = makarov(laws.take(pair[0]), laws.take(pair[1]), points)
    return found


def makarov(
    untreated: RandomDistributions, treated: RandomDistributions, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on the share of effects of at most each point, from two laws.

    Parameters
    ----------
    untreated, treated
        One unit each.
    points
        Effects, ``(point,)``.

    Returns
    -------
    low, high
        Shape ``(point,)``. Exact for the laws stored; for families of laws as exact as
        quantiles at 999 levels tell. An effect that exceeds a point by rounding alone,
        as ``0.8 - 0.1`` exceeds ``0.7``, is at most that point.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.images.effect_bounds import makarov
    >>> one = dc.RandomDistributions.from_samples([[0.0, 1.0]])
    >>> two = dc.RandomDistributions.from_samples([[1.0, 2.0]])
    >>> makarov(one, two, [-1.0, 0.0, 1.0])
    (array([0. , 0. , 0.5]), array([0. , 0.5, 1. ]))
    """
    points = np.asarray(points, dtype=float)
    below, above = _values(untreated), _values(treated)
    low, high = np.zeros(len(points)), np.ones(len(points))
    size = max(np.abs(below).max(), np.abs(above).max())
    for at, point in enumerate(points + _ROUNDING * np.maximum(size, np.abs(points))):
        # A treated outcome of at most y and an untreated one of at least y - t leave an
        # effect of at most t; one above y and one of at most y - t, an effect above t.
        before = np.nextafter(above - point, -np.inf)
        gain = treated.cdf(above)[0] - untreated.cdf(before)[0]
        loss = untreated.cdf(below)[0] - treated.cdf(below + point)[0]
        low[at] = max(0.0, float(gain.max()))
        high[at] = min(1.0, 1 - float(loss.max()))
    return low, high


def _values(law: RandomDistributions) -> np.ndarray:
    """Where the law's distribution function is looked at: its draws, atoms or cells."""
    if law.form == "law":
        return np.unique(law.quantiles(_LEVELS))
    if law.form == "bins":
        return np.asarray(law.edges)  # type: ignore[attr-defined]
    return np.unique(law.to_samples().values)
