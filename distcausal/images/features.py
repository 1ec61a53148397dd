"""Features of images, computed once per distinct image and kept on disk if asked.

Encoding is the one expensive pass over a corpus; everything after it works on a matrix
of a few dozen columns. A cache file is named by the digests of encoder and images, so
what is found in it belongs to exactly this encoder and these images, and nothing has
to be invalidated by hand.
"""

from __future__ import annotations

import os
import pickle
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from distcausal._base.keys import Seed, seed_record
from distcausal._base.progress import steps
from distcausal.errors import DataError, DesignError
from distcausal.images.encoder import Encoder, FittedEncoder
from distcausal.images.keys import Lookup, as_keys, key_bytes
from distcausal.images.reading import blocks
from distcausal.images.source import ImageSource

__all__ = ["FeatureCache", "features", "fit_features"]

_LONG = 5000
# What reading half a pickle, or one by another version of the package, can raise.
_DAMAGED = (
    pickle.UnpicklingError,
    OSError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)


class FeatureCache:
    """Folder in which features of images are kept between sessions.

    Parameters
    ----------
    folder
        Where; created if missing. Safe to delete at any time.

    Raises
    ------
    DesignError
        If the path exists and is not a folder.

    Notes
    -----
    One file per encoder and corpus holds the features of the images encoded so far, in
    float64: what is read back is what was computed, bit for bit. Fitted encoders are
    kept as pickles; do not share a folder with people you would not run code from.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import distcausal as dc
    >>> source = dc.ArraySource(np.random.default_rng(0).normal(size=(20, 8, 8)))
    >>> fitted = dc.PCA(size=3).fit(source)
    >>> with TemporaryDirectory() as folder:
    ...     cache = dc.FeatureCache(folder)
    ...     first = features(fitted, source, cache=cache)
    ...     again = features(fitted, source, cache=cache)
    >>> bool(np.all(first == again))
    True
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if self.folder.exists() and not self.folder.is_dir():
            raise DesignError(
                f"folder {str(self.folder)!r} is a file; features are kept in a "
                "folder. Give the path of one, which is created if it does not exist."
            )
        self.folder.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        """Where it is."""
        return f"FeatureCache({str(self.folder)!r})"

    def table(self, encoder: FittedEncoder, source: ImageSource) -> np.ndarray:
        """Features ``(image, D)`` in the order of ``source.keys``; NaN if not known."""
        path = self._path(encoder, source)
        shape = (len(source), encoder.size)
        if not path.exists():
            return np.full(shape, np.nan)
        try:
            found = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"the cache file {path} cannot be read ({error}). Delete it; its "
                "features will be computed again."
            ) from error
        return found

    def keep(
        self, encoder: FittedEncoder, source: ImageSource, table: np.ndarray
    ) -> None:
        """Write a table as `table` gives it."""
        self._write(self._path(encoder, source), lambda file: np.save(file, table))

    def fitted(self, encoder: Any, source: ImageSource, told: str) -> Path:
        """Path of the pickle of an encoder fitted to some of the images."""
        digest = blake2b(f"{encoder!r}|{source.fingerprint}|{told}".encode())
        return self.folder / f"fit-{digest.hexdigest()[:32]}.pickle"

    def unpickled(self, path: Path) -> Any:
        """Encoder that `pickle` has written, or a `DataError` naming the file."""
        try:
            return pickle.loads(path.read_bytes())
        except _DAMAGED as error:
            raise DataError(
                f"the cache file {path} cannot be read ({error}). Delete it; its "
                "encoder will be fitted again."
            ) from error

    def pickle(self, path: Path, fitted: Any) -> None:
        """Write a fitted encoder."""
        self._write(path, lambda file: pickle.dump(fitted, file))

    def _path(self, encoder: FittedEncoder, source: ImageSource) -> Path:
        return self.folder / f"{encoder.fingerprint}-{source.fingerprint}.npy"

    def _write(self, path: Path, write: Any) -> None:
        """Write beside and rename, so that nobody reads half a file."""
        with NamedTemporaryFile(dir=self.folder, delete=False) as file:
            write(file)
        os.replace(file.name, path)


def features(
    encoder: FittedEncoder,
    source: ImageSource,
    keys: Any = None,
    *,
    batch: int | None = None,
    cache: FeatureCache | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Features of images, read batch by batch.

    Parameters
    ----------
    encoder
        A fitted encoder.
    source
        Images.
    keys
        Those wanted, in any order and as often as wanted; all if left out.
    batch
        Images read at once; as many as fill a few megabytes if left out. The features
        do not depend on it.
    cache
        Where features are looked up and kept.
    progress
        Whether to show a bar; None decides by the number of images.

    Returns
    -------
    Shape ``(image, D)``, float64, in the order of the keys.

    Raises
    ------
    KeyError_
        If a key has no image.
    """
    wanted = source.keys if keys is None else as_keys(keys)
    if cache is None:
        return _encoded(encoder, source, wanted, batch, progress)
    table = cache.table(encoder, source)
    places = Lookup(source.keys).places(wanted)
    # A table without columns holds nothing that could be unknown.
    unknown = np.unique(places[np.isnan(table[places]).any(axis=1)])
    if unknown.size:
        rows = _encoded(encoder, source, source.keys[unknown], batch, progress)
        table[unknown] = rows
        cache.keep(encoder, source, table)
    return table[places]


def _encoded(
    encoder: FittedEncoder,
    source: ImageSource,
    keys: np.ndarray,
    batch: int | None,
    progress: bool | None,
) -> np.ndarray:
    """Features of the images of keys, one pass."""
    by_key = getattr(encoder, "by_key", None)
    if by_key is not None:
        return by_key(keys)
    out = np.empty((len(keys), encoder.size))
    with steps(progress, count=1, long=len(keys) > _LONG) as begin:
        begin("encoding images")
        for place, images in blocks(source, keys, batch=batch):
            out[place] = encoder.apply(images)
    return out


def fit_features(
    encoder: Encoder,
    source: ImageSource,
    keys: Any = None,
    *,
    seed: Seed = 0,
    cache: FeatureCache | None = None,
    progress: bool | None = None,
) -> tuple[FittedEncoder, np.ndarray]:
    """Fit an encoder, and the features of its training images.

    Encoders that can give both from one pass over the images do.

    Parameters
    ----------
    encoder
        What to fit.
    source
        Images.
    keys
        Training images; all if left out.
    seed
        Decides what is drawn at random.
    cache
        Where the fitted encoder and the features are looked up and kept.
    progress
        Whether to show a bar; None decides by the number of images.

    Returns
    -------
    The fitted encoder, and features ``(image, D)`` in the order of the keys, the same
    that `features` gives.
    """
    wanted = source.keys if keys is None else as_keys(keys)
    if cache is not None:
        told = blake2b(key_bytes(wanted)).hexdigest() + str(seed_record(seed))
        path = cache.fitted(encoder, source, told)
        if path.exists():
            fitted = cache.unpickled(path)
            return fitted, features(fitted, source, wanted, cache=cache)
    with steps(progress, count=1, long=len(wanted) > _LONG) as begin:
        begin("encoding images")
        both = getattr(encoder, "fit_features", None)
        if both is not None:
            fitted, found = both(source, wanted, seed=seed)
        else:
            fitted = encoder.fit(source, wanted, seed=seed)
            found = _encoded(fitted, source, wanted, None, False)
    if cache is not None:
        cache.pickle(path, fitted)
        table = cache.table(fitted, source)
        table[Lookup(source.keys).places(wanted)] = found
        cache.keep(fitted, source, table)
    return fitted, found
