"""Training of a network and its head on outcomes, by minibatches of images.

The head is the mixture of `distcausal.images.model`, its cluster summed out, with the
network's representation as features; so gradients reach the filters through the same
likelihood that every other engine climbs.

Whole stretches of steps are one compiled scan, in float32. The images of the next
stretch are read while one is computed, so nothing depends on whether they lie in
memory or on a disk.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from distcausal._base.keys import Seed, host_stream, stream
from distcausal._base.typing import Array
from distcausal.errors import ConvergenceError
from distcausal.images.batches import Batch, Lesson, Units, orders, part_of
from distcausal.images.engines import starts
from distcausal.images.model import (
    Evidence,
    Lane,
    Layout,
    log_likelihood,
    log_prior,
    unpack,
)
from distcausal.images.network import Network
from distcausal.images.pixels import standard
from distcausal.images.reading import blocks
from distcausal.images.relaxed import RelaxedJoint

__all__ = ["Course", "Schedule", "Settings", "learn"]

_CLIP = 1.0  # norm of the gradient
_WARM = 0.1  # of the steps
_LAST = 0.01  # of the rate
_HEAD = 0.3  # spread of the first scores
_TUNED = 0.1  # of the rate, once the rest has converged
_CLEAR, _HOPELESS = 1.0, 3.0  # standard errors below the best stretch
_RELAXED = 2  # draws of a relaxed cluster


class Settings(NamedTuple):
    """What a step does; hashable, so that it is compiled once.

    Attributes
    ----------
    batch, weight_decay, flips, brightness, contrast, objective, temperature
        As in `distcausal.SmallCNN`; brightness and contrast are standard deviations.
    """

    batch: int
    weight_decay: float
    flips: bool
    brightness: float
    contrast: float
    objective: str
    temperature: float


class Schedule(NamedTuple):
    """How many steps there are, and how large.

    Attributes
    ----------
    stretches, stretch
        Times that the held-out images are looked at, and steps before each.
    rate
        Largest rate of Adam.
    finetune
        Whether the filters rest over the first half of the steps.
    """

    stretches: int
    stretch: int
    rate: float
    finetune: bool

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.stretches * self.stretch


class Course(NamedTuple):
    """What training came to.

    Attributes
    ----------
    weights, head
        Of the network and its head, after the stretch kept.
    loss
        Average objective of every stretch that was run, ``(stretch,)``.
    score
        Log likelihood per unit of weight of the held-out images after every stretch up
        to the one kept, ``(stretch,)``; the negative loss where none are held out.
    """

    weights: dict[str, np.ndarray]
    head: dict[str, np.ndarray]
    loss: np.ndarray
    score: np.ndarray


def learn(
    network: Network,
    fixed: dict[str, np.ndarray],
    first: dict[str, np.ndarray],
    lesson: Lesson,
    settings: Settings,
    schedule: Schedule,
    *,
    seed: Seed,
) -> Course:
    """Train a network and its head.

    Parameters
    ----------
    network
        Its shape.
    fixed
        Scaling of the channels.
    first
        Weights it begins with.
    lesson
        Data.
    settings, schedule
        How.
    seed
        Whole number or JAX key; the same numbers on every call.

    Raises
    ------
    ConvergenceError
        If the objective is not finite after some stretch of steps.
    """
    params = {"network": first, "head": _first_head(lesson, seed)}
    state = (params, _optimiser(settings).init(params))
    order, held = orders(lesson, schedule.steps, settings.batch, seed)
    units = Units(lesson.image, len(lesson.keys), [order, held])
    rates = _rates(schedule)
    key = stream(seed, "augment")
    found = _Trail()
    shape = (schedule.stretch, settings.batch)
    for place, images in blocks(
        lesson.source, lesson.keys[order.ravel()], batch=shape[0] * shape[1]
    ):
        number = place.start // (shape[0] * shape[1])
        at = slice(number * shape[0], (number + 1) * shape[0])
        state, loss = _climb(
            state,
            images.reshape(*shape, *images.shape[1:]),
            units.of(order[at]),
            rates[at],
            random.fold_in(key, number),
            (fixed, lesson.evidence, lesson.lane),
            np.float32(len(lesson.train)),
            network=network,
            layout=lesson.layout,
            settings=settings,
        )
        score = _score(network, fixed, state[0], lesson, held, units)
        if found.add(state[0], float(loss), score):
            break
    return found.course()


class _Trail:
    """Weights after every stretch, and how well each predicts held-out images.

    A hundred held-out outcomes tell two stretches apart only where they differ much,
    and the rate falls all the time, so of those that are not clearly worse than the
    best the last is kept.
    """

    def __init__(self) -> None:
        self._params: list[Any] = []
        self._loss: list[float] = []
        self._score: list[np.ndarray] = []

    def add(self, params: Any, loss: float, score: np.ndarray) -> bool:
        """Take in what a stretch has led to; whether it is time to stop."""
        if not (np.isfinite(loss) and np.isfinite(score).all()):
            raise ConvergenceError(
                f"training diverged: the objective is {loss} after stretch "
                f"{len(self._loss) + 1} of its steps. Use a smaller rate."
            )
        self._params.append(jax.tree.map(np.array, params))
        self._loss.append(loss)
        self._score.append(score)
        return self._worse(_HOPELESS)[-1]

    def _worse(self, errors: float) -> np.ndarray:
        """Which stretches are worse than the best by so many standard errors."""
        if not self._score[0].size:
            return np.zeros(len(self._score), bool)
        score = np.stack(self._score)
        lost = score[np.argmax(score.mean(axis=1))] - score
        error = lost.std(axis=1) / np.sqrt(lost.shape[1])
        return lost.mean(axis=1) > errors * error

    def course(self) -> Course:
        """What training came to."""
        kept = int(np.flatnonzero(~self._worse(_CLEAR))[-1])
        loss = np.array(self._loss)
        held = self._score[0].size > 0
        score = np.array([each.mean() for each in self._score]) if held else -loss
        params = self._params[kept]
        return Course(params["network"], params["head"], loss, score[: kept + 1])


def _first_head(lesson: Lesson, seed: Seed) -> dict[str, np.ndarray]:
    """Parameters of the mixture, clusters along a random direction."""
    width = lesson.layout.features
    way = host_stream(seed, "head").standard_normal(width)
    way *= _HEAD / np.linalg.norm(way)
    vector = starts(way, lesson.lane, lesson.layout, 1, seed)[0]
    return unpack(vector.astype(np.float32), lesson.layout)  # type: ignore[return-value]


def _rates(schedule: Schedule) -> np.ndarray:
    """Rates of head and dense layer, and of filters, in every step, ``(step, 2)``."""
    if not schedule.finetune:
        return np.repeat(_course(schedule.steps, schedule.rate)[:, None], 2, axis=1)
    half = schedule.steps // 2
    head = _course(half, schedule.rate)
    both = _course(schedule.steps - half, _TUNED * schedule.rate)
    rest = np.stack([head, np.zeros(half, np.float32)], axis=1)
    return np.concatenate([rest, np.repeat(both[:, None], 2, axis=1)])


def _course(steps: int, rate: float) -> np.ndarray:
    """Rates that rise along a line and fall along a cosine."""
    import optax

    warm = max(int(_WARM * steps), 1)
    course = optax.warmup_cosine_decay_schedule(0.0, rate, warm, steps, _LAST * rate)
    return np.asarray(jax.vmap(course)(jnp.arange(1, steps + 1)), np.float32)


def _optimiser(settings: Settings) -> Any:
    """Directions of steps; filters and the dense layer decay, biases do not."""
    import optax

    def decays(params: Any) -> Any:
        matrices = jax.tree.map(lambda part: part.ndim > 1, params["network"])
        return {**jax.tree.map(lambda _: False, params), "network": matrices}

    return optax.chain(
        optax.clip_by_global_norm(_CLIP),
        optax.scale_by_adam(),
        optax.add_decayed_weights(settings.weight_decay, mask=decays),
    )


@partial(jax.jit, static_argnames=("network", "layout", "settings"))
def _climb(
    state: Any,
    images: Array,
    batches: Batch,
    rates: Array,
    key: Array,
    data: tuple[dict[str, Array], Evidence, Lane],
    count: Array,
    *,
    network: Network,
    layout: Layout,
    settings: Settings,
) -> tuple[Any, Array]:
    """Take a stretch of steps; also the average objective over it."""
    import optax

    fixed, evidence, lane = data
    share = count / settings.batch
    weight = jnp.sum(lane.weights)
    rule = _optimiser(settings)

    def loss(params: Any, pixels: Array, batch: Batch, own: Array) -> Array:
        turn, relax = random.split(own)
        seen = standard(fixed, pixels.astype(jnp.float32))
        seen = _augmented(seen, turn, settings)
        features = jax.vmap(network.represent, (None, 0))(params["network"], seen)
        rows = part_of(features, batch, evidence, lane, layout)
        prior = log_prior(params["head"], lane, layout)
        if settings.objective == "relaxed":
            joint = RelaxedJoint(settings.temperature, _RELAXED)
            found = joint(params["head"], relax, *rows, layout) - prior
        else:
            found = jnp.sum(log_likelihood(params["head"], *rows, layout))
        return -(share * found + prior) / weight

    def step(state: Any, given: tuple) -> tuple[Any, Array]:
        params, memory = state
        pixels, batch, rate, own = given
        value, slope = jax.value_and_grad(loss)(params, pixels, batch, own)
        way, memory = rule.update(slope, memory, params)
        return (optax.apply_updates(params, _paced(way, rate)), memory), value

    keys = random.split(key, len(rates))
    state, course = lax.scan(step, state, (images, batches, rates, keys))
    return state, jnp.mean(course)


def _paced(way: Any, rate: Array) -> Any:
    """Steps along directions; filters have a rate of their own."""

    def pace(path: Any, part: Array) -> Array:
        filters = path[0].key == "network" and "dense" not in path[1].key
        return -(rate[1] if filters else rate[0]) * part

    return jax.tree_util.tree_map_with_path(pace, way)


def _augmented(images: Array, key: Array, settings: Settings) -> Array:
    """Images mirrored, lit and stretched at random, each in its own way."""
    ways = random.split(key, 3)
    line = (len(images), 1, 1, 1)
    if settings.flips:
        square = images.shape[1] == images.shape[2]
        sides = random.bernoulli(ways[0], shape=(3, *line))
        images = jnp.where(sides[0], images[:, ::-1], images)
        images = jnp.where(sides[1], images[:, :, ::-1], images)
        if square:
            images = jnp.where(sides[2], jnp.swapaxes(images, 1, 2), images)
    if settings.contrast:
        images = images * jnp.exp(settings.contrast * random.normal(ways[1], line))
    if settings.brightness:
        images = images + settings.brightness * random.normal(ways[2], line)
    return images


def _score(
    network: Network,
    fixed: dict[str, np.ndarray],
    params: Any,
    lesson: Lesson,
    held: np.ndarray,
    units: Units,
) -> np.ndarray:
    """Log likelihood of held-out images over their mean weight, ``(image,)``."""
    if not held.size:
        return np.empty(0)
    rows = np.where(held < 0, lesson.held[0], held)
    batches = units.of(held)
    data = (fixed, lesson.evidence, lesson.lane)
    found, weight = [], 0.0
    for place, images in blocks(
        lesson.source, lesson.keys[rows.ravel()], batch=held.shape[1]
    ):
        at = place.start // held.shape[1]
        batch = jax.tree.map(lambda part, at=at: part[at], batches)
        terms, mass = _judged(
            params, images, batch, data, network=network, layout=lesson.layout
        )
        found.append(np.asarray(terms, float))
        weight += float(mass)
    count = len(lesson.held)
    return np.concatenate(found)[:count] * count / weight


@partial(jax.jit, static_argnames=("network", "layout"))
def _judged(
    params: Any,
    images: Array,
    batch: Batch,
    data: tuple[dict[str, Array], Evidence, Lane],
    *,
    network: Network,
    layout: Layout,
) -> tuple[Array, Array]:
    """Log likelihood of every image of a batch, and the weight of all its units."""
    fixed, evidence, lane = data
    state = {**fixed, **params["network"]}
    features = jax.vmap(network.values, (None, 0))(state, images.astype(jnp.float32))
    own, part = part_of(features, batch, evidence, lane, layout)
    found = log_likelihood(params["head"], own, part, layout)
    if layout.alone:
        found = jax.ops.segment_sum(found, batch.owner, images.shape[0])
    return found, jnp.sum(part.weights)
