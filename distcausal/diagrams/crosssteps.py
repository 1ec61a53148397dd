"""The derivation of a probability across worlds, told step by step.

Each step says what was done to the question and what came of it, in the names of the
graph, so that a reader can follow it by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from distcausal.diagrams.copies import Claim, Potential
from distcausal.diagrams.crossformula import Writer
from distcausal.diagrams.factor import Found
from distcausal.diagrams.merging import Factor, Member, Pattern
from distcausal.errors import listing

if TYPE_CHECKING:
    from distcausal.diagrams.counterfactual import CounterfactualIdentification

__all__ = ["tell"]

Step = tuple[str, str]
_MOST = 12  # entries of a list that a step spells out


def tell(result: CounterfactualIdentification) -> Iterator[Step]:
    """Steps from the question to the formula, or to what stands in its way."""
    claims = (*result.event, *result.given)
    yield from _unnested(claims)
    yield from _minimised(result, claims)
    pattern = result.found.pattern
    if pattern is None:
        yield "consistency", f"{_all(claims)} contradict each other: probability 0"
        return
    yield from _merged(result, pattern)
    yield (
        "ancestors",
        _all(
            _member(result, pattern, member)
            for factor in pattern.factors
            for member in sorted(factor.members)
        ),
    )
    yield (
        "factorise",
        " ".join(_factor(result, pattern, factor) for factor in pattern.factors),
    )
    if result.found.complemented:
        yield "complement", "the other state of a variable of two has the rest"
    else:
        yield from _cancelled(result, pattern)
        yield from _identified(result, pattern)
    if result.identified:
        yield "formula", result.text()
    else:
        trouble = result.found.obstacle
        assert trouble is not None
        why = f"with two values of {trouble.clash}" if trouble.clash else "has a hedge"
        yield "stop", f"P({', '.join(trouble.names)}) {why}: no formula"


def _all(items: Iterable[object]) -> str:
    return listing(items, _MOST)


def _unnested(claims: Iterable[Claim]) -> Iterator[Step]:
    """What is read from other worlds."""
    for claim in claims:
        nested = [v for _, v in claim.potential.setting if isinstance(v, Potential)]
        if nested:
            value = _all(nested)
            yield "unnest", f"{claim.potential}: sum over the values of {value}"


def _minimised(
    result: CounterfactualIdentification, claims: Iterable[Claim]
) -> Iterator[Step]:
    """Interventions that lead nowhere."""
    graph = result.observed
    for claim in claims:
        potential = claim.potential
        setting = graph.mask(name for name, _ in potential.setting)
        reach = graph.masks.without(into=setting)
        causes = reach.ancestors(graph.mask([potential.name]), graph.masks.all)
        idle = [
            name for name, _ in potential.setting if not causes & graph.mask([name])
        ]
        if idle:
            kept = [pair for pair in potential.setting if pair[0] not in idle]
            shorter = Potential(potential.name, tuple(kept))
            yield "minimise", f"{potential} is {shorter}: {_all(idle)} leads nowhere"


def _merged(result: CounterfactualIdentification, pattern: Pattern) -> Iterator[Step]:
    """Copies that the states asked about make equal."""
    names = [result.search.copies.wires[wire].name for wire, _ in pattern.merged]
    if names:
        yield "consistency", f"copies of {_all(names)} read the same and are one"


def _cancelled(
    result: CounterfactualIdentification, pattern: Pattern
) -> Iterator[Step]:
    """Factors that the condition has in common with the whole."""
    if not result.given:
        return
    condition = result.search.pattern(result.given)
    assert condition is not None
    common = set(pattern.components) & set(condition.components)
    gone = [f for f in pattern.factors if any(f in group for group in common)]
    if gone:
        shown = " ".join(_factor(result, pattern, factor) for factor in gone)
        yield "cancel", f"{shown} stands in the condition too"


def _identified(
    result: CounterfactualIdentification, pattern: Pattern
) -> Iterator[Step]:
    """Kernels of the factors, from the distributions that give them."""
    writer = Writer(result.observed)
    for factor in pattern.factors:
        found = result.search.kernels.get(factor.names)
        clashes = isinstance(factor.values(result.observed), str)
        if isinstance(found, Found) and not clashes:
            source = f"do({', '.join(found.source)})" if found.source else "observation"
            formula = writer.text(((1, found.formula),))
            yield "identify", f"Q[{', '.join(factor.names)}] from {source}: {formula}"


def _member(
    result: CounterfactualIdentification, pattern: Pattern, member: Member
) -> str:
    """A copy with what it reads and the value it takes."""
    reads = [
        _value(result, pattern, name, letter)
        for name, letter in zip(
            result.observed.parents(member.name), member.reads, strict=True
        )
    ]
    inside = f"[{', '.join(reads)}]" if reads else ""
    if member.value in pattern.states:
        return f"{member.name}{inside}={pattern.states[member.value]!r}"
    return f"{member.name}{inside}"


def _factor(
    result: CounterfactualIdentification, pattern: Pattern, factor: Factor
) -> str:
    members = sorted(factor.members)
    return f"P({', '.join(_member(result, pattern, each) for each in members)})"


def _value(
    result: CounterfactualIdentification, pattern: Pattern, name: str, letter: int
) -> str:
    """State of a variable, or its letter where that is summed over."""
    if letter in pattern.states:
        return f"{name}={pattern.states[letter]!r}"
    return Writer(result.observed).letters[name]
