"""Random finite channels: smooth rows, rows with zeros, and sure ones.

Wires come from a short list with sizes 1 to 4, one of them of a single state, so that
the cases that break index arithmetic turn up in every run.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import distcausal as dc

A = dc.Space("A", ("no", "yes"))
B = dc.Space("B", (0, 1, 2))
C = dc.Space("C", ("only",))
D = dc.Space("D", (2.5, -1.0, 7.0, 0.0))
SPACES = (A, B, C, D)
KINDS = ("smooth", "zeros", "sure")


def types(most: int = 2, least: int = 0):
    """Up to ``most`` wires; one may occur twice."""
    return st.lists(st.sampled_from(SPACES), min_size=least, max_size=most).map(
        lambda spaces: dc.Ty(tuple(spaces))
    )


def rows(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> np.ndarray:
    """Laws of a kind, one per row."""
    count, size = shape
    if kind == "sure":
        return np.eye(size)[rng.integers(size, size=count)]
    mass = rng.exponential(size=shape)
    if kind == "zeros":
        mass *= rng.uniform(size=shape) < 0.5
        mass[np.arange(count), rng.integers(size, size=count)] += 0.3
    return mass / mass.sum(axis=1, keepdims=True)


def random_channel(
    rng: np.random.Generator, dom: dc.Ty, cod: dc.Ty, kind: str = "smooth"
) -> dc.Channel:
    """A channel between given wires."""
    count, size = (int(np.prod(ty.shape)) for ty in (dom, cod))
    values = rows(rng, kind, (count, size)).reshape(dom.shape + cod.shape)
    return dc.Channel(values, dom, cod)


@st.composite
def channels(draw, dom=None, cod=None, kinds=KINDS):
    """A channel between given or drawn wires."""
    ins = draw(types()) if dom is None else dc.Ty((*dom,))
    outs = draw(types()) if cod is None else dc.Ty((*cod,))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random_channel(rng, ins, outs, draw(st.sampled_from(kinds)))


@st.composite
def laws(draw, names, kinds=KINDS):
    """A joint law over wires with these names and 1 to 3 states each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.sampled_from((1, 2, 3))) for _ in names)
    values = rows(rng, draw(st.sampled_from(kinds)), (1, int(np.prod(shape))))
    axes = {name: tuple(range(size)) for name, size in zip(names, shape, strict=True)}
    return dc.LabelledArray(values.reshape(shape), axes)
