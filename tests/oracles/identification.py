"""Whether an effect is determined by what is available, read off derivatives.

Take a random model with unobserved causes. If two nearby models agree on every
available distribution, do they agree on the answer? To first order they do exactly if
the gradient of the answer is a linear combination of the gradients of the available
probabilities. No graph algorithm is involved: only the model's law, differentiated by
complex steps, which lose no digits, with respect to the logits of all its tables, those
of the unobserved causes among them.

A "no" is final. A "yes" may be an accident of unobserved causes with too few states, so
it is asked again with more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import opt_einsum

# far below the rounding of anything real, so that the real parts are exact
STEP = 1e-30
# Singular values relative to the largest. Those of zero come out near 1e-16; in 2500
# random queries the rest were never below 1e-8.
RANK = 1e-10
# Share of the gradient outside the span. In those queries it was at most 3e-12 or at
# least 2e-5; a value between the two would be no verdict.
INSIDE, OUTSIDE = 1e-8, 1e-6

Names = Sequence[str]
Edges = Iterable[Sequence[str]]


@dataclass
class Problem:
    """A graph with two-headed arrows and a question about it."""

    nodes: Names
    directed: Edges
    bidirected: Edges
    outcome: Names
    do: Names
    given: Names = ()
    experiments: Sequence[Names] = ()
    observational: bool = True

    @property
    def sources(self) -> list[set[str]]:
        return [set()] * self.observational + [set(e) for e in self.experiments]


class _Model:
    """Logits of a random model; one table at a time may carry perturbed copies."""

    def __init__(self, problem: Problem, states: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        hidden = [("hidden", *pair) for pair in problem.bidirected]
        self.nodes = list(problem.nodes)
        self.axes: dict[object, tuple[object, ...]] = {
            cause: (cause,) for cause in hidden
        }
        for name in self.nodes:
            parents = [a for a, b in problem.directed if b == name]
            causes = [cause for cause in hidden if name in cause[1:]]
            self.axes[name] = (*parents, *causes, name)
        size = dict.fromkeys(hidden, states) | dict.fromkeys(self.nodes, 2)
        self.logits = {
            variable: rng.normal(size=[size[axis] for axis in axes])
            for variable, axes in self.axes.items()
        }
        self.symbol = {
            variable: opt_einsum.get_symbol(place)
            for place, variable in enumerate(self.axes)
        }
        self.copies = opt_einsum.get_symbol(len(self.axes))

    def law(self, do: set[str], moved: object = None) -> np.ndarray:
        """P(nodes | do); with a leading axis of copies if a table has them."""
        arrays, terms = [], []
        for variable, axes in self.axes.items():
            if variable in do:
                arrays.append(np.ones(2))
                terms.append(self.symbol[variable])
                continue
            logits, term = self.logits[variable], "".join(map(self.symbol.get, axes))
            if variable == moved:
                steps = 1j * STEP * np.eye(logits.size)
                logits = logits + steps.reshape(logits.size, *logits.shape)
                term = self.copies + term
            weight = np.exp(logits)
            arrays.append(weight / weight.sum(axis=-1, keepdims=True))
            terms.append(term)
        output = "".join(self.symbol[name] for name in self.nodes)
        if moved is not None:
            output = self.copies + output
            if moved in do:
                arrays.append(np.ones(self.logits[moved].size))
                terms.append(self.copies)
        return opt_einsum.contract(f"{','.join(terms)}->{output}", *arrays)

    def answer(self, problem: Problem, moved: object) -> np.ndarray:
        """P(outcome | do, given), a row for each copy."""
        law = self.law(set(problem.do), moved)
        asked = {*problem.outcome, *problem.do, *problem.given}
        axes = {name: place + 1 for place, name in enumerate(self.nodes)}
        others = tuple(axis for name, axis in axes.items() if name not in asked)
        joint = law.sum(axis=others, keepdims=True)
        outcome = tuple(axes[name] for name in problem.outcome)
        ratio = joint / joint.sum(axis=outcome, keepdims=True)
        return ratio.reshape(len(law), -1)


def outside(problem: Problem, states: int, seed: int) -> float:
    """Largest share of a gradient of the answer outside those of what is available."""
    model = _Model(problem, states, seed)
    known, wanted = [], []
    for moved in model.axes:
        laws = [model.law(source, moved) for source in problem.sources]
        rows = [law.reshape(len(law), -1).imag / STEP for law in laws]
        known.append(np.concatenate(rows, axis=1))
        wanted.append(model.answer(problem, moved).imag / STEP)
    jacobian, gradients = np.concatenate(known), np.concatenate(wanted)
    span, size, _ = np.linalg.svd(jacobian, full_matrices=False)
    span = span[:, size > RANK * size.max(initial=0.0)]
    left = gradients - span @ (span.T @ gradients)
    scale = np.linalg.norm(gradients, axis=0)
    return float((np.linalg.norm(left, axis=0) / np.maximum(scale, 1e-3)).max())


def identified(
    problem: Problem, states: Sequence[int] = (2, 3), seed: int = 0
) -> tuple[bool, int, float]:
    """The verdict, the number of states that settled it, and the share left outside."""
    for count in states:
        for attempt in range(4):
            share = outside(problem, count, seed + attempt)
            if not INSIDE < share < OUTSIDE:
                break
        else:
            raise ArithmeticError(f"no verdict on {problem}: {share}")
        if share >= OUTSIDE:
            return False, count, share
    return True, count, share
