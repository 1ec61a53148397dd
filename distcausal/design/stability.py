"""How often a design is stable, and how many points it takes.

Stability is a matter of the points alone, so its probability can be estimated to any
accuracy before anything is evaluated: draws are counted, and the interval of Clopper
and Pearson is exact for counts. Beside it stands what can be proved, a bound by matrix
concentration where the law has one; it asks for several times the points that draws
show to be enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.keys import Seed, check_seed, seed_record
from distcausal._base.table import Pairs, Table
from distcausal.design.base import Design
from distcausal.design.check import optimal_share, whole_number
from distcausal.design.designs import IID, ProjectionDPP, VolumeSampling
from distcausal.design.mercer import MercerSpace
from distcausal.design.pooled import RepeatedDPP
from distcausal.design.selected import Event, check_delta, instability, is_stable
from distcausal.design.spaces import Space
from distcausal.errors import ConvergenceError, DesignError, check_choice
from distcausal.numerics.band import check_confidence
from distcausal.numerics.binomial import exact_interval
from distcausal.numerics.bounds import (
    conditional_error_factor,
    iid_lower,
    iid_norm,
    least_size,
    native_factor,
    uniform_factor,
    volume_lower,
    volume_norm,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RequiredSize", "Stability", "required_size", "stability"]

_IID = {"lower": iid_lower, "norm": iid_norm}
_KINDS: dict[str, type[Design]] = {
    "iid": IID,
    "volume": VolumeSampling,
    "repeated": RepeatedDPP,
}
_MOST_BLOCKS = 1 << 12


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Stability(Result):
    """How often draws of a design were stable.

    Attributes
    ----------
    n_points
        Points in one draw.
    probability
        Share of the draws that were stable.
    conf_low, conf_high
        Exact interval for the probability.
    bound
        Proved lower bound of the probability; None where the law has none.
    expected_factor
        Bound of the expected squared error of a fit, given stable points, over that of
        the best approximation, with ``conf_low`` for the probability; None under laws
        whose single points do not follow ``μ / w``.
    uniform_factor
        On stable points and for every function, the error of a fit in mean square is at
        most so many times the smallest uniform error of the space; None unless the
        weights are bounded, as they are when the optimal density is mixed with the
        measure.
    native_factor
        As ``uniform_factor``, with errors in the norm of the kernel of a `MercerSpace`;
        None on other spaces, and without a share of the kernel's density.
    draws
        Number of draws counted.
    """

    n_points: int
    probability: float
    conf_low: float
    conf_high: float
    bound: float | None
    expected_factor: float | None
    uniform_factor: float | None
    native_factor: float | None
    draws: int

    cite_as: ClassVar[str] = "designs"

    def __repr__(self) -> str:
        return (
            f"<Stability: {self.probability:.4g} of {self.draws} draws of "
            f"{self.n_points} points>"
        )

    def tidy(self) -> pd.DataFrame:
        """Return all fields as one row."""
        import pandas as pd

        return pd.DataFrame([vars(self)])

    def summary(self) -> Table:
        """Return the printable table."""
        return _table("Stability of a Design", (self,))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RequiredSize(Result):
    """Number of points with which a design is stable often enough.

    Attributes
    ----------
    n_points
        Smallest multiple of m tried whose exact interval lies above ``1 - eta``. The
        interval is that of a single size; several are looked at, so the probability
        that the size is too small by chance is a few times that of one interval.
    bound
        Number of points that a bound proves to be enough; None where the law has none.
    design
        Kind of design.
    delta, event, eta
        As asked.
    path
        Sizes tried, ascending, each a `Stability`.
    settings
        Every argument as used.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> found = dc.required_size(space, "repeated", delta=0.9, eta=0.1)
    >>> found.n_points <= 20, found.bound is None
    (True, True)
    """

    n_points: int
    bound: int | None
    design: str
    delta: float
    event: str
    eta: float
    path: tuple[Stability, ...]
    settings: dict[str, Any]

    cite_as: ClassVar[str] = "designs"

    def __repr__(self) -> str:
        proved = "" if self.bound is None else f"; {self.bound} proved to be enough"
        return f"<RequiredSize: {self.n_points} points{proved}>"

    def tidy(self) -> pd.DataFrame:
        """Return one row per size tried."""
        import pandas as pd

        return pd.DataFrame([vars(one) for one in self.path])

    def summary(self) -> Table:
        """Return the printable table: every size tried."""
        proved = "unknown" if self.bound is None else str(self.bound)
        what = "smallest eigenvalue" if self.event == "lower" else "norm"
        return _table(
            "Points That a Design Needs",
            self.path,
            (("Design", self.design), ("Points needed", str(self.n_points))),
            (("Proved to be enough", proved), ("Event", f"{what}, {self.delta:g}")),
        )


def stability(
    design: Design,
    *,
    delta: float = 0.5,
    event: Event = "lower",
    draws: int = 1000,
    confidence: float = 0.95,
    seed: Seed = 0,
) -> Stability:
    """Estimate how often draws of a design are stable.

    Parameters
    ----------
    design
        Any design.
    delta, event
        As in `Conditioned`.
    draws
        Number of draws to count.
    confidence
        Coverage of the exact interval, at least.
    seed
        Integer or JAX key.

    Raises
    ------
    DesignError
        If an argument is not as described.

    References
    ----------
    Tropp (2012) for the bounds.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(10))
    >>> found = dc.stability(dc.RepeatedDPP(space, 2), delta=0.9, draws=200)
    >>> found.conf_low > 0.9
    True
    """
    check_delta(delta)
    check_choice("event", event, ("lower", "norm"))
    check_confidence(confidence)
    draws = whole_number("draws", draws, 1)
    group, stable = design._at_once(draws), 0
    for start in range(0, draws, group):
        keys = design._keys(seed, group, start)
        spectrum = design._spectrum(design._drawn(keys, group).items)
        away = instability(spectrum, event)[: draws - start]
        stable += int(np.count_nonzero(is_stable(away, delta)))
    low, high = exact_interval(stable, draws, confidence)
    bound = _bound(design, event)
    return Stability(
        n_points=design.n_points,
        probability=stable / draws,
        conf_low=low,
        conf_high=high,
        bound=None if bound is None else 1 - bound(design.n_points, float(delta)),
        **_factors(design, 1 - float(delta), low),
        draws=draws,
    )


def required_size(
    space: Space,
    design: str | type[Design],
    *,
    delta: float = 0.5,
    eta: float = 0.05,
    event: Event = "lower",
    weight: Any = "christoffel",
    draws: int = 1000,
    confidence: float = 0.95,
    seed: Seed = 0,
) -> RequiredSize:
    """Find how many points make a design stable with probability ``1 - eta``.

    Parameters
    ----------
    space
        Functions and measure.
    design
        ``"iid"``, ``"volume"``, ``"repeated"``, or the classes `IID`, `VolumeSampling`,
        `RepeatedDPP`.
    delta, event
        As in `Conditioned`.
    eta
        Probability of an unstable draw that is tolerated, in (0, 1).
    weight
        As in `IID`; the repeated process has the optimal weights only.
    draws
        Draws counted at each size tried.
    confidence
        Coverage of the exact interval at each size.
    seed
        Integer or JAX key.

    Returns
    -------
    RequiredSize
        Sizes tried are multiples of m: doubled until they are enough, then bisected.

    Raises
    ------
    DesignError
        If an argument is not as described, or there are too few draws to tell.
    ConvergenceError
        If ``4096 m`` points are not enough.

    References
    ----------
    Tropp (2012) for the bounds.

    Examples
    --------
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(4))
    >>> dc.required_size(space, "repeated", delta=0.9, event="norm").n_points
    10
    """
    name = _kind(design)
    check_delta(delta)
    check_choice("event", event, ("lower", "norm"))
    check_seed(seed)
    _check_draws(draws, eta, confidence)
    made = _maker(space, name, weight)

    def tried(blocks: int) -> Stability:
        return stability(
            made(blocks),
            delta=delta,
            event=event,
            draws=draws,
            confidence=confidence,
            seed=seed,
        )

    path = _search(tried, eta)
    enough = next(one for one in path if one.conf_low >= 1 - eta)
    bound = _bound(made(enough.n_points), event)
    return RequiredSize(
        n_points=enough.n_points,
        bound=None
        if bound is None
        else least_size(lambda n: bound(n, float(delta)), eta, space.size),
        design=name,
        delta=float(delta),
        event=event,
        eta=float(eta),
        path=path,
        settings={
            "space": repr(space),
            "weight": weight,
            "draws": draws,
            "confidence": confidence,
            "seed": seed_record(seed),
        },
    )


def _table(
    title: str, path: tuple[Stability, ...], left: Pairs = (), right: Pairs = ()
) -> Table:
    """One row per size."""
    rows = tuple(
        (
            str(one.n_points),
            f"{one.probability:.4f}",
            f"{one.conf_low:.4f}",
            f"{one.conf_high:.4f}",
            "" if one.bound is None else f"{one.bound:.4f}",
        )
        for one in path
    )
    return Table(
        title=title,
        left=(*left, ("Draws of each size", str(path[0].draws))),
        right=right,
        columns=("points", "stable", "[low", "high]", "proved"),
        rows=rows,
        notes=("Shares of stable draws with exact intervals.",),
    )


def _factors(design: Design, least: float, chance: float) -> dict[str, float | None]:
    """What stable points promise, for eigenvalues of at least ``least``."""
    share, space, n = design.share, design.space, design.n_points
    peak = space.size / share if share else np.inf
    # Bounds of E|b|² hold for points that are independent or repel each other.
    known = design.guarantees.marginal and np.isfinite(peak)
    mixed = share < 1
    kernel = space if isinstance(space, MercerSpace) else None
    return {
        "expected_factor": conditional_error_factor(n, 1 - least, chance, peak)
        if known
        else None,
        "uniform_factor": float(uniform_factor(1 / (1 - share), least))
        if mixed and kernel is None
        else None,
        "native_factor": native_factor(
            float(np.sqrt(kernel.eigenvalues[0])),
            float(kernel.eigenvalues.sum() + kernel.truncation_error),
            share,
            least,
        )
        if mixed and kernel is not None
        else None,
    }


def _check_draws(draws: int, eta: object, confidence: float) -> None:
    """Raise `DesignError` unless so many draws can show so rare an event."""
    check_confidence(confidence)
    number = isinstance(eta, float | np.floating)
    if not number or not 0 < eta < 1:  # type: ignore[operator]
        raise DesignError(f"eta {eta!r} should be a number in (0, 1).")
    needed = int(np.ceil(np.log((1 - confidence) / 2) / np.log1p(-eta)))  # type: ignore[operator]
    if draws < needed:
        raise DesignError(
            f"{draws} draws cannot show that fewer than {eta:g} of them are unstable; "
            f"it takes at least {needed}."
        )


def _search(tried: Callable[[int], Stability], eta: float) -> tuple[Stability, ...]:
    """Try numbers of blocks until the least that is enough is known."""
    found: dict[int, Stability] = {}

    def enough(blocks: int) -> bool:
        found[blocks] = tried(blocks)
        return found[blocks].conf_low >= 1 - eta

    low, high = 0, 1
    while not enough(high):
        if high == _MOST_BLOCKS:
            best = found[high]
            raise ConvergenceError(
                f"{best.n_points} points are stable with probability "
                f"{best.probability:.3g} only. Raise delta or eta."
            )
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return tuple(found[blocks] for blocks in sorted(found))


def _kind(design: object) -> str:
    """Name of a kind of design, from its name or class."""
    names = {kind: name for name, kind in _KINDS.items()}
    name = names.get(design, design) if isinstance(design, type) else design
    check_choice("design", name, tuple(_KINDS))
    return str(name)


def _maker(space: Space, name: str, weight: Any) -> Callable[[int], Design]:
    """Design of so many times m points."""
    if name == "repeated":
        if optimal_share(weight) != 1:
            raise DesignError(
                f"weight {weight!r}: a repeated process has the optimal weights. Leave "
                "weight out, or ask for 'volume'."
            )
        return lambda blocks: RepeatedDPP(space, blocks)
    kind = IID if name == "iid" else VolumeSampling
    return lambda blocks: kind(space, blocks * space.size, weight)


def _bound(design: Design, event: Event) -> Callable[[int, float], float] | None:
    """Bound on the chance of an unstable draw, if there is one, by size and delta."""
    share, size = design.share, design.space.size
    if share == 0:
        return None
    peak = size / share
    if design.law == "iid":
        return lambda n, delta: _IID[event](size, n, delta, peak)
    if design.law != "volume" and not isinstance(design, ProjectionDPP):
        return None
    if event == "lower":
        return lambda n, delta: volume_lower(size, n, delta, peak)
    return None if share < 1 else lambda n, delta: volume_norm(size, n, delta)
