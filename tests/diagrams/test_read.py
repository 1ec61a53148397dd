"""Graphs come back from text as they went in, whatever their names and layout."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distcausal.diagrams.grammar import GraphParts
from distcausal.diagrams.graph import CausalGraph
from distcausal.diagrams.read_dagitty import read_dagitty
from distcausal.diagrams.read_dot import read_dot
from distcausal.diagrams.read_edges import read_edges, read_networkx
from distcausal.diagrams.read_gml import read_gml
from distcausal.diagrams.write_graph import write_dagitty, write_dot, write_edges
from distcausal.errors import GraphError

# Whatever means something in one of the formats, and letters of several scripts.
PIECES = [
    *"\"'\\{}[]()<>-;,#/*=:|.+&%@ \n\t\r01aZé→↔\u2013“”́βд日",
    *("->", "<->", "//", "/*", "*/", '\\"', "\\\n", "-1", "1.5", "&amp;", "&#34;"),
    *("dag", "node", "Edge", "graph", "digraph", "subgraph", "strict", "latent"),
]
names = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
hostile = names | st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
plain = st.sampled_from(["S", "T1", "c_2", "X'", "über", "日本", "U.3", "dag"])


@st.composite
def graphs(draw: st.DrawFn, labels: st.SearchStrategy[str] = hostile) -> GraphParts:
    """Parts of a graph: loops, cycles and repeated edges among them."""
    nodes = draw(st.lists(labels, min_size=1, max_size=5, unique=True))
    ends = st.sampled_from(nodes)
    pairs = st.lists(st.tuples(ends, ends), max_size=6)
    hidden = draw(st.sets(ends, max_size=2))
    return GraphParts(
        tuple(nodes),
        tuple(draw(pairs)),
        tuple(draw(pairs)),
        tuple(node for node in nodes if node in hidden),
    )


def as_networkx(parts: GraphParts) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for name in parts.nodes:
        graph.add_node(name, latent=int(name in parts.latent))
    graph.add_edges_from(parts.directed)
    graph.add_edges_from(parts.bidirected, bidirected=1)
    return graph


def by_effect(parts: GraphParts, *, ordered: bool = True) -> tuple[object, ...]:
    """What a networkx graph keeps: causes in order, for each effect apart.

    An edge with two heads and its return are one there, so they count as a set.
    """
    causes = {
        name: Counter(a for a, b in parts.directed if b == name) for name in parts.nodes
    }
    arcs = {frozenset(pair) for pair in parts.bidirected}
    order = {name: list(found) for name, found in causes.items()}
    return parts.nodes, causes, order if ordered else None, arcs, parts.latent


@pytest.mark.parametrize(
    ("write", "read"),
    [(write_edges, read_edges), (write_dot, read_dot)],
    ids=["edges", "dot"],
)
@given(parts=graphs())
def test_what_is_written_reads_back_the_same(write, read, parts: GraphParts) -> None:
    assert read(write(parts)) == parts


@pytest.mark.parametrize(
    ("write", "read"),
    [(write_edges, read_edges), (write_dot, read_dot), (write_dagitty, read_dagitty)],
    ids=["edges", "dot", "dagitty"],
)
def test_words_of_a_format_may_be_names(write, read) -> None:
    words = ("Node", "edge", "GRAPH", "subgraph", "strict", "digraph", "dag", "latent")
    pairs = tuple(pairwise(words))
    parts = GraphParts(words[::-1], pairs, pairs, words[::-1])
    found = read(write(parts))
    assert GraphParts(*(getattr(found, field) for field in vars(parts))) == parts


@given(graphs())
def test_dagitty_text_reads_back_the_same_with_its_roles(parts: GraphParts) -> None:
    first, last = parts.nodes[:1], parts.nodes[-1:]
    found = read_dagitty(write_dagitty(parts, exposure=first, outcome=last))
    assert (found.exposure, found.outcome, found.adjusted) == (first, last, ())
    shared = {field: getattr(found, field) for field in vars(parts)}
    assert GraphParts(**shared) == parts


@given(graphs())
def test_networkx_graphs_keep_causes_in_order(parts: GraphParts) -> None:
    assert by_effect(read_networkx(as_networkx(parts))) == by_effect(parts)


@given(graphs())
def test_gml_reads_back_the_same(parts: GraphParts) -> None:
    text = "\n".join(nx.generate_gml(as_networkx(parts)))
    # networkx writes edges by cause, so the order of causes is lost on paper.
    found = by_effect(read_gml(text), ordered=False)
    assert found == by_effect(parts, ordered=False)


@given(graphs())
def test_a_causal_graph_survives_every_format(parts: GraphParts) -> None:
    rank = {name: place for place, name in enumerate(parts.nodes)}
    arrows = dict.fromkeys(p for p in parts.directed if rank[p[0]] < rank[p[1]])
    arcs = dict.fromkeys(p for p in parts.bidirected if rank[p[0]] < rank[p[1]])
    graph = CausalGraph(tuple(arrows), tuple(arcs), parts.nodes, parts.latent)
    assert CausalGraph.from_dot(write_dot(graph)) == graph
    assert CausalGraph.from_dagitty(write_dagitty(graph)) == graph
    back = CausalGraph.from_networkx(graph.to_networkx())
    assert by_effect(back) == by_effect(graph)


GAPS = st.sampled_from([" ", "\t", "  ", "/* A -> B */", "/**/ "])
LINES = st.sampled_from(["\n", "\r\n", " // A -> B\n", "#A<->B\n", "\n\n/* \n */"])
STOPS = st.sampled_from([";", ",", " ;\t; "])


@given(graphs(plain), st.data())
def test_blanks_and_comments_change_nothing(parts: GraphParts, data) -> None:
    edges = [(a, "->", b) for a, b in parts.directed]
    edges += [(a, "<->", b) for a, b in parts.bidirected]
    statements = [(name,) for name in parts.nodes]
    statements += [(name, "[", "latent", "]") for name in parts.latent] + edges
    gap = st.lists(GAPS | LINES, max_size=2).map("".join)
    stop = st.one_of(gap.map(lambda blank: blank + ";"), LINES, STOPS)
    flat = GAPS | st.just("")
    text = "".join(
        "".join(part + data.draw(flat) for part in statement)
        + data.draw(STOPS | LINES)
        + data.draw(gap)
        for statement in statements
    )
    assert read_edges(text) == parts
    body = "".join(
        " ".join(data.draw(gap) + part for part in statement) + data.draw(stop)
        for statement in statements
    )
    found = read_dagitty(f"{data.draw(gap)} dag{data.draw(gap)}{{{body}}}")
    assert GraphParts(*(getattr(found, field) for field in vars(parts))) == parts


@given(st.lists(plain, min_size=2, max_size=6))
def test_a_chain_reads_the_same_from_either_end(chain: list[str]) -> None:
    forward = read_edges("->".join(chain))
    assert forward.directed == tuple(pairwise(chain))
    backward = read_edges(" <- ".join(reversed(chain)))
    assert sorted(backward.directed) == sorted(forward.directed)


@given(st.lists(plain, min_size=1, max_size=3), st.lists(plain, min_size=1, max_size=3))
def test_braces_stand_for_all_names_in_them(left: list[str], right: list[str]) -> None:
    left, right = list(dict.fromkeys(left)), list(dict.fromkeys(right))
    pairs = {(a, b) for a in left for b in right}
    text = f"{{{' '.join(left)}}} -> {{{', '.join(right)}}}"
    assert set(read_edges(text).directed) == pairs
    assert set(read_dagitty(f"dag {{ {text} }}").directed) == pairs
    assert set(read_dot(f"digraph {{ {text} }}").directed) == pairs


@given(graphs(plain))
def test_pairs_and_text_say_the_same(parts: GraphParts) -> None:
    found = read_edges(parts.directed, parts.bidirected, parts.nodes)
    arcs = [f"{a}<->{b}" for a, b in parts.bidirected]
    text = "; ".join(f"{a}->{b}" for a, b in parts.directed)
    expected = GraphParts(parts.nodes, parts.directed, parts.bidirected)
    assert found == expected
    assert read_edges(text, ", ".join(arcs), ", ".join(parts.nodes)) == expected
    assert read_edges(text, arcs, " ".join(parts.nodes)) == expected


@given(st.integers(0, 5), st.integers(0, 5))
def test_an_error_names_the_line_it_is_on(before: int, after: int) -> None:
    good = ["A -> B", "# a comment", "", "C <-> D", '"two\nlines" -> B'] * 2
    head = "\n".join(good[:before])
    lines = head.count("\n") + 1 + (before > 0)
    text = "\n".join([*good[:before], "A -> -> B", *good[:after]])
    with pytest.raises(
        GraphError, match=f"^line {lines} of the edge text reads 'A -> -"
    ):
        read_edges(text)
    with pytest.raises(GraphError, match=f"^line {lines + 1} of the dagitty text"):
        read_dagitty(f"dag {{\n{text}\n}}")


def test_edge_text_as_it_is_typed() -> None:
    text = """
    S -> T; A <- B, C <-> D      # three edges
    {A B} -> 'my variable' -> Z
        <- Q                     // a chain over two lines
    W <--> V; E → F ↔ G
    alone; U [latent]
    """
    found = read_edges(text)
    assert found.directed[:4] == (
        ("S", "T"),
        ("B", "A"),
        ("A", "my variable"),
        ("B", "my variable"),
    )
    assert found.directed[4:] == (("my variable", "Z"), ("Q", "Z"), ("E", "F"))
    assert found.bidirected == (("C", "D"), ("W", "V"), ("F", "G"))
    assert (found.nodes[-2:], found.latent) == (("alone", "U"), ("U",))


def test_nodes_named_first_come_first() -> None:
    assert read_edges("A -> B", nodes="C B").nodes == ("C", "B", "A")
    assert read_edges([("A", "B")], nodes=["C", "B"]).nodes == ("C", "B", "A")
    assert read_edges([(1, 2)], nodes=[2, 3]).nodes == ("2", "3", "1")


def test_dagitty_as_its_website_exports_it() -> None:
    found = read_dagitty(
        """
        dag "a graph" {
        bb="-4.1,-2.5,3.9,2.6"
        A [exposure,pos="-2.200,-1.520"]
        B [outcome,pos="1.400,-1.460"]
        D [unobserved,pos="-0.5,1"]
        "N M" [adjusted]
        A -> B [beta=0.5]  A -> Z -> B
        { P [latent] } -> {I->Z}
        D <-> Z
        }
        """
    )
    assert found.nodes == ("A", "B", "D", "N M", "Z", "P", "I")
    assert found.directed == (
        *(("A", "B"), ("A", "Z"), ("Z", "B")),
        *(("I", "Z"), ("P", "I"), ("P", "Z")),
    )
    assert found.bidirected == (("D", "Z"),)
    assert (found.latent, found.adjusted) == (("D", "P"), ("N M",))
    assert (found.exposure, found.outcome) == (("A",), ("B",))


def test_dot_is_read_as_it_would_be_drawn() -> None:
    found = read_dot(
        r"""
        strict digraph "G" {
          rankdir=LR; node [shape=box]; edge [color="#ff0000"]
          a:n -> b:s -> c [label="x \"y\" [z]"];
          subgraph cluster_0 { edge [dir=both]; d -> e; node [latent=true] h a }
          a -> d; f -> g [dir=back]
          a -> e [style="dashed,bold", dir=none]
          b -> e [style=dashed arrowhead=none];
          c -> e [dir=both, arrowtail=none]
          u [observed=no, label=""]; {h; i} -> -1.5
        }
        """
    )
    assert found.directed == (
        *(("a", "b"), ("b", "c"), ("a", "d"), ("g", "f"), ("c", "e")),
        *(("h", "-1.5"), ("i", "-1.5")),
    )
    assert found.bidirected == (("d", "e"), ("a", "e"), ("b", "e"))
    assert found.latent == ("h", "u")


def test_gml_of_one_line_with_names_for_ids() -> None:
    found = read_gml(
        'graph[directed 1 node[id "Z" label "Z 1"] node[id "X" observed "no"] '
        'edge[source "Z" target "X" type "<->"]]'
    )
    assert found == GraphParts(("Z 1", "X"), (), (("Z 1", "X"),), ("X",))


def test_gml_keeps_causes_in_the_order_of_its_edges() -> None:
    nodes = "".join(f'node [ id {i} label "{name}" ] ' for i, name in enumerate("ABC"))
    edges = "".join(f"edge [ source {i} target 2 ] " for i in (1, 0))
    found = read_gml(f"graph [ directed 1 {nodes} {edges} ]")
    assert found.directed == (("B", "C"), ("A", "C"))


class Variable:
    """A label that is not text but prints as some, like those of y0."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


def test_a_pair_of_graphs_is_directed_and_two_headed() -> None:
    x, y, z = map(Variable, "XYZ")
    directed, arcs = nx.DiGraph([(x, y)]), nx.Graph([(y, z)])
    expected = GraphParts(("X", "Y", "Z"), (("X", "Y"),), (("Y", "Z"),))
    mixed = SimpleNamespace(directed=directed, undirected=arcs)
    assert read_networkx(mixed) == read_networkx((directed, arcs)) == expected


def test_latents_of_a_graph_class_are_hidden() -> None:
    class WithLatents(nx.DiGraph):
        latents = frozenset({"U"})

    graph = WithLatents([("U", "X"), ("U", "Y")])
    assert read_networkx(graph).latent == ("U",)


def test_an_edge_stored_in_both_directions_counts_once() -> None:
    graph = nx.MultiDiGraph()
    for one, other in (("X", "Y"), ("Y", "X"), ("Z", "Y"), ("Y", "Z"), ("Z", "Z")):
        graph.add_edge(one, other, type="bidirected")
    graph.add_edge("X", "Y", type="directed")
    found = read_networkx(graph)
    assert sorted(map(sorted, found.bidirected)) == [["X", "Y"], ["Y", "Z"], ["Z", "Z"]]
    assert found.directed == (("X", "Y"),)


def test_the_same_edge_twice_is_kept_twice() -> None:
    graph = nx.MultiDiGraph([("X", "Y"), ("X", "Y")])
    graph.add_edges_from([("X", "Y")] * 2, bidirected=True)
    found = read_networkx(graph)
    assert (len(found.directed), len(found.bidirected)) == (2, 2)


WRONG = [
    (read_edges, "A B -> C", r"reads 'A B -> C': expected an arrow, or .* found 'B'"),
    (read_edges, "A ->\n; B", r"line 2 .* expected a name or '\{', found ';'"),
    (read_edges, "A ->", "found the end"),
    (read_edges, "-> A", "expected a name"),
    (read_edges, "A -- B", "an arrow with a head .* found '--'"),
    (read_edges, "A - B", "an arrow with a head"),
    (read_edges, "A o-> B", "found 'o'"),
    (read_edges, "A -> 'B", "a quote that is never closed"),
    (read_edges, 'A -> ""', "a name should have a character"),
    (read_edges, "A -> {B C", "expected '}' after the names in braces, found the end"),
    (read_edges, "A -> B}", "found '}'"),
    (read_edges, "A -> B [latent]", "'latent' cannot stand here"),
    (read_edges, "A [hidden]", "'hidden' cannot stand here"),
    (read_edges, "A [latent", r"expected an attribute or '\]', found the end"),
    (read_edges, "A = 3", "found '='"),
    (read_edges, "A \u2013 B", "found '\u2013'"),
    (read_edges, "A\u2013B", "found '\u2013'"),
    (read_edges, 3, "text such as .*, or pairs; got int"),
    (read_edges, nx.DiGraph(), "from_networkx"),
    (read_edges, {"A": ["B"]}, "got dict"),
    (read_edges, ("A", "B"), "lists 'A', 'B' without an arrow"),
    (read_edges, [("A", "B", "C")], "a pair of names"),
    (read_edges, [(1, "1")], "1 and '1' are both written '1'"),
    (read_edges, [("", "A")], "at least one character"),
    (read_edges, [([1], "A")], r"text or a number; got \[1\]"),
    (read_dagitty, "pdag { A -- B }", "'pdag', which stands for several graphs"),
    (read_dagitty, "MAG { A }", "'mag', which shows ancestry"),
    (read_dagitty, "pag { A }", "'pag', which stands for several graphs"),
    (read_dagitty, "digraph { A }", "from_dot"),
    (read_dagitty, "A -> B", "expected 'dag' at the start, found 'A'"),
    (read_dagitty, "dag [ A ]", r"'\{' after 'dag'"),
    (read_dagitty, "dag { A -> ", "found the end"),
    (read_dagitty, "dag { A } B", "nothing after the closing brace, found 'B'"),
    (read_dagitty, "dag { A [latnt] }", "'latnt' is not one of the marks exposure"),
    (read_dagitty, "dag { A [selected] }", r"A is marked \[selected\]: data selected"),
    (read_dagitty, "dag { A @-> B }", "found '@'"),
    (read_dagitty, "dag { A [pos=] }", "a value after '='"),
    (read_dagitty, None, "dagitty text should be text, not NoneType"),
    (read_dot, "graph { a -- b }", "undirected 'graph'"),
    (read_dot, "strict graph { a -- b }", "undirected 'graph'"),
    (read_dot, "{ a -> b }", "'digraph' at the start"),
    (read_dot, "digraph { a -- b }", "an arrow with a head"),
    (read_dot, "digraph { a <- b }", "DOT has no arrow '<-'"),
    (read_dot, "digraph {\n a -> b [dir=none] }", "line 2 .* an edge without heads"),
    (read_dot, "digraph { a -> b [arrowhead=none] }", "an edge without heads"),
    (read_dot, "digraph { a -> b [dir=up] }", "dir='up' is not one of forward, back"),
    (read_dot, "digraph { a [latent=perhaps] }", "reads 'perhaps'; write true or"),
    (read_dot, "digraph { a [label=<b>] }", "found '<'"),
    (read_gml, "graph [ directed 1", "cannot be read: .*It should read like"),
    (read_gml, "graph [ ]", "Write 'directed 1' into it"),
    (read_gml, 7, "GML should be text, not int"),
    (
        read_gml,
        'graph [ directed 1 node [ id 0 label "A" ] node [ id 1 label "A" ] ]',
        "two nodes of the GML text have the label 'A'",
    ),
    (read_networkx, nx.Graph([("A", "B")]), "Graph has none. Give a networkx.DiGraph"),
    (read_networkx, [("A", "B")], "list has none"),
    (read_networkx, nx.DiGraph([(1, "1")]), "both written '1'"),
    (
        read_networkx,
        nx.DiGraph([("A", "B", {"type": "o->"})]),
        "from 'A' to 'B' has the type 'o->'",
    ),
    (
        read_networkx,
        nx.DiGraph([("A", "B", {"bidirected": "maybe"})]),
        "reads 'maybe'; write true or false",
    ),
]


@pytest.mark.parametrize(("read", "text", "message"), WRONG)
def test_what_cannot_be_read_is_refused_with_its_reason(read, text, message) -> None:
    with pytest.raises(GraphError, match=f"(?s){message}"):
        read(text)


def test_bidirected_edges_have_two_heads() -> None:
    with pytest.raises(GraphError, match="given as bidirected have two heads"):
        read_edges("A -> B", bidirected="A -> B")
    with pytest.raises(GraphError, match="bidirected lists 'A', 'B' without an arrow"):
        read_edges("A -> B", bidirected=("A", "B"))


def test_nodes_are_names_and_not_pairs() -> None:
    with pytest.raises(GraphError, match=r"single names; got \('A', 'B'\)"):
        read_edges([], nodes=[("A", "B")])


def test_edge_text_is_short_where_edges_say_it_all() -> None:
    assert write_edges(read_edges("S->T->C", "S<->C")) == "S -> T; T -> C; S <-> C"
    assert write_edges(read_edges("A -> B", nodes="B")) == "B; A; A -> B"
    hidden = write_edges(read_edges("A <- U -> B; U [latent]"))
    assert hidden == "A; U; B; U -> A; U -> B; U [latent]"
    assert write_edges(read_edges("A -> U; U [latent]")) == "A -> U; U [latent]"
