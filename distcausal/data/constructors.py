"""The six ways in: what `RandomDistributions` can be made from.

Kept apart from the class because a constructor is mostly its contract: what it takes,
what it promises, what it refuses. The work is done in `distcausal.data.build`, which
knows the five forms and is loaded when the first object is made; the forms in turn need
the class, so the import has to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from distcausal.data.distributions import RandomDistributions

__all__ = ["Constructors"]


class Constructors:
    """Constructors of `RandomDistributions`, as its static methods."""

    @staticmethod
    def from_frame(
        frame: Any,
        *,
        unit: str,
        value: str,
        weight: str | None = None,
        columns: Iterable[str] = (),
        missing: str = "raise",
        quantile_rule: str = "linear",
    ) -> RandomDistributions:
        """Gather a long table with one row per observation.

        Parameters
        ----------
        frame
            pandas, polars, pyarrow or anything narwhals reads.
        unit
            Column that names the unit of each row.
        value
            Column with the outcome.
        weight
            Column with nonnegative weights of the observations. Rows of weight zero are
            left out and not counted.
        columns
            Columns to keep for each unit; constant within units.
        missing
            ``"raise"``, or ``"drop"`` to leave out rows whose unit, value or weight is
            missing or infinite. What was dropped is recorded in ``.missing``.
        quantile_rule
            Rule of `distcausal.numerics.quantile`, stored with the data.

        Returns
        -------
        Samples form. Units are in the order of their sorted labels and draws sorted, so
        the order of rows and the library of the table change no bit.

        Raises
        ------
        DataError
            If a column is absent, holds text or times where numbers are needed, varies
            within a unit, or breaks a rule above; the message names the units.

        Warns
        -----
        DataWarning
            If ``missing="drop"`` leaves nothing of a unit.

        Examples
        --------
        >>> import pandas as pd
        >>> import distcausal as dc
        >>> wages = pd.DataFrame({
        ...     "firm": ["b", "a", "a", "b"], "wage": [9.0, 5.0, 7.0, 3.0],
        ...     "margin": [0.2, -0.1, -0.1, 0.2],
        ... })
        >>> data = dc.RandomDistributions.from_frame(
        ...     wages, unit="firm", value="wage", columns=["margin"]
        ... )
        >>> data.ids, data.columns["margin"], data.mean()
        (array(['a', 'b'], dtype='<U1'), array([-0.1,  0.2]), array([6., 6.]))
        """
        from distcausal.data.build import from_frame

        return from_frame(
            frame,
            unit=unit,
            value=value,
            weight=weight,
            columns=columns,
            missing=missing,
            quantile_rule=quantile_rule,
        )

    @staticmethod
    def from_samples(
        samples: Any,
        *,
        weights: Any = None,
        ids: object = None,
        columns: Mapping[str, object] | None = None,
        quantile_rule: str = "linear",
    ) -> RandomDistributions:
        """Take one list of draws per unit.

        Parameters
        ----------
        samples
            Sequence of one-dimensional arrays, or a matrix ``(unit, draw)``.
        weights
            Nonnegative weights in the same layout. Draws of weight zero are left out.
        ids
            Label of each unit; by default 0, 1, ...
        columns
            Mapping from name to array with one entry per unit.
        quantile_rule
            Rule of `distcausal.numerics.quantile`, stored with the data.

        Raises
        ------
        DataError
            If a unit is empty, lengths do not match, a draw is not finite, or a label
            is repeated.

        Examples
        --------
        >>> import distcausal as dc
        >>> dc.RandomDistributions.from_samples(
        ...     [[1.0, 2.0], [5.0]], weights=[[3.0, 1.0], [1.0]], ids=["a", "b"]
        ... ).mean()
        array([1.25, 5.  ])
        """
        from distcausal.data.build import from_samples

        return from_samples(
            samples,
            weights=weights,
            ids=ids,
            columns=columns,
            quantile_rule=quantile_rule,
        )

    @staticmethod
    def from_quantiles(
        curves: Any,
        levels: object,
        *,
        ids: object = None,
        columns: Mapping[str, object] | None = None,
        repair: str = "raise",
    ) -> RandomDistributions:
        """Take quantile curves on a common grid of levels.

        Parameters
        ----------
        curves
            Shape ``(unit, level)``. **A float64 matrix in C order is viewed, not
            copied** (a copy would double the memory of large data): do not write to it
            afterwards, or pass ``curves.copy()``. Anything else is copied.
        levels
            Strictly increasing in (0, 1).
        ids
            Label of each unit; by default 0, 1, ...
        columns
            Mapping from name to array with one entry per unit.
        repair
            What to do with a curve that decreases by more than rounding: ``"raise"``,
            ``"project"`` to the nearest nondecreasing curve, or ``"rearrange"`` its
            values in order.

        Notes
        -----
        A unit's law puts on each stored quantile the mass of the cell around its level,
        bounded by the midpoints between levels and by 0 and 1. Curves are read at other
        levels by linear interpolation, flat beyond the outermost.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_quantiles([[1.0, 3.0]], [0.25, 0.75])
        >>> data.quantiles([0.5]), data.mean()
        (array([[2.]]), array([2.]))
        """
        from distcausal.data.build import from_quantiles

        return from_quantiles(curves, levels, ids=ids, columns=columns, repair=repair)

    @staticmethod
    def from_bins(
        edges: object,
        mass: Any,
        *,
        ids: object = None,
        columns: Mapping[str, object] | None = None,
    ) -> RandomDistributions:
        """Take the mass of each unit in intervals.

        Parameters
        ----------
        edges
            Strictly increasing, shape ``(bin + 1,)``. A first edge of ``-inf`` or a
            last one of ``inf`` declares an open end.
        mass
            Nonnegative shares ``(unit, bin)``, each row summing to 1.
        ids
            Label of each unit; by default 0, 1, ...
        columns
            Mapping from name to array with one entry per unit.

        Notes
        -----
        Mass is spread evenly within a bin. Nothing is known inside an open end, so a
        quantile, a mean or a distance that depends on it is refused.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_bins([0.0, 1.0, 3.0], [[0.5, 0.5]])
        >>> data.quantiles([0.25, 0.75]), data.mean()
        (array([[0.5, 2. ]]), array([1.25]))
        """
        from distcausal.data.build import from_bins

        return from_bins(edges, mass, ids=ids, columns=columns)

    @staticmethod
    def from_atoms(
        support: Sequence[Any] | np.ndarray,
        mass: Any,
        *,
        ids: object = None,
        columns: Mapping[str, object] | None = None,
    ) -> RandomDistributions:
        """Take the mass of each unit on a finite set of values or labels.

        Parameters
        ----------
        support
            Distinct numbers or labels, shape ``(atom,)``, in any order.
        mass
            Nonnegative shares ``(unit, atom)``, each row summing to 1.
        ids
            Label of each unit; by default 0, 1, ...
        columns
            Mapping from name to array with one entry per unit.

        Notes
        -----
        Quantiles are always the left-continuous inverse of the cdf. Labels have no
        order, so they allow `expect` and `sample` but no quantiles.

        Examples
        --------
        >>> import distcausal as dc
        >>> data = dc.RandomDistributions.from_atoms([0, 1], [[0.3, 0.7]])
        >>> data.quantiles([0.2, 0.4]), data.mean()
        (array([[0., 1.]]), array([0.7]))
        """
        from distcausal.data.build import from_atoms

        return from_atoms(support, mass, ids=ids, columns=columns)

    @staticmethod
    def from_law(
        law: Any,
        parameters: Mapping[str, object],
        *,
        ids: object = None,
        columns: Mapping[str, object] | None = None,
    ) -> RandomDistributions:
        """Take a family of laws with one set of parameters per unit.

        Parameters
        ----------
        law
            A continuous distribution of `scipy.stats`, a class of numpyro
            distributions, or a pair ``(quantile, cdf)`` of functions. These are called
            as ``quantile(levels, **parameters)`` with levels ``(unit or 1, level)`` and
            parameters ``(unit, 1)``, and return an array ``(unit, level)``.
        parameters
            Mapping from name to array with one entry per unit.
        ids
            Label of each unit; by default 0, 1, ...
        columns
            Mapping from name to array with one entry per unit.

        Examples
        --------
        >>> import numpy as np
        >>> import distcausal as dc
        >>> def quantile(level, rate):
        ...     return -np.log1p(-level) / rate
        >>> def cdf(point, rate):
        ...     return -np.expm1(-rate * np.maximum(point, 0))
        >>> data = dc.RandomDistributions.from_law(
        ...     (quantile, cdf), {"rate": [1.0, 2.0]}
        ... )
        >>> data.cdf([1.0]).round(3).tolist(), data.mean().round(6).tolist()
        ([[0.632], [0.865]], [1.0, 0.5])
        """
        from distcausal.data.build import from_law

        return from_law(law, parameters, ids=ids, columns=columns)
