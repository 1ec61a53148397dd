"""Formulas as people write them: plain text and LaTeX.

A variable is written in lower case where that is clear, as a state of it. A sum inside
a formula may run over a variable that also stands outside; the one inside then gets a
prime, so that no letter means two things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from distcausal._base.markup import escape_latex
from distcausal.diagrams.estimand import (
    Even,
    Expression,
    Held,
    Prob,
    Product,
    Ratio,
    Sum,
)

__all__ = ["latex_name", "symbols", "to_latex", "to_text"]

_SHORT = re.compile(r"([^\W\d_])_?(\d*)$")


def symbols(names: Iterable[str]) -> dict[str, str]:
    """Letter for a state of each variable: lower case where no two would be alike."""
    known = list(names)
    lower = {name: name.lower() if _SHORT.match(name) else name for name in known}
    counts = list(lower.values())
    return {
        name: low if counts.count(low) == 1 else name for name, low in lower.items()
    }


def to_text(formula: Expression, order: Iterable[str], shown: Iterable[str]) -> str:
    """Formula in plain text.

    Parameters
    ----------
    formula
        What to write.
    order
        All variables, in the order in which lists name them.
    shown
        Variables that already stand outside the formula.
    """
    return _Writer(tuple(order), _TEXT).whole(formula, shown)


def to_latex(formula: Expression, order: Iterable[str], shown: Iterable[str]) -> str:
    """Formula in LaTeX's mathematical mode."""
    return _Writer(tuple(order), _LATEX).whole(formula, shown)


def latex_name(symbol: str) -> str:
    """Symbol of a variable in LaTeX: a letter with its number, or upright text."""
    base = symbol.rstrip("'")
    primes = "'" * (len(symbol) - len(base))
    short = _SHORT.match(base)
    if short:
        number = f"_{{{short[2]}}}" if short[2] else ""
        return f"{short[1]}{number}{primes}"
    return rf"\textit{{{escape_latex(base)}}}{primes}"


@dataclass(frozen=True)
class _Style:
    """How one format writes what formulas are made of."""

    name: object
    bar: str
    do: str
    total: str
    fraction: str
    bracket: tuple[str, str]
    even: str


_TEXT = _Style(str, " | ", "do({})", "sum_{{{}}} {}", "{} / {}", ("[", "]"), "1/|{}|")
_LATEX = _Style(
    latex_name,
    r" \mid ",
    r"\mathrm{{do}}({})",
    r"\sum_{{{}}} {}",
    r"\frac{{{}}}{{{}}}",
    (r"\left[", r"\right]"),
    r"\frac{{1}}{{|{}|}}",
)


class _Writer:
    """Writes one formula in one style."""

    def __init__(self, order: tuple[str, ...], style: _Style) -> None:
        self.order = {name: place for place, name in enumerate(order)}
        self.plain = symbols(order)
        self.style = style

    def whole(self, formula: Expression, shown: Iterable[str]) -> str:
        """The formula, with what stands outside it in plain letters."""
        scope = {name: self.plain[name] for name in {*shown, *formula.free}}
        return self.write(formula, scope)

    def write(self, formula: Expression, scope: Mapping[str, str]) -> str:
        """One part, given the symbol of every variable that is in scope."""
        match formula:
            case Prob():
                return self._probability(formula, scope)
            case Even():
                names = ", ".join(self._symbols(formula.of, scope))
                return self.style.even.format(names)
            case Held():
                sign = self._symbols([formula.name], scope)[0]
                return f"1[{sign} = {formula.state}]"
            case Sum():
                return self._sum(formula, scope)
            case Product():
                return self._product(formula, scope)
            case Ratio():
                return self._ratio(formula, scope)
        raise AssertionError(f"unknown formula {formula!r}")

    def _symbols(self, names: Iterable[str], scope: Mapping[str, str]) -> list[str]:
        ordered = sorted(names, key=self.order.__getitem__)
        write = self.style.name
        return [write(scope[name]) for name in ordered]  # type: ignore[operator]

    def _probability(self, leaf: Prob, scope: Mapping[str, str]) -> str:
        of = ", ".join(self._symbols(leaf.of, scope))
        behind = self._symbols(leaf.given, scope)
        if leaf.do:
            setting = ", ".join(self._symbols(leaf.do, scope))
            behind.insert(0, self.style.do.format(setting))
        bar = self.style.bar + ", ".join(behind) if behind else ""
        return f"P({of}{bar})"

    def _sum(self, formula: Sum, scope: Mapping[str, str]) -> str:
        taken = set(scope.values())
        inside = dict(scope)
        for name in sorted(formula.over, key=self.order.__getitem__):
            symbol = self.plain[name]
            while symbol in taken:
                symbol += "'"
            inside[name] = symbol
            taken.add(symbol)
        over = ", ".join(self._symbols(formula.over, inside))
        return self.style.total.format(over, self._factor(formula.term, inside))

    def _product(self, formula: Product, scope: Mapping[str, str]) -> str:
        if not formula.terms:
            return "1"
        *first, last = sorted(formula.terms, key=lambda term: isinstance(term, Sum))
        written = [self._factor(term, scope) for term in first]
        # a sum at the end needs no brackets: it reaches to where the product ends
        return " ".join(
            [*written, self.write(last, scope) if first else self._factor(last, scope)]
        )

    def _factor(self, term: Expression, scope: Mapping[str, str]) -> str:
        """Part as a factor, in brackets where it would run on."""
        written = self.write(term, scope)
        plain = self.style is _TEXT
        if isinstance(term, Sum) or (plain and isinstance(term, Ratio)):
            return f"{self.style.bracket[0]}{written}{self.style.bracket[1]}"
        return written

    def _ratio(self, formula: Ratio, scope: Mapping[str, str]) -> str:
        top, bottom = (self.write(p, scope) for p in (formula.top, formula.bottom))
        if self.style is _TEXT:
            top = top if isinstance(formula.top, Prob) else f"[{top}]"
            bottom = bottom if isinstance(formula.bottom, Prob) else f"[{bottom}]"
        return self.style.fraction.format(top, bottom)
