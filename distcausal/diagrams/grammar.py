"""The grammar that edge text, dagitty and DOT share: chains of groups and attributes.

``A -> {B C} <- D [color=red]`` means the same in all three. They differ in what opens
a text, in whether statements need separators, and in what attributes mean, which the
three readers say. A group in braces may itself hold statements; it stands for all the
names in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from distcausal.diagrams.scan import Scanner
from distcausal.errors import GraphError

__all__ = ["Collector", "GraphParts", "Parser", "Statement", "check_names"]

Names = tuple[str, ...]
Attributes = dict[str, str | None]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GraphParts:
    """What a text says about a graph, before anyone asks whether it is a causal one.

    Attributes
    ----------
    nodes
        Names in the order of first mention.
    directed
        Pairs ``(cause, effect)`` in the order found; nothing is merged or refused.
    bidirected
        Pairs with an unobserved common cause.
    latent
        Names marked as not observed.
    """

    nodes: Names = ()
    directed: Pairs = ()
    bidirected: Pairs = ()
    latent: Names = ()


@dataclass
class Collector:
    """Parts of a graph as they are found."""

    nodes: dict[str, None] = field(default_factory=dict)
    directed: list[tuple[str, str]] = field(default_factory=list)
    bidirected: list[tuple[str, str]] = field(default_factory=list)
    latent: dict[str, None] = field(default_factory=dict)

    def mention(self, names: Iterable[str]) -> None:
        """Add names that are not there yet."""
        self.nodes.update(dict.fromkeys(names))

    def hide(self, names: Iterable[str]) -> None:
        """Mark names as not observed."""
        self.latent.update(dict.fromkeys(names))

    def join(self, left: Names, arrow: str, right: Names) -> None:
        """Add an edge from every name on the left to every one on the right."""
        self.mention([*left, *right])
        pairs = [(one, other) for one in left for other in right]
        if arrow == "<->":
            self.bidirected += pairs
        elif arrow == "->":
            self.directed += pairs
        else:
            self.directed += [(other, one) for one, other in pairs]

    def parts(self) -> GraphParts:
        """All that was found."""
        return GraphParts(
            tuple(self.nodes),
            tuple(self.directed),
            tuple(self.bidirected),
            tuple(self.latent),
        )


@dataclass(frozen=True)
class Statement:
    """Groups of names joined by arrows, one arrow fewer than groups.

    ``at`` is the number of the token that opens it; ``defaults`` are the attributes
    that nodes and edges have in its block when they say nothing themselves.
    """

    groups: tuple[Names, ...]
    arrows: Names
    attributes: Attributes
    defaults: Mapping[str, Attributes]
    at: int

    @property
    def names(self) -> set[str]:
        """All names in the statement."""
        return {name for group in self.groups for name in group}

    @property
    def steps(self) -> list[tuple[Names, str, Names]]:
        """Neighbouring groups with the arrow between them."""
        return list(zip(self.groups, self.arrows, self.groups[1:], strict=False))


class Parser:
    """Statements of a text, inner ones before those they are part of, and all names.

    Parameters
    ----------
    scan
        The text.
    separated
        Whether statements stand apart by a line end, semicolon or comma. Where they
        do not need to, as in DOT, a name after a complete statement opens the next.
    kinds
        Words that give attributes to all that follow in a block: ``node``, ``edge``.
    """

    def __init__(
        self, scan: Scanner, *, separated: bool = False, kinds: Names = ()
    ) -> None:
        self.scan, self.separated, self.kinds = scan, separated, kinds
        self.statements: list[Statement] = []
        self.names: dict[str, None] = {}

    def block(self) -> None:
        """Read statements in braces, and see that nothing follows."""
        self.scan.expect("{", "before the statements")
        self.body("}", {})
        self.scan.expect("}", "after the statements")
        self.scan.accept(";")
        if self.scan.token:
            raise self.scan.fail("nothing after the closing brace")

    def body(self, closing: str, outer: Mapping[str, Attributes]) -> Names:
        """Read statements up to a closing token; return the names in them."""
        scan, defaults = self.scan, outer
        mentioned: dict[str, None] = {}
        while scan.token not in (closing, ""):
            if scan.accept(";", ",", "\n"):
                continue
            if scan.token.lower() in self.kinds and scan.tokens[scan.at + 1] == "[":
                kind = scan.take().lower()
                marks = {**defaults.get(kind, {}), **self.attributes()}
                # A new mapping: statements before this one and outside keep theirs.
                defaults = {**defaults, kind: marks}
            elif not self.separated and scan.tokens[scan.at + 1] == "=":
                self._setting()
            else:
                mentioned.update(dict.fromkeys(self._statement(defaults)))
                self._boundary(closing)
        return tuple(mentioned)

    def attributes(self) -> Attributes:
        """Read ``[key=value, key]``, as many lists as there are."""
        scan, found = self.scan, Attributes()
        while scan.accept("["):
            while not scan.accept("]"):
                if scan.accept(",", ";", "\n"):
                    continue
                key = scan.name("an attribute or ']'")
                found[key] = self._value() if scan.accept("=") else None
        return found

    def _value(self) -> str:
        """Read the value of an attribute, which may be empty text."""
        if self.scan.accept('""', "''"):
            return ""
        return self.scan.name("a value after '='")

    def _setting(self) -> None:
        """Pass over ``key=value`` of the whole graph, such as its size on paper."""
        self.scan.name("a name")
        self.scan.expect("=", "after the name of a setting")
        self._value()

    def _statement(self, defaults: Mapping[str, Attributes]) -> list[str]:
        scan, at = self.scan, self.scan.at
        groups, arrows = [self._group(defaults)], list[str]()
        while (arrow := self._arrow()) is not None:
            arrows.append(arrow)
            self._skip_lines()
            groups.append(self._group(defaults))
        attributes = self.attributes() if scan.token == "[" else Attributes()
        self.statements.append(
            Statement(tuple(groups), tuple(arrows), attributes, defaults, at)
        )
        return [name for group in groups for name in group]

    def _group(self, defaults: Mapping[str, Attributes]) -> Names:
        """Read one name, or names in braces."""
        scan = self.scan
        if scan.token.lower() == "subgraph" and "node" in self.kinds:
            scan.take()
            if scan.token != "{":
                scan.name("a name or '{' after 'subgraph'")
        if not scan.accept("{"):
            name = scan.name("a name or '{'")
            self.names[name] = None
            self._port()
            return (name,)
        names = self.body("}", defaults)
        scan.expect("}", "after the names in braces")
        return names

    def _port(self) -> None:
        """Pass over the side of a node at which DOT lets an edge end."""
        while "node" in self.kinds and self.scan.accept(":"):
            self.scan.name("a port after ':'")

    def _arrow(self) -> str | None:
        """Take an arrow, at the start of the next line if need be."""
        scan, start = self.scan, self.scan.at
        self._skip_lines()
        arrow = scan.arrow
        if arrow is not None:
            scan.take()
            return arrow
        if scan.token[:1] == "-" and not scan.is_name(scan.token):
            raise scan.fail(
                "an arrow with a head (->, <- or <->), since an edge without says "
                "nothing about causes"
            )
        scan.at = start
        return None

    def _skip_lines(self) -> None:
        while self.scan.accept("\n"):
            pass

    def _boundary(self, closing: str) -> None:
        """See that edge text has a separator here."""
        if not self.separated or closing == "}":
            return
        if self.scan.token not in ("", ";", ",", "\n"):
            raise self.scan.fail(
                "an arrow, or a semicolon, comma or new line before the next edge "
                "(names with spaces or signs stand in quotes)"
            )


def check_names(names: Iterable[object]) -> dict[object, str]:
    """Give each label its name as text.

    Raises
    ------
    GraphError
        If a label has no text, or two labels have the same.
    """
    known: dict[object, str] = {}
    owner: dict[str, object] = {}
    for label in names:
        if not isinstance(label, Hashable):
            raise GraphError(
                f"a name in a graph should be text or a number; got {label!r}."
            )
        if label in known:
            continue
        name = str(label)
        if not name:
            raise GraphError("a name in a graph should have at least one character.")
        if name in owner:
            raise GraphError(
                f"the labels {owner[name]!r} and {label!r} are both written {name!r}; "
                "names are text and should differ as text. Relabel one."
            )
        known[label], owner[name] = name, label
    return known
