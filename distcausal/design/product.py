"""Spaces of products of functions of one variable under a product measure.

What all continuous spaces share: the functions are known in closed form, points are
drawn from tabulated densities of the squares, exactly, and the tables are made when the
first point is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from distcausal.design.arguments import check_room
from distcausal.design.basis import ProductBasis
from distcausal.design.spaces import Draw, Pickled, Propose
from distcausal.errors import DesignError
from distcausal.numerics.lines import Line
from distcausal.numerics.product import (
    Product,
    ProductSource,
    envelopes,
    functions_used,
    lines_of,
    product_background,
    product_means,
    product_of,
    product_rules,
)

__all__ = ["ProductSpace"]


@dataclass(frozen=True, eq=False, init=False)
class ProductSpace(Pickled):
    """Products of functions of one variable; the base of continuous spaces.

    Attributes
    ----------
    basis
        Evaluates the functions.
    edges
        Cells of the tables that draws use, for every group of variables.
    """

    basis: ProductBasis = field(repr=False)
    edges: tuple[np.ndarray, ...] = field(repr=False)

    def _hold(
        self,
        lines: Sequence[Line],
        index: np.ndarray,
        terms: Sequence[tuple[str, ...]],
        **others: Any,
    ) -> None:
        for line, used in zip(lines, functions_used(index)[0], strict=True):
            check_room("functions to draw from", len(used), len(line.edges) - 1)
        product, edges = product_of(lines)
        basis = ProductBasis(
            layout=product.layout,
            parameters=product.parameters,
            index=index,
            terms=tuple(terms),
            domain=np.array([(line.low, line.high) for line in lines]).T,
        )
        for cells in edges:
            cells.flags.writeable = False
        vars(self).update({"basis": basis, "edges": edges} | others)

    def __repr__(self) -> str:
        variables = "1 variable" if self.dim == 1 else f"{self.dim} variables"
        return f"{type(self).__name__}({self.size} functions of {variables})"

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return len(self.basis.index)

    @property
    def dim(self) -> int:
        """Number of variables."""
        return self.basis.index.shape[1]

    @property
    def lines(self) -> list[Line]:
        """Functions of every variable."""
        basis = self.basis
        found = lines_of(Product(basis.layout, basis.parameters), self.edges)
        return [
            replace(line, low=low, high=high)
            for line, (low, high) in zip(found, basis.domain.T, strict=True)
        ]

    @property
    def draw(self) -> Draw:
        """Independent points from the mixture prepared by `source`."""
        return product_rules(self.basis.layout)[0]

    @property
    def propose(self) -> Propose:
        """Points with their rows, scaled to unit length."""
        return product_rules(self.basis.layout)[1]

    def source(self, share: float) -> Any:
        """Arrays for draws from ``share k_m / m + (1 - share) h``."""
        return self._prepared._replace(share=np.float64(share))

    @cached_property
    def _prepared(self) -> ProductSource:
        basis = self.basis
        used, rows = functions_used(basis.index)
        tables = envelopes(basis.layout, basis.parameters, self.edges, used)
        if not all(np.isfinite(table.height).all() for table in tables):
            raise DesignError(
                f"functions of {self} leave the range of double precision where they "
                "should be drawn from. Use fewer functions, or a longer length scale."
            )
        whole = ProductSource(
            basis.parameters, tables, basis.index, rows, np.float64(1.0), basis.domain
        )
        with jax.enable_x64(True):
            return jax.device_put(whole)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Orthonormal functions at points of the domain, ``(..., point, m)``."""
        return self.basis.values(points)

    @cached_property
    def means(self) -> np.ndarray:
        """Integrals of the orthonormal functions under the measure, shape ``(m,)``."""
        basis = self.basis
        return product_means(basis.layout, basis.parameters, self.edges, basis.index)

    def background(self, points: np.ndarray) -> np.ndarray:
        """Density, with respect to the measure, of what mixtures are with."""
        basis = self.basis
        return product_background(basis.parameters, points, layout=basis.layout)

    def coordinates(self, points: np.ndarray) -> np.ndarray | None:
        """Return the points themselves."""
        return points

    def atoms(self, points: np.ndarray) -> np.ndarray | None:
        """None: there are infinitely many points."""
        return None
