"""A small convolutional network that learns from outcomes what to look for.

Features that no outcome has had a part in describe what images look like; where the
effect hangs on something small and rare, a network trained end to end may find it and
they may not. It needs more units, minutes instead of seconds, and training again in
every fold, since what it has learnt from a unit's outcome must not judge that unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distcausal._base.keys import Seed, check_seed, host_stream
from distcausal._base.progress import steps as announce
from distcausal.errors import DataError, DesignError, check_choice
from distcausal.images.batches import Lesson
from distcausal.images.encoder import Fitted
from distcausal.images.model import Layout
from distcausal.images.network import Network, Pool
from distcausal.images.pixels import scaling
from distcausal.images.projection import Projection, components
from distcausal.images.random_conv import RandomConvFeatures, least_stride
from distcausal.images.scan import scan
from distcausal.images.sgd import Course, Schedule, Settings, learn
from distcausal.images.source import ImageSource
from distcausal.images.training import Rows, check_moments, whole_number
from distcausal.images.trial import Trial, evidence_of, lane_of

__all__ = ["SmallCNN"]

Augment = Literal["flip", "brightness", "contrast"]
_AUGMENT = {"brightness": 0.1, "contrast": 0.1}  # standard deviations
_STRETCH_BYTES = 2**25  # of images read at once
_LOOKS = 20  # at the held-out images
_FEWEST = 2  # images to learn from


@dataclass(frozen=True)
class SmallCNN:
    """Convolutional network trained end to end with the mixture of effects.

    Parameters
    ----------
    filters, kernels, strides
        Number of filters, side of a patch and pixels between patches in each layer; the
        last two one number for all layers, or one for each. If ``strides`` is left out,
        the first layer has the least that leaves at most 32 positions along a side, and
        further layers 2.
    norm
        ``"layer"``: the answers of an image are normalised by themselves. None: not.
        There is no normalisation by batch, which would make the cluster of an image
        depend on the images it was drawn with.
    pool
        What is kept of each filter's answers over the image: ``"mean"``, ``"max"``.
    width
        Number of features.
    first
        Filters of the first layer begin as ``"patches"``, whitened patches of the
        training images as in `RandomConvFeatures`, or at ``"random"``.
    steps, batch
        Steps of training, and images in each.
    rate, weight_decay
        Largest rate of Adam, which falls along a cosine, and decay of the weights.
    augment
        What is varied at random while training: ``"flip"`` mirrors, and on square
        images also transposes; ``"brightness"`` and ``"contrast"`` shift and stretch
        pixels by a tenth of their standard deviation.
    holdout
        Share of the images, in whole groups, that decide after which step to stop.
    balance
        Whether both arms have the same total weight in training. No unit is left out.
    restarts
        Networks trained, of which the one that predicts held-out images best is kept.
    objective
        ``"marginal"``: the cluster is summed out. ``"relaxed"``: images are put between
        clusters at random, as in the published method; for comparison.
    temperature
        Of the relaxed clusters.
    finetune
        Let the filters rest for half of the steps, while the dense layer and the head
        converge, then train everything at a tenth of the rate.

    Notes
    -----
    Training is in float32. The representation learnt is projected on its principal
    components at one common scale, as that of every encoder, and the head is fitted
    again to these features, now with its posterior.

    References
    ----------
    Jerzak, Johansson and Daoud (2023), Image-based treatment effect heterogeneity,
    *CLeaR*.

    Examples
    --------
    >>> import distcausal as dc
    >>> dc.SmallCNN(filters=(16, 32), kernels=(6, 3)).kernels
    (6, 3)
    """

    filters: tuple[int, ...] = (64,)
    kernels: int | tuple[int, ...] = 6
    strides: int | tuple[int, ...] | None = None
    norm: Literal["layer"] | None = "layer"
    pool: tuple[Pool, ...] = ("mean", "max")
    width: int = 32
    first: Literal["patches", "random"] = "patches"
    steps: int = 400
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 1e-2
    augment: tuple[Augment, ...] = ("flip",)
    holdout: float = 0.1
    balance: bool = True
    restarts: int = 1
    objective: Literal["marginal", "relaxed"] = "marginal"
    temperature: float = 0.5
    finetune: bool = False
    name = "small CNN"

    def __post_init__(self) -> None:
        """Check the arguments, and write out those given once for all layers."""
        for field in ("filters", "pool", "augment"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not self.filters or not self.pool:
            raise DesignError(
                "filters and pool should each name at least one; got "
                f"{self.filters} and {self.pool}."
            )
        for field in ("kernels", "strides"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, self._by_layer(field))
        for field in ("width", "steps", "batch", "restarts"):
            whole_number(field, getattr(self, field))
        for size in self.filters:
            whole_number("filters", size)
        check_choice("norm", self.norm, ("layer", None))
        check_choice("first", self.first, ("patches", "random"))
        check_choice("objective", self.objective, ("marginal", "relaxed"))
        for each in self.pool:
            check_choice("pool", each, ("mean", "max"))
        for change in self.augment:
            check_choice("augment", change, ("flip", *_AUGMENT))
        if not (self.rate > 0 and self.temperature > 0 and self.weight_decay >= 0):
            raise DesignError(
                f"rate {self.rate!r} and temperature {self.temperature!r} should be "
                f"positive, weight_decay {self.weight_decay!r} not negative."
            )
        if not 0 <= self.holdout < 1:
            raise DesignError(
                f"holdout {self.holdout!r} should be a share of the images, from 0 to "
                "less than 1."
            )

    def _by_layer(self, field: str) -> tuple[int, ...]:
        """One number per layer."""
        given = getattr(self, field)
        found = (given,) * len(self.filters) if np.ndim(given) == 0 else tuple(given)
        for each in found:
            whole_number(field, each)
        if len(found) != len(self.filters):
            raise DesignError(
                f"{field} should be one number, or one for each of the "
                f"{len(self.filters)} layers; got {found}."
            )
        return found

    def train(
        self,
        source: ImageSource,
        trial: Trial,
        layout: Layout,
        weights: np.ndarray,
        *,
        seed: Seed = 0,
        progress: bool | None = None,
    ) -> Fitted:
        """Learn from the outcomes of the units that have weight.

        Parameters
        ----------
        source
            Images.
        trial
            Units, their images and outcomes. Its features are not looked at.
        layout
            The mixture; its number of features is replaced by that of the network.
        weights
            Weight of each unit; those of weight zero are never seen, ``(unit,)``.
        seed
            Whole number or JAX key.
        progress
            Whether to show a bar; None decides by the length of the training.

        Returns
        -------
        An encoder whose features are what the network has learnt.

        Raises
        ------
        DataError
            If fewer than two images have units of positive weight.
        DesignError
            If the images are sequences, or the objective is ``"relaxed"`` and images
            have random intercepts.
        ConvergenceError
            If training diverges; a smaller rate helps.
        """
        return self.study(source, trial, layout, weights, seed=seed, progress=progress)[
            0
        ]

    def study(
        self,
        source: ImageSource,
        trial: Trial,
        layout: Layout,
        weights: np.ndarray,
        *,
        seed: Seed = 0,
        progress: bool | None = None,
    ) -> tuple[Fitted, Course]:
        """As `train`, with the course of the training and the head learnt with it."""
        check_seed(seed)
        seen = np.unique(trial.image[weights > 0])
        self._check(source, layout, seen)
        contents = scan(source, trial.keys[seen])
        check_moments(contents.moments)
        fixed = scaling(contents.moments)
        network = self._network(tuple(source.shape))
        lesson = _lesson(self, source, trial, layout, weights, seen, seed)
        how = self._settings(), self._schedule(source)
        best: Course | None = None
        with announce(progress, count=self.restarts, long=self.steps > 100) as begin:
            for number in range(self.restarts):
                begin("training the network")
                own = _restart(seed, number)
                first = network.first_weights(
                    source.shape[-1], host_stream(own, "network")
                )
                if self.first == "patches":
                    first |= _patches(self, source, trial.keys[seen], contents, own)
                found = learn(network, fixed, first, lesson, *how, seed=own)
                if best is None or found.score[-1] > best.score[-1]:
                    best = found
        assert best is not None
        state = {**fixed, **best.weights}
        rows = Rows(network, state, source, trial.keys[seen])
        fitted = Fitted(
            self.name,
            network,
            state,
            _whole(
                components(rows.moments(), size=self.width, standardise=False),
                self.width,
            ),
            contents.moments,
            tuple(source.shape),
        )
        return fitted, best

    def _check(self, source: ImageSource, layout: Layout, seen: np.ndarray) -> None:
        """Raise unless there are images, and images that a network can look at."""
        if len(source.shape) != 3:
            raise DesignError(
                "a SmallCNN looks at images (height, width, channel), not at sequences "
                f"of shape {tuple(source.shape)}. Use Sequence with another encoder."
            )
        if len(seen) < _FEWEST:
            raise DataError(
                f"a network needs at least {_FEWEST} images of units with positive "
                f"weight; there are {len(seen)}. Add units."
            )
        if self.objective == "relaxed" and layout.intercepts:
            raise DesignError(
                "objective 'relaxed' has no random intercepts of images. Set "
                "image_intercepts=False, or use objective 'marginal'."
            )

    def _network(self, shape: tuple[int, ...]) -> Network:
        """Shape of the network for images of a shape."""
        kernels: tuple[int, ...] = self.kernels  # type: ignore[assignment]
        strides = self.strides
        if strides is None:
            later = (2,) * (len(self.filters) - 1)
            strides = (least_stride(shape, kernels[0]), *later)
        return Network(
            filters=self.filters,
            kernels=kernels,
            strides=strides,  # type: ignore[arg-type]
            norm=self.norm,
            pool=self.pool,
            width=self.width,
            patches=self.first == "patches",
        )

    def _settings(self) -> Settings:
        """What a step does."""
        return Settings(
            batch=self.batch,
            weight_decay=self.weight_decay,
            flips="flip" in self.augment,
            brightness=_AUGMENT["brightness"] * ("brightness" in self.augment),
            contrast=_AUGMENT["contrast"] * ("contrast" in self.augment),
            objective=self.objective,
            temperature=self.temperature,
        )

    def _schedule(self, source: ImageSource) -> Schedule:
        """Steps in stretches whose images fit into a few megabytes."""
        room = _STRETCH_BYTES // (4 * self.batch * int(np.prod(source.shape)))
        stretch = int(np.clip(room, 1, max(self.steps // _LOOKS, 1)))
        return Schedule(-(-self.steps // stretch), stretch, self.rate, self.finetune)


def _whole(found: Projection, width: int) -> Projection:
    """As many axes in every fold, though a representation may vary along fewer."""
    blank = np.zeros((len(found.axes), width - found.size))
    return Projection(found.centre, np.concatenate([found.axes, blank], axis=1))


def _restart(seed: Seed, number: int) -> Seed:
    """Seed of a restart; the first one has that of the call."""
    if number == 0:
        return seed
    return int(host_stream(seed, f"restart {number}").integers(2**62))


def _patches(
    encoder: SmallCNN, source: ImageSource, keys: np.ndarray, contents: Any, seed: Seed
) -> dict[str, np.ndarray]:
    """First filters and their biases, from whitened patches."""
    count, side = encoder.filters[0], encoder.kernels[0]  # type: ignore[index]
    simple = RandomConvFeatures(n_filters=count, patch=side)
    state = simple.prepare(source, keys, contents, seed)[1]
    found = state["filters"]
    filters = np.zeros((len(found), count), np.float32)
    bias = np.zeros(count, np.float32)
    filters[:, : found.shape[1]] = found
    bias[: found.shape[1]] = -state["bias"] - 1
    return {
        "filters0": filters.reshape(side, side, source.shape[-1], count),
        "bias0": bias,
    }


def _lesson(
    encoder: SmallCNN,
    source: ImageSource,
    trial: Trial,
    layout: Layout,
    weights: np.ndarray,
    seen: np.ndarray,
    seed: Seed,
) -> Lesson:
    """Arrays of the trial as the loop wants them, and images to stop by."""
    layout = layout._replace(features=encoder.width)
    lane = lane_of(trial, weights, layout.clusters, layout)
    if encoder.balance:
        lane = lane._replace(weights=_balanced(lane.weights, trial.treatment))
    group = np.zeros(len(trial.keys), int)
    group[trial.image] = trial.group
    held = _held(group[seen], encoder.holdout, seed)
    evidence = evidence_of(trial, layout)
    return Lesson(
        source=source,
        keys=trial.keys,
        image=np.where(weights > 0, trial.image, -1),
        evidence=evidence._replace(features=np.zeros((0, encoder.width))),
        lane=lane,
        layout=layout,
        train=seen[~held],
        held=seen[held],
    )


def _balanced(weights: np.ndarray, treatment: np.ndarray) -> np.ndarray:
    """Weights of padded units under which both arms have half of the total."""
    found = np.array(weights, float)
    own = found[: len(treatment)]
    total = own.sum()
    for arm in (0, 1):
        mass = own[treatment == arm].sum()
        own[treatment == arm] *= total / (2 * mass) if mass > 0 else 1.0
    return found


def _held(group: np.ndarray, share: float, seed: Seed) -> np.ndarray:
    """Which images are held out, by whole groups, ``(image,)``."""
    labels, place = np.unique(group, return_inverse=True)
    count = int(share * len(labels))
    chosen = host_stream(seed, "held-out images").permutation(len(labels))[:count]
    return np.isin(place, chosen)
