"""The moves on diagrams, of which every derivation is made.

Each is an object with a name and a side condition that says whether it applies, makes
the move, draws it, and checks on a model what it promises about the numbers.
"""

from __future__ import annotations

from distcausal.diagrams._rewriting import Rewrite, Verdict
from distcausal.diagrams.surgery import Close, Cut, Open, Prune

__all__ = ["Close", "Cut", "Open", "Prune", "Rewrite", "Verdict"]
