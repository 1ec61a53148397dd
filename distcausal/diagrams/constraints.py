"""What a causal graph says about the observed law, as statements that data can refute.

Two kinds. Two variables without an edge may be independent given others. And where
unobserved causes are shared, the law after an intervention, written in terms of the
observed law, may have to be the same whatever the state of some variable: a constraint
that no independence expresses. Both are found by search in the graph alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice
from typing import ClassVar

from distcausal.diagrams.estimand import Expression, Prob
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.kernels import Kernel, reachable_kernels
from distcausal.diagrams.masks import bits
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.random_model import random_model
from distcausal.diagrams.render import symbols, to_text
from distcausal.diagrams.separators import smallest_separator
from distcausal.diagrams.tangent import Tangent

__all__ = [
    "Independence",
    "Invariance",
    "independences",
    "invariances",
]

_FORMULAS = 1000
_SETS = 256  # ancestral sets whose independences a constraint is compared with
_STATEMENTS = 2000  # tried against tangent spaces; some seconds
_WIDEST = 9  # variables of the largest joint law that constraints are compared on


@dataclass(frozen=True)
class Independence:
    """Two variables that the graph makes independent given others."""

    one: str
    other: str
    given: tuple[str, ...]

    kind: ClassVar[str] = "independence"

    @property
    def label(self) -> str:
        """The statement, as dagitty writes it."""
        bar = f" | {', '.join(self.given)}" if self.given else ""
        return f"{self.one} _||_ {self.other}{bar}"

    @property
    def text(self) -> str:
        """The statement in full, which is no longer."""
        return self.label


@dataclass(frozen=True, eq=False)
class Invariance:
    """A formula for a kernel, and the variables it must not change with.

    Attributes
    ----------
    target
        The variables whose law it is once their other causes are set.
    fixed
        Those causes.
    spare
        The variables that the formula mentions and must not change with.
    formula
        The formula, in terms of the observed law.
    graph
        Graph over the observed variables that demands it.
    """

    target: tuple[str, ...]
    fixed: tuple[str, ...]
    spare: tuple[str, ...]
    formula: Expression
    graph: CausalGraph

    kind: ClassVar[str] = "verma"

    @property
    def label(self) -> str:
        """The law after an intervention, and for what it must be the same."""
        letter = symbols(self.graph.nodes)
        target, fixed, spare = (
            ", ".join(letter[name] for name in names)
            for names in (self.target, self.fixed, self.spare)
        )
        bar = f" | do({fixed})" if fixed else ""
        return f"P({target}{bar}) for all {spare}"

    @property
    def text(self) -> str:
        """The statement as a formula."""
        nodes = self.graph.nodes
        letter = symbols(nodes)
        shown = (*self.target, *self.fixed, *self.spare)
        over = ", ".join(letter[name] for name in self.spare)
        return f"{to_text(self.formula, nodes, shown)} does not change with {over}"


def independences(graph: CausalGraph) -> Iterator[Independence]:
    """One independence for each pair of observed variables that some set separates.

    The set is a smallest one; among those of the least size, the one whose members come
    first among the nodes. The statements do not imply all independences of the graph:
    three variables of which any two are independent may depend on each other.
    """
    seen = graph.latent_projection()
    masks = seen.masks
    for one, other in combinations(range(len(seen.nodes)), 2):
        given = smallest_separator(masks, one, other)
        if given is not None:
            yield Independence(seen.nodes[one], seen.nodes[other], seen.names(given))


@lru_cache(maxsize=32)
def invariances(graph: CausalGraph) -> tuple[tuple[Invariance, ...], bool]:
    """Constraints on the law after interventions that no independence implies.

    Returns
    -------
    Each says more than the independences of the graph and those before it together; and
    whether the search came to its end. It leaves out statements on more than nine
    variables, causes included, and stops after some thousand statements, the shortest
    being tried first.

    Notes
    -----
    What a constraint adds is decided by derivatives at a law of the graph drawn at
    random, with two states per variable (see `distcausal.diagrams.tangent`). That takes
    up to seconds, so the last few graphs are remembered.

    Examples
    --------
    >>> import distcausal as dc
    >>> from distcausal.diagrams.constraints import invariances
    >>> napkin = dc.CausalGraph.from_edges("W1->W2->X->Y; W1<->X; W1<->Y")
    >>> found, complete = invariances(napkin)
    >>> len(found), found[0].spare, complete
    (1, ('W2',), True)
    """
    seen = graph.latent_projection()
    kernels, complete = reachable_kernels(seen, _FORMULAS)
    if not kernels:
        return (), complete
    complete &= all(_causes(seen, kernel) is not None for kernel in kernels)
    kept: list[tuple[int, Kernel]] = []
    tangents = _Tangents(seen)
    for kernel in kernels:
        if tangents.tried > _STATEMENTS:
            complete = False
            break
        within = _causes(seen, kernel)
        if within is not None and tangents.adds(within, kernel, kept):
            kept.append((within, kernel))
    found = tuple(
        Invariance(
            seen.names(kernel.target),
            seen.names(kernel.fixed),
            seen.names(kernel.spare),
            kernel.formula,
            seen,
        )
        for _, kernel in kept
    )
    return found, complete


def _causes(graph: CausalGraph, kernel: Kernel) -> int | None:
    """Ancestral set that a formula is about; None if it is too large."""
    within = graph.masks.ancestors(kernel.needed, graph.masks.all)
    return within if within.bit_count() <= _WIDEST else None


class _Tangents:
    """Tangent spaces of the laws of ancestral sets, restricted as constraints come."""

    def __init__(self, graph: CausalGraph) -> None:
        self.graph = graph
        self.model: CausalModel = random_model(
            graph, latent_states=3, concentration=2.0, seed=0
        )
        self.spaces: dict[int, tuple[Tangent, int]] = {}
        self.tried = 0

    def adds(self, within: int, kernel: Kernel, kept: list[tuple[int, Kernel]]) -> bool:
        """Whether a constraint says more than independences and those kept."""
        tangent, held = self.spaces.get(within) or (self.ordinary(within), 0)
        for inside, other in kept[held:]:
            if inside & ~within == 0 and other is not kernel:
                self._restrict(tangent, other)
        gain = self._restrict(tangent, kernel)
        self.spaces[within] = (tangent, len(kept) + bool(gain))
        return gain > 0

    def _restrict(self, tangent: Tangent, kernel: Kernel) -> int:
        spare = frozenset(self.graph.names(kernel.spare))
        self.tried += 1
        return tangent.restrict(kernel.formula, spare)

    def ordinary(self, within: int) -> Tangent:
        """Tangent space of the laws with all independences of an ancestral set.

        The last variable of an ancestral set is independent of the earlier ones given
        its district and the district's parents (Richardson 2003).
        """
        masks, names = self.graph.masks, self.graph.names
        tangent = Tangent(self.model.query(names(within)))
        known: dict[tuple[int, int], list[int]] = {}
        sets = list(islice(masks.ancestral_sets(within), _SETS))
        for some in sorted({*sets, within}, key=int.bit_count, reverse=True):
            for last in bits(some):
                one = 1 << last
                if masks.children[last] & some:
                    continue
                district = masks.district(one, some)
                near = district | masks.outside_parents(district)
                other = some & ~near
                said = known.setdefault((last, near), [])
                if other and not any(other & ~more == 0 for more in said):
                    said.append(other)
                    law = Prob(frozenset(names(one)), frozenset(names(some & ~one)))
                    tangent.restrict(law, frozenset(names(other)))
                    self.tried += 1
        return tangent
