"""What a sweep searches: the knobs, their values, and how many members they make.

lambda goes by the names `l2` and `weight_decay` (= lambda / m), keep_prob also by `dropout` (= 1 - keep_prob). In
the default grid 0 and 1 are exact members, since where nothing over-fits nothing should be regularized.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import qmc

from wellfit.config import Config, Network, Optimization, Regularization, l2_of, total_updates
from wellfit.exceptions import BadInput

LEAST_SHRINK, MOST_SHRINK = 1e-6, 3e-3
"""Useful lr * lambda / m per update (design.md, "lambda"): published tunings of plain MLPs lie between."""
LEAST_DECAY = 0.05
"""A lambda that takes less than this share off the weights over a whole training cannot be told from 0."""
LEAST_KEEP_PROB = 0.5
DEFAULT_MEMBERS = 32

BOARDS = (("network", Network), ("optimization", Optimization), ("regularization", Regularization))
ALIASES = {"weight_decay": "l2", "dropout": "keep_prob"}


@dataclass(frozen=True)
class Interval:
    """All values from low to high; `log` spreads them evenly over the orders of magnitude."""

    low: float
    high: float
    log: bool = False

    def at(self, share: float) -> float:
        """Return the value at a share of the way, 0 <= share <= 1."""
        if self.log:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)


Values: TypeAlias = Interval | Sequence[Any]
Space: TypeAlias = Mapping[str, Values]


def uniform(low: float, high: float) -> Interval:
    """Return all values from low to high, evenly spread.

    Raises:
        BadInput: unless low <= high, both finite.
    """
    _require_order(low, high)
    return Interval(low, high)


def log_uniform(low: float, high: float) -> Interval:
    """Return all values from low to high, evenly spread over the orders of magnitude.

    Raises:
        BadInput: unless 0 < low <= high, both finite.
    """
    _require_order(low, high)
    if low <= 0:
        raise BadInput(
            "a log-uniform range starts above 0",
            found=f"low={low!r}",
            remedy="Give a low above 0; an exact 0 for l2 is tried in any case",
        )
    return Interval(low, high, log=True)


def default_grid(config: Config, *, rows: int, members: int = DEFAULT_MEMBERS) -> Space:
    """Return lambda x keep_prob with at most `members` combinations, about three lambdas for every two keep_probs.

    Args:
        config: its lr, schedule and epochs decide which lambdas are useful.
        rows: m, the training rows.
        members: how many trainings are affordable, at least 1.
    """
    keeps = max(round(math.sqrt(members * 2 / 3)), 1)
    lambdas = max(members // keeps, 1)
    updates = total_updates(config, rows=rows)
    # The cosine's mean is half its peak.
    mean = 0.5 if config.optimization.schedule == "cosine" else 1.0
    least = min(max(LEAST_SHRINK, LEAST_DECAY / (mean * updates)), MOST_SHRINK / 3)
    shrinks = [0.0, *np.geomspace(MOST_SHRINK, least, max(lambdas - 1, 0))[::-1].tolist()]
    return {
        "l2": [float(f"{shrink * rows / config.optimization.lr:.4g}") for shrink in shrinks],
        "keep_prob": [round(1 - (1 - LEAST_KEEP_PROB) * place / max(keeps - 1, 2), 3) for place in range(keeps)],
    }


def configs_of(config: Config, over: Space, *, rows: int, members: int | None = None) -> list[Config]:
    """Return the members of a sweep: `config` with the knobs named in `over` changed, each once.

    Lists alone make a grid, of every combination. With an interval among them the members are a Sobol sequence
    (seeded by the config), after one member with the searched regularizers off.

    Raises:
        BadInput: for an unknown or doubly named knob, an empty space, or a value outside a knob's range.
    """
    _require_space(over)
    settings = _grid(over, members) if _is_grid(over) else _quasi_random(over, members, seed=config.seed)
    found = [_changed(config, dict(setting), rows=rows) for setting in settings]
    return list({member.identity: member for member in found}.values())


def _grid(over: Space, members: int | None) -> list[dict[str, Any]]:
    lists = [values for values in over.values() if not isinstance(values, Interval)]
    combinations = [dict(zip(over, combination, strict=True)) for combination in product(*lists)]
    if members is not None and len(combinations) > members:
        raise BadInput(
            "a grid fits into its number of members",
            found=f"{len(combinations)} combinations for members={members}",
            remedy="Raise members, or shorten the lists",
        )
    return combinations


def _quasi_random(over: Space, members: int | None, *, seed: int) -> list[dict[str, Any]]:
    count = DEFAULT_MEMBERS if members is None else members
    if count < 1:
        raise BadInput("a sweep has at least one member", found=f"members={count}", remedy="Give 1 or more")
    first = {name: _OFF.get(name, _value(values, share=0.5)) for name, values in over.items()}
    # Sobol points come in powers of two; the first ones of a larger set serve any count.
    sequence = qmc.Sobol(len(over), seed=np.random.default_rng(seed))
    shares = sequence.random_base2(max(count - 1, 1).bit_length())[: count - 1]
    return [first] + [
        {name: _value(values, share=share) for (name, values), share in zip(over.items(), row, strict=True)}
        for row in shares.tolist()
    ]


def _value(values: Values, *, share: float) -> Any:
    return values.at(share) if isinstance(values, Interval) else values[int(share * len(values))]


_OFF: Mapping[str, float] = {"l2": 0.0, "weight_decay": 0.0, "keep_prob": 1.0, "dropout": 0.0}
_CONVERSIONS: Mapping[str, Callable[[float, int], float]] = {
    "weight_decay": lambda value, rows: l2_of(weight_decay=value, rows=rows),
    "dropout": lambda value, _rows: 1 - value,
}


def _changed(config: Config, setting: dict[str, Any], *, rows: int) -> Config:
    knobs = {
        ALIASES.get(name, name): _CONVERSIONS[name](value, rows) if name in _CONVERSIONS else value
        for name, value in setting.items()
    }
    for board, kind in BOARDS:
        own = {knob.name: _as_decimal(knobs[knob.name], knob.default) for knob in fields(kind) if knob.name in knobs}
        # The other knobs of a board may only fit together with the new one, so a board changes at once.
        config = replace(config, **{board: replace(getattr(config, board), **own)}) if own else config
    return config


def _as_decimal(value: Any, default: object) -> Any:
    # 1 and 1.0 are one value of a knob, so they must not name two configs.
    return float(value) if isinstance(default, float) and isinstance(value, int) else value


def _is_grid(over: Space) -> bool:
    return not any(isinstance(values, Interval) for values in over.values())


def _require_space(over: Space) -> None:
    known = [knob.name for _, kind in BOARDS for knob in fields(kind)] + list(ALIASES)
    for name, values in over.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise BadInput(
                "a sweep is over known knobs",
                found=f"over={name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(known)}",
            )
        if not isinstance(values, Interval) and not len(values):
            raise BadInput("a knob has at least one value", found=f"{name}=[]", remedy=f"Give values for {name}")
    if not over:
        raise BadInput("a sweep is over at least one knob", found="none", remedy="Name a knob, such as l2")
    for alias, name in ALIASES.items():
        if alias in over and name in over:
            raise BadInput(
                "a knob has one name in a sweep",
                found=f"{name} and {alias}, which are the same knob",
                remedy="Keep one of them",
            )


def _require_order(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise BadInput(
            "a range is finite and low <= high", found=f"low={low!r}, high={high!r}", remedy="Swap or correct them"
        )
