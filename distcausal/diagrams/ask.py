"""From a question in names and states to a contraction, and back to a named array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from distcausal.diagrams.contraction import (
    LARGEST,
    Network,
    Operands,
    ask,
    check_size,
    relevant,
    weigh,
)
from distcausal.diagrams.fresh import fresh
from distcausal.diagrams.labelled import LabelledArray
from distcausal.diagrams.masks import bits, mask_of
from distcausal.diagrams.query import variables
from distcausal.errors import (
    ConditioningError,
    DataError,
    PositivityError,
    QueryError,
    listing,
)

if TYPE_CHECKING:
    from distcausal.diagrams.model import CausalModel

__all__ = ["answer", "cost", "read_setting"]


@dataclass(frozen=True)
class Setting:
    """States that variables are held at, and variables left open.

    Attributes
    ----------
    places
        Place of the state, or an array with a place per intervention.
    opened
        Variables that take every state, an axis each.
    """

    places: Mapping[str, Any]
    opened: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All variables named."""
        return (*self.places, *self.opened)


def answer(
    model: CausalModel,
    outcome: str | Iterable[str],
    do: Any,
    given: Any,
    tables: Mapping[str, np.ndarray] | None,
    largest: float | None,
) -> LabelledArray:
    """Law of the outcomes; see `CausalModel.query`."""
    asked, setting, seen, repeat = _question(model, outcome, do, given)
    network, draws = _network(model, tables)
    if draws is not None and repeat is not None:
        raise QueryError(
            "draws of tables and lists of interventions were given together; ask with "
            "one intervention at a time."
        )
    lead = 0 if repeat is None and draws is None else 1
    operands = _operands(model, network, asked, setting, seen)
    check_size(operands, model.full.nodes, LARGEST if largest is None else largest)
    weight = operands.run()
    _check_seen_laws(model, network, asked, setting, seen)
    _check_event(model, network, asked, setting, seen, lead)
    law = _normalised(model, weight, asked, setting, seen, lead)
    named = (*asked, *setting.opened, *seen.opened)
    axes: dict[str, tuple[Any, ...]] = {}
    if repeat is not None:
        law = law[repeat]
        axes[fresh("intervention", named)] = tuple(range(len(repeat)))
    if draws is not None:
        axes[fresh("draw", named)] = tuple(range(draws))
    for name in named:
        axes[name] = model.states[name]
    return LabelledArray(law, axes)


def cost(
    model: CausalModel, outcome: str | Iterable[str], do: Any, given: Any
) -> dict[str, float]:
    """Cost of a query before it is run."""
    asked, setting, seen, _ = _question(model, outcome, do, given)
    operands = _operands(model, model.network, asked, setting, seen)
    plan = operands.plan
    widest = max(map(len, [*operands.labels, operands.output]))
    smallest = min(size for size in (*model.network.sizes, 2) if size > 1)
    bound = int(np.log(max(plan.largest, 1)) / np.log(smallest) + 1e-9)
    return {
        "flops": plan.flops,
        "largest": plan.largest,
        "treewidth": float(max(widest, bound) - 1),
    }


def _question(
    model: CausalModel, outcome: Any, do: Any, given: Any
) -> tuple[tuple[str, ...], Setting, Setting, np.ndarray | None]:
    """Names and places of a question, and which distinct intervention each one is."""
    asked = variables("outcome", outcome)
    if not asked:
        raise QueryError("outcome is empty; name at least one variable to ask about.")
    model.full.mask(asked)
    setting = read_setting(model, "do", do)
    seen = read_setting(model, "given", given)
    taken = dict.fromkeys(asked, "outcome")
    for role, names in (("do", setting.names), ("given", seen.names)):
        for name in names:
            if name in taken:
                raise QueryError(
                    f"{name!r} is named in {taken[name]} and in {role}; a variable has "
                    "one role in a question."
                )
            taken[name] = role
    return asked, *_distinct(setting, seen)


def read_setting(model: CausalModel, role: str, setting: Any) -> Setting:
    """Places of states that variables are set to or seen at."""
    if setting is None:
        return Setting({}, ())
    if not isinstance(setting, Mapping):
        names = variables(role, setting)
        model.full.mask(names)
        return Setting({}, names)
    places: dict[str, Any] = {}
    for name, state in setting.items():
        space = model.space(name)
        several = isinstance(state, list) or np.ndim(state) == 1
        if several and not isinstance(state, tuple):
            places[name] = np.array([space.position(s) for s in state], int)
        else:
            places[name] = space.position(state)
    return Setting(places, ())


def _distinct(
    setting: Setting, seen: Setting
) -> tuple[Setting, Setting, np.ndarray | None]:
    """Keep each combination of places once, and say where each one asked for is."""
    lists = {
        (role, name): at
        for role, held in (("do", setting), ("given", seen))
        for name, at in held.places.items()
        if np.ndim(at)
    }
    if not lists:
        return setting, seen, None
    lengths = {len(at) for at in lists.values()}
    if len(lengths) > 1 or 0 in lengths:
        sizes = {name: len(at) for (_, name), at in lists.items()}
        raise QueryError(
            f"lists of states should have one length, at least 1, but have {sizes}."
        )
    rows, repeat = np.unique(
        np.stack(list(lists.values())), axis=1, return_inverse=True
    )
    short = dict(zip(lists, rows, strict=True))
    changed = [
        replace(
            held,
            places={n: short.get((role, n), at) for n, at in held.places.items()},
        )
        for role, held in (("do", setting), ("given", seen))
    ]
    return changed[0], changed[1], repeat.ravel()


def _network(
    model: CausalModel, tables: Mapping[str, np.ndarray] | None
) -> tuple[Network, int | None]:
    """Network of a model, some of its tables replaced by draws of them."""
    if not tables:
        return model.network, None
    network = model.network
    arrays = list(network.tables)
    lengths = set()
    for name, table in tables.items():
        model.full.mask([name])
        place = model.full.place[name]
        array = np.asarray(table, dtype=float)
        if array.shape[1:] != arrays[place].shape:
            raise DataError(
                f"tables of {name!r} should have shape (draw, "
                f"{', '.join(map(str, arrays[place].shape))}), but have shape "
                f"{array.shape}."
            )
        _check_draws(name, array, model.atol)
        arrays[place] = array
        lengths.add(len(array))
    if len(lengths) > 1:
        raise DataError(f"tables should have one number of draws, not {lengths}.")
    drawn = frozenset(model.full.place[name] for name in tables)
    return replace(network, tables=tuple(arrays), drawn=drawn), lengths.pop()


def _check_draws(name: str, array: np.ndarray, atol: float) -> None:
    """Raise `DataError` unless every draw of a table holds laws."""
    if not len(array):
        raise DataError(f"tables of {name!r} hold no draw; give at least one.")
    wrong = ~(np.abs(array.sum(axis=-1) - 1) <= atol) | (array < 0).any(axis=-1)
    if wrong.any():
        draw = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"tables of {name!r} should hold laws, but {int(wrong.sum())} rows are "
            f"negative, NaN or do not sum to 1, the first in draw {draw}."
        )


def _operands(
    model: CausalModel,
    network: Network,
    asked: tuple[str, ...],
    setting: Setting,
    seen: Setting,
) -> Operands:
    place = model.full.place
    return ask(
        network,
        [place[name] for name in (*asked, *seen.opened)],
        {place[name]: at for name, at in setting.places.items()},
        {place[name]: at for name, at in seen.places.items()},
        [place[name] for name in setting.opened],
    )


def _normalised(
    model: CausalModel,
    weight: np.ndarray,
    asked: tuple[str, ...],
    setting: Setting,
    seen: Setting,
    lead: int,
) -> np.ndarray:
    """Divide by the weight of what was seen, axes in the order promised."""
    inner = len(asked) + len(seen.opened)
    # conditions come before the variables set; in the answer it is the other way
    order = [
        *range(lead),
        *range(lead, lead + len(asked)),
        *range(lead + inner, lead + inner + len(setting.opened)),
        *range(lead + len(asked), lead + inner),
    ]
    weight = weight.transpose(order)
    if not seen.names:
        return weight
    axes = tuple(range(lead, lead + len(asked)))
    total = weight.sum(axis=axes, keepdims=True)
    if np.any(total <= 0):
        _refuse_event(model, setting, seen, np.squeeze(total, axes), lead)
    return weight / total


def _check_event(
    model: CausalModel,
    network: Network,
    asked: tuple[str, ...],
    setting: Setting,
    seen: Setting,
    lead: int,
) -> None:
    """Raise `ConditioningError` if evidence that tells nothing never occurs."""
    place = model.full.place
    operands = weigh(
        network,
        [place[name] for name in asked],
        {place[name]: at for name, at in setting.places.items()},
        {place[name]: at for name, at in seen.places.items()},
        [place[name] for name in seen.opened],
        [place[name] for name in setting.opened],
    )
    if operands is None:
        return
    total = operands.run()
    shown = lead + len(seen.opened)
    order = [*range(lead), *range(shown, total.ndim), *range(lead, shown)]
    if np.any(total <= 0):
        _refuse_event(model, setting, seen, total.transpose(order), lead)


def _refuse_event(
    model: CausalModel, setting: Setting, seen: Setting, total: np.ndarray, lead: int
) -> None:
    """Name the event that never occurs."""
    at = np.unravel_index(int(np.argmax(total <= 0)), total.shape)
    opened = dict(zip((*setting.opened, *seen.opened), at[lead:], strict=True))

    def event(held: Setting) -> str:
        found = {n: int(p[at[0]] if np.ndim(p) else p) for n, p in held.places.items()}
        found |= {name: int(opened[name]) for name in held.opened}
        return ", ".join(f"{n}={model.states[n][p]!r}" for n, p in found.items())

    under = f" after do({event(setting)})" if setting.names else ""
    raise ConditioningError(
        f"the event {event(seen)} has probability zero{under}, so nothing can be said "
        "given it. Condition on an event that occurs."
    )


def _check_seen_laws(
    model: CausalModel,
    network: Network,
    asked: tuple[str, ...],
    setting: Setting,
    seen: Setting,
) -> None:
    """Raise `PositivityError` if the answer rests on a law no row of data showed."""
    if not model.unseen:
        return
    place = model.full.place
    masks = network.masks
    held = {place[name]: at for name, at in setting.places.items()}
    opened = mask_of(held) | mask_of(place[name] for name in setting.opened)
    asked_mask = mask_of(place[name] for name in (*asked, *seen.names))
    kept, _ = relevant(masks, asked_mask, opened, 0)
    for at in bits(kept):
        name = model.full.nodes[at]
        if name not in model.unseen:
            continue
        parents = [
            parent for parent in network.axes[at][:-1] if not opened >> parent & 1
        ]
        lines = _reached(network, model.unseen[name], at, parents, held, setting, place)
        if np.any(lines > 0):
            raise PositivityError(
                f"the answer needs the law of {name!r} for states of "
                f"{listing(model.full.parents(name), 12)} that occur in no row of the "
                "data. Ask about states that occur, merge states, or fit with "
                "smoothing."
            )


def _reached(
    network: Network,
    unseen: np.ndarray,
    at: int,
    parents: list[int],
    held: Mapping[int, Any],
    setting: Setting,
    place: Mapping[str, int],
) -> np.ndarray:
    """Probability of the parents' states for which no law was seen."""
    tables = list(network.tables)
    size = network.tables[at].shape[-1]
    tables[at] = np.repeat(unseen[..., None], size, axis=-1)
    marked = replace(network, tables=tuple(tables))
    opened = [place[name] for name in setting.opened]
    return ask(marked, [at], held, {}, opened).run()
