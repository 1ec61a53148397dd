"""Grey pictures that carry one of a few signs, hidden among what does not matter.

Which sign a picture carries is its cluster. Brightness, a gradient, two discs and noise
differ far more between pictures than signs do, so neither the mean of the pixels nor
the directions in which pictures vary most tell the clusters apart: a method has to find
out from the outcomes what to look for.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BRIGHTNESS_SD", "SIGNS", "draw_pictures"]

BRIGHTNESS_SD = 0.5
SLOPE_SD = 0.5
DISC, RADII = 0.8, (2.0, 5.0)
NOISE_SD = 0.3
SIGN = 1.5
REACH = 4  # the longest sign reaches four pixels from its middle
BLOCK = 1000  # pictures drawn at a time, so that memory holds one copy of the result


def _signs() -> np.ndarray:
    """Masks of the signs, shape ``(sign, 9, 9)``: square, cross, saltire, diamond."""
    down, right = np.abs(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    return np.stack(
        [
            np.maximum(down, right) == REACH - 1,
            (down == 0) | (right == 0),
            down == right,
            down + right == REACH,
        ]
    ).astype(np.float32)


SIGNS = _signs()


def draw_pictures(
    rng: np.random.Generator, cluster: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture for each entry of ``cluster``.

    Parameters
    ----------
    rng
        Source of all draws.
    cluster
        Place of each picture's sign in `SIGNS`, shape ``(image,)``.
    size
        Height and width in pixels, at least 9.

    Returns
    -------
    pictures
        Shape ``(image, size, size)``, float32.
    brightness
        Height of the background in the middle of each picture, shape ``(image,)``.
    """
    brightness = rng.normal(0, BRIGHTNESS_SD, cluster.size)
    pictures = np.empty((cluster.size, size, size), np.float32)
    for start in range(0, cluster.size, BLOCK):
        block = slice(start, start + BLOCK)
        _paint(rng, pictures[block], cluster[block], brightness[block])
    return pictures, brightness


def _paint(
    rng: np.random.Generator,
    pictures: np.ndarray,
    cluster: np.ndarray,
    brightness: np.ndarray,
) -> None:
    """Fill an array of pictures in place."""
    count, size, _ = pictures.shape
    rng.standard_normal(out=pictures, dtype=np.float32)
    pictures *= NOISE_SD
    pixel = np.arange(size, dtype=np.float32)
    along = 2 * pixel / (size - 1) - 1
    slope = rng.normal(0, SLOPE_SD, (2, count, 1)).astype(np.float32)
    level = brightness.astype(np.float32)[:, None]
    pictures += (level + slope[0] * along)[:, :, None]
    pictures += (slope[1] * along)[:, None, :]
    for _ in range(2):
        middle = rng.uniform(0, size, (2, count, 1)).astype(np.float32)
        radius = rng.uniform(*RADII, (count, 1, 1)).astype(np.float32)
        away = (pixel - middle) ** 2
        inside = away[0][:, :, None] + away[1][:, None, :] <= radius**2
        pictures += np.float32(DISC) * inside
    corner = rng.integers(0, size - 2 * REACH, (2, count, 1, 1))
    spot = np.arange(2 * REACH + 1)
    place = (corner[0] + spot[:, None], corner[1] + spot)
    pictures[np.arange(count)[:, None, None], *place] += SIGN * SIGNS[cluster]
