"""Readers of large files that hold many images each, of which few are in memory.

Each reader knows where the image of a key lies and brings only what is asked for. A
memory map is opened for one batch and closed after it, so pages that were read do not
stay with the process; of sharded files the last one read is kept, since keys that
follow each other mostly lie together.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy

from distcausal.errors import DataError, listing
from distcausal.images.keys import as_keys, key_bytes
from distcausal.images.source import KeyedImages, NanPolicy

__all__ = ["MemmapSource", "ShardSource", "existing"]

_ENDS = 2**16


class MemmapSource(KeyedImages):
    """Images in one ``.npy`` file, read through a memory map.

    Parameters
    ----------
    path
        File written by `numpy.save`: ``(image, height, width[, channel])``.
    keys
        Distinct labels, one per image; 0, 1, ... if left out.
    nan_policy
        As in `ArraySource`.

    Raises
    ------
    DataError
        If the file cannot be read as an array of images, or the keys do not fit.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import distcausal as dc
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "images.npy"
    ...     np.save(path, np.zeros((4, 8, 8, 3), np.uint8))
    ...     dc.MemmapSource(path).get([2, 0]).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        path: str | Path,
        keys: Any = None,
        *,
        nan_policy: NanPolicy = "raise",
    ) -> None:
        self.path = existing(path)
        images = self._open()
        if images.ndim not in (3, 4, 5):
            raise DataError(
                f"{self.path} should hold images (image, height, width[, channel]); "
                f"its shape is {images.shape}."
            )
        self._settle(keys, len(images), images.shape[1:], images.dtype, nan_policy)

    def _open(self) -> np.ndarray:
        try:
            return np.load(self.path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{self.path} cannot be mapped as an array of numbers ({error}). Write "
                "it with numpy.save."
            ) from error

    def _load(self, positions: np.ndarray) -> np.ndarray:
        images = self._open()
        return np.asarray(images[positions]).reshape(len(positions), *self.shape)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the file's place, size, time and both ends, and the keys."""
        return digest([self.path], self)


class ShardSource(KeyedImages):
    """Images in several ``.npz`` files.

    Parameters
    ----------
    paths
        File or files written by `numpy.savez` or `numpy.savez_compressed`, each with an
        array ``images`` and, if keys are wanted, an array ``keys``.
    nan_policy
        As in `ArraySource`.
    images, keys
        Names of these arrays in the files. Without keys in the files the images are
        numbered through, in the order of the paths.

    Raises
    ------
    DataError
        If a file lacks the images, or their shapes or types differ.

    Notes
    -----
    A shard is read whole. Ask for keys in the order of the shards where that is
    possible; one shard of images is held in memory.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import distcausal as dc
    >>> with TemporaryDirectory() as folder:
    ...     paths = [Path(folder) / f"part-{number}.npz" for number in (0, 1)]
    ...     for path in paths:
    ...         np.savez(path, images=np.zeros((5, 8, 8)))
    ...     len(dc.ShardSource(paths))
    10
    """

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        nan_policy: NanPolicy = "raise",
        images: str = "images",
        keys: str = "keys",
    ) -> None:
        listed = [paths] if isinstance(paths, str | Path) else paths
        self.paths = tuple(existing(path) for path in listed)
        if not self.paths:
            raise DataError(
                "a source needs at least one file of images; paths is empty. Check the "
                "pattern they were found by."
            )
        self._name = images
        headers = [_header(path, images) for path in self.paths]
        shape, dtype = headers[0]
        for path, (other, kind) in zip(self.paths, headers, strict=True):
            if other[1:] != shape[1:] or kind != dtype:
                raise DataError(
                    f"files should hold images of one shape and type; {path.name} has "
                    f"{other[1:]} of {kind}, {self.paths[0].name} {shape[1:]} of "
                    f"{dtype}. Write them alike."
                )
        sizes = [other[0] for other, _ in headers]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._last: tuple[int, np.ndarray] | None = None
        named = [_member(path, keys) for path in self.paths]
        without = [p.name for p, n in zip(self.paths, named, strict=True) if n is None]
        if without and len(without) < len(self.paths):
            raise DataError(
                f"all files or none should have keys; {len(without)} of "
                f"{len(self.paths)} have none ({listing(without)}). Add them."
            )
        given = [as_keys(one) for one in named if one is not None]
        labels = np.concatenate(given) if given else None
        self._settle(labels, int(self._starts[-1]), shape[1:], dtype, nan_policy)

    def _load(self, positions: np.ndarray) -> np.ndarray:
        shard = np.searchsorted(self._starts, positions, side="right") - 1
        out = np.empty((len(positions), *self.shape), self.dtype)
        for number in np.unique(shard):
            at = shard == number
            images = self._shard(int(number))
            rows = images[positions[at] - self._starts[number]]
            out[at] = rows.reshape(-1, *self.shape)
        return out

    def _shard(self, number: int) -> np.ndarray:
        # Taken once: another thread may put another shard here meanwhile.
        last = self._last
        if last is None or last[0] != number:
            found = _member(self.paths[number], self._name)
            assert found is not None
            last = self._last = number, found
        return last[1]

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the files' places, sizes, times and ends, and the keys."""
        return digest(self.paths, self)

    def __getstate__(self) -> dict[str, Any]:
        """All but the shard held in memory."""
        return {**vars(self), "_last": None}


def existing(path: str | Path) -> Path:
    """Absolute path of what exists, or a `DataError`."""
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise DataError(f"{found} does not exist. Check the path.")
    return found


def digest(paths: Iterable[Path], source: KeyedImages) -> str:
    """Digest of files by place, size, time of change, first and last bytes."""
    told = blake2b(repr((source.nan_policy, source.shape)).encode())
    for path in paths:
        facts = path.stat()
        told.update(f"{path}|{facts.st_size}|{facts.st_mtime_ns}".encode())
        with path.open("rb") as file:
            told.update(file.read(_ENDS))
            file.seek(max(0, facts.st_size - _ENDS))
            told.update(file.read(_ENDS))
    told.update(key_bytes(source.keys))
    return told.hexdigest()[:32]


def _header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array of a ``.npz`` file, without reading the array."""
    try:
        with ZipFile(path) as file, file.open(f"{name}.npy") as member:
            old = npy.read_magic(member) == (1, 0)
            read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
            shape, _, dtype = read(member)
    except (KeyError, BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{path} should be an .npz file with an array {name!r} ({error}). Write it "
            f"with numpy.savez(path, {name}=...)."
        ) from error
    return shape, dtype


def _member(path: Path, name: str) -> np.ndarray | None:
    """Array of a ``.npz`` file; None if it has no such array."""
    with np.load(path) as file:
        return file[name] if name in file.files else None
