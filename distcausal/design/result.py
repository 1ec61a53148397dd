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
from distcausal.numerics.band import check_confidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from distcausal._base.table import Table

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
        ``1 + √(mean weight / gram_min)``: for every function, the error of the fit in
        mean square is at most so many times the smallest uniform error of the space.
    expected_factor
        Bound ``m + 1`` of the expected squared error over the squared error of the best
        approximation, by the law of the design; None where no bound holds without a
        condition on the points.
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
        Robust standard errors of ``coef``, shape ``(m,)``; None without more points
        than functions. NaN where a coefficient rests on a point whose value is fitted
        exactly, whatever it is.
    residual_error_sq
        Unbiased estimate of the squared error of the best approximation; a number.
        None where the law of the design offers none: it takes `VolumeSampling` with
        more points than functions.
    leverage
        Leverage of every point in the fit, shape ``(n,)``.
    certificate
        What the points promise, as a `Certificate`.
    basis
        Evaluates the orthonormal functions.
    n_points
        Points in one design.
    law
        ``"iid"``, ``"projection"``, ``"repeated"`` or ``"volume"``.
    draws
        Number of designs fitted; None for a single one.
    responses
        Number q of values per point; None for a single one.
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
    residual_error_sq: Number | None
    leverage: np.ndarray
    certificate: Certificate
    basis: Basis
    n_points: int
    law: str
    draws: int | None
    responses: int | None
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

    def conf_int(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of normal intervals for the coefficients, in their shape.

        Raises
        ------
        DesignError
            If ``confidence`` is not in (0, 1).
        """
        from statistics import NormalDist

        reach = NormalDist().inv_cdf((1.0 + check_confidence(confidence)) / 2.0)
        width = np.nan if self.std_error is None else reach * self.std_error
        return self.coef - width, self.coef + width

    def averaged(self) -> tuple[np.ndarray, np.ndarray]:
        """Average of the draws' coefficients and its standard error.

        The error comes from the spread of the draws and so includes that of the design;
        for a single fit, its own coefficients and standard errors.
        """
        if self.draws is None:
            missing = np.full(self.coef.shape, np.nan)
            return self.coef, missing if self.std_error is None else self.std_error
        if self.draws == 1:
            return self.coef[0], np.full(self.coef.shape[1:], np.nan)
        spread = self.coef.std(axis=0, ddof=1)
        return self.coef.mean(axis=0), spread / np.sqrt(self.draws)

    def summary(self) -> Table:
        """Return the printable table; for many draws, of their average."""
        from distcausal.design._report import fit_table

        return fit_table(self)

    def tidy(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row per coefficient.

        Columns: term, estimate, std_error, statistic, p_value, conf_low, conf_high;
        after the term draw and response, counted from 0, where there are any.
        """
        from distcausal.design._report import fit_frame

        return fit_frame(self, confidence)

    def glance(self) -> pd.DataFrame:
        """Return one row about the fit; for many draws, medians over them."""
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
