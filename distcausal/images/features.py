"""Features of images, computed once per distinct image and kept on disk if asked.

Encoding is the one expensive pass over a corpus; everything after it works on a matrix
of a few dozen columns. A cache file is named by the digests of encoder and source, so
a file that is found belongs to exactly this encoder and these images, and nothing has
to be invalidated by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from distcausal._base.progress import steps
from distcausal.images.encoder import FittedEncoder
from distcausal.images.reading import blocks
from distcausal.images.source import ImageSource, as_keys

__all__ = ["features"]


def features(
    encoder: FittedEncoder,
    source: ImageSource,
    keys: Any = None,
    *,
    batch: int | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Features ``(image, D)`` of the images of the keys, read batch by batch."""
    wanted = source.keys if keys is None else as_keys(keys)
    out = np.empty((len(wanted), encoder.size))
    with steps(progress, count=1, long=len(wanted) > 5000) as begin:
        begin("encoding images")
        for place, images in blocks(source, wanted, batch=batch):
            out[place] = encoder.apply(images)
    return out
