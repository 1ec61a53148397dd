"""The uses of JAX that have moved between versions, or may, gathered in one place.

A release of JAX that renames one of them is answered by an edit here and nowhere else.
`precision.py` is the same for the float64 scope. Nothing is imported from JAX until a
function is called, so asking for a cache folder does not make the package heavy.
"""

from __future__ import annotations

from pathlib import Path

from distcausal.errors import DesignError

__all__ = ["backend", "cache_compilations", "keeps_double"]


def cache_compilations(folder: str | Path) -> Path:
    """Keep compiled functions on disk, so that the next process need not compile.

    Nothing is written to disk unless this is called. It turns on JAX's own persistent
    cache for the whole process, other users of JAX in it included.

    Parameters
    ----------
    folder
        Where to keep them; created if missing. Safe to delete at any time, and worth
        deleting after an upgrade of JAX, whose old entries are never read again.

    Returns
    -------
    The absolute path of the folder.

    Raises
    ------
    DesignError
        If the path exists and is not a folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import distcausal as dc
    >>> with TemporaryDirectory() as folder:  # doctest: +SKIP
    ...     dc.cache_compilations(folder)
    """
    path = Path(folder).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise DesignError(
            f"folder {str(path)!r} is a file; compiled functions need a folder. "
            "Give the path of a folder, which is created if it does not exist."
        )
    path.mkdir(parents=True, exist_ok=True)
    import jax

    jax.config.update("jax_compilation_cache_dir", str(path))
    # The functions of this package compile in about a second or less, under the
    # default threshold; without these two lines hardly any of them would be kept.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return path


def backend() -> str:
    """Name of the platform JAX computes on: ``cpu``, ``gpu`` or ``tpu``."""
    import jax

    return jax.default_backend()


def keeps_double() -> bool:
    """Whether JAX keeps float64 outside this package's own computations."""
    import jax

    return bool(jax.config.read("jax_enable_x64"))
