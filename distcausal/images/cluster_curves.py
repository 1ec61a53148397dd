"""Effect curves of clusters: what `cluster_curves` returns, and all read off it.

Three answers stand side by side: the design-based curve of each cluster with its
uniform band, the model's curve, and the average laws of both arms, which come back as
`RandomDistributions` so that whatever accepts data accepts them.

Nothing here needs pandas or matplotlib until a frame or a figure is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from distcausal._base.fit import Result
from distcausal.errors import DesignError, check_choice
from distcausal.images._estimates import read_only
from distcausal.images.aipw import clusters_left
from distcausal.numerics.band import check_confidence, order_statistic, rank_p_value
from distcausal.numerics.student import reach

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table
    from distcausal.data.distributions import RandomDistributions

__all__ = ["ClusterCurves"]

Ends = tuple[np.ndarray, np.ndarray]
_SHOWN = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClusterCurves(Result):
    """Effects on the average quantile functions of clusters of images.

    Attributes
    ----------
    levels
        Quantile levels, shape ``(level,)``.
    share
        Share of the units assigned to each cluster, shape ``(cluster,)``.
    effect, std_error
        Design-based effect of each cluster and its pointwise standard error, in the
        units of the outcome, ``(cluster, level)``. NaN where `collapsed` says so.
    average, average_std_error
        Of all units, shape ``(level,)``. Weighted by shares, the clusters add up to it.
    untreated, treated
        Average quantile functions had all units been in one arm, made nondecreasing,
        ``(cluster + 1, level)``; the last row is that of all units.
    sups
        Draws of the largest studentised error over levels of each cluster and, last, of
        the average, ``(draw, cluster + 1)``; bands are read off them.
    df
        Degrees of freedom in Student's law, ``(cluster + 1,)``.
    collapsed
        Clusters that hardly a group is assigned to, ``(cluster,)``; not estimated.
    groups
        Number of groups that errors are clustered by.
    moved
        Largest change that the monotone step made to an average quantile function.
    basis
        From coordinates to curves, ``(outcome, level)``.
    model_draws
        Posterior draws of the model's effects on the coordinates, ``(draw, cluster,
        outcome)``, or None.
    scalar
        Whether outcomes were numbers, so that there is one level.
    settings
        Every argument as used.
    """

    cite_as: ClassVar[str] = "image_effects"

    levels: np.ndarray
    share: np.ndarray
    effect: np.ndarray
    std_error: np.ndarray
    average: np.ndarray
    average_std_error: np.ndarray
    untreated: np.ndarray
    treated: np.ndarray
    sups: np.ndarray
    df: np.ndarray
    collapsed: np.ndarray
    groups: int
    moved: float
    basis: np.ndarray
    model_draws: np.ndarray | None
    scalar: bool
    settings: dict[str, Any]

    def __repr__(self) -> str:
        count, levels = self.effect.shape
        return f"<ClusterCurves: {count} clusters, {levels} levels>"

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return len(self.share)

    @property
    def p_value(self) -> np.ndarray:
        """P-value of no effect at any level, for each cluster, ``(cluster,)``.

        Below alpha exactly where the uniform band excludes zero somewhere.
        """
        if self.levels.size == 1:
            return read_only(self._pointwise()[1][:, 0])
        found = np.full(self.clusters, np.nan)
        for k in np.flatnonzero(~self.collapsed):
            most = float(np.abs(_ratio(self.effect[k], self.std_error[k])).max())
            found[k] = rank_p_value(most, self.sups[:, k])
        return read_only(found)

    def _pointwise(self) -> Ends:
        """Studentised effects and their p-values, ``(cluster, level)``."""
        from scipy.special import stdtr

        statistic = _ratio(self.effect, self.std_error)
        return statistic, 2 * stdtr(self.df[:-1, None], -np.abs(statistic))

    def conf_int(self, confidence: float = 0.95) -> Ends:
        """Ends of intervals that cover one level each, ``(cluster, level)``."""
        steps = np.array([reach(confidence, df) for df in self.df[:-1]])
        return _around(self.effect, steps[:, None] * self.std_error)

    def band(
        self,
        confidence: float = 0.95,
        *,
        over: Literal["levels", "clusters"] = "levels",
    ) -> Ends:
        """Ends of bands that cover whole curves, ``(cluster, level)``.

        Parameters
        ----------
        confidence
            Coverage.
        over
            ``"levels"``: each band covers the curve of its cluster with that
            probability; of one level that is the interval of `conf_int`, and nothing
            needs drawing. ``"clusters"``: all bands together do.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1), or there are too few draws for it.
        """
        check_choice("over", over, ("levels", "clusters"))
        if self.levels.size == 1 and over == "levels":
            return self.conf_int(confidence)
        used = np.flatnonzero(~self.collapsed)
        factor = np.full(self.clusters, np.nan)
        own = self.sups[:, used]
        if over == "clusters" and used.size:
            own = np.repeat(own.max(axis=1)[:, None], used.size, axis=1)
        factor[used] = [order_statistic(column, confidence) for column in own.T]
        return _around(self.effect, factor[:, None] * self.std_error)

    @property
    def model_effect(self) -> np.ndarray:
        """Posterior mean of the model's effect curves, ``(cluster, level)``."""
        return read_only(self._model().mean(axis=0) @ self.basis)

    def model_conf_int(self, confidence: float = 0.95) -> Ends:
        """Ends of the model's pointwise intervals, ``(cluster, level)``.

        They hold only if the model does; the design-based band needs no model.
        """
        tail = (1 - check_confidence(confidence)) / 2
        curves = self._model() @ self.basis
        low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
        return low, high

    def _model(self) -> np.ndarray:
        if self.model_draws is None:
            raise DesignError(
                "there are no posterior draws in these curves. Give posterior= to "
                "cluster_curves."
            )
        return self.model_draws

    @property
    def distributions(self) -> RandomDistributions:
        """Average law of each arm in each cluster, two units per cluster.

        The average is the Wasserstein barycentre: the law whose quantile function is
        the average of those of the units. Columns: cluster, treatment, share. Clusters
        that have collapsed are left out.

        Raises
        ------
        DesignError
            If all clusters have collapsed.
        """
        from distcausal.data.distributions import RandomDistributions

        used = clusters_left(self.collapsed)
        curves = np.stack([self.untreated[used], self.treated[used]], axis=1)
        arms = ("untreated", "treated")
        return RandomDistributions.from_quantiles(
            curves.reshape(-1, self.levels.size),
            self.levels,
            ids=[f"cluster {k + 1}, {arm}" for k in used for arm in arms],
            columns={
                "cluster": np.repeat(used + 1, 2),
                "treatment": np.tile([0, 1], used.size),
                "share": np.repeat(self.share[used], 2),
            },
        )

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per cluster and level.

        Columns: term, share, level, estimate, std_error, statistic, p_value, conf_low,
        conf_high (one level at a time), band_low, band_high (all levels of the cluster
        at once), and, where there are posterior draws, model_estimate, model_conf_low,
        model_conf_high.
        """
        import pandas as pd

        count = self.levels.size
        statistic, p_value = self._pointwise()
        columns = {
            "estimate": self.effect,
            "std_error": self.std_error,
            "statistic": statistic,
            "p_value": p_value,
        }
        low, high = self.conf_int(confidence)
        band_low, band_high = self.band(confidence)
        columns |= {"conf_low": low, "conf_high": high}
        columns |= {"band_low": band_low, "band_high": band_high}
        if self.model_draws is not None:
            low, high = self.model_conf_int(confidence)
            columns["model_estimate"] = self.model_effect
            columns |= {"model_conf_low": low, "model_conf_high": high}
        names = [f"cluster {k + 1}" for k in range(self.clusters)]
        heads = {
            "term": np.repeat(names, count),
            "share": np.repeat(self.share, count),
            "level": np.tile(self.levels, self.clusters),
        }
        flat = {name: values.ravel() for name, values in columns.items()}
        return pd.DataFrame(heads | flat)

    def glance(self) -> pd.DataFrame:
        """Return one row: clusters, collapsed ones, levels, groups, draws, `moved`."""
        import pandas as pd

        row = {
            "clusters": self.clusters,
            "collapsed": int(self.collapsed.sum()),
            "levels": self.levels.size,
            "groups": self.groups,
            "draws": len(self.sups),
            "moved": self.moved,
        }
        return pd.DataFrame([row])

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figures: `tidy` with both arms' curves."""
        return self.tidy(confidence).assign(
            untreated=self.untreated[:-1].ravel(), treated=self.treated[:-1].ravel()
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["effect", "laws"] = "effect",
        confidence: float = 0.95,
    ) -> Axes:
        """Draw the effect curves with their bands, or the average laws of both arms.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure without.
        kind
            ``"effect"``: design-based curves with uniform bands, the model's dashed.
            ``"laws"``: average quantile functions, untreated dashed.
        confidence
            Coverage of the bands.

        Returns
        -------
        The axes.
        """
        from distcausal.images._plot_curves import draw_effects, draw_laws

        check_choice("kind", kind, ("effect", "laws"))
        if kind == "laws":
            return draw_laws(self, ax)
        return draw_effects(self, ax, confidence)

    def summary(self, confidence: float = 0.95) -> Table:
        """Return the printable table, with a readable selection of the levels."""
        from distcausal._base.table import Table, decimals, number
        from distcausal.images._estimates import NOT_ESTIMATED

        known = self.std_error[np.isfinite(self.std_error)]
        places = decimals(float(np.median(known)) if known.size else 1.0)
        low, high = self.band(confidence)
        rows: list[tuple[str, ...]] = []
        for k in range(self.clusters):
            name = f"cluster {k + 1}"
            if self.collapsed[k]:
                rows.append((name, "", NOT_ESTIMATED, "", "", ""))
                continue
            for at in self._selected():
                found = (self.effect, self.std_error, low, high)
                cells = [number(float(part[k, at]), places) for part in found]
                rows.append((name, f"{self.levels[at]:g}", *cells))
        shares = ", ".join(f"{share:.3f}" for share in self.share)
        return Table(
            title="Effects by image cluster on quantile functions, cross-fitted",
            left=(("Groups", str(self.groups)), ("Shares", shares)),
            right=(("Levels", str(self.levels.size)), ("Draws", str(len(self.sups)))),
            columns=("", "level", "effect", "std. error", "low", "high"),
            rows=tuple(rows),
            notes=(
                f"low and high: {self._covering(confidence)}, errors clustered by "
                "group.",
            ),
        )

    def _covering(self, confidence: float) -> str:
        """What the ends of bands cover, in words."""
        if self.levels.size == 1:
            return f"{100 * confidence:g}% intervals"
        return f"uniform {100 * confidence:g}% band over all levels of a cluster"

    def _selected(self) -> np.ndarray:
        """Places of the levels shown in a summary."""
        if self.levels.size <= len(_SHOWN):
            return np.arange(self.levels.size)
        gap = np.abs(self.levels[None, :] - np.array(_SHOWN)[:, None])
        return np.unique(gap.argmin(axis=1))


def _around(curve: np.ndarray, margin: np.ndarray) -> Ends:
    return curve - margin, curve + margin


def _ratio(curve: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Curve over scale, where nothing varies infinite unless the curve is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(curve == 0, 0.0, curve / scale)
