"""Pixels of each channel in standard deviations from its mean, inside a recipe.

Subtracting the mean before anything else keeps the digits of images that lie far from
zero, such as temperatures in kelvin; a constant channel becomes zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from distcausal._base.typing import Array
from distcausal.images.encoder import State
from distcausal.images.scan import Moments

__all__ = ["scaling", "standard"]


def scaling(moments: Moments) -> dict[str, Any]:
    """Arrays of a state that `standard` reads, shape ``(channel,)``."""
    sd = np.where(moments.sd > 0, moments.sd, 1.0)
    return {"mean": moments.mean.astype(np.float32), "sd": sd.astype(np.float32)}


def standard(state: State, image: Array) -> Array:
    """Image ``(..., channel)`` with its channels centred and scaled."""
    line = (1,) * (image.ndim - 1) + (-1,)
    return (image - state["mean"].reshape(line)) / state["sd"].reshape(line)
