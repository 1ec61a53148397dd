"""The functions people call: `r3d` and `r3d_bandwidth`.

A call goes one way: arguments and columns are checked, unit quantiles computed, the
bandwidth chosen, both sides fitted, the estimation error simulated, the result frozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal._base.keys import check_seed
from distcausal._base.precision import double
from distcausal._base.progress import steps
from distcausal.rdd.bootstrap import JumpDraws, MultiplierBootstrap
from distcausal.rdd.check import (
    check_fits,
    check_jump,
)
from distcausal.rdd.core import effective_units
from distcausal.rdd.estimate import (
    Curves,
    Fits,
    curves_at_cutoff,
    fit_both,
    joint_error,
)
from distcausal.rdd.remarks import issue_warnings, monotone_notes, profile_notes
from distcausal.rdd.result import FirstStage, R3DBandwidth, R3DResult
from distcausal.rdd.task import (
    DISTINCT,
    Role,
    Roles,
    Task,
    inference_settings,
    read_expert,
    read_inference,
    read_task,
)
from distcausal.rdd.windows import (
    Windows,
    given_windows,
    public_bandwidth,
    select_windows,
)

if TYPE_CHECKING:
    from distcausal._base.keys import Seed
    from distcausal.data.distributions import RandomDistributions

__all__ = ["r3d", "r3d_bandwidth"]

GivenBandwidth = (
    float
    | tuple[float, float]
    | Sequence[float]
    | np.ndarray
    | Mapping[str, Any]
    | R3DBandwidth
)


def r3d(
    data: RandomDistributions,
    *,
    running: Role,
    cutoff: float = 0.0,
    treatment: Role | None = None,
    levels: Sequence[float] | np.ndarray | None = None,
    method: str = "frechet",
    order: int = 2,
    pilot_order: int = 1,
    kernel: str = "triangular",
    bandwidth: GivenBandwidth | None = None,
    selector: str = "imse",
    cluster: Role | None = None,
    weights: Role | None = None,
    continuous_treatment: bool = False,
    support: tuple[float, float] | None = None,
    inference: MultiplierBootstrap | None = None,
    profile: str | None = None,
    seed: Seed = 0,
    progress: bool | None = None,
) -> R3DResult:
    r"""Estimate the effect of crossing a cutoff on the distribution inside units.

    Units (firms, states, schools) carry a distribution each and are treated when their
    running variable reaches the cutoff. The estimand is the jump at the cutoff of the
    average quantile function,

    .. math:: \tau(q) = \lim_{x \downarrow c} E[Q_Y(q) | X = x]
              - \lim_{x \uparrow c} E[Q_Y(q) | X = x],

    in fuzzy designs divided by the jump of the share treated: the local average
    quantile treatment effect, of compliers if fuzzy.

    Parameters
    ----------
    data
        One distribution per unit.
    running
        Running variable: a column name of ``data``, or one number per unit.
    cutoff
        Units with ``running >= cutoff`` lie above.
    treatment
        Treatment received (0 or 1), for fuzzy designs.
    levels
        Quantile levels in (0, 1), increasing; default 0.01, 0.02, ..., 0.99.
    method
        ``"frechet"`` (one window; each curve projected on nondecreasing functions) or
        ``"pointwise"`` (level by level; each curve rearranged).
    order, pilot_order
        Order of the local polynomials, and the lower order whose mean squared error the
        bandwidth minimises. The difference corrects the bias that remains at that
        bandwidth, so bands are centred where they should be.
    kernel
        ``"triangular"``, ``"epanechnikov"`` or ``"uniform"``.
    bandwidth
        Given bandwidth, in units of the running variable: a number, a tuple ``(below,
        above)``, an array with one number per level (pointwise method), a dict with
        ``outcome`` and ``treatment``, or an `R3DBandwidth`. Chosen by ``selector`` if
        None.
    selector
        ``"imse"`` (least mean squared error integrated over levels), ``"imsetwo"``,
        ``"imsesum"``, ``"imsecomb1"``, ``"imsecomb2"``; without the ``i`` one bandwidth
        per level (pointwise method); with ``"cer-"`` in front, shrunk to the rate best
        for coverage.
    cluster
        Units with the same label may be dependent.
    weights
        Unit weights; the estimand then is the weighted average quantile function.
    continuous_treatment
        Allow treatments other than 0 and 1, such as a share treated.
    support
        Smallest and largest value the outcome can take; curves are kept inside.
    inference
        Settings of the bootstrap; default ``MultiplierBootstrap()``.
    profile
        ``"R3D-0.1.0"`` follows the R package R3D 0.1.0 wherever it departs from the
        published method; bands then have constant width.
    seed
        Integer or JAX key; the same call gives the same numbers.
    progress
        Show a bar: True, False, or None for only when it takes long and a terminal
        watches.

    Returns
    -------
    R3DResult

    Raises
    ------
    DataError
        If a column is missing, of the wrong length, not finite, or not 0 or 1.
    DesignError
        If an argument is out of range, or a side of the cutoff holds too few units.

    See Also
    --------
    r3d_bandwidth, nullity_test, homogeneity_test, functional_effect

    References
    ----------
    Van Dijcke, D. (2025). Regression Discontinuity Design with Distribution-Valued
    Outcomes. arXiv:2504.03992.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, 400)
    >>> wages = [rng.normal(1.0 * (xi >= 0) + xi, 1, 200) for xi in x]
    >>> firms = dc.RandomDistributions.from_samples(wages, columns={"margin": x})
    >>> fit = dc.r3d(firms, running="margin")
    >>> low, high = fit.band()
    >>> bool(np.all((low < 1.0) & (1.0 < high)))
    True
    """
    task = read_task(
        data,
        Roles(running, treatment, cluster, weights, continuous_treatment),
        cutoff=cutoff,
        levels=levels,
        method=method,
        orders=(order, pilot_order),
        kernel=kernel,
        selector=selector,
        profile=profile,
        support=support,
    )
    asked = read_inference(inference, task)
    check_seed(seed)
    with steps(progress, count=3, long=task.is_long) as begin:
        begin("bandwidth")
        windows = _windows(task, bandwidth)
        begin("fit")
        fits = double(fit_both)(task.outcome, task.treatment, windows, task.recipe)
        check_fits(fits, task.design)
        curves = curves_at_cutoff(fits, task.recipe)
        check_jump(curves.contrast.jump, task.design.treatment)
        begin("draws")
        draws = double(joint_error)(
            fits, curves, task.recipe, asked, task.design.cluster, seed
        )
    stage = _first_stage(curves, draws)
    notes = (
        *issue_warnings(data, task.design, fits, windows, stage),
        *monotone_notes(curves),
        *profile_notes(profile),
    )
    settings = task.settings | inference_settings(asked, seed)
    settings["outcome_size"] = task.outcome.size_within(windows.outcome)
    rule = selector if bandwidth is None else "given"
    return _result(task, windows, rule, fits, curves, draws, stage, settings, notes)


def r3d_bandwidth(
    data: RandomDistributions,
    *,
    running: Role,
    cutoff: float = 0.0,
    treatment: Role | None = None,
    levels: Sequence[float] | np.ndarray | None = None,
    method: str = "frechet",
    order: int = 2,
    pilot_order: int = 1,
    kernel: str = "triangular",
    selector: str = "imse",
    weights: Role | None = None,
    continuous_treatment: bool = False,
    profile: str | None = None,
    level_weights: Sequence[float] | np.ndarray | None = None,
    regularisation: float | None = None,
    density: str = "normal",
    distinct: int = DISTINCT,
) -> R3DBandwidth:
    """Choose the bandwidth of a distribution-valued discontinuity design.

    Takes the arguments of `r3d` that matter for the bandwidth, and some that only an
    expert changes; pass the result on as ``bandwidth=``.

    Parameters
    ----------
    data, running, cutoff, treatment, levels, method, order, pilot_order, kernel
        As in `r3d`.
    selector, weights, continuous_treatment, profile
        As in `r3d`.
    level_weights
        Weight of each level in the integrated error, shape ``(level,)``; default the
        width of its cell in the grid.
    regularisation
        Multiple of the sampling variance of the estimated curvature that is added to
        the squared bias. Default 0 for integrated rules, 3 for single levels, whose
        bandwidths would explode where the two curvatures happen to agree.
    density
        Pilot window of the density at the cutoff: ``"normal"`` or ``"kernel"``.
    distinct
        Every window holds at least this many distinct values of running on each side
        (never fewer than ``order + 2``).

    Returns
    -------
    R3DBandwidth

    Raises
    ------
    DataError, DesignError
        As in `r3d`.

    References
    ----------
    Van Dijcke, D. (2025), arXiv:2504.03992, appendix A-4.2. Calonico, Cattaneo and
    Titiunik (2014), *Econometrica* 82(6), for the menu of rules.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, 400)
    >>> wages = [rng.normal(1.0 * (xi >= 0) + xi**2, 1, 100) for xi in x]
    >>> firms = dc.RandomDistributions.from_samples(wages, columns={"margin": x})
    >>> chosen = dc.r3d_bandwidth(firms, running="margin")
    >>> 0 < chosen.outcome <= 1
    True
    """
    task = read_task(
        data,
        Roles(running, treatment, None, weights, continuous_treatment),
        cutoff=cutoff,
        levels=levels,
        method=method,
        orders=(order, pilot_order),
        kernel=kernel,
        selector=selector,
        profile=profile,
    )
    expert = read_expert(task, level_weights, regularisation, density, distinct)
    return public_bandwidth(
        _select(expert),
        selector=selector,
        units=len(task.outcome),
        settings=expert.settings,
    )


def _result(
    task: Task,
    windows: Windows,
    rule: str,
    fits: Fits,
    curves: Curves,
    draws: JumpDraws,
    stage: FirstStage | None,
    settings: dict[str, Any],
    notes: tuple[str, ...],
) -> R3DResult:
    """Lay out what was found as users read it."""
    x = task.design.x
    return R3DResult(
        levels=task.recipe.levels,
        effect=curves.contrast.effect,
        below=curves.main[0],
        above=curves.main[1],
        std_error=draws.std_error,
        conventional=curves.conventional_effect,
        bandwidth=public_bandwidth(
            windows,
            selector=rule,
            units=len(task.outcome),
            settings=dict(task.settings),
        ),
        first_stage=stage,
        n_units=(int(np.sum(x < 0)), int(np.sum(x >= 0))),
        n_effective=effective_units(fits.outcome),
        n_clusters=task.design.n_clusters,
        draws=draws,
        projection_moves=(float(curves.moves[0]), float(curves.moves[1])),
        settings=settings,
        notes=notes,
    )


def _windows(task: Task, bandwidth: GivenBandwidth | None) -> Windows:
    """Windows as given, or else by the rules of the task."""
    if bandwidth is None:
        return _select(task)
    return given_windows(
        bandwidth,
        method=task.recipe.method,
        levels=task.recipe.levels.size,
        fuzzy=task.treatment is not None,
    )


def _select(task: Task) -> Windows:
    """Windows by the rules of a task."""
    recipe = task.recipe
    outcome = task.outcome
    if recipe.published:
        outcome = outcome.with_curves(task.unweighted_curves())
    return double(select_windows)(
        outcome, task.treatment, recipe.rules, published=recipe.published
    )


def _first_stage(curves: Curves, draws: JumpDraws) -> FirstStage | None:
    """Jump of the share treated, with the variance of the difference of sides."""
    jump = curves.contrast.jump
    if jump is None:
        return None
    shares = draws.covariance[-2:, -2:]
    error = float(np.sqrt(max(np.sum(shares * [[1, -1], [-1, 1]]), 0.0)))
    return FirstStage(
        jump=jump,
        std_error=error,
        f_statistic=(jump / error) ** 2 if error > 0 else float("inf"),
    )
