"""Arguments of an estimate: what can be refused of them at once, what is kept of them.

Encoding a corpus takes minutes, so whatever can be refused by its kind alone is refused
first, whether or not this call would have come to use it. A result repeats the call
that made it without keeping its data alive, so arrays are told by their shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from os import PathLike
from typing import Any

import numpy as np

from distcausal._base.keys import check_seed
from distcausal.errors import DesignError, check_choice
from distcausal.images.engines import check_whole
from distcausal.images.families import as_family
from distcausal.images.features import FeatureCache
from distcausal.images.folds import check_counts

__all__ = ["as_cache", "check_kinds", "check_penalty", "told"]

_CHOICES = {
    "variance": ("arm", "common", "arm_cluster"),
    "latent_level": ("image", "unit"),
    "image_intercepts": (None, True, False),
}
_FEW = 20  # names of columns, not one entry per unit


def check_kinds(given: Mapping[str, Any]) -> None:
    """Raise `DesignError` for arguments of `image_effects` that are no such thing."""
    check_seed(given["seed"])
    check_whole("clusters", given["clusters"], 1)
    check_counts(given["folds"], given["splits"])
    for name, choices in _CHOICES.items():
        check_choice(name, given[name], choices)
    encoder, learner = given["encoder"], given["outcome_learner"]
    if isinstance(encoder, type):
        raise DesignError(
            f"encoder is the class {encoder.__name__}; write {encoder.__name__}() with "
            "brackets."
        )
    learns = hasattr(encoder, "fit") or hasattr(encoder, "train")
    if encoder is not None and not learns:
        raise DesignError(
            f"encoder {encoder!r} should be RandomConvFeatures(), PCA(), SmallCNN(), "
            "Precomputed(...), Sequence(...) or another object that has fit or train."
        )
    if learner is not None and not callable(learner):
        raise DesignError(
            f"outcome_learner should be a function of columns, outcomes and weights "
            f"that returns a function of columns, not {learner!r}."
        )


def as_cache(cache: Any) -> FeatureCache | None:
    """Cache of features; a path stands for the folder it is in."""
    if cache is None or isinstance(cache, FeatureCache):
        return cache
    if isinstance(cache, str | PathLike):
        return FeatureCache(cache)
    raise DesignError(
        f"cache should be FeatureCache(folder), the path of a folder or None, not "
        f"{cache!r}."
    )


def check_penalty(penalty: Any, family: Any) -> float:
    """The penalty as a number that makes sense with a family.

    Raises
    ------
    DesignError
        If it is no finite number from 0, or positive where the average of the model's
        effects is not in the unit of the one by design.
    """
    number = isinstance(penalty, int | float | np.integer | np.floating)
    if not (number and np.isfinite(penalty) and penalty >= 0):
        raise DesignError(
            f"ate_penalty should be a finite number from 0, not {penalty!r}; 0 leaves "
            "the model alone, 1 counts the estimate by design once."
        )
    known = as_family(family)
    if penalty > 0 and not known.linear:
        raise DesignError(
            f"ate_penalty {penalty:g} cannot be used with family {known.name!r}: its "
            "effects are on a linear predictor that is not the mean outcome, while the "
            "average effect by design is on the mean, so one cannot be drawn to the "
            "other. Leave it at 0, or use family 'normal' or 'student'."
        )
    return float(penalty)


def told(value: Any) -> Any:
    """An argument in plain values, so that a result keeps no data alive."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    if isinstance(value, list | tuple | Mapping) and len(value) <= _FEW:
        return tuple(told(part) for part in value)
    source = hasattr(type(value), "fingerprint")  # as every source of images has
    return repr(value) if source or is_dataclass(value) else type(value).__name__
