"""What a computation ran on: versions, platform, threads, precision and seed policy.

A table of results is repeatable only together with this, so it prints as text for a
log, as Markdown for a README and as a dictionary for a file of metadata. Versions come
from the installed metadata: no package is imported to learn its version.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from distcausal._base.jaxcompat import backend, keeps_double

__all__ = ["SessionInfo", "session_info", "versions"]

_REQUIRED = (
    "numpy",
    "scipy",
    "jax",
    "jaxlib",
    "pandas",
    "narwhals",
    "matplotlib",
    "optax",
    "numpyro",
    "tqdm",
)
_OPTIONAL = ("polars", "pyarrow")
_THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "XLA_FLAGS",
)
_PRECISION = (
    "estimates are computed and kept in float64, whatever jax_enable_x64 says; it is "
    "{state} here and left so"
)
_SEEDS = (
    "every function that draws takes seed (default 0) and reads no global generator; "
    "same call, same numbers"
)


@dataclass(frozen=True)
class SessionInfo:
    """Facts about the running process, as returned by `session_info`.

    Attributes
    ----------
    facts
        Ordered mapping from what is described to its description.
    """

    facts: dict[str, str]

    def to_dict(self) -> dict[str, str]:
        """Return the facts as a new dictionary, ready for ``json.dump``."""
        return dict(self.facts)

    def to_markdown(self) -> str:
        """Return the facts as a Markdown table of two columns."""
        rows = [f"| {name} | {fact} |" for name, fact in self.facts.items()]
        return "\n".join(["| item | value |", "| --- | --- |", *rows])

    def __str__(self) -> str:
        width = max(len(name) for name in self.facts)
        return "\n".join(
            f"{name:<{width}}  {fact}" for name, fact in self.facts.items()
        )

    __repr__ = __str__


def session_info() -> SessionInfo:
    """Describe what this process computes with and on.

    Returns
    -------
    SessionInfo
        Prints as text; ``to_markdown()`` and ``to_dict()`` give the other two forms.
        It holds versions of Python and of the packages used, the operating system and
        processor, the JAX backend, the number of processors and the settings of
        threads, and how the package treats precision and seeds.

    Examples
    --------
    >>> import distcausal as dc
    >>> info = dc.session_info()
    >>> sorted(info.to_dict())[:3]
    ['distcausal', 'jax', 'jax backend']
    >>> info.to_markdown().splitlines()[0]
    '| item | value |'
    """
    facts = {**versions(), "python": platform.python_version()}
    facts["platform"] = f"{platform.platform()}, {platform.machine()}"
    facts["jax backend"] = backend()
    facts["threads"] = _threads()
    facts["precision"] = _PRECISION.format(state="on" if keeps_double() else "off")
    facts["seeds"] = _SEEDS
    return SessionInfo(facts)


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Read name and version of each package of interest, once a process."""
    found = []
    for name in (*_REQUIRED, *_OPTIONAL):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            if name in _REQUIRED:
                found.append((name, "not installed"))
    return tuple(found)


def versions() -> dict[str, str]:
    """Versions of the packages that decide the numbers, for the record of a result."""
    # The package states its own version; installed metadata may be of another copy.
    own = sys.modules[__name__.partition(".")[0]].__version__
    return {"distcausal": own, **dict(_installed())}


def _threads() -> str:
    usable = getattr(os, "sched_getaffinity", None)
    count = len(usable(0)) if usable else os.cpu_count()
    settings = [
        f"{name}={os.environ[name]}" for name in _THREAD_SETTINGS if name in os.environ
    ]
    return ", ".join([f"{count} processors usable", *settings])
