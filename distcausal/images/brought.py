"""Readers of images that come one by one: from a function, or a folder of files.

Nothing is known of an image before it is brought, so what arrives is checked each time
against the shape that was promised, and made to fit where a way to resize is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from distcausal.errors import DataError, DesignError, listing
from distcausal.images.keys import as_keys, key_bytes
from distcausal.images.source import (
    KeyedImages,
    NanPolicy,
    Resize,
    check_kind,
    check_same_shape,
    plain,
    prepared,
    stacked,
)
from distcausal.images.stored import existing

__all__ = ["CallableSource", "FolderSource", "name_of"]


class CallableSource(KeyedImages):
    """Images that a function brings.

    Parameters
    ----------
    load
        ``load(keys)`` gets an array of keys and returns their images, as one array
        ``(batch, height, width[, channel])`` or a list with one array per key. It is
        called for one batch after the other, from a thread that reads ahead. What it
        raises goes through with a note that names the keys.
    keys
        All keys there are.
    shape
        Shape of an image.
    dtype
        Type of the pixels that ``load`` returns.
    version
        Anything that changes when the function's answers do: together with its name
        and the keys it decides whether cached features still hold.
    nan_policy, resize
        As in `ArraySource`; with ``resize``, ``shape`` is the shape after it.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> def shade(keys):
    ...     return np.multiply.outer(keys.astype(float), np.ones((8, 8)))
    >>> source = dc.CallableSource(shade, np.arange(5), (8, 8), float)
    >>> source.get([4])[0, 0, 0]
    array([4.])
    """

    def __init__(
        self,
        load: Callable[[np.ndarray], Any],
        keys: Any,
        shape: tuple[int, ...],
        dtype: Any,
        *,
        version: str = "",
        nan_policy: NanPolicy = "raise",
        resize: Resize | None = None,
    ) -> None:
        if not callable(load):
            raise DesignError(f"load should be a function of keys; got {load!r}.")
        self._call, self._version, self._resize = load, version, resize
        labels = as_keys(keys)
        self._labels, self._promised = labels, tuple(shape)
        self.shape = (*shape, 1) if len(shape) == 2 else tuple(shape)
        self.dtype = np.dtype(dtype)
        self._settle(labels, len(labels), shape, dtype, nan_policy)

    def _load(self, positions: np.ndarray) -> np.ndarray:
        keys = self._labels[positions]
        brought = self._brought(keys)
        if not isinstance(brought, np.ndarray) or self._resize is not None:
            brought = stacked(brought, keys, self._resize)
        brought = plain(brought)
        given = brought.shape
        if brought.ndim == len(self.shape) and self.shape[-1] == 1:
            brought = brought[..., None]
        if brought.shape != (len(keys), *self.shape):
            raise DataError(
                f"load should return {len(keys)} images of shape {self._promised} for "
                f"{_asked(keys)}; got an array of shape {given}. Set resize= where "
                "images differ."
            )
        check_kind(keys[0], brought.dtype, self.dtype)
        return brought.astype(self.dtype, copy=False)

    def _brought(self, keys: np.ndarray) -> Any:
        """What the function returns; where it fails, for which keys."""
        try:
            brought = self._call(keys)
        except Exception as error:
            error.add_note(f"load was called with {_asked(keys)}.")
            raise
        if brought is None:
            raise DataError(
                f"load should return {len(keys)} images for {_asked(keys)}, but "
                "returned None. Let it return an array, or a list of arrays."
            )
        return brought

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the function's name, the version, shape, type and keys."""
        made = name_of(self._call), name_of(self._resize), self._version
        kind = self.nan_policy, self.shape, self.dtype.str
        told = blake2b(repr((made, kind)).encode())
        told.update(key_bytes(self.keys))
        return told.hexdigest()[:32]


class FolderSource(KeyedImages):
    """A folder with one file per image; the key is the name without its ending.

    Parameters
    ----------
    folder
        Where the files are.
    pattern
        Which files are images.
    read
        Makes an array from a path; `numpy.load` if left out. For rasters, a function
        that calls a reader of them and puts the bands last.
    nan_policy, resize
        As in `ArraySource`.

    Raises
    ------
    DataError
        If there are no such files; on reading, if shapes differ.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import distcausal as dc
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("north", "south"):
    ...         np.save(Path(folder) / f"{name}.npy", np.zeros((8, 8)))
    ...     dc.FolderSource(folder).keys.tolist()
    ['north', 'south']
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        pattern: str = "*.npy",
        read: Callable[[Path], Any] | None = None,
        nan_policy: NanPolicy = "raise",
        resize: Resize | None = None,
    ) -> None:
        self.folder = existing(folder)
        self._paths = sorted(self.folder.glob(pattern))
        if not self._paths:
            raise DataError(
                f"no file in {self.folder} fits {pattern!r}. Check folder and pattern."
            )
        self._read, self._resize = read or np.load, resize
        first = self._image(self._paths[0])
        names = [path.stem for path in self._paths]
        self.shape, self.dtype = first.shape, first.dtype
        self._settle(names, len(names), first.shape, first.dtype, nan_policy)

    def _image(self, path: Path) -> np.ndarray:
        try:
            return prepared(self._read(path), self._resize)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{path} cannot be read as an image ({error}). Repair it, or set "
                "pattern= so that it is left out."
            ) from error

    def _load(self, positions: np.ndarray) -> np.ndarray:
        out = np.empty((len(positions), *self.shape), self.dtype)
        for row, position in enumerate(positions):
            path = self._paths[position]
            image = self._image(path)
            check_same_shape(path.stem, image.shape, self.shape)
            check_kind(path.stem, image.dtype, self.dtype)
            out[row] = image
        return out

    @cached_property
    def fingerprint(self) -> str:
        """Digest of names, sizes and times of all files, and the reader's name."""
        made = name_of(self._read), name_of(self._resize)
        told = blake2b(repr((made, self.nan_policy, self.shape)).encode())
        for path in self._paths:
            facts = path.stat()
            told.update(f"{path}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
        return told.hexdigest()[:32]


def _asked(keys: np.ndarray) -> str:
    return f"an array of {len(keys)} keys ({listing(keys.tolist())})"


def name_of(made: Any) -> str:
    """Name of a function, the same in every session; anything else as it prints."""
    if not callable(made):
        return repr(made)
    name = getattr(made, "__qualname__", type(made).__qualname__)
    return f"{getattr(made, '__module__', '')}.{name}"
