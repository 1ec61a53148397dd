"""The story of an identification: diagrams, the rewrites between them, and their check.

Every stage is the law of some variables when the causes from outside their set are
held: a diagram that keeps the boxes of the set and opens the wires into it. A step
rewrites one stage into the next, and most say what the new stage is in terms of the
available distributions. Both claims are about numbers, so both can be checked on a
model with latent variables drawn at random, and `Derivation.check` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.available import tables_for
from distcausal.diagrams.estimand import Expression, Prob
from distcausal.diagrams.evaluate import evaluate
from distcausal.diagrams.factor import Blocked, Found
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.query import Query
from distcausal.diagrams.random_model import random_model
from distcausal.diagrams.render import latex_name, symbols, to_latex, to_text
from distcausal.diagrams.solve import Answer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from distcausal.diagrams.diagram import Diagram
    from distcausal.diagrams.model import CausalModel

__all__ = ["Derivation", "DerivationCheck", "Stage", "Step", "derive"]

# kernels are sums of a few thousand float64 products of numbers below one
_EXACT = 1e-9
_REASONS = {
    "open": "the intervention removes the box and feeds its wire from outside",
    "prune": "a box whose outputs are all discarded is discarded",
    "comb split": "boxes that share an unobserved cause stay together",
    "observe": "what no kept variable depends on is discarded",
    "split": "conditional probabilities along the order of causes; full support",
    "discard": "nothing kept depends on what is summed out",
    "compose": "combs are joined again and what is not asked about is summed out",
    "exchange": "seeing and setting it agree once its arrows out are removed",
    "normalise": "divided by the probability of what is given, which is positive",
    "read off": "an available distribution holds it",
    "stuck": "no variable can be discarded and no district split off",
}


@dataclass(frozen=True)
class Stage:
    """The law of some variables with the causes outside a set held.

    Attributes
    ----------
    graph
        Graph over the observed variables.
    boxes
        Variables whose boxes are kept.
    outputs
        Those whose wires leave, the others being summed over.
    combs
        Whether boxes are shown joined into districts.
    given
        Outputs that are conditioned on.
    """

    graph: CausalGraph
    boxes: tuple[str, ...]
    outputs: tuple[str, ...]
    combs: bool = False
    given: tuple[str, ...] = ()

    @property
    def law_of(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """What tells the law of a stage from another, however it is drawn."""
        return self.boxes, self.outputs, self.given

    @property
    def inputs(self) -> tuple[str, ...]:
        """Variables outside the set that its boxes read."""
        masks = self.graph.masks
        return self.graph.names(masks.outside_parents(self.graph.mask(self.boxes)))

    @cached_property
    def diagram(self) -> Diagram:
        """The stage as a string diagram, latent causes as dashed wires."""
        from distcausal.diagrams.network import network_diagram
        from distcausal.diagrams.rewrite import CombSplit

        full = self.graph.with_latents()
        kept = {*self.boxes, *self.inputs}
        inner = set(self.boxes)
        latent = [u for u in full.latent if inner & set(full.children(u))]
        arrows = tuple(
            (a, b) for a, b in full.directed if b in inner and a in {*kept, *latent}
        )
        nodes = tuple(n for n in full.nodes if n in kept or n in latent)
        part = CausalGraph(arrows, (), nodes, tuple(latent))
        drawn = network_diagram(part, outputs=self.outputs, inputs=self.inputs)
        if not self.combs:
            return drawn
        groups = self.graph.masks.districts(self.graph.mask(self.boxes))
        return CombSplit(tuple(map(self.graph.names, groups))).apply(drawn)

    def law(self, model: CausalModel) -> LabelledArray:
        """Value of the stage in a model: axes outputs, inputs, then what is given."""
        asked = [name for name in self.outputs if name not in self.given]
        return model.query(
            asked, do=list(self.inputs) or None, given=self.given or None
        )

    def text(self, latex: bool = False) -> str:
        """The stage as a probability under intervention."""
        letters = symbols(self.graph.nodes)

        def write(names: Sequence[str]) -> str:
            found = [letters[name] for name in names]
            return ", ".join(map(latex_name, found) if latex else found)

        do = r"\mathrm{{do}}({})" if latex else "do({})"
        asked = [name for name in self.outputs if name not in self.given]
        behind = [do.format(write(self.inputs))] * bool(self.inputs)
        behind += [write(self.given)] * bool(self.given)
        bar = r" \mid " if latex else " | "
        return f"P({write(asked)}{bar + ', '.join(behind) if behind else ''})"


@dataclass(frozen=True)
class Step:
    """One rewrite: where it starts, where it ends, and the formula it arrives at.

    Attributes
    ----------
    name
        Name of the rewrite.
    before, after
        The stages.
    formula
        Value of ``after`` in terms of the available distributions, where it is known.
    """

    name: str
    before: Stage
    after: Stage
    formula: Expression | None = None

    @property
    def reason(self) -> str:
        """Side condition or meaning of the rewrite."""
        return _REASONS[self.name]

    def follows(self) -> bool:
        """Whether the rewrite named makes the one stage of the other.

        Boxes only ever go, but when a stage is read off or composed; what is opened
        becomes an input, and what is pruned led to no output.
        """
        before, after = self.before, self.after
        masks, mask = after.graph.masks, after.graph.mask
        kept, held = mask(after.boxes), mask(before.boxes)
        if self.name == "open":
            return kept & held == kept and before.outputs == after.outputs
        if self.name in ("prune", "observe", "discard"):
            led = masks.ancestors(mask(after.outputs), held)
            return led == kept & led and kept & held == kept
        if self.name in ("split", "stuck"):
            wanted = masks.district(kept & -kept, held)
            return kept == wanted if self.name == "split" else kept & held == kept
        if self.name == "exchange":
            return set(after.given) < set(before.given)
        return kept == held

    def check(self, model: CausalModel) -> float:
        """Largest difference in a model between what the step claims and what is.

        Claims: the rewrite leads from the one stage to the other; they agree on the
        outputs they share, where the step keeps the law; the diagram denotes the stage;
        the formula has its value. Infinite where the first claim is false.
        """
        after = self.after.law(model)
        gaps = [0.0 if self.follows() else np.inf]
        if self.name in ("prune", "comb split", "exchange"):
            gaps.append(_gap(self.before.law(model), after))
        if self.name in ("observe", "discard"):
            before = self.before.law(model)
            gone = [
                n
                for n in before.names
                if n not in after.names and n not in self.before.inputs
            ]
            gaps.append(_gap(before.sum(gone), after))
        if not self.after.given:
            channel = model.interpret(self.after.diagram)
            names = (*self.after.outputs, *self.after.inputs)
            gaps.append(_gap(channel.labelled(), after.transpose(names)))
        if self.formula is not None:
            tables = tables_for(self.formula, model)
            part = evaluate(self.formula, tables)
            states = {name: model.states[name] for name in part.names}
            gaps.append(_gap(LabelledArray(part.values, states), after))
        return max(gaps)


@dataclass(frozen=True, eq=False)
class DerivationCheck(Record):
    """Largest difference at every step of a derivation, on one random model."""

    steps: tuple[str, ...]
    gaps: np.ndarray

    @property
    def largest(self) -> float:
        """The largest difference of all."""
        return float(self.gaps.max(initial=0.0))

    @property
    def passed(self) -> bool:
        """Whether every step holds up to rounding."""
        return self.largest < _EXACT

    def __bool__(self) -> bool:
        return self.passed


@dataclass(frozen=True, eq=False, repr=False)
class Derivation:
    """Rewrites from the observed diagram to a formula, or to where they get stuck.

    Attributes
    ----------
    graph
        Graph over the observed variables.
    steps
        The rewrites, in order.
    """

    graph: CausalGraph
    query: Query
    steps: tuple[Step, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, place: int) -> Step:
        return self.steps[place]

    def rows(self) -> list[tuple[str, str]]:
        """Name and result of every step, as text."""
        return [(step.name, self._result(step, latex=False)) for step in self.steps]

    def to_text(self) -> str:
        """Numbered steps with their reasons."""
        lines = []
        for number, step in enumerate(self.steps, start=1):
            lines.append(f"{number}. {step.name}: {self._result(step, latex=False)}")
            lines.append(f"   [{step.reason}]")
        return "\n".join(lines)

    def to_latex(self) -> str:
        """Aligned equations, one per step, with the name of the rewrite beside each."""
        lines = [
            rf"{self._result(step, latex=True, align=True)} && \text{{{step.name}}}"
            for step in self.steps
        ]
        body = " \\\\\n".join(lines)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def check(
        self, seed: int = 0, *, states: int = 2, latent_states: int = 3
    ) -> DerivationCheck:
        """Verify every step on a model of the graph with laws drawn at random."""
        model = random_model(
            self.graph, states=states, latent_states=latent_states, seed=seed
        )
        gaps = [step.check(model) for step in self.steps]
        return DerivationCheck(
            (*(step.name for step in self.steps), "the whole"),
            np.array([*gaps, self._whole(model)]),
        )

    def _whole(self, model: CausalModel) -> float:
        """Difference between where the steps lead and the question; infinite if broken.

        Every step starts where an earlier one ended, or at the law of all variables
        under some available intervention.
        """
        reached = set()
        for step in self.steps:
            start = step.before.law_of
            if not (_is_start(step.before, self.query) or start in reached):
                return np.inf
            reached.add(step.after.law_of)
        if not self.steps:
            return np.inf
        last = self.steps[-1]
        if last.name == "stuck":
            return 0.0
        if last.formula is None:
            return np.inf
        asked = model.query(
            self.query.outcome,
            do=self.query.do or None,
            given=self.query.given or None,
        )
        return _gap(asked, last.after.law(model))

    def draw(self) -> Figure:
        """Draw the diagram after every step, its name and reason above it."""
        from distcausal.diagrams._draw import draw_steps

        first = [(self.steps[0].before.diagram, "before")] if self.steps else []
        panels = [
            (step.after.diagram, f"{number}. {step.name}\n{step.reason}")
            for number, step in enumerate(self.steps, start=1)
        ]
        return draw_steps([*first, *panels])

    def _result(self, step: Step, *, latex: bool, align: bool = False) -> str:
        left = step.after.text(latex)
        if step.formula is None:
            return f"{left} &" if align else left
        write = to_latex if latex else to_text
        shown = (*step.after.outputs, *step.after.inputs)
        right = write(step.formula, self.graph.nodes, shown)
        return f"{left} {'&' if align else ''}= {right}"

    def __repr__(self) -> str:
        return self.to_text()


def _is_start(stage: Stage, query: Query) -> bool:
    """Whether a stage is given: all variables, but those set in what is available."""
    everything = set(stage.graph.nodes)
    sources = [everything - set(source) for source in query.sources]
    return set(stage.boxes) in [everything, *sources] or bool(stage.given)


def derive(graph: CausalGraph, query: Query, answer: Answer) -> Derivation:
    """Tell the moves of a search as rewrites of diagrams."""
    steps: list[Step] = []
    everything = graph.nodes
    seen = [name for name in query.given if name not in answer.moved]
    asked = graph.names(graph.mask((*query.outcome, *seen)))
    steps += _exchanges(graph, query, answer)
    opened = graph.names(graph.masks.all & ~answer.treated)
    needed = graph.names(answer.needed)
    stage = Stage(graph, everything, asked)
    if answer.treated:
        stage = _then(steps, "open", stage, Stage(graph, opened, asked))
    if needed != opened:
        stage = _then(steps, "prune", stage, Stage(graph, needed, asked))
    if answer.joint is not None and not answer.kernels:
        stage = _then(steps, "read off", stage, stage, answer.joint)
        return Derivation(graph, query, (*steps, *_last(graph, query, answer, stage)))
    whole = Stage(graph, needed, asked, combs=True)
    stage = _then(steps, "comb split", stage, whole)
    reached: tuple[Found | Blocked, ...] = (*answer.kernels, *answer.blocked)
    for kernel in reached:
        steps += _kernel_steps(graph, kernel)
    if answer.joint is not None:
        closed = Stage(graph, needed, asked)
        stage = _then(steps, "compose", stage, closed, answer.joint)
        steps += _last(graph, query, answer, stage)
    return Derivation(graph, query, tuple(steps))


def _then(
    steps: list[Step],
    name: str,
    before: Stage,
    after: Stage,
    formula: Expression | None = None,
) -> Stage:
    """Add a step and go on from where it ends."""
    steps.append(Step(name, before, after, formula))
    return after


def _exchanges(graph: CausalGraph, query: Query, answer: Answer) -> list[Step]:
    """Conditions that became interventions, one step each."""
    steps = []
    treated, given = list(query.do), list(query.given)
    for name in answer.moved:
        before = _conditional(graph, query, treated, given)
        treated.append(name)
        given.remove(name)
        steps.append(
            Step("exchange", before, _conditional(graph, query, treated, given))
        )
    return steps


def _conditional(
    graph: CausalGraph, query: Query, treated: Sequence[str], given: Sequence[str]
) -> Stage:
    boxes = graph.names(graph.masks.all & ~graph.mask(treated))
    return Stage(graph, boxes, (*query.outcome, *given), given=tuple(given))


def _kernel_steps(graph: CausalGraph, kernel: Found | Blocked) -> list[Step]:
    """Moves from an available distribution to the kernel of one district."""
    steps: list[Step] = []
    for move in kernel.moves:
        before, after = graph.names(move.before), graph.names(move.after)
        formula = move.formula
        if move.name == "observe":
            formula = Prob(frozenset(after), frozenset(), kernel.source)
        steps.append(
            Step(
                move.name,
                Stage(graph, before, before),
                Stage(graph, after, after, combs=True),
                formula,
            )
        )
    if isinstance(kernel, Blocked):
        end = graph.names(kernel.outer or kernel.target)
        wanted = graph.names(kernel.target)
        start = Stage(graph, end, end, combs=True)
        steps.append(Step("stuck", start, Stage(graph, wanted, wanted, combs=True)))
    return steps


def _last(graph: CausalGraph, query: Query, answer: Answer, stage: Stage) -> list[Step]:
    """Normalising, where something is still conditioned on."""
    given = tuple(name for name in query.given if name not in answer.moved)
    if not given:
        return []
    after = Stage(graph, stage.boxes, (*query.outcome, *given), given=given)
    return [Step("normalise", stage, after, answer.formula)]


def _gap(one: LabelledArray, other: LabelledArray) -> float:
    """Largest difference of two tables, constant along axes that only one has."""
    names = tuple(dict.fromkeys((*one.names, *other.names)))

    def spread(table: LabelledArray) -> np.ndarray:
        order = [name for name in names if name in table.axes]
        index = tuple(slice(None) if n in table.axes else None for n in names)
        return table.transpose(order).values[index]

    return float(np.abs(spread(one) - spread(other)).max(initial=0.0))
