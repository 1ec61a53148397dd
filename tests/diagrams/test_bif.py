"""Bayesian networks come back from BIF as they went in; slips in a file are named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from distcausal.diagrams.grammar import GraphParts
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.model import CausalModel
from distcausal.diagrams.read_bif import read_bif
from distcausal.diagrams.read_edges import read_edges
from distcausal.diagrams.write_graph import write_bif
from distcausal.errors import GraphError

PIECES = [*"\"'\\{}[]()<>-;,#/*|= \n\ta0Zéβ日", "//", "/*", "*/", "table", "property"]
names = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)


@dataclass
class Network:
    parts: GraphParts
    states: dict[str, tuple[str, ...]]
    tables: dict[str, np.ndarray]

    def parents(self, name: str) -> list[str]:
        return [cause for cause, effect in self.parts.directed if effect == name]

    def check(self, text: str) -> None:
        """Hold what is read from a text against the network, numbers to the bit."""
        parts, states, tables = read_bif(text)
        assert (parts.nodes, parts.latent) == (self.parts.nodes, self.parts.latent)
        assert states == self.states
        assert set(tables) == set(parts.nodes)
        for name in parts.nodes:
            causes = [cause for cause, effect in parts.directed if effect == name]
            assert causes == self.parents(name)
            assert_array_equal(tables[name], self.tables[name])


@st.composite
def networks(draw: st.DrawFn, labels: st.SearchStrategy[str] = names) -> Network:
    """A network of up to five variables, arrows in any order of parents."""
    nodes = draw(st.lists(labels, min_size=1, max_size=5, unique=True))
    states = {
        name: tuple(draw(st.lists(labels, min_size=1, max_size=3, unique=True)))
        for name in nodes
    }
    directed: list[tuple[str, str]] = []
    for place, name in enumerate(nodes[1:], 1):
        causes = draw(st.lists(st.sampled_from(nodes[:place]), unique=True, max_size=3))
        directed += [(cause, name) for cause in causes]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tables = {}
    for name in nodes:
        causes = [cause for cause, effect in directed if effect == name]
        shape = [len(states[cause]) for cause in causes]
        tables[name] = rng.dirichlet(np.ones(len(states[name])), shape)
    latent = tuple(nodes[:1]) if draw(st.booleans()) else ()
    return Network(
        GraphParts(tuple(nodes), tuple(directed), (), latent), states, tables
    )


@given(networks())
def test_a_network_reads_back_the_same(network: Network) -> None:
    network.check(write_bif(network.parts, network.states, network.tables))


GAP = st.sampled_from(
    [" ", "\n", "\t", " , ", " | ", "/* (no) 1; } */", " // }\n", "\r\n", "/**/\n"]
)
plain = st.sampled_from(["A", "b_2", "é", "12+", "<5", "0.5-1", "a/b", "yes", "it's"])


def blocks(network: Network, data: st.DataObject) -> tuple[list[str], list[str]]:
    """Declarations and laws of a network, with rows in any order and idle notes."""
    variables, laws = [], []
    for name in network.parts.nodes:
        kept = network.states[name]
        note = 'property "a note: { not read" ;' * data.draw(st.booleans())
        secret = "property latent = yes ;" * (name in network.parts.latent)
        kind = f"type discrete [ {len(kept)} ] {{ {' '.join(kept)} }} ;"
        variables.append(f'variable "{name}" {{ {note} {kind} {secret} }}')
        causes, table = network.parents(name), network.tables[name]
        rows = [note]
        for place in np.ndindex(table.shape[:-1]):
            held = [network.states[c][at] for c, at in zip(causes, place, strict=True)]
            start = f"( {' '.join(held)} )" if causes else "table"
            rows.append(f"{start} {' '.join(map(repr, table[place].tolist()))} ;")
        rows = data.draw(st.permutations(rows))
        head = f"probability ( {' '.join([name, *causes])} )"
        laws.append(f"{head} {{ {' '.join(rows)} }}")
    return variables, laws


@given(networks(plain), st.data())
def test_layout_and_the_order_of_rows_change_nothing(network: Network, data) -> None:
    gap = st.lists(GAP, min_size=1, max_size=2).map("".join)
    variables, laws = blocks(network, data)
    order = data.draw(st.permutations(range(len(variables))))
    waiting = iter([variables[place] for place in order])
    shuffled = data.draw(st.permutations([None] * len(order) + laws))
    text = " ".join(block or next(waiting) for block in shuffled)
    spread = "".join(part + data.draw(gap) for part in text.split(" "))
    nodes = tuple(network.parts.nodes[place] for place in order)
    network.parts = GraphParts(nodes, network.parts.directed, (), network.parts.latent)
    network.check(
        f"{data.draw(gap)}network x {{ property a ; }}{data.draw(gap)}{spread}"
    )


DECLARED = """
network small { property "drawn by hand"; }
variable A { type discrete [ 2 ] { no, yes }; }   // the cause
variable B { type discrete [ 3 ] { low, mid, high }; }
variable C { type discrete [ 2 ] { no, yes }; }
probability ( A ) { table 0.25, 0.75; }
probability ( B | A ) { (no) 0.5, 0.25, 0.25; (yes) 0.125, 0.125, 0.75; }
"""
LAST = "probability ( C | B, A ) {"


def last(rows: str) -> np.ndarray:
    """Table of C, whose block ends the text."""
    return read_bif(f"{DECLARED}{LAST} {rows} }}")[2]["C"]


def test_axes_are_parents_in_the_order_of_the_file_and_then_the_variable() -> None:
    table = last(
        """
        (low, no) 1, 0; (mid, no) 0.5, 0.5; (high, no) 0.25, 0.75;
        (low, yes) 0, 1; (mid, yes) 0.125, 0.875; (high, yes) 0.375, 0.625;
        """
    )
    assert_array_equal(
        table[..., 1], [[0.0, 1.0], [0.5, 0.875], [0.75, 0.625]], strict=True
    )
    parts, states, _ = read_bif(f"{DECLARED}{LAST} default 0.5, 0.5; }}")
    assert parts.directed == (("A", "B"), ("B", "C"), ("A", "C"))
    assert states["B"] == ("low", "mid", "high")


def test_a_default_stands_for_the_rows_left_out() -> None:
    table = last("default 0.5, 0.5; (high, yes) 0.25, 0.75;")
    assert_array_equal(table[2, 1], [0.25, 0.75])
    table[2, 1] = 0.5
    assert_array_equal(table, np.full((3, 2, 2), 0.5))


def test_a_table_lists_the_states_of_the_variable_slowest() -> None:
    first = [1.0, 0.0, 0.5, 0.125, 0.25, 0.375]
    numbers = first + [1 - number for number in first]
    table = last(f"table {' '.join(map(str, numbers))};")
    assert_array_equal(table[..., 0].ravel(), first)
    assert_array_equal(table[..., 1], 1 - table[..., 0])


def test_rounded_rows_are_kept_unless_asked_otherwise() -> None:
    text = DECLARED + LAST + "default 0.3333333, 0.6666666; }"
    assert_array_equal(read_bif(text)[2]["C"][0, 0], [0.3333333, 0.6666666])
    tidy = read_bif(text, renormalise=True)[2]["C"]
    # Two numbers divided by their sum: one rounding each.
    assert np.all(np.abs(tidy.sum(axis=-1) - 1) <= 2**-52)
    row = np.array([0.3333333, 0.6666666])
    assert_array_equal(tidy[0, 0], row / row.sum())


def test_old_files_quote_names_and_leave_out_the_bar() -> None:
    parts, states, tables = read_bif(
        """
        network "Dog-Problem" { }
        variable "light on" { //2 values
          type discrete[2] { "true" "false" };
          property "position = (0, 1)" ;
        }
        variable "out" { type discrete[2] { "true" "not, really" }; }
        probability ( "light on" "out" ) { //2 variables and 4 values
          ("not, really") 0.05 0.95 ;
          ("true") 0.625 0.375 ;
        }
        probability ( "out" ) { table 0.15 0.85 ; }
        """
    )
    assert parts.directed == (("out", "light on"),)
    assert states["out"] == ("true", "not, really")
    assert_array_equal(tables["light on"], [[0.625, 0.375], [0.05, 0.95]])


def test_models_and_graphs_read_files(tmp_path) -> None:
    path = tmp_path / "small.bif"
    path.write_text(DECLARED + LAST + "default 0.25, 0.75; }", encoding="utf-8")
    model = CausalModel.from_bif(path)
    assert model.graph == CausalGraph.from_bif(path)
    assert float(model.query("B", do={"A": "yes"}).sel(B="high")) == 0.75
    again = write_bif(model.graph, model.states, model.tables)
    assert_array_equal(read_bif(again)[2]["B"], model.tables["B"])


WRONG = [
    ("(low, no) 1, 0;", "'C' lacks 5 of 6 rows, among them (B=low, A=yes) of 'C'"),
    ("(low, no) 1, 0; (low, no) 1, 0;", "the row (B=low, A=no) of 'C' is given twice"),
    ("(low) 1, 0;", "each of its 2 parents (B, A); this one names 1"),
    ("(no, low) 1, 0;", "state 'no', but 'B' has the states low, mid, high"),
    ("(low, no) 1, 0, 0;", "'C' should have 2 probabilities here, but 3 are given"),
    ("(low, no) 0.5, x;", "numbers of at least 0; got 0.5, x"),
    ("(low, no) 1.5, -0.5;", "numbers of at least 0; got 1.5, -0.5"),
    ("(low, no) nan, 1;", "numbers of at least 0; got nan, 1"),
    ("(low, no) inf, 1;", "numbers of at least 0; got inf, 1"),
    ("(low, no) 1, 0", "expected ';', found '}'"),
    ("(low, no 1, 0;", "expected ')', found ';'"),
    ("table 1, 0;", "'C' should have 12 probabilities here, but 2 are given"),
    ("default 1;", "'C' should have 2 probabilities here, but 1 are given"),
    ("(low, no) 1, 0; table 1;", "either a table or rows, not both"),
    ("rows 1, 0;", "expected a row '(states) numbers;', 'table'"),
    (
        "default 1, 0;\n(mid, yes) 0.5, 0.500002;",
        "(B=mid, A=yes) of 'C' should sum to 1 within 1e-06, but sums to 1.000002",
    ),
    ("default 0.9, 0.2;", "(B=low, A=no) of 'C' should sum to 1"),
]


@pytest.mark.parametrize(("rows", "message"), WRONG)
def test_a_slip_in_a_table_is_named(rows: str, message: str) -> None:
    with pytest.raises(GraphError) as refused:
        last(rows)
    assert message in str(refused.value)
    line = len((DECLARED + LAST + rows).split("\n"))
    assert f"line {line} of the BIF text reads" in str(refused.value)


ONE = "variable A { type discrete [ 2 ] { no, yes }; }"
LAW = "probability ( A ) { table 0.5, 0.5; }"
BROKEN = [
    ("hello", "expected 'network', 'variable' or 'probability', found 'hello'"),
    (ONE, "every variable of a network should have its probabilities, but A has none"),
    (ONE + ONE + LAW, "the variable 'A' is declared twice"),
    (ONE + LAW + LAW, "the probabilities of 'A' are given twice"),
    (ONE + "probability ( A | Z ) { }", "speak of 'Z', which is not a variable"),
    (ONE + "probability ( Z ) { }", "speak of 'Z', which is not a variable"),
    (ONE + "probability ( A | A ) { }", "'A' and its parents should be different"),
    (ONE + "probability ( ) { }", "speak of '', which is not a variable"),
    (ONE + "probability A { }", "expected '(' after 'probability', found 'A'"),
    (ONE + "probability ( A ) { table 0.5, 0.5;", "the block is never closed by '}'"),
    ("network x {", "the block is never closed by '}'"),
    ("variable { }", "expected the name of a variable, found '{'"),
    ("variable A { }", "the variable 'A' has no states"),
    ("variable A {", "expected 'type', 'property' or '}', found the end"),
    ("variable A { kind x; }", "expected 'type', 'property' or '}', found 'kind'"),
    ("variable A { type real; }", "since only discrete variables have tables"),
    (ONE.replace("2", "3"), "'A' should have 3 states, but 2 are listed"),
    (ONE.replace("yes", "no"), "the states of 'A' should be different"),
    (ONE.replace("{ no", '{ "no'), "found a quote that is never closed"),
    ("variable A { type discrete [ 0 ] { }; }", "different, and at least one"),
    (ONE.replace("};", "}"), "expected ';' after the states"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_broken_file_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(GraphError) as refused:
        read_bif("\n" + text)
    assert message in str(refused.value)
    if not message.startswith("every variable"):
        assert str(refused.value).startswith("line 2 of the BIF text reads")


def test_what_bif_cannot_hold_is_refused() -> None:
    graph, states = read_edges("A <-> B"), {"A": ("no",), "B": ("no",)}
    with pytest.raises(GraphError, match=r"A <-> B. Write graph.with_latents\(\)"):
        write_bif(graph, states, {"A": np.ones(1), "B": np.ones(1)})
    with pytest.raises(
        GraphError, match=r"state of A, B, shape \(1, 1\); it has \(1,\)"
    ):
        write_bif(read_edges("A -> B"), states, {"A": np.ones(1), "B": np.ones(1)})
