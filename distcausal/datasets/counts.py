"""Small published tables of counts, with the graph that their story is told with.

Three of them are the standard warnings that a comparison of rates may have the wrong
sign. A table of counts is a joint distribution as it stands: cells have weights, and
nobody needs the rows of the people behind them. The numbers are facts, typed from the
publications named; `china_smoking` reads the copy that statsmodels carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.labelled import LabelledArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PublishedTable",
    "china_smoking",
    "kidney_stones",
    "smoking_tar_cancer",
    "ucb_admissions",
]

NO_YES = ("no", "yes")


@dataclass(frozen=True, eq=False, kw_only=True)
class PublishedTable:
    """A published table of several variables.

    Attributes
    ----------
    table
        The numbers, an axis per variable.
    unit
        What they are, ``"count"`` or ``"probability"``.
    edges
        Edge text of the graph that the table is usually discussed with.
    source
        Where the numbers come from.

    Examples
    --------
    >>> import distcausal as dc
    >>> stones = dc.datasets.kidney_stones()
    >>> stones.frame.head(2)
       stone treatment success  count
    0  small         A      no      6
    1  small         A     yes     81
    >>> round(float(stones.joint.sum(["stone", "success"]).sel(treatment="A")), 2)
    0.5
    """

    table: LabelledArray
    unit: str
    edges: str
    source: str

    @property
    def graph(self) -> CausalGraph:
        """The graph of ``edges``."""
        return CausalGraph.from_edges(self.edges)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per cell: a column per variable and one named as the unit."""
        frame = self.table.to_frame(self.unit)
        return frame.astype({"count": "int64"}) if self.unit == "count" else frame

    @cached_property
    def joint(self) -> LabelledArray:
        """The table as a distribution."""
        values = self.table.values
        return LabelledArray(values / values.sum(), self.table.axes)


def kidney_stones() -> PublishedTable:
    """Success of two treatments of kidney stones, 700 patients.

    Open surgery (A) succeeds more often than puncture (B) for small stones and for
    large ones, yet less often over all: it was given to the harder cases. The size of
    the stone is a common cause to adjust for.

    References
    ----------
    Charig, Webb, Payne and Wickham (1986), *Comparison of treatment of renal calculi by
    open surgery, percutaneous nephrolithotomy, and extracorporeal shockwave
    lithotripsy*, British Medical Journal 292, 879-882.

    Examples
    --------
    >>> import distcausal as dc
    >>> joint = dc.datasets.kidney_stones().joint
    >>> size = joint.sum(["treatment", "success"]).values
    >>> a = joint.sel(treatment="A").values
    >>> float((a[:, 1] / a.sum(axis=1) @ size).round(4))
    0.8325
    """
    counts = np.array([[[6, 81], [36, 234]], [[71, 192], [25, 55]]])
    return PublishedTable(
        table=LabelledArray(
            counts,
            {"stone": ("small", "large"), "treatment": ("A", "B"), "success": NO_YES},
        ),
        unit="count",
        edges="stone -> treatment -> success; stone -> success",
        source="Charig and others (1986), British Medical Journal 292, 879-882",
    )


def ucb_admissions() -> PublishedTable:
    """Admission of 4,526 applicants to the six largest departments, Berkeley 1973.

    Over all 45 per cent of the men were admitted and 30 per cent of the women. Weighted
    by the size of departments the rates are 39 and 43 per cent: women applied where
    fewer are admitted. The department is not a common cause but lies on the way, so the
    weighted rates answer what would happen if gender changed and departments did not.

    References
    ----------
    Bickel, Hammel and O'Connell (1975), *Sex bias in graduate admissions: data from
    Berkeley*, Science 187, 398-404.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.datasets.ucb_admissions().frame["count"].sum().item()
    4526
    """
    counts = np.array(
        [
            [[313, 512], [19, 89]],
            [[207, 353], [8, 17]],
            [[205, 120], [391, 202]],
            [[279, 138], [244, 131]],
            [[138, 53], [299, 94]],
            [[351, 22], [317, 24]],
        ]
    )
    return PublishedTable(
        table=LabelledArray(
            counts,
            {"dept": tuple("ABCDEF"), "gender": ("male", "female"), "admitted": NO_YES},
        ),
        unit="count",
        edges="gender -> dept -> admitted; gender -> admitted",
        source="Bickel, Hammel and O'Connell (1975), Science 187, 398-404",
    )


def smoking_tar_cancer() -> PublishedTable:
    """Invented probabilities of smoking, tar and cancer, for the front-door formula.

    Smoking S acts on cancer C only through tar T, and S and C share an unobserved
    cause. The variables have the states 0 and 1.

    References
    ----------
    Jacobs, Kissinger and Zanasi (2019), *Causal inference by string diagram surgery*,
    arXiv 1811.08338.

    Examples
    --------
    >>> import distcausal as dc
    >>> table = dc.datasets.smoking_tar_cancer()
    >>> table.graph.districts()
    (('S', 'C'), ('T',))
    >>> float(table.joint.sel(S=1, T=1, C=1))
    0.2
    """
    values = np.array([[[0.5, 0.1], [0.01, 0.02]], [[0.1, 0.05], [0.02, 0.2]]])
    return PublishedTable(
        table=LabelledArray(values, {"S": (0, 1), "T": (0, 1), "C": (0, 1)}),
        unit="probability",
        edges="S -> T -> C; S <-> C",
        source="Jacobs, Kissinger and Zanasi (2019), arXiv 1811.08338",
    )


def china_smoking() -> PublishedTable:
    """Smoking and lung cancer in eight cities of China, 8,419 people.

    Cities differ in how many smoke and in how many of those asked have cancer, so the
    city is a common cause to adjust for. These are cases and controls: within a city
    odds ratios have a meaning, risks do not.

    References
    ----------
    Liu (1992), *Smoking and lung cancer in China: combined analysis of eight
    case-control studies*, International Journal of Epidemiology 21, 197-201.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.datasets.china_smoking().table.shape
    (8, 2, 2)
    """
    from statsmodels.datasets import china_smoking as stored

    data = stored.load_pandas().data
    counts = np.empty((len(data), 2, 2))
    for one, smokes in enumerate(NO_YES):
        for other, ill in enumerate(NO_YES):
            counts[:, one, other] = data[f"smoking_{smokes}_cancer_{ill}"]
    # The stored copy leaves a letter out of one city's name.
    cities = tuple("Nanjing" if city == "Nanjng" else city for city in data.index)
    return PublishedTable(
        table=LabelledArray(
            counts, {"city": cities, "smoking": NO_YES, "cancer": NO_YES}
        ),
        unit="count",
        edges="city -> smoking -> cancer; city -> cancer",
        source="Liu (1992), International Journal of Epidemiology 21, 197-201",
    )
