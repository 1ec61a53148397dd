"""Bayesian networks in BIF, the text format of the classic repositories.

A file gives variables with their states, and for each a table of probabilities, a row
per combination of its parents' states. Rows come in any order and may be missing where
there is a default. Tokens are cut by one regular expression and rows taken in slices,
so that a network of hundreds of variables reads in a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from distcausal.diagrams.grammar import Collector, GraphParts
from distcausal.diagrams.scan import QUOTED, Scanner
from distcausal.errors import GraphError, listing

__all__ = ["read_bif"]

# Commas and bars are blanks: the format says that they only please the eye.
TOKEN = re.compile(
    rf"[\s,|]+|//[^\n]*|/\*.*?\*/|({QUOTED}|(?:[^\s,|(){{}}\[\];\"/]|/(?![/*]))+|.)",
    re.DOTALL,
)
# A quote that is a token by itself was never closed.
SIGNS = set('(){}[];"')
EXAMPLE = "'variable A { type discrete [ 2 ] { no, yes }; }'"
ROWS = "'probability ( A | B ) { (no) 0.1, 0.9; (yes) 0.4, 0.6; }'"
# Files round their numbers to a few digits; a larger miss is a slip of the hand.
MISS = 1e-6

Read = tuple[GraphParts, dict[str, tuple[str, ...]], dict[str, np.ndarray]]


@dataclass
class _Network:
    """What has been read so far."""

    states: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    latent: list[str] = field(default_factory=list)


def read_bif(text: str, *, renormalise: bool = False) -> Read:
    """Read a discrete Bayesian network.

    Parameters
    ----------
    text
        The network, in BIF. Properties and comments are passed over; ``property latent
        = yes;``, which `write_bif` writes, marks a variable that is not observed.
    renormalise
        Divide each row by its sum. Rows of classic files miss 1 by up to 1e-6, which
        is accepted either way.

    Returns
    -------
    parts : GraphParts
        Variables in the order of the file; arrows into each in the order of its table.
    states : dict
        States of each variable.
    tables : dict
        For each variable an array with an axis per parent, in the order of the file,
        and then one for the variable, which sums to 1.

    Raises
    ------
    GraphError
        If the text does not follow the grammar (its line is shown); if a variable,
        parent or state is unknown or listed twice; if rows are missing, repeated, of
        the wrong length, negative, or miss 1 by more than 1e-6.

    References
    ----------
    Cozman (1996), *The Interchange Format for Bayesian Networks*.

    Examples
    --------
    >>> from distcausal.diagrams.read_bif import read_bif
    >>> parts, states, tables = read_bif('''
    ... variable A { type discrete [ 2 ] { no, yes }; }
    ... variable B { type discrete [ 2 ] { low, high }; }
    ... probability ( A ) { table 0.2, 0.8; }
    ... probability ( B | A ) { (no) 0.5, 0.5; (yes) 0.1, 0.9; }
    ... ''')
    >>> parts.directed, states["B"], tables["B"][1].tolist()
    ((('A', 'B'),), ('low', 'high'), [0.1, 0.9])
    """
    scan = Scanner(text, TOKEN, "BIF text", EXAMPLE)
    found = _Network()
    blocks: list[int] = []
    while scan.token:
        word = scan.token.lower()
        if word == "variable":
            _variable(scan, found)
        elif word == "probability":
            blocks.append(scan.at)
            scan.at = _end_of_block(scan)
        elif word == "network":
            scan.at = _end_of_block(scan)
        else:
            raise scan.fail("'network', 'variable' or 'probability'")
    for start in blocks:
        scan.at = start
        _probability(scan, found, renormalise=renormalise)
    return _assembled(found), found.states, found.tables


def _assembled(found: _Network) -> GraphParts:
    """Parts of the graph, once every variable has its table."""
    bare = [name for name in found.states if name not in found.tables]
    if bare:
        raise GraphError(
            f"every variable of a network should have its probabilities, but "
            f"{listing(bare)} has none. Add a block such as {ROWS}."
        )
    parts = Collector()
    parts.mention(found.states)
    for name, parents in found.parents.items():
        parts.directed += [(parent, name) for parent in parents]
    parts.hide(found.latent)
    found.tables = {name: found.tables[name] for name in found.states}
    return parts.parts()


def _end_of_block(scan: Scanner) -> int:
    """Place after the brace that closes the block opened from here."""
    try:
        return scan.tokens.index("}", scan.tokens.index("{", scan.at)) + 1
    except ValueError:
        raise scan.refuse("the block is never closed by '}'", scan.at) from None


def _name(scan: Scanner, role: str) -> str:
    """Take a name; in BIF anything that is not a sign is one."""
    token = scan.token
    if not token or token in SIGNS:
        raise scan.fail(role)
    scan.at += 1
    return scan.unquote(token)


def _variable(scan: Scanner, found: _Network) -> None:
    """Read the name and the states of a variable."""
    start = scan.at
    scan.take()
    name = _name(scan, "the name of a variable")
    if name in found.states:
        raise scan.refuse(f"the variable {name!r} is declared twice", start)
    scan.expect("{", "after the name of a variable")
    states: tuple[str, ...] | None = None
    while not scan.accept("}"):
        if scan.accept("property"):
            if [t.lower() for t in _until(scan, ";")] == ["latent", "=", "yes"]:
                found.latent.append(name)
        elif scan.accept("type"):
            states = _states(scan, name)
        else:
            raise scan.fail("'type', 'property' or '}'")
    if states is None:
        raise scan.refuse(f"the variable {name!r} has no states", start)
    found.states[name] = states


def _states(scan: Scanner, name: str) -> tuple[str, ...]:
    """Read ``discrete [ 2 ] { no, yes };``."""
    scan.expect("discrete", "since only discrete variables have tables")
    scan.expect("[", "before the number of states")
    count, at = _name(scan, "the number of states"), scan.at
    scan.expect("]", "after the number of states")
    scan.expect("{", "before the states")
    states = tuple(scan.unquote(token) for token in _until(scan, "}"))
    scan.expect(";", "after the states")
    if count != str(len(states)):
        raise scan.refuse(
            f"{name!r} should have {count} states, but {len(states)} are listed", at
        )
    if len(set(states)) < len(states) or not states:
        raise scan.refuse(
            f"the states of {name!r} should be different, and at least one", at
        )
    return states


def _until(scan: Scanner, closing: str) -> list[str]:
    """Take the tokens up to a sign, and the sign."""
    start = scan.at
    try:
        end = scan.tokens.index(closing, start)
    except ValueError:
        end = len(scan.tokens)
    taken = scan.tokens[start:end]
    for place, token in enumerate(taken, start):
        if token in SIGNS or not token:
            scan.at = place
            raise scan.fail(f"{closing!r}")
    scan.at = end + 1
    return taken


def _probability(scan: Scanner, found: _Network, *, renormalise: bool) -> None:
    """Read the table of one variable."""
    start = scan.at
    scan.take()
    scan.expect("(", "after 'probability'")
    name, *parents = [scan.unquote(token) for token in _until(scan, ")")] or [""]
    for known in (name, *parents):
        if known not in found.states:
            raise scan.refuse(
                f"the probabilities of {name!r} speak of {known!r}, which is not a "
                f"variable; the variables are {listing(found.states, 12)}",
                start,
            )
    if len({name, *parents}) <= len(parents):
        raise scan.refuse(f"{name!r} and its parents should be different", start)
    if name in found.tables:
        raise scan.refuse(f"the probabilities of {name!r} are given twice", start)
    scan.expect("{", "before the probabilities")
    table = _Table(scan, name, parents, found.states)
    while not scan.accept("}"):
        table.entry()
    values = table.finished()
    found.parents[name] = parents
    found.tables[name] = (
        values / values.sum(-1, keepdims=True) if renormalise else values
    )


class _Table:
    """Rows of one variable's table as they come.

    Rows are numbered in C order of the parents' states; ``at`` remembers where each
    stands, for messages.
    """

    def __init__(
        self,
        scan: Scanner,
        name: str,
        parents: list[str],
        states: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.scan, self.name = scan, name
        self.labels = [states[parent] for parent in parents]
        self.size = len(states[name])
        self.shape = tuple(len(labels) for labels in self.labels)
        self.rows: dict[int, list[float]] = {}
        self.at: dict[int, int] = {}
        self.default: list[float] | None = None
        strides = [prod(self.shape[i + 1 :]) for i in range(len(parents))]
        self.steps = [
            {state: stride * place for place, state in enumerate(labels)}
            for labels, stride in zip(self.labels, strides, strict=True)
        ]
        self.parents = parents

    def entry(self) -> None:
        """Read a row, a default, a whole table or a property."""
        scan, start = self.scan, self.scan.at
        if scan.accept("("):
            row = self._row(_until(scan, ")"), start)
            if row in self.rows:
                raise scan.refuse(f"the row {self.describe(row)} is given twice", start)
            self.rows[row], self.at[row] = self._numbers(self.size), start
        elif scan.accept("table"):
            self._whole(start)
        elif scan.accept("default"):
            self.default = self._numbers(self.size)
        elif scan.accept("property"):
            _until(scan, ";")
        else:
            raise scan.fail("a row '(states) numbers;', 'table', 'default' or '}'")

    def _row(self, tokens: list[str], start: int) -> int:
        """Number of the row for these states of the parents."""
        if len(tokens) != len(self.steps):
            raise self.scan.refuse(
                f"a row of {self.name!r} should name a state of each of its "
                f"{len(self.steps)} parents ({listing(self.parents)}); this one names "
                f"{len(tokens)}",
                start,
            )
        try:
            return sum(
                step[token] for step, token in zip(self.steps, tokens, strict=True)
            )
        except KeyError:
            return self._row_in_quotes(tokens, start)

    def _row_in_quotes(self, tokens: list[str], start: int) -> int:
        row = 0
        for step, token, parent in zip(self.steps, tokens, self.parents, strict=True):
            state = self.scan.unquote(token)
            if state not in step:
                raise self.scan.refuse(
                    f"a row of {self.name!r} names the state {state!r}, but {parent!r} "
                    f"has the states {listing(step, 12)}",
                    start,
                )
            row += step[state]
        return row

    def _numbers(self, count: int) -> list[float]:
        """Read so many probabilities up to the semicolon."""
        start = self.scan.at
        tokens = _until(self.scan, ";")
        try:
            numbers = list(map(float, tokens))
        except ValueError:
            numbers = []
        wrong = not all(0 <= number < np.inf for number in numbers)
        if wrong or len(numbers) < len(tokens):
            raise self.scan.refuse(
                f"probabilities of {self.name!r} should be numbers of at least 0; got "
                f"{listing(tokens, 12)}",
                start,
            )
        if len(numbers) != count:
            raise self.scan.refuse(
                f"{self.name!r} should have {count} probabilities here, but "
                f"{len(numbers)} are given",
                start,
            )
        return numbers

    def _whole(self, start: int) -> None:
        """Read all probabilities at once, the states of the variable slowest."""
        if self.rows:
            raise self.scan.refuse(
                f"{self.name!r} should have either a table or rows, not both", start
            )
        count = prod(self.shape)
        values = np.array(self._numbers(self.size * count)).reshape(self.size, count)
        self.rows = dict(enumerate(values.T.tolist()))
        self.at = dict.fromkeys(self.rows, start)

    def finished(self) -> np.ndarray:
        """All rows as one array, once they are complete and sum to 1."""
        count = prod(self.shape)
        missing = [row for row in range(count) if row not in self.rows]
        if missing and self.default is None:
            raise self.scan.refuse(
                f"{self.name!r} lacks {len(missing)} of {count} rows, among them "
                f"{self.describe(missing[0])}, and has no default",
                self.scan.at - 1,
            )
        values = np.array([self.rows.get(row, self.default) for row in range(count)])
        sums = values.sum(axis=1)
        worst = int(np.argmax(np.abs(sums - 1)))
        if abs(sums[worst] - 1) > MISS:
            raise self.scan.refuse(
                f"the row {self.describe(worst)} should sum to 1 within {MISS:g}, but "
                f"sums to {sums[worst]:.8g}",
                self.at.get(worst, self.scan.at - 1),
            )
        return values.reshape(*self.shape, self.size)

    def describe(self, row: int) -> str:
        """Name a row by its states, as in ``B | A=no``."""
        if not self.parents:
            return f"of {self.name!r}"
        places = np.unravel_index(row, self.shape)
        given = [
            f"{parent}={labels[place]}"
            for parent, labels, place in zip(
                self.parents, self.labels, places, strict=True
            )
        ]
        return f"({', '.join(given)}) of {self.name!r}"
