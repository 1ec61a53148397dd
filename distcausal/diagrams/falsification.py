"""Outcome of the tests of a graph: one row for each statement it makes about data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, number, p_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["FalsificationTests"]

_NAMES = {
    "holm": "Holm",
    "bonferroni": "Bonferroni",
    "bh": "Benjamini and Hochberg",
    "none": "not at all",
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FalsificationTests(Result):
    """Tests of what a causal graph implies for data; reads like a frame.

    ``tests["p_value"]`` is a column, ``len(tests)`` the number of statements.

    Attributes
    ----------
    kind
        ``"independence"`` or ``"verma"``, for each statement.
    label
        The statement in short.
    constraint
        The statement in full.
    statistic, df, p_value
        Test statistic, its degrees of freedom, and p-value, shape ``(constraint,)``.
        Statistic and p-value are NaN, and there are no degrees of freedom, exactly
        where ``reason`` says why there is no test.
    p_adjusted
        P-values adjusted for the number of tests.
    method
        ``"likelihood ratio"``, a number of shuffles, ``"Rao-Scott"`` or ``"Wald"``;
        empty where there is no test.
    n
        Observations behind each test.
    reason
        Why a statement cannot be tested with the data; empty where it was.
    complete
        Whether the search for statements came to its end.
    settings
        Every argument as used.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Y -> Z")
    >>> model = dc.random_model(graph, seed=3)
    >>> frame = model.joint().to_frame("count")
    >>> frame["count"] = (1000 * frame["count"]).round()
    >>> tests = dc.falsify(frame, graph)
    >>> tests.label, tests["df"]
    (('X _||_ Z | Y',), array([2]))
    >>> tests.rejected()
    ()
    """

    __test__: ClassVar[bool] = False
    cite_as: ClassVar[str] = "falsify"

    kind: tuple[str, ...]
    label: tuple[str, ...]
    constraint: tuple[str, ...]
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    p_adjusted: np.ndarray
    method: tuple[str, ...]
    n: np.ndarray
    reason: tuple[str, ...]
    complete: bool
    settings: dict[str, Any]

    columns: ClassVar[tuple[str, ...]] = (
        "kind",
        "constraint",
        "statistic",
        "df",
        "p_value",
        "p_adjusted",
        "method",
        "n",
        "reason",
    )

    def __repr__(self) -> str:
        return self.summary().as_text()

    def __len__(self) -> int:
        return len(self.constraint)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self.columns:
            raise KeyError(f"{column!r} is not one of {', '.join(self.columns)}")
        return np.asarray(getattr(self, column))

    def rejected(self, size: float = 0.05) -> tuple[str, ...]:
        """Statements whose adjusted p-value is at most ``size``."""
        pairs = zip(self.constraint, self.p_adjusted, strict=True)
        return tuple(text for text, value in pairs if value <= size)

    def tidy(self) -> pd.DataFrame:
        """Return one row per statement, with the columns named in `columns`."""
        import pandas as pd

        return pd.DataFrame({column: self[column] for column in self})

    def glance(self) -> pd.DataFrame:
        """Return one row: numbers of statements and tests, smallest p-values."""
        import pandas as pd

        tested = ~np.isnan(self.p_value)
        row = {
            "n_constraints": len(self),
            "n_tested": int(tested.sum()),
            "p_value_min": self.p_value[tested].min(initial=1.0),
            "p_adjusted_min": self.p_adjusted[tested].min(initial=1.0),
            "n": int(self.n.max(initial=0)),
            "complete": self.complete,
        }
        return pd.DataFrame([row])

    def plot_data(self) -> pd.DataFrame:
        """Return what `plot` draws: label, p-value and adjusted p-value per statement.

        Statements without a test are left out.
        """
        tested = ~np.isnan(self.p_value)
        frame = self.tidy().assign(label=self.label)
        return frame.loc[tested, ["label", "p_value", "p_adjusted"]].reset_index(
            drop=True
        )

    def plot(self, ax: Axes | None = None, *, size: float = 0.05) -> Axes:
        """Draw p-values and adjusted p-values, one line per statement.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; without one a new figure is made. Nothing is
            shown, and the settings of matplotlib stay as they are.
        size
            Where to draw the line below which a statement is rejected.
        """
        data = self.plot_data()
        if ax is None:
            from matplotlib.figure import Figure

            height = 1.2 + 0.3 * len(data)
            ax = Figure(figsize=(6.0, height), layout="constrained").add_subplot()
        place = np.arange(len(data))
        ax.plot(data["p_value"], place, "o", fillstyle="none", label="p-value")
        ax.plot(data["p_adjusted"], place, "o", label="adjusted")
        ax.axvline(size, linewidth=0.8, color="0.5")
        ax.set_yticks(place, data["label"])
        ax.invert_yaxis()
        ax.set_xlim(-0.02, 1.02)
        ax.set_xlabel("p-value")
        ax.legend()
        return ax

    def summary(self) -> Table:
        """Return the printable table, one line per statement."""
        rows = zip(
            self.label,
            (number(value, 2) for value in self.statistic),
            (str(df) if df else "" for df in self.df),
            map(p_value, self.p_value),
            map(p_value, self.p_adjusted),
            self.method,
            strict=True,
        )
        return Table(
            title="Tests of What the Graph Implies",
            columns=("statement", "statistic", "df", "p-value", "p adjusted", "by"),
            rows=tuple(rows),
            left=(("Statements", str(len(self))),),
            right=(("Observations", str(int(self.n.max(initial=0)))),),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        if not len(self):
            yield "The graph implies nothing that these tests could refute."
        for kind, label, text, reason in zip(
            self.kind, self.label, self.constraint, self.reason, strict=True
        ):
            if kind == "verma":
                yield f"{label}: {text}."
            if reason:
                yield f"Not tested: {label}. {reason}"
        if not self.complete:
            yield "The graph is large; there are statements that were not looked for."
        if len(self):
            yield (
                "A small p-value speaks against the statement, and so against the "
                f"graph. Adjusted p-values: {_NAMES[self.settings['correction']]}."
            )
