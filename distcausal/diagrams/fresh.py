"""Names for what a construction adds to a graph, distinct from all that is there.

Users call their variables what they like, ``N(Y)`` included; added under a name that is
taken, the noise of Y would be somebody's observed variable. Primes tell them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

__all__ = ["fresh", "fresh_names"]


def fresh(name: str, taken: Collection[str]) -> str:
    """Give a name with as many primes as it takes to be new."""
    while name in taken:
        name += "'"
    return name


def fresh_names(
    pattern: str, names: Iterable[str], taken: Iterable[str]
) -> dict[str, str]:
    """Give each name a new one after a pattern, new to each other too."""
    known = set(taken)
    found = {}
    for name in names:
        found[name] = fresh(pattern.format(name), known)
        known.add(found[name])
    return found
