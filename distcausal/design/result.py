"""What a fit at the points of a design returns: coefficients and their guarantees.

Bands, tables and figures are read off the coefficients; the points and the values are
not kept. A fit to many draws is one object whose arrays have a leading axis of draws,
and its tables show the average of the draws with the error found from their spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Record, Result
from distcausal.design.basis import Basis
from distcausal.design.intervals import averaged, averaged_df, interval
from distcausal.design.laws import Guarantees
from distcausal.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table
    from distcausal.data.distributions import RandomDistributions
    from distcausal.design.functional import FunctionalEstimate

__all__ = ["Certificate", "WLSResult"]

Number = float | np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Certificate(Record):
    """What the points promise whatever the function, known before it is evaluated.

    Numbers for one design, arrays of shape ``(draw,)`` for many.

    Attributes
    ----------
    gram_min, gram_max
        Extreme eigenvalues of ``G``; both are one for a perfect design.
    condition
        Their ratio.
    uniform_factor
        For every function, the error of the fit in mean square is at most so many
        times the smallest uniform error of the space: one and the smaller of
        ``√(mean weight / gram_min)`` and the sum over the points of how far the value
        at each moves the fit. Infinite where functions of the space do not come
        back, as from a quasi-projection.
    expected_factor
        Bound ``m + 1`` of the expected squared error over the squared error of the best
        approximation, by the law of the design; noise of the values counts in both.
        None where no bound holds without a condition on the points.
    """

    gram_min: Number
    gram_max: Number
    condition: Number
    uniform_factor: Number
    expected_factor: float | None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class WLSResult(Result):
    """Weighted least-squares fit of a function at the points of a design.

    Shapes are those of one design and one value per point; q values per point add a
    last axis, many draws a first one.

    Attributes
    ----------
    coef
        Coefficients of the orthonormal functions of the space, shape ``(m,)``.
    coef_features
        Coefficients of the features given to the space, shape ``(m,)``; those of the
        orthonormal polynomials themselves on a `PolynomialSpace`.
    std_error
        Standard errors of ``coef``, about the coefficients of the best approximation
        under the measure of the space, shape ``(m,)``; None without more points than
        functions. NaN where a coefficient rests on a point whose value is fitted
        exactly, whatever it is, or is not determined by the points. Robust, and of
        values that rows have once and for all after `SubsetVolumeSampling`: there they
        are zero when all rows are drawn.
    covariance
        Covariance of ``coef``, shape ``(m, m)``, of which ``std_error`` is the root of
        the diagonal; ``(q, m, m)`` for q values per point. None without standard
        errors, and for so many draws that it would fill the memory.
    df
        Degrees of freedom of ``std_error`` in Student's law, for intervals and
        p-values: ``n - m`` for least squares, from residuals; where errors come from
        the spread of blocks or points, their number less one, for cross-fitting less
        two. None without standard errors.
    residual_error_sq
        Unbiased estimate of the squared error of the best approximation, to which noise
        of the values adds the mean of its variance; a number. None where the law of the
        design offers none: it takes volume sampling with more points than functions.
    best_error
        Estimated error of the best approximation in mean square, a number: the root of
        ``residual_error_sq``, summed over values, for curves by the mass of their
        levels. Biased as every root; where ``residual_error_sq`` is None it comes from
        the same formula and its square is biased as well. None without more points
        than functions.
    leverage
        How much the fit at a point moves with the value there, shape ``(n,)``.
    loo_residual
        Value at every point less the fit to the other points, shape ``(n,)``. NaN where
        the others do not determine the functions; None unless fitted by least squares.
    quadrature_weights
        Weights with which values at the points add up to the integral of the fit, shape
        ``(n,)``; None where constants are not in the space.
    constant
        Coefficients of the constant function one, shape ``(m,)``, or None.
    certificate
        What the points promise, as a `Certificate`.
    basis
        Evaluates the orthonormal functions.
    n_points
        Points in one design.
    n_unique
        Different points in all designs: as many evaluations were needed.
    law
        Law of the points, as in `DesignPoints`.
    method
        ``"wls"``, ``"cross-fitted"`` or ``"quasi-projection"``.
    guarantees
        What is exactly true of the estimate under that law, as `Guarantees`.
    draws
        Number of designs fitted; None for a single one.
    responses
        Number q of values per point; None for a single one.
    levels
        Quantile levels of the values, shape ``(q,)``; None where they are no curves.
    settings
        Every argument as used, with seed and versions.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> space = dc.PolynomialSpace(index=dc.TotalDegree(2))
    >>> points = dc.VolumeSampling(space, 9).sample(seed=1)
    >>> fit = dc.wls(points, points.x[:, 0] ** 2)
    >>> bool(np.allclose(fit.predict([0.5]), 0.25))
    True
    >>> fit.tidy().shape
    (3, 7)
    """

    cite_as: ClassVar[str] = "wls"

    coef: np.ndarray
    coef_features: np.ndarray
    std_error: np.ndarray | None
    covariance: np.ndarray | None
    df: int | None
    residual_error_sq: Number | None
    best_error: Number | None
    leverage: np.ndarray
    loo_residual: np.ndarray | None
    quadrature_weights: np.ndarray | None
    constant: np.ndarray | None
    certificate: Certificate
    basis: Basis
    n_points: int
    n_unique: int
    law: str
    method: str
    guarantees: Guarantees
    draws: int | None
    responses: int | None
    levels: np.ndarray | None
    settings: dict[str, Any]

    def __repr__(self) -> str:
        draws = "" if self.draws is None else f"{self.draws} fits: "
        values = "" if self.responses is None else f", {self.responses} values each"
        return (
            f"<WLSResult: {draws}{self.size} coefficients from {self.n_points} points"
            f"{values}>"
        )

    @property
    def size(self) -> int:
        """Dimension m of the space."""
        return len(self.basis.labels)

    @property
    def estimate(self) -> np.ndarray:
        """The coefficients, under the name all results share."""
        return self.coef

    def predict(self, x: object) -> np.ndarray:
        """Evaluate the fitted function.

        Parameters
        ----------
        x
            Points of the cube, shape ``(point, dim)``, or ``(point,)`` in one
            dimension; on a finite space rows of features, shape ``(point, m)``.

        Returns
        -------
        Shape ``(point,)``, with a last axis of values and a first axis of draws where
        the fit has them.

        Raises
        ------
        DataError
            If ``x`` has another shape, or points lie outside the cube.
        """
        functions = self.basis.evaluate(x)
        if self.responses is None:
            return self.coef @ functions.T
        return functions @ self.coef

    def distributions(
        self, x: object, *, monotone: str = "project"
    ) -> RandomDistributions:
        """Predict distributions at new points, as quantile curves.

        A combination of quantile curves need not increase in the level, so predictions
        are mended afterwards, and it is said by how much: the column ``moved`` of what
        is returned holds the 2-Wasserstein distance between every predicted curve and
        the one returned, and its summary counts those that moved. The fit itself, its
        coefficients and standard errors stay linear.

        Parameters
        ----------
        x
            As in `predict`.
        monotone
            ``"project"`` to the nearest nondecreasing curve, or ``"rearrange"`` the
            values of a curve in order.

        Returns
        -------
        RandomDistributions
            One unit per point; for many draws one per draw and point, draws outermost.

        Raises
        ------
        DesignError
            If the fit is not one of quantile curves.
        DataError
            As in `predict`.
        """
        from distcausal.design.curves import predicted

        return predicted(self, x, monotone)

    def functional(
        self, L: object, confidence: float = 0.95, *, name: str | None = None
    ) -> FunctionalEstimate:
        """Estimate a linear functional of the function.

        Parameters
        ----------
        L
            Its values at the orthonormal functions, shape ``(m,)``; or a callable that
            takes a function, which maps points to values of shape ``(point, m)``, and
            returns shape ``(m,)``, as in ``lambda f: f([0.5])[0] - f([0.0])[0]``. Rows
            ``(k, m)`` are k functionals.
        confidence
            Coverage of the intervals.
        name
            What to call it.

        Returns
        -------
        FunctionalEstimate

        Raises
        ------
        DesignError
            If a callable is not linear or returns another shape, or ``confidence`` is
            not in (0, 1).
        DataError
            If coefficients are missing or of another number than the functions.

        Examples
        --------
        >>> import numpy as np
        >>> import distcausal as dc
        >>> space = dc.PolynomialSpace(index=dc.TotalDegree(3))
        >>> points = dc.VolumeSampling(space, 9).sample(seed=1)
        >>> fit = dc.wls(points, points.x[:, 0] ** 3)
        >>> rise = fit.functional(lambda f: f([1.0])[0] - f([-1.0])[0])
        >>> round(rise.estimate, 9)
        2.0
        """
        from distcausal.design.functional import estimated

        return estimated(self, L, name=name, confidence=confidence)

    def value(self, x: object, confidence: float = 0.95) -> FunctionalEstimate:
        """Estimate the function at points, with standard errors; see `functional`."""
        return self.functional(self.basis.evaluate(x), confidence, name="value")

    def derivative(
        self, x: object, confidence: float = 0.95, *, dimension: int = 0
    ) -> FunctionalEstimate:
        """Estimate the derivative in one variable at points; see `functional`.

        Raises
        ------
        DesignError
            If the space knows features and no coordinates, or has no such variable.
        """
        from distcausal.design.functional import basis_slopes

        slopes = basis_slopes(self.basis, x, dimension)
        return self.functional(slopes, confidence, name=f"derivative {dimension}")

    def jump(
        self, below: object = None, above: object = None, confidence: float = 0.95
    ) -> FunctionalEstimate:
        """Estimate ``f(above) - f(below)``, as at the two sides of a cutoff.

        Parameters
        ----------
        below, above
            Points or rows of features, as in `predict`, as many of each. Left out, on a
            `CutoffSpace`, they are the two sides of its cutoff.
        confidence
            Coverage of the intervals.

        Raises
        ------
        DesignError
            If one side has other points than the other, or both are left out and the
            space has no cutoff.
        """
        if below is None and above is None:
            return self.functional(self._cutoff_jump(), confidence, name="jump")
        sides = [self.basis.evaluate(x) for x in (below, above)]
        if sides[0].shape != sides[1].shape:
            raise DesignError(
                f"a jump needs as many points below as above; there are "
                f"{len(sides[0])} and {len(sides[1])}."
            )
        return self.functional(sides[1] - sides[0], confidence, name="jump")

    def _cutoff_jump(self) -> np.ndarray:
        """Jump of the orthonormal functions at the cutoff of the space."""
        jump = getattr(self.basis, "jump", None)
        if jump is None:
            raise DesignError(
                "this space has no cutoff to jump at. Give the points on both sides: "
                "jump(below, above)."
            )
        return jump

    def average(
        self, x: object, weights: object = None, confidence: float = 0.95
    ) -> FunctionalEstimate:
        """Estimate the average of the function over a population of points.

        Parameters
        ----------
        x
            The population, as in `predict`.
        weights
            Nonnegative weights of its members, shape ``(point,)``; equal if left out.
        confidence
            Coverage of the intervals.
        """
        from distcausal.design.check import shares

        values = self.basis.evaluate(x)
        share = shares("weights", weights, len(values))
        return self.functional(share @ values, confidence, name="average")

    def integral(self, confidence: float = 0.95) -> FunctionalEstimate:
        """Estimate the integral of the function under the measure of the space.

        The integral of the fit: a sum of the values with ``quadrature_weights``, exact
        for functions of the space where the fit gives them back, and unbiased for every
        function where the coefficients are.

        Raises
        ------
        DesignError
            If constants are not in the space.
        """
        if self.constant is None:
            raise DesignError(
                "the integral of a fit is one of its coefficients only where constants "
                "are in the space, and no combination of these functions is one at all "
                "points. Add a constant feature or the degree zero."
            )
        return self.functional(self.constant, confidence, name="integral")

    def conf_int(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of intervals for the coefficients, in their shape.

        Quantiles of Student's law with ``df`` degrees of freedom times standard errors.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        return interval(self.coef, self._errors(), self.df, confidence)

    def averaged(self) -> tuple[np.ndarray, np.ndarray]:
        """Average of the draws' coefficients and its standard error.

        The error comes from the spread of the draws and so includes that of the design;
        for a single fit, its own coefficients and standard errors.
        """
        return averaged(self.coef, self._errors(), self.draws)

    def averaged_conf_int(
        self, confidence: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of intervals around the average of the draws.

        Quantiles of Student's law with one degree of freedom fewer than draws: the
        standard error of an average of a few draws is itself a rough guess. For a
        single fit as `conf_int`.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        df = averaged_df(self.df, self.draws)
        return interval(*self.averaged(), df, confidence)

    def _errors(self) -> np.ndarray:
        """Standard errors, NaN where there are none."""
        missing = self.std_error is None
        return np.full(self.coef.shape, np.nan) if missing else self.std_error  # type: ignore[return-value]

    def summary(self) -> Table:
        """Return the printable table; for many draws, of their average."""
        from distcausal.design._report import fit_table

        return fit_table(self)

    def tidy(self, confidence: float = 0.95, *, features: bool = False) -> pd.DataFrame:
        """Return one row per coefficient, with ``features`` of `coef_features`.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high;
        after the term draw and response, counted from 0, where there are any; for
        quantile curves level in place of response.
        """
        from distcausal.design._report import fit_frame

        return fit_frame(self, confidence, features)

    def glance(self) -> pd.DataFrame:
        """Return one row about the fit.

        For many draws medians over them, of squared errors means. Squared errors of
        several values per point are summed, of quantile curves by the mass of their
        levels, so that ``best_error`` is the root of ``residual_error_sq``.
        """
        from distcausal.design._report import fit_glance

        return fit_glance(self)

    def plot_data(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return the frame behind the figure: averaged coefficients and intervals."""
        from distcausal.design._report import plot_frame

        return plot_frame(self, confidence)

    def plot(self, ax: Axes | None = None, *, confidence: float = 0.95) -> Axes:
        """Draw the coefficients with their intervals; for many draws, their average.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        confidence
            Coverage of the intervals.

        Returns
        -------
        The axes.
        """
        from distcausal.design._plot import draw_coefficients

        return draw_coefficients(self, ax=ax, confidence=confidence)
