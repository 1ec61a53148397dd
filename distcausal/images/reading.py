"""Batches of images in the order of the keys, the next one read while one is used.

A batch is as many images as fit into a few megabytes, so memory is bounded whatever
the corpus. Reading ahead happens in one thread: decoding and waiting for a disk
release the interpreter, and the order of batches stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from distcausal.images.source import ImageSource

__all__ = ["blocks"]

_BYTES = 2**23
_MOST = 1024


def blocks(
    source: ImageSource, keys: np.ndarray, *, batch: int | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Places among the keys and the images of them, batch by batch.

    Parameters
    ----------
    source
        Images.
    keys
        Keys wanted, in this order.
    batch
        Images read at once; as many as fill eight megabytes if left out.
    """
    size = batch or _batch(source)
    places = [slice(at, min(at + size, len(keys))) for at in range(0, len(keys), size)]
    if len(places) < 2:
        yield from ((place, source.get(keys[place])) for place in places)
        return
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(source.get, keys[places[0]])
        for place, after in zip(places, [*places[1:], None], strict=True):
            images = coming.result()
            if after is not None:
                coming = reader.submit(source.get, keys[after])
            yield place, images


def _batch(source: ImageSource) -> int:
    one = int(np.prod(source.shape)) * np.dtype(source.dtype).itemsize
    return int(np.clip(_BYTES // max(one, 1), 1, _MOST))
