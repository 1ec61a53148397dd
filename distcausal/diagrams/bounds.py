"""What data allow where they do not determine: bounds on probabilities across worlds.

A probability that no formula gives is still limited by the data. The variables whose
unobserved causes stand in the way form a district; over the joint choices of response
functions in it the probability is linear, and so is all that is known, so the least and
the largest value come from linear programmes. Other districts enter by their kernels,
which the data determine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distcausal._base.fit import Result
from distcausal._base.table import Table, numbers
from distcausal.diagrams.available import OBSERVED, Available, read_available
from distcausal.diagrams.bounding import Linear, Setup
from distcausal.diagrams.copies import Claim, check_claimed, read_claims
from distcausal.diagrams.factor import Source
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.masks import union
from distcausal.diagrams.query import read_sources
from distcausal.diagrams.responses import LARGEST
from distcausal.errors import ConditioningError, DataError, QueryError, listing

__all__ = ["Bounds", "counterfactual_bounds", "effect_bounds"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Bounds(Result):
    """Least and largest value of a quantity that data allow.

    Attributes
    ----------
    lower, upper
        The bounds; equal where the data determine the quantity.
    sharp
        Whether each is attained by a model that agrees with the graph and the data, if
        any model does: known where one unobserved cause acts on all of the district.
        If not, the truth lies between them, and perhaps closer bounds exist.
    query
        What is bounded, as text.
    district
        Variables whose joint response is not determined; none if all is.
    """

    cite_as: ClassVar[str] = "bounds"
    lower: float
    upper: float
    sharp: bool
    query: str
    district: tuple[str, ...]

    @property
    def width(self) -> float:
        """How much the data leave open."""
        return self.upper - self.lower

    def summary(self) -> Table:
        """The two bounds."""
        kind = "sharp" if self.sharp else "valid, perhaps not sharp"
        return Table(
            title=f"Bounds on {self.query}",
            left=(("Bounds", kind),),
            right=(("Undetermined", ", ".join(self.district) or "nothing"),),
            columns=("lower", "upper", "width"),
            rows=(numbers((self.lower, self.upper, self.width), 6),),
        )

    def __iter__(self) -> Iterator[float]:
        return iter((self.lower, self.upper))

    def __repr__(self) -> str:
        return f"{self.lower:.6g} <= {self.query} <= {self.upper:.6g}"


def counterfactual_bounds(
    graph: CausalGraph,
    distributions: Any,
    event: Sequence[Any],
    given: Sequence[Any] = (),
    *,
    monotone: Iterable[tuple[str, str]] = (),
    largest: float = LARGEST,
) -> Bounds:
    """Bound the probability of an event across worlds by what the data allow.

    Parameters
    ----------
    graph
        What causes what; two-headed arrows and latent variables stand for unobserved
        causes.
    distributions
        The observed joint, a `CausalModel`, or a mapping from ``"observational"`` and
        from tuples of the variables set in an experiment to laws, as in
        `Identification.evaluate`.
    event, given
        What should hold, and what is known to, as in `identify_counterfactual`.
    monotone
        Pairs (cause, effect) such that the effect never falls when the cause alone
        rises, in any unit; states rise in their order.
    largest
        Most entries of the equations of the linear programme.

    Returns
    -------
    Bounds
        Equal ends where the data determine the probability. Sharp if one unobserved
        cause acts on all variables of the undetermined district. Two-headed arrows are
        independent causes of two variables each; for one cause of three or more, add a
        latent variable to the graph.

    Raises
    ------
    ConditioningError
        If what is given has probability zero.
    ComplexityError
        If there are too many response functions.
    DataError
        If no model of the graph agrees with the distributions; the message has the
        amount by which they miss it.
    QueryError
        If a name or state is unknown, or districts without formula multiply.

    Notes
    -----
    The distributions are taken as exact. Bounds from shares of a sample are estimates.

    References
    ----------
    Balke and Pearl (1997), *Bounds on treatment effects from studies with imperfect
    compliance*; Charnes and Cooper (1962) for ratios.

    Examples
    --------
    How many benefit, from a randomised trial:

    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Y")
    >>> joint = dc.LabelledArray(
    ...     [[0.35, 0.15], [0.2, 0.3]], {"X": (0, 1), "Y": (0, 1)}
    ... )
    >>> benefit = [("Y", 1, {"X": 1}), ("Y", 0, {"X": 0})]
    >>> dc.counterfactual_bounds(graph, joint, benefit)
    0.3 <= P(Y[X=1]=1, Y[X=0]=0) <= 0.6
    >>> dc.counterfactual_bounds(graph, joint, benefit, monotone=[("X", "Y")])
    0.3 <= P(Y[X=1]=1, Y[X=0]=0) <= 0.3
    """
    setup = _setup(graph, distributions, monotone, largest)
    asked, known = _claims(setup, graph, event, given)
    top, bottom = setup.ratio(asked, known)
    if known and (setup.never(known) or not np.any(bottom.weights > 0)):
        raise ConditioningError(
            f"the event {listing(known, 12)} has probability zero, so nothing can be "
            "said given it. Condition on an event that occurs."
        )
    bar = f" | {', '.join(map(str, known))}" if known else ""
    query = f"P({', '.join(map(str, asked))}{bar})"
    return _bounds(setup, top, bottom, query)


def effect_bounds(
    graph: CausalGraph,
    distributions: Any,
    outcome: Mapping[str, Hashable],
    do: Mapping[str, Hashable],
    *,
    against: Mapping[str, Hashable] | None = None,
    monotone: Iterable[tuple[str, str]] = (),
    largest: float = LARGEST,
) -> Bounds:
    """Bound the probability of an outcome under an intervention, or a difference.

    Parameters
    ----------
    graph, distributions, monotone, largest
        As in `counterfactual_bounds`.
    outcome
        State of each outcome.
    do
        State that each treatment is set to.
    against
        If given, the probability under this other intervention is subtracted.

    Returns
    -------
    Bounds
        As in `counterfactual_bounds`.

    Raises
    ------
    QueryError, ComplexityError, DataError
        As in `counterfactual_bounds`.

    References
    ----------
    Balke and Pearl (1997), *Bounds on treatment effects from studies with imperfect
    compliance*.

    Examples
    --------
    Assignment Z, uptake X, outcome Y; uptake and outcome share unobserved causes:

    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("Z -> X -> Y; X <-> Y")
    >>> joint = dc.LabelledArray(
    ...     [[[0.32, 0.04], [0.06, 0.08]], [[0.02, 0.03], [0.09, 0.36]]],
    ...     {"Z": (0, 1), "X": (0, 1), "Y": (0, 1)},
    ... )
    >>> dc.effect_bounds(graph, joint, {"Y": 1}, {"X": 1}, against={"X": 0})
    0.36 <= P(Y[X=1]=1) - P(Y[X=0]=1) <= 0.74
    """
    setup = _setup(graph, distributions, monotone, largest)
    for role, states in (("outcome", outcome), ("do", do), ("against", against)):
        if not isinstance(states, Mapping) and (
            role != "against" or states is not None
        ):
            raise QueryError(
                f"{role} is {states!r}; give a state for each variable, such as "
                "{'X': 1}."
            )
    sides = []
    for setting in (do, against):
        if setting is not None:
            claims = [(name, state, setting) for name, state in outcome.items()]
            asked, _ = _claims(setup, graph, claims, ())
            sides.append((setup.ratio(asked, ())[0], ", ".join(map(str, asked))))
    query = " - ".join(f"P({text})" for _, text in sides)
    whole = sides[0][0]
    if against is not None:
        whole = _difference(setup, whole, sides[1][0], query)
    return _bounds(setup, whole, Linear(0, np.ones(())), query)


def _setup(
    graph: CausalGraph,
    distributions: Any,
    monotone: Iterable[tuple[str, str]],
    largest: float,
) -> Setup:
    """Read the distributions and what is assumed."""
    check_graph(graph)
    observed = graph.latent_projection()
    sources = _sources(graph, distributions)
    available = read_available(distributions, sources, observed)
    rising = _rising(monotone)
    for cause, effect in rising:
        if cause not in observed.parents(effect):
            raise QueryError(
                f"monotone names ({cause!r}, {effect!r}), but {effect!r} has no arrow "
                f"from {cause!r}; its causes are "
                f"{listing(observed.parents(effect), 12) or 'none'}."
            )
    states = _states(available, observed)
    shared = tuple(_shared(graph, observed))
    return Setup(observed, available, sources, states, rising, largest, shared)


def _rising(monotone: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of a cause and an effect, once they are known to be pairs."""
    form = "give a list of pairs (cause, effect), such as [('X', 'Y')]."
    if isinstance(monotone, str) or not isinstance(monotone, Iterable):
        raise QueryError(f"monotone is {monotone!r}; {form}")
    found = []
    for pair in monotone:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise QueryError(f"monotone holds {pair!r}; {form}")
        found.append((pair[0], pair[1]))
    return tuple(found)


def _shared(graph: CausalGraph, observed: CausalGraph) -> Iterator[int]:
    """For each unobserved cause, the observed variables that it acts on, as bits.

    What reaches them through unobserved variables only counts too.
    """
    full = graph.with_latents()
    masks, hidden = full.masks, full.mask(full.latent)
    for name in full.latent:
        through = masks.descendants(full.mask([name]), hidden)
        yield observed.mask(full.names(union(masks.children, through) & ~hidden))


def _sources(graph: CausalGraph, distributions: Any) -> tuple[Source, ...]:
    """Variables set in each distribution given."""
    single = not isinstance(distributions, Mapping)
    if single or {"variables", "values"} <= set(distributions):
        return ((),)
    experiments = [
        [key] if isinstance(key, str) else key
        for key in distributions
        if key != OBSERVED
    ]
    return read_sources(graph, experiments, OBSERVED in distributions)


def _states(
    available: Available, graph: CausalGraph
) -> dict[str, tuple[Hashable, ...]]:
    """States of every variable of the graph."""
    states: dict[str, tuple[Hashable, ...]] = {}
    known = (
        [table.axes for table in available.values()]
        if isinstance(available, dict)
        else [available.states]
    )
    for axes in known:
        for name, labels in axes.items():
            if states.setdefault(name, labels) != labels:
                raise DataError(
                    f"two distributions give {name!r} different states: "
                    f"{states[name]} and {labels}. Give both the same, in one order."
                )
    lacking = [name for name in graph.nodes if name not in states]
    if lacking:
        raise QueryError(
            f"the distributions have no axis for {listing(lacking, 12)}; bounds need "
            "all variables of the graph."
        )
    return {name: states[name] for name in graph.nodes}


def _claims(
    setup: Setup, graph: CausalGraph, event: Sequence[Any], given: Sequence[Any]
) -> tuple[list[Claim], list[Claim]]:
    """Check the question, and its states."""
    asked, known = (
        read_claims(graph, "event", event),
        read_claims(graph, "given", given),
    )
    if not asked:
        raise QueryError("event is empty; say what should hold in which world.")
    check_claimed((*asked, *known), setup.states)
    if setup.search.pattern(known) is None:
        raise ConditioningError(
            f"{listing(known, 12)} contradict each other, so they hold together in no "
            "model and nothing can be said given them. Condition on an event that can "
            "occur."
        )
    return asked, known


def _difference(setup: Setup, one: Linear, other: Linear, query: str) -> Linear:
    """Difference of two linear functions of one law."""
    if one.district and other.district:
        _check_one_district(setup, one, other, f"{query} is the difference")
    return Linear(one.district or other.district, one.weights - other.weights)


def _check_one_district(setup: Setup, one: Linear, other: Linear, what: str) -> None:
    """Raise unless two linear functions are of the law of one district, or numbers."""
    if not one.district or one.district == other.district:
        return
    both = [
        listing(setup.graph.names(part), 12) for part in (one.district, other.district)
    ]
    raise QueryError(
        f"the data determine neither how {both[0]} nor how {both[1]} respond, and "
        f"{what} of what they contribute, which no single linear programme bounds. Ask "
        "about the two parts separately."
    )


def _bounds(setup: Setup, top: Linear, bottom: Linear, query: str) -> Bounds:
    """Extremes of a ratio of two linear functions."""
    district = top.district or bottom.district
    if bottom.district:
        _check_one_district(setup, top, bottom, f"{query} is the ratio")
    names = setup.graph.names(district)
    if not district:
        value = float(top.weights / bottom.weights)
        low, high = value, value
    else:
        programme = setup.programme(district)
        count = int(programme.responses.size)
        low, high = programme.extremes(
            np.broadcast_to(top.weights, count), np.broadcast_to(bottom.weights, count)
        )
    joined = len(names) < 2 or any(district & ~cause == 0 for cause in setup.shared)
    # adding zero turns the -0.0 of a maximum of nothing into 0.0
    return Bounds(
        lower=low + 0.0, upper=high + 0.0, sharp=joined, query=query, district=names
    )
