"""Bootstrap draws of a plug-in estimate, all in one batch.

A resample says how often each unit occurs: multinomial counts for pairs, counts of
whole clusters, or exponential weights for the Bayesian bootstrap. Estimates need only
the weight of each distinct cell, so a thousand resamples of a hundred thousand rows are
a thousand short vectors, and the formula is evaluated on all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.keys import Seed, host_stream
from distcausal._base.progress import steps
from distcausal.errors import DesignError, check_choice

if TYPE_CHECKING:
    from distcausal.diagrams.plugin import PlugIn
    from distcausal.diagrams.weighted import Weighted

__all__ = ["Bootstrap", "read_inference", "resampled"]

FEWEST = 19  # a 95 % interval needs an order statistic that exists
_NUMBERS = 2**22  # numbers of one chunk of resamples, 32 MiB
_LONG = 2**30  # numbers beyond which a bootstrap takes seconds


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Settings of a bootstrap.

    Attributes
    ----------
    draws
        Number of resamples, at least 19.
    kind
        ``"pairs"`` draws rows with replacement, or whole clusters where there are any;
        ``"bayesian"`` gives every row or cluster an exponential weight, so that none
        drops out.
    interval
        ``"percentile"`` reads intervals off the draws; ``"normal"`` takes their
        standard deviation around the estimate.

    Raises
    ------
    DesignError
        If a setting is not among those listed.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.Bootstrap(draws=499, kind="bayesian").interval
    'percentile'
    """

    draws: int = 999
    kind: str = "pairs"
    interval: str = "percentile"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("pairs", "bayesian"))
        check_choice("interval", self.interval, ("percentile", "normal"))
        whole = isinstance(self.draws, int | np.integer)
        if not whole or isinstance(self.draws, bool) or self.draws < FEWEST:
            raise DesignError(
                f"draws {self.draws!r} should be a whole number, {FEWEST} or more."
            )


def read_inference(inference: str | Bootstrap) -> Bootstrap | None:
    """Settings of the bootstrap asked for; None for the delta method."""
    if isinstance(inference, Bootstrap):
        return inference
    check_choice("inference", inference, ("delta", "bootstrap", "bayesian"))
    if inference == "delta":
        return None
    return Bootstrap(kind="pairs" if inference == "bootstrap" else "bayesian")


def resampled(
    estimator: PlugIn | Weighted, how: Bootstrap, seed: Seed, progress: bool | None
) -> np.ndarray:
    """Answers in every resample, ``(draw, answer)``; NaN where one divides by zero.

    The answers of a draw do not depend on how many are computed at a time.
    """
    at_once = int(np.clip(_NUMBERS // estimator.widest, 1, how.draws))
    starts = range(0, how.draws, at_once)
    streams = {
        source: host_stream(seed, f"{how.kind} {source}")
        for source in estimator.samples
    }
    found = []
    long = how.draws * estimator.widest > _LONG
    with steps(progress, count=len(starts), long=long) as begin:
        for start in starts:
            begin("resampling")
            count = min(at_once, how.draws - start)
            times = {
                source: _times(sample.times, count, how.kind, streams[source])
                for source, sample in estimator.samples.items()
            }
            found.append(estimator.values(times))
    return np.concatenate(found)


def _times(
    times: np.ndarray, draws: int, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """How often each unit occurs in each resample, ``(draw, unit)``."""
    if kind == "bayesian":
        return rng.standard_gamma(times, size=(draws, len(times)))
    total = round(float(times.sum()))
    counts = rng.multinomial(total, times / times.sum(), size=draws)
    return counts.astype(float)
