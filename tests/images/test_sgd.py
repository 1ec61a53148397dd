"""Minibatch training keeps images whole, sees nothing it should not, and repeats."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import distcausal as dc
from distcausal.errors import ConvergenceError
from distcausal.images.batches import Units, orders, part_of
from distcausal.images.cnn import _lesson
from distcausal.images.families import as_family
from distcausal.images.model import Layout, count, log_likelihood, unpack
from distcausal.images.sgd import Schedule, _paced, _rates, _Trail
from distcausal.images.trial import Trial

SIDE = 8
SMALL = dc.SmallCNN(
    filters=(4, 4), kernels=3, width=4, steps=6, batch=16, holdout=0.2, rate=0.01
)


def trial_of(image, seed=0, weights=None):
    """A trial of units in places, the outcome of which is noise."""
    rng = np.random.default_rng(seed)
    units, images = len(image), int(image.max()) + 1
    treatment = rng.permutation(np.arange(units) % 2)
    outcome = rng.normal(size=(units, 1)) + treatment[:, None]
    return Trial(
        keys=np.arange(images),
        image=image,
        ids=np.arange(units),
        outcome=outcome,
        known_variance=np.zeros((units, 1)),
        treatment=treatment,
        weights=np.ones(units) if weights is None else weights,
        covariates=np.zeros((units, 0)),
        group=image,
        propensity=None,
        features=np.zeros((images, 2)),
    )


def layout_of(**changes):
    """A mixture of two clusters of units with an image each."""
    family = as_family("normal")
    plain = Layout(2, 1, 2, 0, family, "arm", intercepts=False, alone=True)
    return plain._replace(**changes)


def pixels(images, seed=0):
    """Images of noise."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(images, SIDE, SIDE)).astype(np.float32)


def studied(source, trial, layout=None, encoder=SMALL, seed=0):
    """Course of a training on the trial's own weights."""
    layout = layout_of() if layout is None else layout
    return encoder.study(source, trial, layout, trial.weights, seed=seed)[1]


def equal(one, other):
    """Whether two courses ended at the same numbers, to the bit."""
    return all(
        np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(one._asdict()),
            jax.tree.leaves(other._asdict()),
            strict=True,
        )
    )


@st.composite
def places(draw):
    """Images of 18 units, each image at least once."""
    images = 8
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    image = rng.permutation(
        np.concatenate([np.arange(images), rng.integers(0, images, 10)])
    )
    return image, images, rng


@given(places())
def test_a_batch_holds_all_units_of_its_images_and_no_other(case):
    image, images, rng = case
    image[rng.random(len(image)) < 0.3] = -1
    order = rng.permutation(images).reshape(2, -1)
    order[1, -1] = -1
    batch = Units(image, images, [order]).of(order)
    for step, row in enumerate(order):
        real = batch.real[step] > 0
        found = batch.unit[step][real]
        wanted = np.flatnonzero(np.isin(image, row[row >= 0]))
        assert sorted(found) == sorted(wanted)
        assert_array_equal(row[batch.owner[step][real]], image[found])


@partial(jax.jit, static_argnames="layout")
def total(params, features, batch, evidence, lane, layout):
    """Log likelihood of one batch."""
    rows = part_of(features, batch, evidence, lane, layout)
    return log_likelihood(params, *rows, layout).sum()


@partial(jax.jit, static_argnames="layout")
def in_one(params, evidence, lane, layout):
    """Log likelihood of all units at once."""
    return log_likelihood(params, evidence, lane, layout).sum()


@given(places(), st.sampled_from((True, False)))
def test_batches_add_up_to_the_likelihood_of_all_units(case, alone):
    image, _, rng = case
    trial = trial_of(image)
    layout = layout_of(alone=alone)
    lesson = _lesson(
        SMALL, None, trial, layout, trial.weights, np.arange(len(trial.keys)), 0
    )
    params = unpack(rng.normal(size=count(lesson.layout)), lesson.layout)
    features = rng.normal(size=(len(trial.keys), SMALL.width))
    order = np.full((3, 4), -1)
    order.flat[: len(trial.keys)] = rng.permutation(len(trial.keys))
    units = Units(lesson.image, len(trial.keys), [order])
    batches = units.of(order)

    data = lesson.evidence, lesson.lane, lesson.layout
    parts = [
        total(params, features[row], jax.tree.map(lambda a, s=s: a[s], batches), *data)
        for s, row in enumerate(order)
    ]
    own = np.arange(len(trial.image))
    whole = lesson.evidence._replace(
        features=features[trial.image] if alone else features,
        image=own if alone else trial.image,
        outcome=lesson.evidence.outcome[own],
        known_variance=lesson.evidence.known_variance[own],
        treatment=lesson.evidence.treatment[own],
        covariates=lesson.evidence.covariates[own],
    )
    lane = lesson.lane._replace(weights=lesson.lane.weights[own])
    want = in_one(params, whole, lane, lesson.layout)
    assert_allclose(sum(parts), want, rtol=1e-5)  # float32


@given(st.integers(0, 2**16))
def test_images_take_turns_and_those_held_out_never_come(seed):
    trial = trial_of(np.arange(37))
    lesson = _lesson(SMALL, None, trial, layout_of(), trial.weights, np.arange(37), 0)
    order, held = orders(lesson, 10, 16, seed)
    times = np.bincount(order.ravel(), minlength=37)
    assert order.shape == (10, 16)
    assert np.ptp(times[lesson.train]) <= 1
    assert not times[lesson.held].any()
    assert sorted(held[held >= 0]) == sorted(lesson.held)
    assert len(lesson.held) == 7


def test_held_out_groups_are_whole():
    trial = trial_of(np.arange(40))
    object.__setattr__(trial, "group", np.arange(40) // 4)
    lesson = _lesson(SMALL, None, trial, layout_of(), trial.weights, np.arange(40), 0)
    assert not set(lesson.train // 4) & set(lesson.held // 4)
    assert len(lesson.held) == 8


def test_balance_gives_both_arms_half_of_the_weight():
    trial = trial_of(np.arange(30))
    object.__setattr__(trial, "treatment", (np.arange(30) < 5).astype(int))
    seen = np.arange(30)
    rows = {
        balance: _lesson(
            dc.SmallCNN(balance=balance),
            None,
            trial,
            layout_of(),
            trial.weights,
            seen,
            0,
        ).lane.weights[:30]
        for balance in (True, False)
    }
    assert_allclose(rows[True][:5].sum(), 15)
    assert_allclose(rows[True].sum(), 30)
    assert_allclose(rows[False], 1)
    assert (rows[True] > 0).all()


def test_the_same_seed_gives_the_same_network():
    trial, source = trial_of(np.arange(40)), dc.ArraySource(pixels(40))
    first = studied(source, trial)
    assert equal(first, studied(source, trial))
    assert not equal(first, studied(source, trial, seed=1))


def test_images_need_not_be_in_memory(tmp_path):
    images, trial = pixels(40), trial_of(np.arange(40))
    np.save(tmp_path / "images.npy", images)
    asked = []

    def load(keys):
        asked.append(len(keys))
        return images[keys]

    sources = [
        dc.ArraySource(images),
        dc.MemmapSource(tmp_path / "images.npy"),
        dc.CallableSource(load, np.arange(40), (SIDE, SIDE), np.float32),
    ]
    first, *others = (studied(source, trial) for source in sources)
    assert all(equal(first, other) for other in others)
    assert max(asked) <= 40


def test_units_without_weight_are_never_seen():
    image = np.concatenate([np.arange(40), np.arange(20)])
    weights = np.where(np.isin(image, [3, 4]), 0.0, 1.0)
    weights[-1] = 0.0
    trial, images = trial_of(image, weights=weights), pixels(40)
    first = studied(dc.ArraySource(images), trial, layout_of(alone=False))
    outcome, treatment = trial.outcome.copy(), trial.treatment.copy()
    outcome[weights == 0], images[3:5] = 1e3, 1e3
    treatment[weights == 0] = 1 - treatment[weights == 0]
    object.__setattr__(trial, "outcome", outcome)
    object.__setattr__(trial, "treatment", treatment)
    again = studied(dc.ArraySource(images), trial, layout_of(alone=False))
    assert equal(first, again)


@pytest.mark.slow
def test_two_halves_of_a_unit_are_one_unit():
    images = dc.ArraySource(pixels(40))
    whole = trial_of(np.concatenate([np.arange(40), np.arange(2)]))
    half = [0.5, *np.ones(41), 0.5]
    split = trial_of(np.arange(43) % 40, weights=np.array(half))
    for name in ("image", "outcome", "treatment", "group"):
        rows = getattr(whole, name)
        object.__setattr__(split, name, np.concatenate([rows, rows[:1]]))
    courses = [studied(images, each, layout_of(alone=False)) for each in (whole, split)]
    # Six steps of Adam in float32; it divides by the size of the slope, so that
    # rounding of small slopes shows.
    assert_allclose(courses[0].loss, courses[1].loss, rtol=1e-4)
    assert_allclose(courses[0].weights["dense"], courses[1].weights["dense"], atol=2e-3)


def test_training_that_diverges_says_so():
    wild = replace(SMALL, rate=1e9)
    with pytest.raises(ConvergenceError, match=r"diverged.*Use a smaller rate"):
        studied(dc.ArraySource(pixels(40)), trial_of(np.arange(40)), encoder=wild)


@given(st.integers(3, 9), st.integers(0, 2**16))
def test_the_last_stretch_that_is_not_clearly_worse_is_kept(stretches, seed):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=200)
    clear = 1 + int(rng.integers(stretches - 1))
    trail = _Trail()
    stopped = None
    for number in range(stretches):
        fall = 0.0 if number < clear else 5.0
        score = base - fall + 0.01 * rng.normal(size=200)
        params = {"network": {"number": number}, "head": {}}
        if trail.add(params, 1.0, score):
            stopped = number
            break
    course = trail.course()
    assert stopped == clear
    assert course.weights["number"] == len(course.score) - 1
    assert course.weights["number"] < clear


def test_without_held_out_images_the_last_stretch_is_kept():
    trail = _Trail()
    for number in range(4):
        params = {"network": {"number": number}, "head": {}}
        assert not trail.add(params, 4.0 - number, np.empty(0))
    course = trail.course()
    assert course.weights["number"] == 3
    assert_array_equal(course.score, -course.loss)


def test_fine_tuning_rests_the_filters_and_then_moves_them_little():
    schedule = Schedule(stretches=10, stretch=4, rate=0.01, finetune=False)
    plain, tuned = _rates(schedule), _rates(schedule._replace(finetune=True))
    assert plain.shape == tuned.shape == (40, 2)
    assert_array_equal(plain[:, 0], plain[:, 1])
    assert_allclose(plain.max(), 0.01, rtol=1e-6)
    assert not tuned[:20, 1].any()
    assert_allclose(tuned[:, 0].max(), 0.01, rtol=1e-6)
    assert_allclose(tuned[:, 1].max(), 0.001, rtol=1e-6)
    assert plain[-1, 0] < 0.1 * plain.max()


def test_filters_have_a_rate_of_their_own():
    ones = {"filters0": np.ones(2), "bias0": np.ones(2), "dense": np.ones(2)}
    way = {"head": {"head": np.ones(2)}, "network": ones}
    found = _paced(way, np.array([0.5, 0.25]))
    assert_array_equal(found["head"]["head"], [-0.5, -0.5])
    assert_array_equal(found["network"]["dense"], [-0.5, -0.5])
    assert_array_equal(found["network"]["filters0"], [-0.25, -0.25])
    assert_array_equal(found["network"]["bias0"], [-0.25, -0.25])
