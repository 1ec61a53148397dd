"""Units go with their images where a reader leaves those out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import distcausal as dc
from distcausal.errors import DataError, DataWarning, DesignError
from tests.images.test_check import UNITS, read, trial_data


def readers_without_some(folder: Path, images: np.ndarray) -> dict[str, Any]:
    """Readers of images by row number that leave out those with missing pixels."""
    rows = np.arange(len(images))
    np.save(folder / "all.npy", images)
    np.savez(folder / "a.npz", images=images[:9], keys=rows[:9])
    np.savez(folder / "b.npz", images=images[9:], keys=rows[9:])
    shards = [folder / "a.npz", folder / "b.npz"]

    def load(keys: np.ndarray) -> np.ndarray:
        return images[keys]

    return {
        "array": dc.ArraySource(images, nan_policy="drop"),
        "memmap": dc.MemmapSource(folder / "all.npy", nan_policy="drop"),
        "shards": dc.ShardSource(shards, nan_policy="drop"),
        "function": dc.CallableSource(
            load, rows, images.shape[1:], images.dtype, nan_policy="drop"
        ),
    }


@pytest.mark.parametrize("kind", ["array", "memmap", "shards", "function"])
@pytest.mark.parametrize("keyed", [False, True])
def test_units_whose_image_is_dropped_are_dropped_with_it(
    kind: str, keyed: bool, tmp_path: Path
) -> None:
    units = 24
    draw = np.random.default_rng(3)
    images = draw.normal(size=(units, 4, 4))
    images[5, 0, 0], images[9, 1, 2] = np.nan, np.inf
    # With keys, three units in a row show one image, so two lost images cost six.
    label = np.arange(units) // 3 * 3 if keyed else np.arange(units)
    if keyed:
        images[[5, 9]], images[6, 0, 0], images[12, 0, 0] = 0.0, np.nan, np.inf
    lost = [6, 7, 8, 12, 13, 14] if keyed else [5, 9]
    kept = np.delete(np.arange(units), lost)
    data = trial_data(units=units, key=label)
    columns = {
        "outcome": draw.normal(size=units),
        "weights": draw.uniform(0.6, 1.4, units),
        "covariates": (np.arange(units) // 2 % 5) ** 2.0,
        "propensity": draw.uniform(0.2, 0.8, units),
        "cluster": np.arange(units) // 2,
        "treatment": np.arange(units) % 2,
    }
    source = readers_without_some(tmp_path, images)[kind]
    key = "key" if keyed else None
    with pytest.warns(DataWarning, match=f"{len(lost)} of 24 units were dropped.*keys"):
        asked = read(data, image=source, image_key=key, **columns)
    alone = read(
        data.take(kept),
        image=dc.ArraySource(images[np.unique(label[kept])], np.unique(label[kept])),
        image_key=key,
        **{name: column[kept] for name, column in columns.items()},
    )
    assert asked.dropped == tuple(lost)
    assert asked.trial == alone.trial
    np.testing.assert_array_equal(
        asked.source.get(asked.trial.keys), alone.source.get(alone.trial.keys)
    )


def test_the_remedy_for_missing_pixels_works_whatever_units_are_called() -> None:
    images = np.random.default_rng(0).normal(size=(UNITS, 4, 4))
    images[3, 1, 1] = np.nan
    names = [f"unit {number}" for number in range(UNITS)]
    plain = trial_data()
    data = dc.RandomDistributions.from_samples(
        [[0.0]] * UNITS, ids=names, columns=plain.columns
    )
    asked = read(data, image=images)
    with pytest.raises(DataError, match=r"\(keys unit 3\).*ArraySource\(.*'drop'"):
        asked.source.get(asked.trial.keys)
    with pytest.raises(DesignError, match=r"\(keys=data.ids\)"):
        read(data, image=dc.ArraySource(images, nan_policy="drop"))
    with pytest.warns(DataWarning, match=r"1 of 12 units .*\(keys unit 3\)"):
        kept = read(data, image=dc.ArraySource(images, data.ids, nan_policy="drop"))
    assert kept.trial.ids.tolist() == [*names[:3], *names[4:]]


def test_a_reader_that_drops_images_still_has_to_know_every_unit() -> None:
    images = np.zeros((UNITS - 1, 4, 4))
    images[2, 0, 0] = np.nan
    with pytest.raises(DesignError, match="source of 11 images and the data have 12"):
        read(trial_data(), image=dc.ArraySource(images, nan_policy="drop"))
