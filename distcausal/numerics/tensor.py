"""Sums of products of arrays whose axes are shared variables.

A marginal of a model of many finite variables is a sum, over all other variables, of a
product of small tables. The order in which pairs of tables are multiplied and axes are
added out decides whether this takes microseconds or more memory than there is, so an
order is searched first, by a library that does nothing else, and kept for the next
query of the same form.

Axes are labelled by integers; a label in no output is summed. Arrays of NumPy and of
JAX are both taken, and the answer is of the same kind, so the same call is evaluated
once on the host or traced, batched and differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["Plan", "contract", "plan"]

Labels = tuple[int, ...]
# beyond so many tables the exhaustive searches cost more than they save
_GREEDY_FROM = 8


@dataclass(frozen=True)
class Plan:
    """An order of multiplication, what it costs, and the function that follows it.

    Attributes
    ----------
    flops
        Multiplications and additions of the whole contraction.
    largest
        Entries of the largest array it makes on the way, the answer included.
    run
        Function of the arrays.
    """

    flops: float
    largest: float
    run: Callable[..., Any]


def plan(labels: Sequence[Labels], shapes: Sequence[Labels], output: Labels) -> Plan:
    """Find an order of multiplication for tables of these labels and shapes.

    Parameters
    ----------
    labels
        For each table, the label of every axis; equal labels are the same variable.
    shapes
        For each table, the length of every axis.
    output
        Labels of the answer, each once and each on some table.
    """
    number: dict[int, int] = {}
    for label in (*(at for axes in labels for at in axes), *output):
        number.setdefault(label, len(number))
    return _plan(
        tuple(tuple(number[at] for at in axes) for axes in labels),
        tuple(map(tuple, shapes)),
        tuple(number[at] for at in output),
    )


def contract(operands: Sequence[Any], labels: Sequence[Labels], output: Labels) -> Any:
    """Multiply tables and sum over every label that is not in the output.

    Parameters
    ----------
    operands
        Arrays, all of NumPy or all of JAX.
    labels
        For each array, the label of every axis.
    output
        Labels of the answer in order; each occurs once and is on some array.

    Returns
    -------
    array
        One axis per output label.

    Examples
    --------
    >>> import numpy as np
    >>> from distcausal.numerics.tensor import contract
    >>> state, table = np.array([0.25, 0.75]), np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> contract([state, table], [(0,), (0, 1)], (1,))
    array([0.625, 0.375])
    """
    if not operands:
        return np.ones(())
    return plan(labels, [array.shape for array in operands], output).run(*operands)


@lru_cache(maxsize=4096)
def _plan(
    labels: tuple[Labels, ...], shapes: tuple[Labels, ...], output: Labels
) -> Plan:
    """Search an order once for labels numbered by first occurrence."""
    import opt_einsum

    letters = ["".join(map(opt_einsum.get_symbol, axes)) for axes in labels]
    target = "".join(map(opt_einsum.get_symbol, output))
    equation = f"{','.join(letters)}->{target}"
    search = "greedy" if len(labels) >= _GREEDY_FROM else "auto"
    path, facts = opt_einsum.contract_path(
        equation, *shapes, shapes=True, optimize=search
    )
    follow = opt_einsum.contract_expression(equation, *shapes, optimize=path)
    return Plan(float(facts.opt_cost), float(facts.largest_intermediate), follow)
