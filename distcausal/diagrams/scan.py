"""Graph text cut into tokens, and errors that show the line they are about.

Four text formats are read here, each with its own grammar but the same words: names
bare or in quotes, arrows, brackets, comments. A format is one regular expression whose
group is a token and whose rest is blank. Lines are counted only when an error needs
one, so text without errors costs a single `findall`.
"""

from __future__ import annotations

import re

from distcausal.errors import GraphError

__all__ = ["COMMENT", "QUOTED", "Scanner", "quote", "words"]

COMMENT = r"\#[^\n]*|//[^\n]*|/\*.*?\*/"
QUOTED = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
ARROW = r"<-+>|-+>|<-+|[←→↔⟵⟶⟷]"
# Letters of any script; the signs of ASCII, and the dashes, arrows and quotes of other
# scripts, either mean something in a graph or want quotes.
LETTER = r"[A-Za-z0-9_.]|[^\x00-\x7f\s\u2010-\u201f\u2212\u2190-\u21ff\u27f0-\u27ff]"
BARE = rf"(?:{LETTER})(?:{LETTER}|')*|-(?:\d|\.\d)[\d.]*"
HEADS = {"←": "<-", "⟵": "<-", "→": "->", "⟶": "->", "↔": "<->", "⟷": "<->"}
SAFE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def words(blank: str, comment: str = COMMENT) -> re.Pattern[str]:
    """Build the pattern of a format from what separates its tokens."""
    token = rf"{QUOTED}|{ARROW}|{BARE}|-+|."
    return re.compile(rf"{blank}|{comment}|({token})", re.DOTALL)


def quote(name: str, reserved: frozenset[str] = frozenset()) -> str:
    """Write a name so that every reader here takes it for the same name."""
    if SAFE.fullmatch(name) and name.lower() not in reserved:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Scanner:
    """A place in the tokens of a text; the empty token stands after the last.

    Parameters
    ----------
    text
        What is read.
    pattern
        Regular expression with one group, the token.
    kind
        What the text is called in messages.
    example
        Well-formed text, shown in messages.
    """

    def __init__(
        self, text: str, pattern: re.Pattern[str], kind: str, example: str
    ) -> None:
        if not isinstance(text, str):
            raise GraphError(
                f"{kind} should be text, not {type(text).__name__}; it reads like "
                f"{example}."
            )
        self.text = text.removeprefix("\ufeff")
        self.pattern, self.kind, self.example = pattern, kind, example
        self.tokens = [token for token in pattern.findall(self.text) if token]
        self.tokens.append("")
        self.at = 0

    @property
    def token(self) -> str:
        """The token here."""
        return self.tokens[self.at]

    @property
    def arrow(self) -> str | None:
        """The arrow here as one of ``->``, ``<-`` and ``<->``, or None."""
        token = self.token
        if token in HEADS:
            return HEADS[token]
        left, right = token[:1] == "<", token[-1:] == ">"
        if len(token) < 2 or "-" not in token or not (left or right):
            return None
        return "<" * left + "-" + ">" * right

    def take(self) -> str:
        """Return the token here and go to the next."""
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *options: str) -> bool:
        """Go to the next token if the one here is among the options."""
        if self.token and self.token in options:
            self.at += 1
            return True
        return False

    def expect(self, option: str, why: str) -> None:
        """Go past a token that has to be here."""
        if not self.accept(option):
            raise self.fail(f"{option!r} {why}")

    def is_name(self, token: str) -> bool:
        """Whether a token is a name, bare or in quotes."""
        if token[:1] in ('"', "'"):
            return len(token) > 1
        return re.fullmatch(BARE, token) is not None

    def name(self, role: str) -> str:
        """Return the name here, out of its quotes, and go to the next token."""
        token = self.token
        if not self.is_name(token):
            raise self.fail(role)
        self.at += 1
        return self.unquote(token)

    def unquote(self, token: str) -> str:
        """Take a name out of its quotes; a backslash protects quotes and itself."""
        if token[:1] not in ('"', "'"):
            return token
        if len(token) == 2:
            raise self.refuse("a name should have a character", self.at - 1)
        return re.sub(r"\\([\"'\\])|\\\n", r"\1", token[1:-1])

    def fail(self, expected: str) -> GraphError:
        """Build the error that something else was expected here."""
        found = self.token
        seen = "the end" if not found else "the end of the line"
        seen = seen if not found.strip() else repr(found)
        if found in ('"', "'"):
            seen = "a quote that is never closed"
        return self.refuse(f"expected {expected}, found {seen}", self.at)

    def refuse(self, reason: str, place: int) -> GraphError:
        """Build the error that something is wrong on the line of a token."""
        line, shown = self.line(place)
        return GraphError(
            f"line {line} of the {self.kind} reads {shown!r}: {reason}. It should read "
            f"like {self.example}."
        )

    def line(self, place: int) -> tuple[int, str]:
        """Return the number and text of the line on which a token begins."""
        starts = (m.start(1) for m in self.pattern.finditer(self.text) if m[1])
        offset = len(self.text.rstrip())
        for number, start in enumerate(starts):
            if number == place:
                offset = start
                break
        first = self.text.rfind("\n", 0, offset) + 1
        last = self.text.find("\n", offset)
        shown = self.text[first : last if last >= 0 else None].strip()
        return self.text.count("\n", 0, offset) + 1, shown
