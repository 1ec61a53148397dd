"""Functional models: each variable a function of its causes, drawn from a law.

Whatever noise drives a variable, all it can do is to choose which function of the
causes applies. With finitely many states there are finitely many functions, so a law
over functions, perhaps different for each state of the latent causes, is as general as
any noise. What is drawn becomes a latent variable of the model, and the variable itself
the function drawn.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from math import log2, prod
from typing import Any

import numpy as np

from distcausal.diagrams.fresh import fresh_names
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.space import check_states
from distcausal.errors import ComplexityError, ModelError, listing

__all__ = ["functional_model", "response_functions"]

# entries of the largest table of functions written out
_LARGEST = 2**24


def response_functions(causes: Sequence[int], states: int) -> np.ndarray:
    """List all functions from joint states of the causes to states of an effect.

    Parameters
    ----------
    causes
        Number of states of each cause.
    states
        Number of states of the effect.

    Returns
    -------
    Places of the effect's states, shape ``(function, *causes)``; the value at the last
    joint state of the causes changes fastest.

    Raises
    ------
    ComplexityError
        If there are too many to write out.
    ModelError
        If a number of states is not a whole number of at least 1.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.response_functions([2], 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    sizes = [_count(size) for size in causes]
    cells = prod(sizes)
    if cells * log2(max(_count(states), 2)) + log2(cells) > log2(_LARGEST):
        raise ComplexityError(
            f"{states} states for each of {cells} joint states of the causes make "
            f"{states}**{cells} functions, too many to list. Merge states, or leave "
            "out causes."
        )
    rows = list(product(range(states), repeat=cells))
    return np.array(rows, dtype=int).reshape(len(rows), *sizes)


def _count(states: Any) -> int:
    if not isinstance(states, int | np.integer) or states < 1:
        raise ModelError(
            f"{states!r} is given as a number of states; give a whole number, at least "
            "1."
        )
    return int(states)


def functional_model(
    graph: CausalGraph,
    responses: Mapping[str, tuple[Any, Any]],
    priors: Mapping[str, Any] | None = None,
    *,
    states: Mapping[str, Sequence[Hashable]] | None = None,
) -> CausalModel:
    """Build a causal model in which every observed variable is a function of noise.

    Parameters
    ----------
    graph
        The graph; shared unobserved causes are called ``U(A,B)``, as
        `CausalGraph.with_latents` names them.
    responses
        For each observed variable a pair. First its functions, shape ``(function,
        *observed causes)`` in the order of ``graph.parents``, which hold states. Then
        the law of the function, shape ``(*latent causes, function)``.
    priors
        Table of every latent variable, as in `CausalModel`.
    states
        States of the observed variables; 0, 1, ... where left out.

    Returns
    -------
    CausalModel
        The function drawn for variable ``Y`` is the latent variable ``R(Y)``, with
        primes where a variable of the graph has that name.

    Raises
    ------
    ModelError
        If a response is missing, has another shape, or holds what is not a state.
    QueryError
        If the graph is none.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("X -> Y")
    >>> never, helped, hurt, always = dc.response_functions([2], 2)
    >>> model = dc.functional_model(
    ...     graph,
    ...     {
    ...         "X": ([0, 1], [0.5, 0.5]),
    ...         "Y": ([never, helped, always], [0.2, 0.3, 0.5]),
    ...     },
    ... )
    >>> benefit = [("Y", 1, {"X": 1}), ("Y", 0, {"X": 0})]
    >>> round(model.counterfactual(benefit), 12)
    0.3
    """
    check_graph(graph)
    full = graph.with_latents()
    functions, laws = _responses(full.observed, responses)
    known = _states(functions, states or {})
    tables: dict[str, Any] = dict(priors or {})
    strange = [name for name in tables if name not in full.latent]
    if strange:
        raise ModelError(
            f"priors name {listing(strange, 12)}; the latent variables of the graph "
            f"are {listing(full.latent, 12) or 'none'}."
        )
    arrows = [pair for pair in full.directed if pair[1] in full.latent]
    drawn = fresh_names("R({})", full.observed, full.nodes)
    for name, root in drawn.items():
        observed = [p for p in full.parents(name) if p not in full.latent]
        hidden = [p for p in full.parents(name) if p in full.latent]
        arrows += [(cause, name) for cause in (*observed, root)]
        arrows += [(cause, root) for cause in hidden]
        tables[root] = laws[name]
        _check_law(name, functions[name], tables[root], hidden)
        tables[name] = _table(name, functions[name], observed, known)
    names = (*full.nodes, *drawn.values())
    driven = CausalGraph(tuple(arrows), (), names, (*full.latent, *drawn.values()))
    return CausalModel(driven, tables, known)


def _responses(
    names: Sequence[str], responses: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Functions of each variable and the law over them, as arrays."""
    if not isinstance(responses, Mapping):
        raise ModelError(
            f"responses are {responses!r}; give a mapping from each observed variable "
            "to its functions and their law."
        )
    missing = [name for name in names if name not in responses]
    if missing:
        raise ModelError(f"there are no responses for {listing(missing, 12)}.")
    strange = [name for name in responses if name not in names]
    if strange:
        raise ModelError(
            f"responses name {listing(strange, 12)}; the observed variables of the "
            f"graph are {listing(names, 12)}."
        )
    functions, laws = {}, {}
    for name in names:
        pair = responses[name]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ModelError(
                f"the response of {name!r} is {pair!r}; give a pair: its functions, "
                "and their law."
            )
        functions[name] = _array(f"the functions of {name!r}", pair[0], None)
        if not functions[name].ndim:
            raise ModelError(
                f"the functions of {name!r} are {pair[0]!r}; give an array with one "
                "axis for the functions, then one for each observed cause."
            )
        laws[name] = _array(f"the law of the functions of {name!r}", pair[1], float)
    return functions, laws


def _array(what: str, values: Any, kind: type | None) -> np.ndarray:
    """Values as an array, if they are one."""
    try:
        return np.asarray(values, dtype=kind)
    except (TypeError, ValueError) as problem:
        raise ModelError(
            f"{what} cannot be read as an array: {problem}. Give a list of lists of "
            "equal length."
        ) from None


def _states(
    functions: Mapping[str, np.ndarray],
    given: Mapping[str, Sequence[Hashable]],
) -> dict[str, tuple[Hashable, ...]]:
    """States of the observed variables, counted where they are not given."""
    if not isinstance(given, Mapping):
        raise ModelError(
            f"states are {given!r}; give the states of each variable, such as "
            "{'X': (0, 1)}."
        )
    found = {name: check_states(name, states) for name, states in given.items()}
    for name, values in functions.items():
        if name in found:
            continue
        if values.dtype.kind not in "iu" or not values.size or values.min() < 0:
            raise ModelError(
                f"the functions of {name!r} hold {values.dtype} values; without states "
                "given they should be whole numbers from 0."
            )
        found[name] = tuple(range(1 + int(values.max())))
    return found


def _check_law(
    name: str, functions: np.ndarray, law: np.ndarray, hidden: Sequence[str]
) -> None:
    """Raise unless the law has an axis per latent cause and one over the functions."""
    if law.ndim != len(hidden) + 1 or law.shape[-1] != len(functions):
        raise ModelError(
            f"the law of the functions of {name!r} has shape {law.shape}; it should "
            f"have an axis for each of its latent causes ({listing(hidden) or 'none'}) "
            f"and one of length {len(functions)} for its functions."
        )


def _table(
    name: str,
    functions: np.ndarray,
    observed: Sequence[str],
    known: Mapping[str, tuple[Hashable, ...]],
) -> np.ndarray:
    """Table of zeros and ones: observed causes, function, then the variable."""
    shape = tuple(len(known[cause]) for cause in observed)
    if functions.shape[1:] != shape:
        raise ModelError(
            f"the functions of {name!r} have shape {functions.shape[1:]} each, but its "
            f"causes {listing(observed, 12) or 'none'} have {shape} states."
        )
    place = {state: at for at, state in enumerate(known[name])}
    values = functions.tolist()
    flat = np.ravel(np.array(values, dtype=object))
    strange = [value for value in flat if value not in place]
    if strange:
        raise ModelError(
            f"the functions of {name!r} give {strange[0]!r}, which is not one of its "
            f"states {listing(map(repr, known[name]), 12)}."
        )
    places = np.array([place[value] for value in flat], int).reshape(functions.shape)
    return np.moveaxis(np.eye(len(known[name]))[places], 0, -2)
