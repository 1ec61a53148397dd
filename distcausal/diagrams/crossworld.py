"""Probabilities across worlds, for models whose every variable is a function of noise.

Noise is shared, functions are copied into every world, and each world has its own
variables set. The probability that something holds in one world and something else in
another is then a single contraction over the copies: noise tables once, function tables
once per distinct copy, cut at the states that are set, asked about and given. No joint
law over worlds is written out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from distcausal.diagrams.box import Box, Node
from distcausal.diagrams.contraction import LARGEST, Operands, check_size
from distcausal.diagrams.copies import Copies, check_claimed, read_claims
from distcausal.diagrams.diagram import Diagram
from distcausal.diagrams.fresh import fresh_names
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import ConditioningError, ModelError, QueryError, listing

__all__ = ["probability", "world_diagram"]


def probability(model: CausalModel, event: Any, given: Any = ()) -> float:
    """Probability of an event across worlds; see `CausalModel.counterfactual`."""
    check_functional(model)
    asked = read_claims(model.full, "event", event)
    known = read_claims(model.full, "given", given)
    if not asked:
        raise QueryError("event is empty; say what should hold in which world.")
    check_claimed((*asked, *known), model.states)
    copies = Copies(model.full)
    seen = [(copies.of(claim.potential), claim.state) for claim in known]
    both = [*seen, *((copies.of(claim.potential), claim.state) for claim in asked)]
    whole = _weight(model, copies, both)
    if not known:
        return whole
    total = _weight(model, copies, seen)
    if total == 0:
        raise ConditioningError(
            f"the event {listing(known, 12)} has probability zero, so nothing can be "
            "said given it. Condition on an event that occurs."
        )
    return whole / total


def check_functional(model: CausalModel) -> None:
    """Raise `ModelError` unless all chance comes before everything that is observed."""
    full = model.full
    observed = full.mask(model.graph.observed)
    noisy = [
        name
        for place, name in enumerate(full.nodes)
        if full.masks.ancestors(1 << place, full.masks.all) & observed
        and not np.isin(model.tables[name], (0.0, 1.0)).all()
    ]
    if noisy:
        raise ModelError(
            f"the tables of {listing(noisy)} are laws, not functions, so it is not "
            "known what they would be in another world. Say which noise drives them "
            "(functional_model), or ask for bounds (counterfactual_bounds)."
        )


def _weight(
    model: CausalModel, copies: Copies, pairs: Iterable[tuple[int, Hashable]]
) -> float:
    """Probability that copies have the states they are paired with."""
    wires = copies.wires
    needed = copies.causes(wire for wire, _ in pairs)
    held = {
        wire: model.space(wires[wire].name).position(wires[wire].state)
        for wire in needed
        if wires[wire].reads is None
    }
    for wire, state in pairs:
        place = model.space(wires[wire].name).position(state)
        if held.setdefault(wire, place) != place:
            return 0.0
    factor, arrays, labels = 1.0, [], []
    for wire in needed:
        reads = wires[wire].reads
        if reads is None:
            continue
        axes = (*reads, wire)
        index = tuple(held.get(axis, slice(None)) for axis in axes)
        array = model.tables[wires[wire].name][index]
        if array.ndim == 0:
            factor *= float(array)
            continue
        arrays.append(array)
        labels.append(tuple(axis for axis in axes if axis not in held))
    if not arrays:
        return factor
    operands = Operands(arrays, labels, ())
    check_size(operands, [wire.name for wire in wires], LARGEST)
    return factor * float(operands.run())


def world_diagram(
    source: CausalModel | CausalGraph, event: Any, given: Any = ()
) -> Diagram:
    """Draw the worlds of a counterfactual question side by side, joined by their noise.

    Parameters
    ----------
    source
        A functional model; or a graph, whose variables then get noise of their own,
        called ``N(name)``, with primes where a variable has that name.
    event, given
        What should hold and what is known, as in `CausalModel.counterfactual`.

    Returns
    -------
    Diagram
        One box per distinct copy of a variable, its ``world`` counting interventions in
        order of mention, 0 for none; states that variables are set to are points. What
        is asked about leaves it, then what is given, in the order named.

    Raises
    ------
    QueryError
        If a name is unknown or latent, a state is none of a model's, or nothing is
        asked.
    ModelError
        If a model is not functional.

    References
    ----------
    Jacobs, Kissinger and Zanasi (2019), "Causal Inference by String Diagram Surgery".

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Y")
    >>> event, given = [("Y", 1, {"X": 1})], [("X", 0), ("Y", 0)]
    >>> print(dc.world_diagram(graph, event, given).to_text())
    I -> Y#1 @ X#2 @ Y#2
      1: I -> X#1
      N(Y): I -> N(Y)
      Y: X#1 @ N(Y) -> Y#1
      N(X): I -> N(X)
      X: N(X) -> X#2
      Y: X#2 @ N(Y) -> Y#2
    """
    graph, spaces = _read_source(source)
    asked = read_claims(graph, "event", event)
    if not asked:
        raise QueryError("event is empty; say what should hold in which world.")
    claims = [*asked, *read_claims(graph, "given", given)]
    check_claimed(claims, {n: s.known for n, s in spaces.items() if s.states})
    copies = Copies(graph)
    outputs = tuple(copies.of(claim.potential) for claim in claims)
    needed = copies.causes(outputs)
    number = {wire: place for place, wire in enumerate(needed)}
    return Diagram(
        tuple(spaces[copies.wires[wire].name] for wire in needed),
        tuple(_node(copies, spaces, number, wire) for wire in needed),
        (),
        tuple(number[wire] for wire in outputs),
        frozenset(graph.latent),
    )


def _read_source(
    source: CausalModel | CausalGraph,
) -> tuple[CausalGraph, dict[str, Space]]:
    """Graph in which every observed variable is a function, and its spaces."""
    if isinstance(source, CausalModel):
        check_functional(source)
        full = source.full
        return full, {name: source.space(name) for name in full.nodes}
    check_graph(source)
    full = source.with_latents()
    noise = fresh_names("N({})", source.observed, full.nodes)
    arrows = [(root, name) for name, root in noise.items()]
    driven = CausalGraph(
        (*full.directed, *arrows),
        (),
        (*full.nodes, *noise.values()),
        (*full.latent, *noise.values()),
    )
    return driven, {name: Space(name) for name in driven.nodes}


def _node(
    copies: Copies, spaces: dict[str, Space], number: dict[int, int], wire: int
) -> Node:
    """Box that makes one copy."""
    made = copies.wires[wire]
    cod = Ty((spaces[made.name],))
    if made.reads is None:
        point = Box(
            str(made.state), Ty(), cod, True, True, kind="point", data=made.state
        )
        return Node(point, (), (number[wire],), copies.world[wire])
    dom = Ty(tuple(spaces[copies.wires[read].name] for read in made.reads))
    latent = made.name in copies.graph.latent
    box = Box(made.name, dom, cod, deterministic=not latent)
    reads = tuple(number[read] for read in made.reads)
    return Node(box, reads, (number[wire],), 0 if latent else copies.world[wire])
