"""Replications of a simulation kept in a file, so that a table can be made in pieces.

A table of hundreds of fits takes longer than one sitting. Each replication is written
as one line of JSON when it ends; a command finds those it has and runs the rest, and
prints the same table however it was interrupted. Jobs are named by everything they
depend on, their seed included.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Store", "mean_and_error", "print_table", "share_and_error"]


class Store:
    """Records of finished jobs, in memory and, if there is a path, in a file."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._known: dict[str, dict[str, Any]] = {}
        if self._path and self._path.exists():
            for line in self._path.read_text().splitlines():
                entry = json.loads(line)
                self._known[_name(entry["job"])] = entry["record"]

    def get(
        self, job: Mapping[str, Any], work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Record of a job, from the file or by work; with processor seconds."""
        name = _name(job)
        if name not in self._known:
            start = time.process_time()
            record = work()
            record["seconds"] = time.process_time() - start
            self._known[name] = record
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps({"job": job, "record": record}) + "\n")
        return self._known[name]


def _name(job: Mapping[str, Any]) -> str:
    return json.dumps(job, sort_keys=True)


def mean_and_error(values: Iterable[float], digits: int = 2) -> str:
    """Median, and mean with its Monte Carlo error, as one cell of a table."""
    kept = np.array(list(values), np.float64)
    error = kept.std(ddof=1) / np.sqrt(kept.size) if kept.size > 1 else np.nan
    shown = f"{np.median(kept):.{digits}f} ({kept.mean():.{digits}f}"
    return shown + (f" ± {error:.{digits}f})" if kept.size > 1 else ")")


def share_and_error(hits: Iterable[bool]) -> str:
    """Share in percent with its binomial Monte Carlo error, and how many there were."""
    kept = np.array(list(hits), np.float64)
    share = kept.mean()
    error = np.sqrt(share * (1 - share) / kept.size)
    return f"{100 * share:.1f} ± {100 * error:.1f} ({kept.size})"


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("| --- " * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
