"""What must be true of a trial in pictured places, said in the user's words.

Everything a person hands over is looked at here, once, on the host. What leaves is a
`Trial` of plain arrays, whose units stand in the order of the data and whose images
stand in the order in which they are first met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from distcausal.data.check import check_levels
from distcausal.data.distributions import RandomDistributions
from distcausal.data.units import is_missing, unit_column
from distcausal.errors import (
    DataError,
    DataWarning,
    DesignError,
    check_choice,
    listing,
    warn_user,
)
from distcausal.images.columns import (
    read_arms,
    read_covariates,
    read_weights,
    refuse_outcome,
    standardised,
    warn_scale,
)
from distcausal.images.outcomes import Outcome, read_outcome
from distcausal.images.source import ArraySource, ImageSource, refuse_text
from distcausal.images.treatment_copies import check_covariates
from distcausal.images.trial import Trial, groups_of

__all__ = ["Asked", "Roles", "read_trial"]

_FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column plays which part, as the user said it.

    Attributes
    ----------
    image, image_key, treatment, outcome, covariates, propensity, cluster, weights
        See `distcausal.image_effects`.
    reference
        The two arms to compare, untreated first, or None for 0 and 1.
    missing
        ``"raise"`` or ``"drop"``.
    levels
        Quantile levels at which distributions are read.
    """

    image: Any
    image_key: Any
    treatment: Any
    outcome: Any
    covariates: Any
    propensity: Any
    cluster: Any
    weights: Any
    reference: Any
    missing: str
    levels: Any

    @classmethod
    def among(cls, given: Mapping[str, Any]) -> Self:
        """Roles among the arguments of a call."""
        return cls(**{field.name: given[field.name] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A trial as arrays, without features, and where it came from.

    Attributes
    ----------
    trial
        Checked arrays; ``features`` has no columns yet.
    source
        Reader of the images.
    outcome
        Coordinates of the outcomes and the way back to curves.
    covariates
        Names of the covariates that vary.
    cluster
        Labels of the user's clusters, ``(unit,)``, or None.
    dropped
        Labels of units left out because something was missing, pixels included.
    other_arms
        Number of units in arms that are not compared.
    """

    trial: Trial
    source: ImageSource
    outcome: Outcome
    covariates: tuple[str, ...]
    cluster: np.ndarray | None
    dropped: tuple[Any, ...]
    other_arms: int


def read_trial(data: RandomDistributions, roles: Roles) -> Asked:
    """Check a trial and bring it to arrays.

    Raises
    ------
    DataError
        If columns hold what they should not, or images and keys do not match.
    DesignError
        If an arm is empty or there are too few units.
    """
    if not isinstance(data, RandomDistributions):
        raise DataError(
            f"data should be a RandomDistributions, not a {type(data).__name__}. Make "
            "one with RandomDistributions.from_frame, from_samples or from_atoms."
        )
    check_choice("missing", roles.missing, ("raise", "drop"))
    source, label = _images(data, roles)
    if roles.levels is not None:
        check_levels(roles.levels)
    arm, chosen = read_arms(
        _labels(data, roles.treatment, "treatment"),
        roles.reference,
    )
    columns, names = read_covariates(data, roles.covariates)
    if names:  # before gaps are dropped: they may be those of one arm
        seen = np.where(np.isfinite(columns), columns, np.nan)[chosen]
        check_covariates(seen, arm[chosen], names, experiment=False)
    gone = _gaps(data, roles, columns, names) | _blind(source, label)
    kept = np.flatnonzero(chosen & ~gone)
    dropped = tuple(data.ids[gone & chosen].tolist())
    part = data.take(kept) if len(kept) < len(data) else data
    treatment = arm[kept]
    weights = read_weights(data, roles.weights)[kept]
    _check_arms(treatment, weights, dropped)
    warn_scale(weights)
    if names:
        experiment = roles.propensity is not None
        check_covariates(columns[kept], treatment, names, experiment=experiment)
    covariates, names = standardised(columns[kept], names, weights)
    column = _rows(roles.outcome, kept, len(data))
    outcome = _outcome(part, column, roles, weights, treatment)
    refuse_outcome(covariates, names, outcome.values, weights)
    keys, image = _positions(label[kept])
    cluster = _clusters(data, roles.cluster, kept)
    trial = Trial(
        keys=keys,
        image=image,
        ids=part.ids,
        outcome=outcome.values,
        known_variance=outcome.known_variance,
        treatment=treatment,
        weights=weights,
        covariates=covariates,
        group=groups_of(keys, image, np.arange(len(keys)), cluster),
        propensity=_propensity(data, roles.propensity, kept),
        features=np.zeros((len(keys), 0)),
    )
    return Asked(
        trial=trial,
        source=source,
        outcome=outcome,
        covariates=names,
        cluster=cluster,
        dropped=dropped,
        other_arms=int((~chosen).sum()),
    )


def _outcome(
    data: RandomDistributions,
    column: Any,
    roles: Roles,
    weights: np.ndarray,
    arms: np.ndarray,
) -> Outcome:
    """Coordinates of the outcomes of the units kept, which have to differ."""
    found = read_outcome(data, column, levels=roles.levels, weights=weights, arms=arms)
    if np.ptp(found.values, axis=0).max() == 0:
        raise DataError(
            f"all {len(data)} units have the same outcome, {found.values[0, 0]:g}; "
            "there is nothing to explain. Check the outcome column."
        )
    return found


def _clusters(
    data: RandomDistributions, value: Any, kept: np.ndarray
) -> np.ndarray | None:
    """Labels of the user's clusters of the units kept, or None."""
    if value is None:
        return None
    return _labels(data, value, "cluster")[kept]


def _rows(value: Any, kept: np.ndarray, units: int) -> Any:
    """Rows of an array given per unit; names and None pass unchanged."""
    if value is None or isinstance(value, str) or len(kept) == units:
        return value
    return np.asarray(value)[kept]


def _images(data: RandomDistributions, roles: Roles) -> tuple[ImageSource, np.ndarray]:
    """Reader of the images, and the key of every unit."""
    _check_images(roles.image)
    if isinstance(roles.image, str):
        return _column_images(data, roles)
    if roles.image_key is None:
        if _is_source(roles.image):
            known = np.append(roles.image.keys, _dropped(roles.image))
            if len(known) == len(data) and np.isin(data.ids, known).all():
                return roles.image, data.ids
            raise DesignError(
                f"image is a source of {len(known)} images and the data have "
                f"{len(data)} units; the keys of the images should be the labels of "
                "the units (keys=data.ids), or image_key should name the column that "
                "says which image belongs to which unit."
            )
        return _one_each(data, roles.image), data.ids
    label = _labels(data, roles.image_key, "image_key")
    source = roles.image if _is_source(roles.image) else _by_row(roles.image, label)
    return source, label


def _is_source(image: Any) -> bool:
    """Whether images are asked for by key; mappings and tables have a ``get`` too."""
    return (
        hasattr(image, "get")
        and hasattr(image, "shape")
        and not hasattr(image, "__array__")
    )


def _check_images(image: Any) -> None:
    """Refuse what is neither the name of a column, nor images, nor their reader."""
    several = hasattr(image, "__len__") and getattr(image, "ndim", 1) > 0
    several = several and not isinstance(image, Mapping | bytes)
    if isinstance(image, str) or _is_source(image) or several:
        return
    raise DataError(
        "image should be the name of a column, an array of images (unit, height, "
        "width[, channel]), or a reader such as ArraySource(images, keys), "
        "FolderSource(folder) or MemmapSource(file) for a .npy file, not "
        f"{_told(image)}."
    )


def _told(image: Any) -> str:
    return "None" if image is None else f"a {type(image).__name__}"


def _dropped(source: ImageSource) -> np.ndarray:
    """Keys whose images a reader has left out because pixels were missing."""
    return getattr(source, "dropped", source.keys[:0])


def _blind(source: ImageSource, label: np.ndarray) -> np.ndarray:
    """Units whose image was left out by its reader, which are left out with it."""
    lost = _dropped(source)
    gone = np.isin(label, lost)
    if gone.any():
        warn_user(
            f"{int(gone.sum())} of {len(label)} units were dropped because "
            f"nan_policy='drop' left out their images (keys "
            f"{listing(lost[np.isin(lost, label)].tolist())}); effects are those of "
            "the units that remain.",
            DataWarning,
        )
    return gone


def _one_each(data: RandomDistributions, images: Any) -> ImageSource:
    """Source of an array with one image per unit."""
    count = len(images)
    if count != len(data):
        raise DataError(
            f"image holds {count} images and the data {len(data)} units; the lengths "
            "should agree. If units share images, say which with image_key."
        )
    return ArraySource(images, data.ids)


def _by_row(images: Any, label: np.ndarray) -> ImageSource:
    """Source of an array looked up by row number, unless that could be a mistake."""
    if len(images) == len(label) and len(np.unique(label)) < len(label):
        raise DesignError(
            f"image holds as many images as there are units, {len(label)}, and "
            "image_key repeats itself: is there an image per unit or per key? Say so "
            "with ArraySource(images, keys), keys being the distinct labels."
        )
    return ArraySource(images)


def _column_images(
    data: RandomDistributions, roles: Roles
) -> tuple[ImageSource, np.ndarray]:
    """Source of a column of images, one per unit, or one per key if keys are given."""
    images = unit_column(data, roles.image, argument="image")
    refuse_text(images)
    if roles.image_key is None:
        return ArraySource(images, data.ids), data.ids
    label = _labels(data, roles.image_key, "image_key")
    keys, image = _positions(label)
    first = np.full(len(keys), len(label))
    np.minimum.at(first, image, np.arange(len(label)))
    strays = [
        keys[at]
        for row, at in enumerate(image)
        if not np.array_equal(images[row], images[first[at]], equal_nan=True)
    ]
    if strays:
        raise DataError(
            f"units with one image_key should have one image, but {len(set(strays))} "
            f"keys have several ({listing(dict.fromkeys(strays))}). Correct the keys, "
            "or leave image_key out."
        )
    return ArraySource(images[first], keys), label


def _labels(data: RandomDistributions, value: Any, argument: str) -> np.ndarray:
    """Labels without gaps, one per unit."""
    column = unit_column(data, value, argument=argument)
    if column.ndim != 1:
        raise DataError(
            f"{argument} should hold one label per unit, not shape {column.shape}. "
            "Name a single column."
        )
    gaps = np.array([is_missing(one) for one in column.tolist()], bool)
    if gaps.any():
        raise DataError(
            f"{argument} is missing for {int(gaps.sum())} of {len(column)} units "
            f"({listing(data.ids[gaps].tolist())}). Fill it in, or leave these units "
            "out with data.take: missing='drop' leaves out those without an outcome or "
            "a covariate only."
        )
    return column


def _positions(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels in the order they are first met, and where each unit's is."""
    names, first, place = np.unique(label, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return names[order], rank[place]


def _check_arms(
    treatment: np.ndarray, weights: np.ndarray, dropped: tuple[Any, ...]
) -> None:
    count = len(treatment)
    lost = f" after {len(dropped)} were dropped" if dropped else ""
    if count < _FEWEST:
        raise DesignError(
            f"there are {count} units{lost}; at least {_FEWEST} are needed, and "
            "some hundreds before images can say anything about effects."
        )
    treated = int(treatment.sum())
    if treated in (0, count):
        arm = "treated" if treated == 0 else "untreated"
        raise DesignError(f"no unit is {arm}{lost}; both arms are needed.")
    for value, word in enumerate(("untreated", "treated")):
        if not weights[treatment == value].any():
            raise DesignError(
                f"no {word} unit has a positive weight{lost}; both arms are needed."
            )


def _gaps(
    data: RandomDistributions,
    roles: Roles,
    columns: np.ndarray,
    names: tuple[str, ...],
) -> np.ndarray:
    """Units whose outcome or covariates are missing; an error unless to be dropped."""
    asked = list(zip(names, columns.T, strict=True))
    if roles.outcome is not None:
        value = unit_column(data, roles.outcome, argument="outcome")
        if value.dtype.kind == "f" and value.ndim == 1:
            asked.append(("outcome", value))
    gone = np.zeros(len(data), bool)
    for _, column in asked:
        gone |= ~np.isfinite(column)
    where = listing(
        _holes(name, column) for name, column in asked if not np.isfinite(column).all()
    )
    if gone.any() and roles.missing == "raise":
        raise DataError(
            f"{int(gone.sum())} of {len(data)} units lack a finite outcome or "
            f"covariate ({listing(data.ids[gone].tolist())}): {where}. Fill them in, "
            "or drop these units with missing='drop'."
        )
    if gone.any():
        warn_user(
            f"{int(gone.sum())} of {len(data)} units were dropped because they lack a "
            f"finite outcome or covariate: {where}; effects are those of the units "
            "that remain.",
            DataWarning,
        )
    return gone


def _holes(name: str, column: np.ndarray) -> str:
    """What keeps a column from being numbers, and how often."""
    counts = {"missing": np.isnan(column).sum(), "infinite": np.isinf(column).sum()}
    found = " and ".join(f"{word} for {many}" for word, many in counts.items() if many)
    return f"{name} {found}"


def _propensity(
    data: RandomDistributions, value: Any, kept: np.ndarray
) -> np.ndarray | None:
    """Known probability of treatment of each unit, or None."""
    if value is None:
        return None
    rule = "propensity should lie strictly between 0 and 1"
    if isinstance(value, int | float | np.floating) and not isinstance(value, bool):
        if not 0 < value < 1:
            raise DataError(f"{rule}, but is {value}. It is the chance of treatment.")
        return np.full(len(kept), float(value))
    found = unit_column(data, value, argument="propensity")
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise DataError(
            f"{rule}, one number per unit, but holds {found.dtype} of shape "
            f"{found.shape}. Name a column of numbers, or leave propensity= out to "
            "have it estimated."
        )
    unknown = np.isnan(found)
    if unknown.any():
        raise DataError(
            f"{rule}, but is missing for {int(unknown.sum())} of {len(data)} units "
            f"({listing(data.ids[unknown].tolist())}). Fill it in, or leave these "
            "units out with data.take; missing='drop' does not."
        )
    bad = (found <= 0) | (found >= 1)
    if bad.any():
        raise DataError(
            f"{rule}; for {int(bad.sum())} of {len(data)} units it does not "
            f"({listing(data.ids[bad].tolist())}). Leave out units that could only "
            "have been in one arm."
        )
    return found[kept].astype(float)
