"""Laws of finite models by multiplying all tables out, every variable an axis.

Written from the definition of an intervention: the table of a variable that is set is
left out, and the configurations in which it has its state are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Boxes = Mapping[str, tuple[Sequence[str], np.ndarray]]


def boxes_of(model) -> dict[str, tuple[Sequence[str], np.ndarray]]:
    """Parents and table of every variable of a model, unobserved ones included."""
    return {
        name: (model.full.parents(name), np.asarray(table))
        for name, table in model.tables.items()
    }


def whole_law(boxes: Boxes, do: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
    """Product of all tables but those of the variables set, and its axes."""
    names = list(boxes)
    size = {name: table.shape[-1] for name, (_, table) in boxes.items()}
    law = np.ones([size[name] for name in names])
    for name, (parents, table) in boxes.items():
        if name in do:
            continue
        axes = [*parents, name]
        order = sorted(range(len(axes)), key=lambda at: names.index(axes[at]))
        shape = [size[other] if other in axes else 1 for other in names]
        law = law * table.transpose(order).reshape(shape)
    return names, law


def query(
    boxes: Boxes, outcome: Sequence[str], do: Sequence[str], given: Sequence[str]
) -> np.ndarray:
    """P(outcome | do, given), axes in that order."""
    names, law = whole_law(boxes, do)
    kept = [*outcome, *do, *given]
    gone = tuple(at for at, name in enumerate(names) if name not in kept)
    left = [name for name in names if name in kept]
    joint = law.sum(axis=gone).transpose([left.index(name) for name in kept])
    below = joint.sum(axis=tuple(range(len(outcome))), keepdims=True)
    return joint / below
