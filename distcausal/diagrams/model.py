"""Causal models: a graph with a table for every variable, and the questions one asks.

A model says how each variable comes about from its causes, latent ones among them. What
is observed, what would be observed after an intervention, and what any diagram over its
boxes means all follow by multiplying the tables, some of them replaced, and summing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.fit import Record
from distcausal.diagrams.contraction import Network
from distcausal.diagrams.graph import CausalGraph, check_graph
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.space import Space, as_type
from distcausal.diagrams.tables import read_tables

if TYPE_CHECKING:
    import pandas as pd

    from distcausal._base.keys import Seed
    from distcausal.data.distributions import RandomDistributions
    from distcausal.diagrams.channel import Channel
    from distcausal.diagrams.diagram import Diagram

__all__ = ["CausalModel"]

State = Hashable
Setting = Mapping[str, Any] | str | Sequence[str] | None


@dataclass(frozen=True, eq=False, repr=False)
class CausalModel(Record):
    """A causal graph with a law for every variable given its causes.

    Parameters
    ----------
    graph
        The graph. Shared unobserved causes become root variables called ``U(A,B)``, as
        `CausalGraph.with_latents` names them; they need tables like any other.
    tables
        For each variable P(variable | parents): a `Channel` or `LabelledArray` with the
        names on its axes, or an array with an axis per parent, in the order of
        ``graph.with_latents().parents(name)``, and the variable's own axis last.
    states
        States of variables whose tables are bare arrays; 0, 1, ... where left out.
    atol
        How far the sum of a row may be from 1.

    Raises
    ------
    ModelError
        If a table is missing or its axes are not the variable and its parents.
    DataError
        If a table holds what is not a law; the message names the row.

    Examples
    --------
    >>> import distcausal as dc
    >>> graph = dc.CausalGraph.from_edges("S -> T -> C; S -> C")
    >>> model = dc.CausalModel(
    ...     graph,
    ...     {
    ...         "S": [0.6, 0.4],
    ...         "T": [[0.9, 0.1], [0.3, 0.7]],
    ...         "C": [[[0.9, 0.1], [0.8, 0.2]], [[0.7, 0.3], [0.4, 0.6]]],
    ...     },
    ... )
    >>> model.query("C", do={"S": 1}).values
    array([0.52, 0.48])
    >>> model.query("C", do={"S": [0, 1, 1]}).shape
    (3, 2)
    """

    graph: CausalGraph
    tables: Mapping[str, np.ndarray]
    states: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    atol: float = field(default=1e-6, kw_only=True)
    unseen: Mapping[str, np.ndarray] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        check_graph(self.graph)
        tables, states = read_tables(self.full, self.tables, self.states, self.atol)
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "states", states)
        super().__post_init__()

    @classmethod
    def from_bif(cls, path: str | Path) -> CausalModel:
        """Read a Bayesian network from a BIF file.

        Rows may miss a sum of 1 by what printing seven digits loses.
        """
        from distcausal.diagrams.read_bif import read_bif

        parts, states, tables = read_bif(Path(path).read_text(encoding="utf-8"))
        graph = CausalGraph(parts.directed, parts.bidirected, parts.nodes, parts.latent)
        return cls(graph, tables, states)

    def to_bif(self) -> str:
        """Write the model as a Bayesian network in BIF, states as text."""
        from distcausal.diagrams.write_graph import write_bif

        return write_bif(self.full, self.states, self.tables)

    @classmethod
    def fit(
        cls,
        frame: Any,
        graph: CausalGraph,
        *,
        weights: str | None = None,
        smoothing: float = 0.0,
        states: Mapping[str, Sequence[Hashable]] | None = None,
        learners: Mapping[str, Any] | None = None,
    ) -> CausalModel:
        """Estimate every table of a graph without latent variables from rows.

        Parameters
        ----------
        frame
            One row per observation, a column per variable; any table narwhals reads.
        graph
            The graph; all its variables are columns.
        weights
            Column with the number of times, or the weight, of each row; if None a
            column ``"count"`` or ``"probability"`` that is no variable, where there is
            one.
        smoothing
            Added to every count, so that the law of a state never seen is even. With
            0 such laws are even too, but a question that needs one is refused.
        states
            States of variables, where not those found in the frame.
        learners
            For some variables, what predicts them from their parents in place of
            shares: an object with ``fit(X, y)`` and ``predict_proba(X)``, as in
            scikit-learn (a copy is fitted; with weights ``fit`` takes
            ``sample_weight``); the right-hand side of a formula, such as ``"S * T"``,
            for the multinomial logit of statsmodels; or a function from a frame of
            parents to probabilities. See `learned_channel` for what they are given.

        Raises
        ------
        ModelError
            If the graph has latent variables, or a learner is none.
        """
        from distcausal.diagrams.tables import fit_tables

        tables, found, unseen = fit_tables(
            frame, graph, weights, smoothing, states, learners or {}
        )
        return cls(graph, tables, found, unseen=unseen)

    @cached_property
    def full(self) -> CausalGraph:
        """Graph with every latent cause as a variable."""
        return self.graph.with_latents()

    def space(self, name: str) -> Space:
        """Space of a variable, latent ones included."""
        self.full.mask([name])
        return Space(name, self.states[name])

    @cached_property
    def network(self) -> Network:
        """Tables as numbered arrays, for contraction."""
        full = self.full
        axes = tuple(
            tuple(full.place[parent] for parent in (*full.parents(name), name))
            for name in full.nodes
        )
        sizes = tuple(len(self.states[name]) for name in full.nodes)
        arrays = tuple(self.tables[name] for name in full.nodes)
        return Network(full.masks, axes, arrays, sizes)

    def channel(self, name: str) -> Channel:
        """Law of a variable given its parents, as a channel.

        Its ``support`` tells which rows a fit has seen; the others are even.
        """
        from distcausal.diagrams.channel import Channel

        parents = [self.space(parent) for parent in self.full.parents(name)]
        table = self.tables[name]
        made = as_type(self.space(name))
        known = None if name not in self.unseen else self.unseen[name] == 0
        return Channel(table, as_type(parents), made, atol=self.atol, support=known)

    @property
    def functional(self) -> bool:
        """Whether every observed variable is fixed by its causes."""
        known = (self.tables[name] for name in self.graph.observed)
        return all(bool(np.isin(table, (0.0, 1.0)).all()) for table in known)

    def joint(self, *, largest: float = 2**24) -> LabelledArray:
        """Law of all observed variables, one axis each, in the graph's order.

        Raises
        ------
        ComplexityError
            If it would have more entries than ``largest``; ask `query` about the
            variables that matter instead.
        """
        return self.query(self.graph.observed, largest=largest)

    def query(
        self,
        outcome: str | Iterable[str],
        do: Setting = None,
        given: Setting = None,
        *,
        tables: Mapping[str, np.ndarray] | None = None,
        largest: float | None = None,
    ) -> LabelledArray:
        """Law of some variables after an intervention, among units with given values.

        Parameters
        ----------
        outcome
            Variables asked about, in the order of the answer's axes.
        do
            State that each variable is set to. Lists of one length are that many
            interventions and give a leading axis ``"intervention"`` (with a prime where
            a variable asked about is called so). A list of names, without states, sets
            each variable to every state: axes after the outcome.
        given
            States seen, in the same three ways; conditioning follows the intervention.
        tables
            Tables to use in place of the model's own, with a leading axis of draws
            (of a posterior, of a bootstrap), which leads the answer as ``"draw"``.
        largest
            Most entries of any array made on the way.

        Returns
        -------
        LabelledArray
            Probabilities over the outcomes for each intervention and state seen.

        Raises
        ------
        QueryError
            If a name or state is unknown, or a variable has two roles.
        ConditioningError
            If what is given never occurs.
        PositivityError
            If the answer depends on a law that a fit never saw.
        ComplexityError
            If it would need a larger array than allowed.
        """
        from distcausal.diagrams.ask import answer

        return answer(self, outcome, do, given, tables, largest)

    def distributions(
        self,
        outcome: str | Iterable[str],
        do: Setting = None,
        given: Setting = None,
        *,
        outcomes: RandomDistributions | None = None,
        summary: str = "mixture",
    ) -> RandomDistributions:
        """Law of the outcomes after an intervention as random distributions.

        Parameters
        ----------
        outcome, do, given
            As in `query`.
        outcomes
            Where the states of the outcome name distributions (of firms, of clusters),
            those distributions: one unit per state.
        summary
            How they are averaged: ``"mixture"``, or ``"barycentre"`` of their quantile
            functions.

        Returns
        -------
        RandomDistributions
            One unit per intervention and state seen, whose states are its columns.

        Examples
        --------
        >>> import distcausal as dc
        >>> graph = dc.CausalGraph.from_edges("X -> Y")
        >>> model = dc.CausalModel(graph, {"X": [0.5, 0.5], "Y": [[0.9, 0.1], [0, 1]]})
        >>> model.distributions("Y", do=["X"]).mean()
        array([0.1, 1. ])
        """
        from distcausal.diagrams.outcomes import answer_distributions
        from distcausal.diagrams.query import variables

        answer = self.query(outcome, do, given)
        made = variables("outcome", outcome)
        return answer_distributions(answer, made, outcomes, summary)

    def sample(self, n: int, *, seed: Seed = 0) -> pd.DataFrame:
        """Draw units from the model, one row each, a column per observed variable.

        Examples
        --------
        >>> import distcausal as dc
        >>> model = dc.random_model(dc.CausalGraph.from_edges("X -> Y"), seed=1)
        >>> model.sample(3, seed=2).shape
        (3, 2)
        """
        import pandas as pd

        from distcausal._base.keys import check_seed, host_stream
        from distcausal.diagrams.draws import draw_places

        check_seed(seed)
        places = draw_places(self, n, host_stream(seed, "CausalModel.sample"))
        return pd.DataFrame(
            {
                name: pd.Series(list(self.states[name])).to_numpy()[at]
                for name, at in places.items()
            }
        )

    def complexity(
        self, outcome: str | Iterable[str], do: Setting = None, given: Setting = None
    ) -> dict[str, float]:
        """Cost of a query before it is run.

        Returns
        -------
        dict
            ``flops``, ``largest`` (entries of the largest array), and ``treewidth``, an
            upper bound: the most variables on one array, less one.
        """
        from distcausal.diagrams.ask import cost

        return cost(self, outcome, do, given)

    def do(
        self, setting: Mapping[str, State] | None = None, /, **more: State
    ) -> CausalModel:
        """Model in which variables are set to states whatever caused them before."""
        from distcausal.diagrams.interventions import set_states

        return set_states(self, {**(setting or {}), **more})

    def intervene(
        self, channels: Mapping[str, Channel] | None = None, /, **more: Channel
    ) -> CausalModel:
        """Model in which variables come about in another way.

        Each channel makes the variable from any variables that are no effects of it: a
        law without inputs is a stochastic intervention, one that reads others a policy.
        """
        from distcausal.diagrams.interventions import replace_boxes

        return replace_boxes(self, {**(channels or {}), **more})

    def shift(self, name: str, kernel: Channel) -> CausalModel:
        """Model in which a variable is moved from the value it would have had.

        ``kernel`` is a channel from the variable to itself; its effects see where it
        moved to.
        """
        from distcausal.diagrams.interventions import shifted

        return shifted(self, name, kernel)

    def interpret(self, diagram: Diagram) -> Channel:
        """Channel that a diagram over the model's boxes denotes.

        Raises
        ------
        ModelError
            If the model has no box of a name, or one of another type.
        """
        from distcausal.diagrams.functor import interpret

        return interpret(diagram, self)

    def counterfactual(
        self,
        event: Sequence[tuple[str, State, Mapping[str, Any]]],
        given: Sequence[tuple[str, State, Mapping[str, Any]]] = (),
    ) -> float:
        """Probability of an event across worlds that differ by interventions.

        Parameters
        ----------
        event
            What should hold: triples of a variable, its state and the intervention that
            defines its world, a mapping of variables to states, empty for the actual
            world. In place of a state a pair (variable, intervention) sets a variable
            to the value it has in another world.
        given
            What is known to hold, in the same form.

        Raises
        ------
        ModelError
            If variables have noise of their own beside latent causes, so that worlds
            do not share it.
        ConditioningError
            If what is given never occurs.
        """
        from distcausal.diagrams.crossworld import probability

        return probability(self, event, given)

    def __repr__(self) -> str:
        kinds = f"{len(self.graph.observed)} observed variables"
        hidden = len(self.full.latent)
        return f"CausalModel({kinds}, {hidden} latent; {self.graph!r})"
