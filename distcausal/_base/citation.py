"""BibTeX of the package and of the papers behind each method.

One file, ``references.bib`` beside this module, holds every reference; the
documentation's bibliography and `cite` both read it, so an entry is typed once.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from distcausal.errors import check_choice

__all__ = ["METHODS", "cite"]

METHODS: dict[str, tuple[str, ...]] = {
    "r3d": ("vandijcke2025", "calonico2014", "calonico2020", "petersen2019"),
    "wls": ("nouy2025", "cohen2017", "derezinski2022", "barthelme2023"),
    "designs": (
        "nouy2025",
        "derezinski2022",
        "haberstich2022",
        "avron2013",
        "derezinski2018",
        "tropp2012",
        "barthelme2023",
        "dumitriu2002",
        "killip2004",
    ),
    "identify": (
        "jacobs2019",
        "tian2002",
        "shpitser2006",
        "huang2006",
        "lee2019",
        "bhattacharya2022",
    ),
    "identify_counterfactual": ("correa2021", "shpitser2008"),
    "estimate_effect": ("bhattacharya2022", "rubin1981"),
    "bounds": ("balke1997", "tian2000"),
    "falsify": (
        "verma1990",
        "tian2002testable",
        "richardson2003",
        "vanderzander2019",
        "richardson2023",
        "rao1984",
        "besag1991",
    ),
    "salience": ("jerzak2023", "sundararajan2017", "zeiler2014"),
    "image_effects": (
        "jerzak2023",
        "chernozhukov2025",
        "wager2024",
        "robins1994",
        "yadlowsky2025",
        "lei2021",
        "athey2021",
        "robinson1988",
        "meinshausen2009",
        "golub1979",
        "coates2011",
    ),
    "encoders": ("coates2011", "zhu2025"),
    "ensembles": ("kulesza2012", "barthelme2023"),
}


def cite(method: str | None = None) -> str:
    """Return the BibTeX entries to cite.

    Parameters
    ----------
    method
        Name of an estimator, such as ``"r3d"`` or ``"wls"``, or ``"designs"`` or
        ``"ensembles"`` for what points and sets are drawn with, for the package and the
        papers of that method; without it, for the package and those of every method.

    Returns
    -------
    str
        BibTeX, entries separated by blank lines, the package first.

    Raises
    ------
    DesignError
        If there is no such method; the message lists those there are.

    Examples
    --------
    >>> import distcausal as dc
    >>> print(dc.cite("r3d").splitlines()[0])
    @software{distcausal,
    """
    if method is not None:
        check_choice("method", method, tuple(METHODS))
    chosen = METHODS if method is None else {method: METHODS[method]}
    keys = dict.fromkeys(
        ("distcausal", *(key for keys in chosen.values() for key in keys))
    )
    return "\n\n".join(_entries()[key] for key in keys)


@cache
def _entries() -> dict[str, str]:
    """Map each key of the bibliography to its entry as written there."""
    text = files("distcausal._base").joinpath("references.bib").read_text("utf-8")
    entries = [entry.strip() for entry in text.split("\n\n")]
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in entries}
