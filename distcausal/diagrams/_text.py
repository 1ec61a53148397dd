"""How much room names take in a drawing, and how long ones are broken into lines.

Drawings are laid out before any font is known, so widths are estimated from the number
of letters; the estimate is on the wide side.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["BODY", "MISSING", "SMALL", "broken", "shortened", "text_width"]

BODY, SMALL = 10.0, 8.0  # size of letters in boxes and along wires, in points
LETTER = 0.62  # width of a letter as a share of its size, about that of a digit
WIDE = 1.0  # of an ideograph, and of the widest Latin letters
MISSING = "\N{REPLACEMENT CHARACTER}"
LINE, LINES = 16, 3  # letters per line and lines per box, before a name is shortened


def text_width(text: str, size: float) -> float:
    """Estimated width of a line of text, in points."""
    return size * sum(map(_width, text))


def _width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    wide = unicodedata.east_asian_width(letter) in ("W", "F")
    return WIDE if wide or letter in "MWmw@%&#<>=+~^" else LETTER


def shortened(name: str, most: int = LINE + 4) -> str:
    """Give the name with its middle left out where it is longer than allowed."""
    plain = _plain(name)
    if len(plain) <= most:
        return plain
    head = most // 2
    return f"{plain[:head]}…{plain[len(plain) - (most - 1 - head) :]}"


def _plain(name: str) -> str:
    """Give the name on one line, with a sign for letters that cannot be printed."""
    line = " ".join(name.split())
    return "".join(letter if letter.isprintable() else MISSING for letter in line)


def broken(name: str) -> tuple[str, ...]:
    """Break a name into short lines, after spaces, underscores, commas and hyphens.

    Examples
    --------
    >>> from distcausal.diagrams._text import broken
    >>> broken("household_income_after_tax")
    ('household_', 'income_after_tax')
    """
    pieces = re.findall(r"[^ _,\-]*[ _,\-]?", _plain(name))
    rows: list[str] = [""]
    for piece in (part for part in pieces if part):
        for at in range(0, len(piece), LINE):
            part = piece[at : at + LINE]
            if rows[-1] and len(rows[-1]) + len(part.rstrip()) > LINE:
                rows.append("")
            rows[-1] += part
    rows = [row.strip() for row in rows]
    if len(rows) > LINES:
        rows = [*rows[: LINES - 1], shortened("".join(rows[LINES - 1 :]), LINE)]
    return tuple(rows)
