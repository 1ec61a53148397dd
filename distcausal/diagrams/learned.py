"""Laws of a variable given its causes from regressions and other learners.

A table of shares knows nothing of causes never seen together. A learner that was fitted
to rows does: evaluated once at every joint state of the causes it becomes a table like
any other, and all that holds for tables holds for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.channel import ATOL, Channel
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.space import Space, Ty, as_type
from distcausal.errors import DataError, ModelError, QueryError, listing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_learners", "fit_copy", "fit_learner", "learned_channel"]


def learned_channel(
    fitted: Any, dom: object, cod: Space, *, atol: float = ATOL
) -> Channel:
    """Law of one variable given others, from something fitted that predicts it.

    Parameters
    ----------
    fitted
        One of three. With a method ``predict_proba``: it gets an array with a row per
        joint state of ``dom``, numeric and truth-valued states as they are in a column
        and all others as one column per state that is 1 there and 0 elsewhere, and
        gives a column per state of ``cod``, in the order of its ``classes_`` if it has
        them. Else with a method ``predict``, such as a result of statsmodels fitted by
        formula, or a function: it gets a pandas frame with a column per wire of ``dom``
        and gives a column per state, or for two states the probability of the second.
    dom
        The causes: a `Space`, several joined by ``@``, or a list; names are distinct.
    cod
        The variable.
    atol
        How far the sum of a row may be from 1.

    Returns
    -------
    Channel

    Raises
    ------
    ModelError
        If it can do none of these.
    DataError
        If what comes back has another shape, or is not a law.

    Examples
    --------
    >>> import numpy as np
    >>> import distcausal as dc
    >>> dose = dc.Space("dose", (0, 1, 2))
    >>> cured = dc.Space("cured", ("no", "yes"))
    >>> law = dc.learned_channel(lambda at: 0.2 + 0.3 * at["dose"], dose, cured)
    >>> law.sel(cured="yes").values
    array([0.2, 0.5, 0.8])
    """
    wires = as_type(dom)
    if len(set(wires.names)) < len(wires):
        raise QueryError(
            "the causes of a learned channel should have distinct names, but are "
            f"{listing(wires.names, 12)}."
        )
    size = int(np.prod(wires.shape))
    found = _predicted(fitted, wires, cod)
    if found.shape == (size,) and cod.size == 2:
        found = np.stack([1 - found, found], axis=-1)
    if found.shape != (size, cod.size):
        raise DataError(
            f"the learner of {cod.name!r} should give an array of shape "
            f"{(size, cod.size)}, a row per joint state of "
            f"{listing(wires.names, 12) or 'nothing'} and a column per state, but gave "
            f"{found.shape}."
        )
    return Channel(
        found.reshape(*wires.shape, cod.size), wires, as_type(cod), atol=atol
    )


def fit_learner(learner: Any, counts: LabelledArray, weighted: bool) -> np.ndarray:
    """Table of the last axis of counts given the others, as a learner sees it.

    Parameters
    ----------
    learner
        An object with ``fit(X, y)`` and ``predict_proba(X)``, of which a copy is
        fitted; a text, the right-hand side of a formula for the multinomial logit of
        statsmodels; or a function from causes to probabilities, as it is.
    counts
        How often each joint state occurs.
    weighted
        Whether the counts are weights, which need not be whole numbers.

    Returns
    -------
    Array with the axes of ``counts``; rows sum to one.
    """
    *dom, cod = (counts.space(name) for name in counts.names)
    wires = Ty(tuple(dom))
    if isinstance(learner, str):
        fitted: Any = _logit(learner, counts, cod)
    elif hasattr(learner, "fit") and hasattr(learner, "predict_proba"):
        fitted = _fitted(learner, counts, wires, cod, weighted)
    else:
        fitted = learner
    return learned_channel(fitted, wires, cod).values


def check_learners(learners: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raise `ModelError` for learners of variables that are not there."""
    strangers = [name for name in learners if name not in names]
    if strangers:
        raise ModelError(
            f"there is a learner for {listing(strangers)}, which is not in the graph; "
            f"its variables are {listing(names, 12)}."
        )


def _predicted(fitted: Any, wires: Ty, cod: Space) -> np.ndarray:
    """Probabilities at every joint state of the causes, a row each."""
    grid = np.indices(wires.shape).reshape(len(wires), -1)
    if hasattr(fitted, "predict_proba"):
        found = np.asarray(fitted.predict_proba(_coded(grid, wires)), dtype=float)
        labels = getattr(fitted, "classes_", None)
        return found if labels is None else _in_order(found, labels, cod)
    predict = fitted.predict if hasattr(fitted, "predict") else fitted
    if not callable(predict):
        raise ModelError(
            f"the learner of {cod.name!r} is a {type(fitted).__name__}; it should have "
            "fit and predict_proba, or predict, or be a function of a frame, or the "
            "right-hand side of a formula."
        )
    return np.asarray(predict(_framed(grid, wires)), dtype=float)


def _in_order(found: np.ndarray, labels: Any, cod: Space) -> np.ndarray:
    """Columns in the order of the states; 0 for states the learner never saw."""
    at = [cod.position(label) for label in np.asarray(labels).tolist()]
    if found.shape[1:] != (len(at),):
        return found
    full = np.zeros((len(found), cod.size))
    full[:, at] = found
    return full


def _coded(codes: np.ndarray, wires: Ty) -> np.ndarray:
    """Numeric states as numbers, the others as one column per state."""
    columns = []
    for code, space in zip(codes, wires, strict=True):
        if all(isinstance(state, Number | np.bool_) for state in space.known):
            columns.append(np.array(space.known, dtype=float)[code][:, None])
        else:
            columns.append(np.eye(space.size)[code])
    return np.concatenate(columns, axis=1) if columns else np.empty((1, 0))


def _framed(codes: np.ndarray, wires: Ty) -> pd.DataFrame:
    """Frame with the labels of the states."""
    import pandas as pd

    size = codes.shape[1]
    columns = {
        space.name: pd.Series([space.known[place] for place in code])
        for code, space in zip(codes, wires, strict=True)
    }
    return pd.DataFrame(columns, index=range(size))


def _fitted(
    learner: Any, counts: LabelledArray, wires: Ty, cod: Space, weighted: bool
) -> Any:
    """Learner fitted to the rows behind counts."""
    if not len(wires):
        raise ModelError(
            f"{cod.name!r} has no causes to learn from; leave it out of learners, and "
            "its table holds the shares of its states."
        )
    seen = np.stack(np.nonzero(counts.values))
    times = counts.values[tuple(seen)]
    if not weighted:
        seen = np.repeat(seen, times.astype(int), axis=1)
    inputs, labels = _coded(seen[:-1], wires), _labels(cod)[seen[-1]]
    return fit_copy(learner, inputs, labels, times if weighted else None, cod.name)


def fit_copy(
    learner: Any,
    inputs: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray | None,
    called: str,
) -> Any:
    """Copy of a learner fitted to rows, which may have weights.

    Raises
    ------
    ModelError
        If rows have weights and the learner of the variable ``called`` takes none.
    """
    one = deepcopy(learner)
    more = {} if weights is None else {_weights_word(one, called): weights}
    returned = one.fit(inputs, target, **more)
    # what fit returned if that predicts, as is custom, else the learner itself
    ask = "predict_proba" if hasattr(one, "predict_proba") else "predict"
    return returned if hasattr(returned, ask) else one


def _weights_word(learner: Any, called: str) -> str:
    """Keyword under which the learner's fit takes weights."""
    last = learner
    prefix = ""
    while hasattr(last, "steps"):  # a pipeline of scikit-learn hands on to its steps
        name, last = last.steps[-1]
        prefix += f"{name}__"
    known = inspect.signature(last.fit).parameters
    if "sample_weight" not in known and not _open(known):
        raise ModelError(
            f"the learner of {called!r} should take sample_weight in fit, since rows "
            "have weights; it does not. Leave weights out, or use another learner."
        )
    return f"{prefix}sample_weight"


def _labels(space: Space) -> np.ndarray:
    """States as an array that keeps them as they are."""
    if len({type(state) for state in space.known}) == 1:
        found = np.array(space.known)
        if found.ndim == 1:
            return found
    found = np.empty(space.size, dtype=object)
    found[:] = space.known
    return found


def _open(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _logit(
    formula: str, counts: LabelledArray, cod: Space
) -> Callable[[pd.DataFrame], np.ndarray]:
    """Multinomial logit by formula, as a function of a frame of causes."""
    import statsmodels.formula.api as smf

    times = np.round(counts.values)
    if not np.array_equal(times, counts.values):
        raise ModelError(
            f"the logit of {cod.name!r} counts rows, so weights should be whole "
            "numbers. Give a learner that takes sample_weight instead."
        )
    seen = np.repeat(np.stack(np.nonzero(times)), times[times > 0].astype(int), axis=1)
    wires = Ty(tuple(counts.space(name) for name in counts.names[:-1]))
    frame = _framed(seen[:-1], wires)
    state = "state"
    while state in frame:
        state += "_"
    frame[state] = seen[-1]
    present = np.unique(seen[-1])
    if len(present) < 2:
        return lambda at: np.tile(np.eye(cod.size)[present], (len(at), 1))
    result = smf.mnlogit(f"{state} ~ {formula}", frame).fit(disp=False)

    def law(at: pd.DataFrame) -> np.ndarray:
        full = np.zeros((len(at), cod.size))
        full[:, present] = np.asarray(result.predict(at))
        return full

    return law
