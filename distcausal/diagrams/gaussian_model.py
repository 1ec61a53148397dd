"""Linear-Gaussian causal models: structural equations with normal noise, and surgery.

Each variable is a linear function of its causes plus normal noise, a box of the graph
like any other. Joint laws, interventions and conditioning are then matters of means and
covariances, exact and cheap. An intervention opens the wire that it sets, and values
are plugged in afterwards: no law of the variable set is ever needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.gaussian import GaussianChannel
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.query import check_observed, read_query
from distcausal.diagrams.reals import Reals, slices, total
from distcausal.diagrams.space import Space, Ty
from distcausal.errors import ModelError, QueryError, listing
from distcausal.numerics.covariance import beside

if TYPE_CHECKING:
    from distcausal.diagrams.diagram import Diagram

__all__ = ["GaussianModel"]

Pair = tuple[str, str]
Setting = Mapping[str, Any] | str | Sequence[str] | None
Step = tuple[GaussianChannel, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False, repr=False)
class GaussianModel(Record):
    """A causal graph with a linear-Gaussian channel for every variable.

    Parameters
    ----------
    graph
        The graph. Shared unobserved causes become root variables called ``U(A,B)``, as
        `CausalGraph.with_latents` names them; they need boxes like any other.
    boxes
        For each variable its channel from its parents, in any order, to itself.

    Raises
    ------
    ModelError
        If a box is missing, or its wires are not the variable and its parents.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S -> T -> C; S <-> C")
    >>> model = dc.GaussianModel.from_coefficients(
    ...     graph,
    ...     {("S", "T"): 2.0, ("T", "C"): 0.5},
    ...     variances={"S": 1.0, "T": 1.0, "C": 1.0},
    ...     covariances={("S", "C"): 0.5},
    ... )
    >>> model.query("C", do=["S"]).coef, model.query("C", given=["S"]).coef
    (array([[1.]]), array([[1.5]]))
    """

    graph: CausalGraph
    boxes: Mapping[str, GaussianChannel]

    def __post_init__(self) -> None:
        boxes = dict(self.boxes)
        nodes = self.full.nodes
        missing = [name for name in nodes if name not in boxes]
        strange = [name for name in boxes if name not in nodes]
        if missing or strange:
            raise ModelError(
                f"a model needs one box for each of {listing(nodes, 12)}; missing are "
                f"{listing(missing) or 'none'}, unknown {listing(strange) or 'none'}."
            )
        for name in nodes:
            self._check_box(name, boxes)
        object.__setattr__(self, "boxes", boxes)
        super().__post_init__()

    def _check_box(self, name: str, boxes: Mapping[str, GaussianChannel]) -> None:
        box, parents = boxes[name], self.full.parents(name)
        if box.cod.names != (name,) or sorted(box.dom.names) != sorted(parents):
            raise ModelError(
                f"the box of {name!r} should go from {listing(parents, 12) or 'I'} to "
                f"{name}, but goes from {box.dom} to {box.cod}."
            )
        for wire in box.dom:
            if boxes[wire.name].cod != Ty((wire,)):
                raise ModelError(
                    f"the box of {name!r} reads {wire!r}, but the box of {wire.name!r} "
                    f"makes {boxes[wire.name].cod[0]!r}."
                )

    @classmethod
    def from_coefficients(
        cls,
        graph: CausalGraph,
        coefficients: Mapping[Pair, float],
        *,
        variances: Mapping[str, float],
        intercepts: Mapping[str, float] | None = None,
        covariances: Mapping[Pair, float] | None = None,
    ) -> GaussianModel:
        """Build the model of linear structural equations.

        Parameters
        ----------
        graph
            The graph.
        coefficients
            For each arrow ``(cause, effect)``, its coefficient.
        variances
            For each variable, the variance of its error.
        intercepts
            Constants of the equations; 0 where left out.
        covariances
            For each two-headed arrow, the covariance of the two errors.

        Raises
        ------
        ModelError
            If a number is missing or belongs to nothing in the graph, or if errors
            share more than they vary: the absolute covariances of an error may sum to
            its variance at most. Name shared causes as latent variables otherwise.
        """
        from distcausal.diagrams.equations import boxes_of

        return cls(
            graph,
            boxes_of(
                graph, coefficients, variances, intercepts or {}, covariances or {}
            ),
        )

    @classmethod
    def fit(cls, frame: Any, graph: CausalGraph) -> GaussianModel:
        """Estimate every box by least squares of the variable on its parents.

        Parameters
        ----------
        frame
            One row per observation, a numeric column per variable; any table narwhals
            reads.
        graph
            A graph without latent variables, all of whose variables are columns.

        Returns
        -------
        The most likely model: variances divide by the number of rows.

        Raises
        ------
        ModelError
            If the graph has latent variables, or a variable has as many parents as
            there are rows.
        DataError
            If a column is absent, not numeric or has gaps.
        """
        from distcausal.diagrams.equations import fitted_boxes

        return cls(graph, fitted_boxes(frame, graph))

    @cached_property
    def full(self) -> CausalGraph:
        """Graph with every latent cause as a variable."""
        return self.graph.with_latents()

    def space(self, name: str) -> Reals:
        """Space of a variable, latent ones included."""
        self.full.mask([name])
        return self.boxes[name].cod[0]

    def joint(self) -> GaussianChannel:
        """Law of all observed variables, in the graph's order."""
        return self.query(self.graph.observed)

    def query(
        self, outcome: str | Iterable[str], do: Setting = None, given: Setting = None
    ) -> GaussianChannel:
        """Law of some variables after an intervention, among units with given values.

        Parameters
        ----------
        outcome
            Variables asked about, in the order of the answer's outputs.
        do
            Value that each variable is set to. A list of names without values leaves
            their wires open: they are inputs of the answer.
        given
            Values seen, in the same two ways; conditioning follows the intervention.

        Returns
        -------
        Channel to the outcomes, from the variables left open, those of ``do`` first.

        Raises
        ------
        QueryError
            If a name is unknown or latent, or has two roles.
        ConditioningError
            If what is given cannot occur.
        """
        query = read_query(self.graph, outcome, _names(do), _names(given), (), True)
        law = self._opened(query.do).marginal([*query.outcome, *query.given])
        if isinstance(do, Mapping):
            law = law.plug(do)
        if isinstance(given, Mapping):
            return law.condition(given)
        return law.disintegrate(query.given)

    def _opened(self, opened: Sequence[str]) -> GaussianChannel:
        """Channel from some variables, set from outside, to all others."""
        nodes = self.full.nodes
        place = self.full.place
        steps = [
            (
                self.boxes[nodes[at]],
                tuple(place[parent] for parent in self.boxes[nodes[at]].dom.names),
                (at,),
            )
            for at in self.full.masks.order
            if nodes[at] not in opened
        ]
        wires = Ty(tuple(self.space(name) for name in nodes))
        made = [at for at, name in enumerate(nodes) if name not in opened]
        return _run(wires, [place[name] for name in opened], steps, made)

    def do(
        self, setting: Mapping[str, Any] | None = None, /, **more: Any
    ) -> GaussianModel:
        """Model in which variables are set to values whatever caused them before."""
        found = {**(setting or {}), **more}
        points = {
            name: GaussianChannel.point(value, self.space(name))
            for name, value in found.items()
        }
        return self.intervene(points)

    def intervene(
        self, channels: Mapping[str, GaussianChannel] | None = None, /, **more: Any
    ) -> GaussianModel:
        """Model in which variables come about in another way.

        Each channel makes the variable from any variables that are no effects of it: a
        law without inputs is a stochastic intervention, one that reads others a policy,
        and ``model.boxes["X"] >> kernel`` a shift.

        Raises
        ------
        QueryError
            If a variable is unknown or latent, or a channel reads an effect.
        """
        found = {**(channels or {}), **more}
        check_observed(self.graph, "the intervention", found)
        full = self.full
        for name, channel in found.items():
            caught = set(channel.dom.names) & set(full.descendants(name))
            if caught:
                raise QueryError(
                    f"the new box of {name!r} reads {listing(sorted(caught))}, an "
                    f"effect of {name!r}; an intervention reads what comes before it."
                )
        arrows = [pair for pair in full.directed if pair[1] not in found]
        arrows += [
            (wire, name) for name, box in found.items() for wire in box.dom.names
        ]
        graph = CausalGraph(tuple(arrows), (), full.nodes, full.latent)
        return GaussianModel(graph, {**self.boxes, **found})

    def interpret(self, diagram: Diagram) -> GaussianChannel:
        """Channel that a diagram over the model's boxes denotes.

        Raises
        ------
        ModelError
            If the diagram has a box that the model does not, a uniform state (open the
            wire instead), or an effect (condition the channel instead).
        """
        from distcausal.diagrams.diagram import as_diagram

        whole = as_diagram(diagram)
        wires = Ty(tuple(self._wire(space) for space in whole.wires))
        waiting, steps = list(whole.nodes), list[Step]()
        known = set(whole.inputs)
        while waiting:
            ready = next(node for node in waiting if known.issuperset(node.ins))
            waiting.remove(ready)
            known.update(ready.outs)
            steps.append((self._channel(ready.box), ready.ins, ready.outs))
        return _run(wires, whole.inputs, steps, whole.outputs)

    def _wire(self, space: Space) -> Reals:
        if space.name not in self.boxes:
            raise ModelError(
                f"the diagram has a wire {space.name!r}, which the model does not know."
            )
        return self.space(space.name)

    def _channel(self, box: Any) -> GaussianChannel:
        if box.kind == "point":
            return GaussianChannel.point(box.data, self._wire(box.cod[0]))
        own = self.boxes.get(box.name) if box.kind == "box" else None
        if own is None:
            raise ModelError(
                f"the box {box.name!r} of kind {box.kind!r} denotes nothing in a "
                f"linear-Gaussian model, whose boxes are {listing(self.boxes, 12)}. "
                "In place of a uniform state open the wire; to observe, condition."
            )
        if (own.dom.names, own.cod.names) == (box.dom.names, box.cod.names):
            return own
        if sorted(own.dom.names) != sorted(box.dom.names) or own.cod != Ty(
            tuple(map(self._wire, box.cod))
        ):
            raise ModelError(
                f"the box {box.name!r} has type {box.dom} -> {box.cod} in the diagram, "
                f"but {own.dom} -> {own.cod} in the model."
            )
        where = dict(zip(own.dom.names, slices(own.dom), strict=True))
        columns = np.concatenate(
            [np.arange(where[n].start, where[n].stop) for n in box.dom.names]
        )
        dom = Ty(tuple(map(self._wire, box.dom)))
        return GaussianChannel(own.coef[:, columns], own.shift, own.cov, dom, own.cod)

    def __repr__(self) -> str:
        kinds = f"{len(self.graph.observed)} observed variables"
        return f"GaussianModel({kinds}, {len(self.full.latent)} latent; {self.graph!r})"


def _names(setting: Setting) -> list[str]:
    if setting is None:
        return []
    return [setting] if isinstance(setting, str) else list(setting)


def _run(
    wires: Ty, inputs: Sequence[int], steps: Sequence[Step], outputs: Sequence[int]
) -> GaussianChannel:
    """Channel from some wires to others, once every step has made its own.

    The law of all wires made so far is kept, as a channel from the inputs; each step
    adds the rows of what it makes.
    """
    where = slices(wires)
    dom = Ty(tuple(wires[wire] for wire in inputs))
    coef = np.eye(total(dom))
    shift, cov = np.zeros(len(coef)), np.zeros((len(coef), len(coef)))
    at = {
        wire: np.arange(part.start, part.stop)
        for wire, part in zip(inputs, slices(dom), strict=True)
    }
    for channel, ins, outs in steps:
        seen = np.concatenate([np.arange(0), *(at[wire] for wire in ins)]).astype(int)
        size = len(shift)
        reach = np.zeros((len(channel.shift), size))
        reach[:, seen] = channel.coef
        lift = np.vstack([np.eye(size), reach])
        coef, shift = lift @ coef, lift @ shift
        shift[size:] += channel.shift
        cov = lift @ cov @ lift.T + beside(np.zeros((size, size)), channel.cov)
        start = size
        for wire in outs:
            width = where[wire].stop - where[wire].start
            at[wire] = np.arange(start, start + width)
            start += width
    rows = np.concatenate([np.arange(0), *(at[wire] for wire in outputs)]).astype(int)
    cod = Ty(tuple(wires[wire] for wire in outputs))
    spread = cov[np.ix_(rows, rows)]
    return GaussianChannel(coef[rows], shift[rows], spread, dom, cod, atol=np.inf)
