"""Every kernel that the observed law determines, each with a formula for it.

The kernel of a set is its law when its other causes are set from outside, so it depends
on those causes and on nothing else. Its formula may mention more variables; then the
formula must not change with them, which is a constraint on the observed law. The search
starts from the laws of all ancestral sets and makes the two moves of identification in
every possible way: discard variables that nothing kept depends on, split into
districts.

Sources: Verma and Pearl (1990) for the first such constraint, Tian and Pearl (2002) for
the moves, Richardson, Evans, Robins and Shpitser (2023) for the set of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from distcausal.diagrams.estimand import Expression, leaves, sum_over
from distcausal.diagrams.factor import observed_kernel, split_kernel
from distcausal.diagrams.graph import CausalGraph

__all__ = ["Kernel", "reachable_kernels"]

_SETS = 512  # ancestral sets that a search starts from, or goes on from


@dataclass(frozen=True, eq=False)
class Kernel:
    """A formula for the kernel of a set, as bits, and what it need not depend on.

    Attributes
    ----------
    target
        The set whose kernel it is.
    formula
        The kernel from the observed law.
    fixed
        Causes of the set from outside, on which the kernel may depend.
    spare
        Variables that the formula mentions and the kernel does not depend on.
    needed
        All variables in the formula, those summed over included.
    """

    target: int
    formula: Expression
    fixed: int
    spare: int
    needed: int


def reachable_kernels(graph: CausalGraph, most: int) -> tuple[list[Kernel], bool]:
    """Kernels whose formula has spare variables, shortest formulas first.

    Parameters
    ----------
    graph
        Graph without unobserved variables of its own.
    most
        How many formulas to build before the search stops.

    Returns
    -------
    The kernels, and whether the search came to its end.
    """
    search = _Search(graph)
    built = list(islice(search.run(), most + 1))
    found = [kernel for kernel in built[:most] if kernel.spare]
    found.sort(
        key=lambda one: (
            one.needed.bit_count(),
            one.spare.bit_count(),
            one.target.bit_count(),
            graph.masks.sorted(one.target),
        )
    )
    return found, len(built) <= most and not search.cut


class _Search:
    """One walk over the kernels of a graph."""

    def __init__(self, graph: CausalGraph) -> None:
        self.graph = graph
        self.masks = graph.masks
        self.seen: set[tuple[int, frozenset[str]]] = set()
        self.cut = False

    def run(self) -> Iterator[Kernel]:
        """Follow the moves from every ancestral set."""
        for ancestral in sorted(self._closed(self.masks.all), key=int.bit_count):
            for district in self.masks.districts(ancestral):
                if district & (district - 1):
                    formula = observed_kernel(self.graph, district, ancestral, ())
                    yield from self._from(district, formula)

    def _closed(self, within: int) -> list[int]:
        found = list(islice(self.masks.ancestral_sets(within), _SETS + 1))
        self.cut |= len(found) > _SETS
        return found[:_SETS]

    def _from(self, district: int, formula: Expression) -> Iterator[Kernel]:
        """All that discarding and splitting leads to from one kernel."""
        if (district, formula.free) in self.seen:
            return
        self.seen.add((district, formula.free))
        yield self._kernel(district, formula)
        for kept in self._closed(district):
            if kept == district:
                continue
            names = self.graph.names(district & ~kept)
            rest = sum_over(names, formula)
            for part in self.masks.districts(kept):
                smaller = split_kernel(self.graph, part, kept, rest)
                yield from self._from(part, rest if part == kept else smaller)

    def _kernel(self, target: int, formula: Expression) -> Kernel:
        fixed = self.masks.outside_parents(target)
        tables = (leaf.of | leaf.given for leaf in leaves(formula))
        return Kernel(
            target,
            formula,
            fixed,
            self.graph.mask(formula.free) & ~(target | fixed),
            self.graph.mask(frozenset().union(*tables)),
        )
