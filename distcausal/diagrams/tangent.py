"""Directions in which a joint law can move without breaking constraints of a graph.

Whether a constraint says more than others do is a question of ranks. Each constraint is
a smooth function of the joint law that is zero on the laws of the graph. At a law of
the graph drawn at random, the directions along which all of some functions stay zero,
to first order, are a linear space; a further constraint says more exactly if it makes
this space smaller. What is left when all constraints are in is the tangent space of the
laws of the graph, and its dimension the number of their free parameters.
"""

from __future__ import annotations

from math import prod

import numpy as np

from distcausal.diagrams.estimand import Expression, leaves
from distcausal.diagrams.evaluate import Tables, table_axes
from distcausal.diagrams.influence import slopes
from distcausal.diagrams.labelled import LabelledArray

__all__ = ["Tangent"]

# relative to the derivative itself; rounding leaves 1e-13, the random laws tried 1e-4
_RANK = 1e-8


class Tangent:
    """Directions at a joint law, and the functions that restrict them."""

    def __init__(self, joint: LabelledArray) -> None:
        self.joint = joint
        self.directions = np.eye(joint.values.size)

    @property
    def dimension(self) -> int:
        """Free parameters of the laws that obey what was restricted.

        Every constraint is a statement about conditional probabilities, so the total
        mass stays one of the directions.
        """
        return self.directions.shape[1] - 1

    def restrict(self, formula: Expression, spare: frozenset[str]) -> int:
        """Demand that a formula not change with variables; how much that restricts."""
        change = self._change(formula, spare)
        rows = (change[1:] - change[:1]).reshape(-1, self.joint.values.size)
        moved = rows @ self.directions
        scale = np.abs(change).max()
        if np.abs(moved).max(initial=0.0) <= _RANK * scale:
            return 0
        rank, within = _null_space(moved, scale)
        self.directions = self.directions @ within
        return rank

    def _change(self, formula: Expression, spare: frozenset[str]) -> np.ndarray:
        """Derivatives of a formula, ``(spare state, other state, cell of the law)``."""
        joint = self.joint
        arrays = {}
        for leaf in leaves(formula):
            axes = table_axes(leaf.table)
            gone = [name for name in joint.names if name not in axes]
            arrays[leaf.table] = joint.sum(gone).transpose(axes).values
        found = slopes(formula, Tables(arrays, joint.axes))
        names = found.part.names
        cells = prod(found.part.values.shape)
        change = np.zeros((cells, *joint.shape))
        for key, slope in found.tables.items():
            axes = table_axes(key)
            order = sorted(range(len(axes)), key=lambda at: joint.names.index(axes[at]))
            moved = slope.transpose([0, *(1 + at for at in order)])
            index = [slice(None) if n in axes else None for n in joint.names]
            change += moved[(slice(None), *index)]
        change = change.reshape(*found.part.values.shape, -1)
        first = [at for at, name in enumerate(names) if name in spare]
        rest = [at for at, name in enumerate(names) if name not in spare]
        states = prod(found.part.values.shape[at] for at in first)
        change = change.transpose([*first, *rest, len(names)])
        return change.reshape(states, -1, joint.values.size)


def _null_space(moved: np.ndarray, scale: float) -> tuple[int, np.ndarray]:
    """Rank of a matrix, and an orthonormal base of what it sends to zero.

    By Householder reflections with pivoting, which end after as many steps as there
    are columns; iterations for singular values may not.
    """
    from scipy.linalg import qr

    base, upper, _ = qr(moved.T, mode="full", pivoting=True)
    sizes = np.abs(np.diag(upper))
    rank = int((sizes > _RANK * max(sizes.max(), scale)).sum())
    return rank, base[:, rank:]
