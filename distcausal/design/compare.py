"""Designs beside each other on one function: how far each fit is from the best one.

Bounds say what cannot go wrong; which design to use is a matter of what does happen.
Every design is drawn many times as one batch, the function is evaluated once on the
whole batch, and the error of every fit is known exactly, because the squared distance
from ``f`` to a fit is that to its projection plus the distance between coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.keys import Seed, check_seed, seed_record
from distcausal.design.base import Design
from distcausal.design.check import responses, shares, whole_number
from distcausal.design.fit import wls
from distcausal.design.points import DesignPoints
from distcausal.design.result import WLSResult
from distcausal.design.selected import Event, check_delta, instability
from distcausal.design.spaces import FiniteSpace, Space
from distcausal.errors import DataError, DesignError, check_choice

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

__all__ = ["DesignComparison", "compare_designs"]

Estimator = Callable[[DesignPoints, Any], WLSResult]
# Below this share of the function its distance to the space is rounding.
_EXACT = 1e-13


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DesignComparison(Result):
    """Errors and stability of several designs, one row per design, every draw kept.

    Attributes
    ----------
    names
        Name of every design; the sizes of one kind share theirs.
    n_points
        Points in one draw, shape ``(design,)``.
    size
        Dimension m of the space.
    best_error
        ``|f - Pf|``, the error of the best approximation in mean square.
    reference_error
        Largest entry of the Gram matrix of the orthonormal functions on the reference
        less the identity: what the reference misses of their products.
    ratio
        ``|f - f̂| / |f - Pf|`` of every fit, at least one, shape ``(design, draw)``.
    gram_min, gram_max
        Extreme eigenvalues of G, shape ``(design, draw)``.
    residual_ratio
        Squared error of the best approximation as estimated from residuals, over the
        true one, shape ``(design, draw)``; NaN without spare points. Its mean is one
        under volume sampling.
    tries
        Designs drawn to get each one, shape ``(design, draw)``.
    settings
        Every argument as used.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(6))
    >>> found = dc.compare_designs(
    ...     space,
    ...     lambda x: 1 / (1 + 5 * x[..., 0] ** 2),
    ...     [dc.IID(space, 14), dc.RepeatedDPP(space, 2)],
    ...     reference=np.polynomial.legendre.leggauss(60),
    ...     draws=200,
    ... )
    >>> found.tidy()[["design", "n_points"]].values.tolist()
    [['iid', 14], ['repeated', 14]]
    >>> bool(np.median(found.ratio[1]) < np.median(found.ratio[0]))
    True
    """

    cite_as: ClassVar[str] = "designs"

    names: tuple[str, ...]
    n_points: np.ndarray
    size: int
    best_error: float
    reference_error: float
    ratio: np.ndarray
    gram_min: np.ndarray
    gram_max: np.ndarray
    residual_ratio: np.ndarray
    tries: np.ndarray
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<DesignComparison: {len(self.names)} designs for {self.size} functions, "
            f"{self.draws} draws each>"
        )

    @property
    def draws(self) -> int:
        """Draws of every design."""
        return self.ratio.shape[1]

    def stable(self, delta: float = 0.5, event: Event = "lower") -> np.ndarray:
        """Share of stable draws, shape ``(design,)``.

        Parameters
        ----------
        delta, event
            As in `Conditioned`.

        Raises
        ------
        DesignError
            If an argument is not as described.
        """
        check_delta(delta)
        check_choice("event", event, ("lower", "norm"))
        ends = np.stack([self.gram_min, self.gram_max], axis=-1)
        return np.mean(instability(ends, event) <= delta, axis=1)

    def tidy(
        self,
        *,
        deltas: Sequence[float] = (0.5, 0.9),
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    ) -> pd.DataFrame:
        """Return one row per design.

        Columns: design, n_points, one ``ratio_...`` per quantile, ``lower_...`` and
        ``norm_...``, the shares of draws stable in either sense, per delta, gram_min
        (median), residual_ratio and residual_ratio_error (mean, and its Monte Carlo
        error), tries (mean).

        Parameters
        ----------
        deltas
            Distances of G to the identity that count as stable, in (0, 1).
        quantiles
            Which quantiles of the error ratio, in [0, 1].

        Raises
        ------
        DesignError
            If one is outside its range.
        """
        from distcausal.design._comparison import comparison_frame

        return comparison_frame(self, deltas, quantiles)

    def summary(self) -> Table:
        """Return the printable table."""
        from distcausal.design._comparison import comparison_table

        return comparison_table(self)

    def plot_data(self, quantiles: tuple[float, float] = (0.05, 0.95)) -> pd.DataFrame:
        """Return the frame behind the figure: design, n_points, median, low, high.

        Sorted by design, in the order given, and by the number of points.
        """
        from distcausal.design._comparison import comparison_curves

        return comparison_curves(self, quantiles)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        quantiles: tuple[float, float] = (0.05, 0.95),
    ) -> Axes:
        """Draw errors against numbers of points, one line per name of a design.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        quantiles
            Between which the bands around the medians reach.

        Returns
        -------
        The axes.

        Raises
        ------
        DesignError
            If a quantile is not in [0, 1].
        """
        from distcausal.design._comparison import draw_comparison

        return draw_comparison(self, ax=ax, quantiles=quantiles)


class _Target(NamedTuple):
    """What fits are measured against, on the reference."""

    value: Callable[[DesignPoints], np.ndarray]
    coef: np.ndarray
    gram: np.ndarray
    best_sq: float


def compare_designs(
    space: Space,
    f: Any,
    designs: Mapping[str, Design | Sequence[Design]] | Sequence[Design],
    *,
    reference: tuple[Any, Any] | None = None,
    draws: int = 1000,
    seed: Seed = 0,
    estimator: Estimator = wls,
) -> DesignComparison:
    """Draw designs many times and measure the errors of their fits.

    Parameters
    ----------
    space
        Functions and measure of all designs.
    f
        The function: takes points of any leading shape, ``(..., dim)``, positions
        ``(...)`` on a finite space, and returns numbers ``(...)`` or vectors
        ``(..., q)``. It is called once per design, with all draws. On a finite space
        its values, ``(N,)`` or ``(N, q)``, do as well.
    designs
        Designs by name, several sizes of one kind as a list under one name; or a
        sequence of designs, which are named after their laws.
    reference
        Points ``(N, dim)``, or ``(N,)`` in one dimension, and their masses: a
        quadrature rule or a large sample, in which errors are measured. A finite space
        is its own reference.
    draws
        Draws of every design.
    seed
        Integer or JAX key, the same for all designs, so that one made from another
        changes the very points that the other draws.
    estimator
        `wls` or another estimator of this package, called as ``estimator(points, y)``.

    Returns
    -------
    DesignComparison

    Raises
    ------
    DesignError
        If there is no design, one is on another space, or ``draws`` is not a whole
        number, 1 or more.
    DataError
        If the reference is missing where it is needed or does not determine the
        functions, a value is missing or infinite, or the function lies in the space,
        so that no error can be relative to its best one.

    Warns
    -----
    InferenceWarning
        As `wls`: independent points often determine the functions badly.

    References
    ----------
    Nouy and Michel (2025), arXiv:2312.14057.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> x = np.linspace(-1, 1, 500)
    >>> space = dc.FiniteSpace(np.vander(x, 6))
    >>> sizes = [6, 12, 18]
    >>> found = dc.compare_designs(
    ...     space,
    ...     np.exp(-4 * x),
    ...     {"volume": [dc.VolumeSampling(space, n) for n in sizes]},
    ...     draws=100,
    ... )
    >>> bool((np.diff(np.median(found.ratio, axis=1)) < 0).all())
    True
    """
    named = _named(designs, space)
    check_seed(seed)
    count = whole_number("draws", draws, 1)
    target = _target(space, f, reference)
    rows = [_measured(design, target, count, seed, estimator) for _, design in named]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return DesignComparison(
        names=tuple(name for name, _ in named),
        n_points=np.array([design.n_points for _, design in named]),
        size=space.size,
        best_error=float(np.sqrt(target.best_sq)),
        reference_error=float(np.abs(target.gram - np.eye(space.size)).max()),
        **columns,
        settings={
            "space": repr(space),
            "draws": count,
            "seed": seed_record(seed),
            "estimator": getattr(estimator, "__name__", repr(estimator)),
        },
    )


def _named(designs: Any, space: Space) -> list[tuple[str, Design]]:
    """Pairs of names and designs, sizes of one kind after each other."""
    if isinstance(designs, Mapping):
        listed = [
            (str(name), one)
            for name, given in designs.items()
            for one in (given if isinstance(given, Sequence) else [given])
        ]
    else:
        listed = [(getattr(one, "law", ""), one) for one in designs]
    if not listed:
        raise DesignError("designs should hold at least one design; it is empty.")
    for name, one in listed:
        if not isinstance(one, Design):
            raise DesignError(
                f"designs should hold designs; {name or 'one'!r} is a "
                f"{type(one).__name__}."
            )
        if one.space is not space:
            raise DesignError(
                f"design {name!r} is on another space than the one given: errors could "
                "not be compared. Make all designs from the same space object."
            )
    return listed


def _target(space: Space, f: Any, reference: tuple[Any, Any] | None) -> _Target:
    """Project the function on the reference."""
    rows, mass, values, value = (
        _finite(space, f) if reference is None else _continuous(space, f, reference)
    )
    root = np.sqrt(mass)[:, None]
    coef, _, rank, _ = np.linalg.lstsq(rows * root, values * root, rcond=None)
    if rank < space.size:
        raise DataError(
            f"the reference determines {rank} of {space.size} functions only. Give "
            "more points."
        )
    best_sq = float(np.sum(mass[:, None] * (values - rows @ coef) ** 2))
    whole = float(np.sum(mass[:, None] * values**2))
    if best_sq <= _EXACT**2 * whole:
        raise DataError(
            "f lies in the space: its best error is zero, and no error can be relative "
            "to it. Compare on a function outside the space, or look at `stability`."
        )
    return _Target(value, coef, (rows * mass[:, None]).T @ rows, best_sq)


def _finite(space: Space, f: Any) -> tuple[Any, ...]:
    """Rows, masses and values on a finite space, and how values at points are found."""
    if not isinstance(space, FiniteSpace):
        raise DataError(
            f"reference should be given for {space}: points and their masses, such as "
            "numpy.polynomial.legendre.leggauss(100)."
        )
    atoms = np.arange(len(space.mass))
    values = responses(f(atoms) if callable(f) else f, atoms.shape)
    held = np.flatnonzero(space.mass)

    def value(points: DesignPoints) -> np.ndarray:
        return values[points.index]

    return space.values(held), space.mass[held], values[held], value


def _continuous(space: Space, f: Any, reference: Any) -> tuple[Any, ...]:
    """As `_finite`, from a quadrature rule."""
    if not callable(f) or not isinstance(reference, tuple) or len(reference) != 2:
        raise DataError(
            "with a reference f should be a function of points, and the reference a "
            "pair of points and masses."
        )
    at = np.asarray(reference[0], dtype=float)
    x = at[:, None] if at.ndim == 1 else at
    mass = shares("masses of the reference", reference[1], len(x))

    def value(points: DesignPoints) -> np.ndarray:
        return responses(f(points.x), points.values.shape[:-1])

    return space.basis.evaluate(x), mass, responses(f(x), x.shape[:1]), value


def _measured(
    design: Design, target: _Target, draws: int, seed: Seed, estimator: Estimator
) -> dict[str, np.ndarray]:
    """Errors and spectra of all draws of one design."""
    points = design.sample_many(draws, seed)
    fit = estimator(points, target.value(points))
    away = fit.coef - target.coef
    extra = np.einsum("dmq,mk,dkq->d", away, target.gram, away, optimize=True)
    spectrum = points.gram_eigenvalues
    best = np.full(draws, np.nan) if fit.best_error is None else fit.best_error
    return {
        "ratio": np.sqrt(1 + np.maximum(extra, 0.0) / target.best_sq),
        "gram_min": spectrum[:, 0],
        "gram_max": spectrum[:, -1],
        "residual_ratio": np.asarray(best) ** 2 / target.best_sq,
        "tries": np.asarray(points.tries),
    }
