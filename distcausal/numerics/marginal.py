"""Densities of one variable of a product space, in the units of the user.

The kinds of functions know their measures in a coordinate where everything is bounded;
figures need them where the user is. The two differ by the slope of the change of
variables, which is exact by differentiation and zero only at the ends of an interval.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from distcausal._base.typing import Array, Real
from distcausal.numerics.lines import KINDS

__all__ = ["LineDensities", "line_densities"]


class LineDensities(NamedTuple):
    """Densities along one variable, with respect to its length.

    Attributes
    ----------
    x
        Points in the user's units, shape ``(point,)``.
    measure
        Density of the measure, shape ``(point,)``.
    background
        Density of what the optimal one is mixed with, shape ``(point,)``.
    squares
        Density of the measure times each squared function, ``(point, function)``.
    """

    x: Any
    measure: Any
    background: Any
    squares: Any


@partial(jax.jit, static_argnames="kind")
def line_densities(
    given: dict[str, Any], t: Real[Array, " point"], *, kind: str
) -> LineDensities:
    """Densities at values of the coordinate, its ends left out.

    Parameters
    ----------
    given
        Parameters of the kind with their axis of variables, of length one, and with
        ``shift`` and ``stretch``.
    t
        Values of the coordinate of the kind.
    kind
        Name in `KINDS`.
    """
    rule, column = KINDS[kind], t[:, None]
    standard, slope = jax.jvp(
        lambda s: rule.place(given, s), (column,), (jnp.ones_like(column),)
    )
    root = rule.root_density(given, column)[:, 0]
    length = jnp.abs(slope[:, 0] * given["stretch"])
    scaled = rule.values(given, standard)[:, 0] * root[:, None]
    measure, own = root**2 / length, rule.background
    return LineDensities(
        x=given["shift"] + given["stretch"] * standard[:, 0],
        measure=measure,
        background=measure * (1.0 if own is None else own(given, standard)[:, 0]),
        squares=scaled**2 / length[:, None],
    )
