"""What a search tries: the configs of all members, from the arguments of an estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wellfit.config import Config, total_updates
from wellfit.estimators.knobs import KNOBS, SECOND_NAMES
from wellfit.estimators.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.sweeps.knobs import OFF, canonical
from wellfit.sweeps.space import Interval, Space, Values, configs_of, count_of, default_grid, is_grid, useful_shrinks
from wellfit.sweeps.usual import usual_space

DEFAULT_KNOBS = ("l2", "keep_prob")
DEFAULT_MEMBERS = 16
MOST_DECAY = 6.0
"""The largest default lambda takes e^-6 of a weight's start by the end, or what is useful on a larger table."""
MOST_SHRINK = 0.05
_PER_ROW = ("l2", "l1")
"""Knobs whose usual values grow with m."""


def candidates(
    config: Config, over: Space | Sequence[str] | str | None, *, rows: Rows, members: int | None
) -> list[Config]:
    """Return the configs to compare: `config` with other values of the knobs in `over`.

    Args:
        config: everything that is not searched.
        over: knob -> values, names of knobs, which get their usual ranges, or None for lambda x keep_prob.
        rows: the training rows.
        members: the most configs; None for 16, or for the whole of a grid that was given.

    Raises:
        BadInput: for a space that cannot be searched.
    """
    if over is None:
        space = _default(config, rows=len(rows), members=_count(members))
    elif isinstance(over, Mapping):
        space = over
    else:
        space = usual_space((over,) if isinstance(over, str) else tuple(over), config, rows=len(rows))
    if not isinstance(over, Mapping):
        # Usual ranges are known for rows that count once.
        space = {name: _times(values, rows.total / len(rows), name=name) for name, values in space.items()}
    asked = members if is_grid(space) else _count(members)
    return configs_of(config, space, rows=rows.total, members=None if over is None else asked)


def require_free(arguments: Mapping[str, Any], over: Any) -> None:
    """Refuse a regularizer that is both searched and set.

    Raises:
        BadInput: that names it.
    """
    searched = {canonical(name) for name in ((over,) if isinstance(over, str) else over or DEFAULT_KNOBS)}
    for name in (*KNOBS, *SECOND_NAMES):
        off = OFF.get(canonical(name)) if name in KNOBS else None
        if name in arguments and canonical(name) in searched and canonical(name) in OFF and arguments[name] != off:
            others = [other for other in DEFAULT_KNOBS if other != canonical(name)]
            raise BadInput(
                "a knob that is searched is not set as well",
                found=f"{name}={arguments[name]!r} beside over={over!r}",
                remedy=f"Leave {name} out, or search without it: over={others!r}",
            )


def _default(config: Config, *, rows: int, members: int) -> Space:
    """Return lambda x keep_prob, with lambdas that reach further where a table is so small that updates are few."""
    grid = default_grid(config, rows=rows, members=members)
    lambdas = 1 if isinstance(grid["l2"], Interval) else len(grid["l2"])
    least, most = useful_shrinks(config, rows=rows)
    # A schedule's mean is half its peak: so many updates take off the logarithm of this share of the weights.
    most = min(max(most, 2 * MOST_DECAY / total_updates(config, rows=rows)), MOST_SHRINK)
    shrinks = [0.0, *np.geomspace(least, most, lambdas - 1).tolist()]
    unit = rows / config.optimization.lr
    return {**grid, "l2": [float(f"{shrink * unit:.4g}") for shrink in shrinks]}


def _count(members: int | None) -> int:
    return DEFAULT_MEMBERS if members is None else count_of(members)


def _times(values: Values, factor: float, *, name: str) -> Values:
    if name not in _PER_ROW or factor == 1:
        return values
    if isinstance(values, Interval):
        return replace(values, low=values.low * factor, high=values.high * factor)
    return [value * factor for value in values]
