"""Keys of images: numbers, text or dates, one for each image, looked up by bisection.

Images and what is known of them meet through their keys and never through their order,
so everything that has a key for each row finds its rows here: readers, tables of
cached features, and embeddings computed elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from distcausal.errors import DataError, KeyError_, listing

__all__ = ["NO_IMAGE", "Lookup", "as_keys", "check_keys", "key_bytes"]

_KINDS = {
    **dict.fromkeys("biuf", "numbers"),
    "U": "text",
    "S": "bytes",
    "M": "dates",
}
NO_IMAGE = (
    "a source needs at least one image; there is none. Check the folder, or the "
    "selection, that they come from."
)


class Lookup:
    """Places of keys, found by bisection among the sorted ones."""

    def __init__(self, keys: np.ndarray) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def places(self, wanted: np.ndarray) -> np.ndarray:
        """Place of each key wanted.

        Raises
        ------
        KeyError_
            If there is none.
        """
        known = self._sorted
        if _KINDS[known.dtype.kind] != _KINDS[wanted.dtype.kind] and wanted.size:
            raise missing_keys(wanted, known)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        strangers = known[place] != wanted
        if strangers.any():
            raise missing_keys(wanted[strangers], known)
        return self._order[place]


def as_keys(keys: Any) -> np.ndarray:
    """Keys as an array of numbers, text or dates.

    Raises
    ------
    DataError
        If they are of no such kind.
    """
    found = np.asarray(keys)
    if found.dtype == object and all(isinstance(key, str) for key in found.flat):
        found = found.astype(str)
    if found.size == 0:
        found = found.astype(int)
    if found.dtype.kind not in _KINDS:
        raise DataError(
            "keys of images should be numbers, text or datetime64, but hold "
            f"{_kinds(found)}. Turn them into text first, as in [str(k) for k in keys]."
        )
    return found


def _kinds(keys: np.ndarray) -> str:
    """Types of what an array holds."""
    if keys.dtype != object:
        return keys.dtype.name
    return listing(sorted({type(key).__name__ for key in keys.flat}))


def key_bytes(keys: np.ndarray) -> bytes:
    """Keys as bytes for a digest; text is the same however wide its array is."""
    return "\x1f".join(map(str, keys.tolist())).encode()


def check_keys(keys: np.ndarray, count: int) -> None:
    """Raise `DataError` unless there is one distinct key for each image."""
    if keys.shape != (count,):
        raise DataError(
            f"keys should have one entry for each of the {count} images; got shape "
            f"{keys.shape}. Give a label for each image, in the order of the images."
        )
    if count == 0:
        raise DataError(NO_IMAGE)
    label, times = np.unique(keys, return_counts=True)
    if len(label) < count:
        again = label[times > 1]
        raise DataError(
            f"each key should name one image; {len(again)} of {len(label)} keys occur "
            f"more than once ({listing(again.tolist())}). Units share an image by "
            "naming the same key; give each image once."
        )


def missing_keys(wanted: np.ndarray, known: np.ndarray) -> KeyError_:
    """Error that names keys without image, and what the keys look like."""
    names = listing(dict.fromkeys(wanted.tolist()))
    many = len(np.unique(wanted))
    verb = "key has" if many == 1 else "keys have"
    start = f"{many} {verb} no image ({names}); "
    kinds = [_KINDS[keys.dtype.kind] for keys in (wanted, known)]
    if kinds[0] != kinds[1]:
        return KeyError_(
            f"{start}keys of units are {kinds[0]}, those of images {kinds[1]}, and no "
            "key is equal to one of another kind. Convert one of the two."
        )
    return KeyError_(
        f"{start}the {len(known)} keys of the images run from {known[0]!s} to "
        f"{known[-1]!s}. Add these images, or drop the units that name them."
    )
