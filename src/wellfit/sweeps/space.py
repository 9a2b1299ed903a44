"""The search space of a sweep: the knobs, their values, and the members that they make.

Where nothing overfits, nothing should be regularized: the default grid includes lambda 0 and keep_prob 1, and a range
may give a share of the members its off value. A setting of some knobs, by any of their names, turns one config into
another.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import qmc

from wellfit.base.arguments import named
from wellfit.base.serialize import Record, omitted_if
from wellfit.exceptions import BadInput
from wellfit.records.config import BOARDS, Config, total_updates
from wellfit.records.knobs import NAMES, OFF, Around, Knob, own_name

LEAST_SHRINK, MOST_SHRINK = 1e-6, 3e-3
"""Useful lr * lambda / m per update (docs/methods.md, "Lambda"): published tunings of plain MLPs lie in between."""
LEAST_DECAY = 0.05
"""A lambda that shrinks the weights by less than this fraction over the whole training has no visible effect."""
LEAST_KEEP_PROB = 0.5
DEFAULT_MEMBERS = 32


@dataclass(frozen=True)
class Interval(Record):
    """All values from low to high; with `log`, they are spread evenly over the orders of magnitude.

    A share `zero` of the members has exactly the knob's off value instead (regularizers only). With `to_one`, the
    orders of magnitude are those of the distance to 1, as for the decay of a moving average.
    """

    low: float
    high: float
    log: bool = False
    zero: float = field(default=0.0, metadata=omitted_if(0.0))
    to_one: bool = field(default=False, metadata=omitted_if(False))

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            end = getattr(self, name)
            # Numpy's numbers are not JSON.
            object.__setattr__(self, name, end.item() if isinstance(end, np.generic) else end)
        found = f"low={self.low!r}, high={self.high!r}"
        if not all(isinstance(end, int | float) for end in (self.low, self.high)):
            raise BadInput("the ends of a range must be two numbers", found=found, remedy="Correct them")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise BadInput("a range must be finite, with low <= high", found=found, remedy="Swap or correct them")
        if self.log and not self.to_one and self.low <= 0:
            remedy = "Pass a low above 0; an exact 0 for l2 is tried in any case"
            raise BadInput("a log-uniform range must start above 0", found=found, remedy=remedy)
        if self.to_one and self.high >= 1:
            raise BadInput("a range by the distance to 1 must end below 1", found=found, remedy="Pass a high below 1")
        if not 0 <= self.zero < 1:
            raise BadInput(
                "the share of an off value must be in [0, 1)", found=f"zero={self.zero!r}", remedy="Correct it"
            )

    def at(self, share: float) -> float:
        """Return the value at a given fraction of the range, 0 <= share <= 1."""
        low, high = self._scale(self.low), self._scale(self.high)
        # Rounding must not leave the range.
        return min(max(self._unscaled(low + share * (high - low)), self.low), self.high)

    def share_of(self, value: float) -> float:
        """Return the fraction of the range at which a value is; for a value outside, that of the nearest end."""
        low, high = self._scale(self.low), self._scale(self.high)
        inside = self._scale(min(max(value, self.low), self.high))
        return (inside - low) / (high - low) if high > low else 0.0

    def _scale(self, value: float) -> float:
        if not self.log:
            return value
        return -math.log(1 - value) if self.to_one else math.log(value)

    def _unscaled(self, place: float) -> float:
        if not self.log:
            return place
        return 1 - math.exp(-place) if self.to_one else math.exp(place)


Values: TypeAlias = Interval | Sequence[Any]
Space: TypeAlias = Mapping[str, Values]


@named
def uniform(low: float, high: float, *, zero: float = 0.0) -> Interval:
    """Return all values from low to high, evenly spread; a share `zero` of the members has the off value instead.

    Raises:
        BadInput: these do not hold: low <= high, both finite, and 0 <= zero < 1.
    """
    return Interval(low, high, zero=zero)


@named
def log_uniform(low: float, high: float, *, zero: float = 0.0, to_one: bool = False) -> Interval:
    """Return all values from low to high, evenly spread over the orders of magnitude.

    Args:
        low: the smallest value, above 0.
        high: the largest value.
        zero: share of the members that have the knob's off value instead.
        to_one: whether to take the orders of magnitude of 1 - value.

    Raises:
        BadInput: these do not hold: 0 < low <= high, both finite (with `to_one`, high < 1), and 0 <= zero < 1.
    """
    return Interval(low, high, log=True, zero=zero, to_one=to_one)


def useful_shrinks(config: Config, *, rows: int) -> tuple[float, float]:
    """Return the smallest and the largest shrink per update that can matter when `config` is trained."""
    # The mean of either annealed schedule is half its peak.
    mean = 1.0 if config.optimization.schedule == "constant" else 0.5
    updates = total_updates(config, rows=rows)
    return min(max(LEAST_SHRINK, LEAST_DECAY / (mean * updates)), MOST_SHRINK / 3), MOST_SHRINK


def default_grid(config: Config, *, rows: int, members: int = DEFAULT_MEMBERS) -> Space:
    """Return lambda x keep_prob with at most `members` (1 or more), about three lambdas for every two keep_probs."""
    keeps = max(round(math.sqrt(members * 2 / 3)), 1)
    lambdas = max(members // keeps, 1)
    least, most = useful_shrinks(config, rows=rows)
    shrinks = [0.0, *np.geomspace(most, least, max(lambdas - 1, 0))[::-1].tolist()]
    return {
        "l2": [float(f"{shrink * rows / config.optimization.lr:.4g}") for shrink in shrinks],
        "keep_prob": [round(1 - (1 - LEAST_KEEP_PROB) * place / max(keeps - 1, 2), 3) for place in range(keeps)],
    }


def configs_of(config: Config, over: Space, *, rows: float, members: int | None = None) -> list[Config]:
    """Return the members of a sweep: `config` with the knobs named in `over` changed, each member once.

    Lists alone make a grid of every combination. With an interval among them, the members are a Sobol sequence
    (seeded by the config), after one member with the searched regularizers off.
    """
    require_space(config, over, rows=rows)
    if is_grid(over):
        settings = _grid(over, members)
    else:
        count = count_of(members)
        first = {name: OFF.get(name, value_at(name, values, share=0.5)) for name, values in over.items()}
        settings = [first, *sobol(over, start=0, count=count - 1, seed=config.seed)]
    found = [changed(config, setting, rows=rows) for setting in settings]
    return list({member.identity: member for member in found}.values())


def is_grid(over: Space) -> bool:
    """Return True if the space has only lists, and so a finite number of members."""
    return not any(isinstance(values, Interval) for values in over.values())


def count_of(members: int | None) -> int:
    """Return the number of members of a space with an interval; refuse a number below 1."""
    count = DEFAULT_MEMBERS if members is None else members
    if count < 1:
        raise BadInput("a sweep must have at least one member", found=f"members={count}", remedy="Pass 1 or more")
    return count


def sobol(over: Space, *, start: int, count: int, seed: int) -> list[Setting]:
    """Return `count` settings of a scrambled Sobol sequence, starting at `start`; longer ones extend shorter ones."""
    sequence = qmc.Sobol(len(over), seed=np.random.default_rng(seed))
    # Sobol points come in powers of two.
    shares = sequence.random_base2(max(start + count, 1).bit_length())[start : start + count]
    return [
        {name: value_at(name, values, share=share) for (name, values), share in zip(over.items(), row, strict=True)}
        for row in shares.tolist()
    ]


def value_at(name: str, values: Values, *, share: float) -> Any:
    """Return the knob's value at a given fraction of its range or list, 0 <= share <= 1.

    The off value takes up its share at the nearer end of the range, so that neighbouring fractions give similar values.
    """
    if not isinstance(values, Interval):
        return values[min(int(share * len(values)), len(values) - 1)]
    low, high = _inner(name, values)
    if not low <= share <= high:
        return OFF[name]
    value = values.at((share - low) / (high - low))
    return round(value) if NAMES[name].kind == "whole" else value


def share_at(name: str, values: Interval, *, value: float) -> float:
    """Return a fraction at which `value_at` returns this value, or the nearest one in the range."""
    low, high = _inner(name, values)
    if values.zero and value == OFF[name]:
        return low / 2 if low else (1 + high) / 2
    return low + (high - low) * values.share_of(value)


def require_space(config: Config, over: Space, *, rows: float) -> None:
    """Refuse an unknown or doubly named knob, an empty space, and a value that a knob cannot have."""
    require_names(over)
    for name, values in over.items():
        if isinstance(values, Interval):
            _require_interval(config, name, values, rows=rows)
            continue
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
            remedy = "Write [value, ...], wf.uniform(low, high) or wf.log_uniform(low, high)"
            raise BadInput(f"{name} must have a list of values or a range", found=f"{name}={values!r}", remedy=remedy)
        if not len(values):
            raise BadInput("a knob must have at least one value", found=f"{name}=[]", remedy=f"Pass values for {name}")
        for value in values:
            require_value(config, name, value, rows=rows)
    # Of the knobs that depend on the number of layers, every pair must fit, even those that a search tries late.
    layered = {name: over[name] for name in over if name == "widths" or NAMES[name].shape == "layer"}
    each = [[values.low] if isinstance(values, Interval) else values for values in layered.values()]
    for combination in product(*each):
        changed(config, dict(zip(layered, combination, strict=True)), rows=rows)


def _require_interval(config: Config, name: str, values: Interval, *, rows: float) -> None:
    found = f"{name} from {values.low!r} to {values.high!r}"
    if not NAMES[name].is_number:
        raise BadInput(f"{name} must have a list of values", found=found, remedy=f"Pass a list of values for {name}")
    if values.zero and name not in OFF:
        raise BadInput(
            f"only a regularizer can have an off value, and {name} is not one",
            found=f"zero={values.zero!r}",
            remedy="Remove zero",
        )
    for end in (values.low, values.high):
        require_value(config, name, round(end) if NAMES[name].kind == "whole" else end, rows=rows)


def _grid(over: Space, members: int | None) -> list[Setting]:
    lists = [values for values in over.values() if not isinstance(values, Interval)]
    combinations: list[Setting] = [dict(zip(over, combination, strict=True)) for combination in product(*lists)]
    if members is not None and len(combinations) > members:
        raise BadInput(
            "a grid must not have more combinations than members",
            found=f"{len(combinations)} combinations for members={members}",
            remedy="Pass a larger number of members, or shorten the lists",
        )
    return combinations


def _inner(name: str, values: Interval) -> tuple[float, float]:
    """Return the fractions at which the range itself begins and ends; the off value is beyond one of them."""
    if not values.zero:
        return 0.0, 1.0
    off = OFF[name]
    return (0.0, 1 - values.zero) if abs(off - values.high) < abs(off - values.low) else (values.zero, 1.0)


Setting: TypeAlias = Mapping[str, Any]
"""A value for each of some knobs, by any of their names."""

_TURNED = {name: knob for name, knob in NAMES.items() if knob.board in BOARDS and knob.kind != "text"}
"""The knobs that a sweep can search, by name: a module or a choice of rows is not a value."""


def changed(config: Config, setting: Setting, *, rows: float) -> Config:
    """Return `config` with the knobs in `setting`, each in the unit of its name; lambda needs m = `rows`."""
    return config.with_knobs(**_own(config, setting, rows=rows))


def _own(config: Config, setting: Setting, *, rows: float) -> dict[str, Any]:
    """Return the values that the knobs have by their own names."""
    plain = {name: _plain(name, value) for name, value in setting.items()}
    # Refuses an lr of 0 before anything is divided by it.
    optimization = replace(config.optimization, lr=plain.get("lr", config.optimization.lr))
    around = Around(rows, optimization.lr, optimization.betas[0])
    return {
        NAMES[name].own: to_own(value, around) if (to_own := NAMES[name].to_own) else value
        for name, value in plain.items()
    }


def require_value(config: Config, name: str, value: Any, *, rows: float) -> None:
    """Check one value of one knob on its own; a refusal uses the name by which the knob was passed."""
    try:
        replace(getattr(config, NAMES[name].board), **_own(config, {name: value}, rows=rows))
    except BadInput as error:
        asked = f"{name}={value!r}"
        same = own_name(name) == name or error.found == asked
        found = error.found if same else f"{asked}, which means {error.found}"
        raise BadInput(error.rule, found=found, remedy=error.remedy) from error


def require_names(names: Collection[str]) -> None:
    """Refuse unknown knobs, suggesting the nearest known name, and a knob that is named twice."""
    if not names:
        raise BadInput("a sweep must search at least one knob", found="none", remedy="Name a knob, such as l2")
    for name in names:
        if name not in _TURNED:
            meant = [knob.name for knob in _TURNED.values() if name in knob.meant]
            near = meant or difflib.get_close_matches(name, _TURNED, n=1)
            raise BadInput(
                "a sweep must search known knobs",
                found=f"over={name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(_TURNED)}",
            )
    for name in names:
        same = [other for other in names if own_name(other) == own_name(name)]
        if len(same) > 1:
            raise BadInput(
                "a knob must have one name in a sweep",
                found=f"{' and '.join(same)}, which are the same knob",
                remedy="Remove one of the two",
            )


def differs_only(config: Config, other: Config, names: Collection[str]) -> bool:
    """Return True if two configs differ at most in the knobs of these names."""
    return config.with_knobs(**{own: other.value_of(own) for own in map(own_name, names)}) == other


def setting_of(config: Config, names: Collection[str], *, rows: float) -> Setting:
    """Return the values that `config` has for knobs, in the units of their names: the inverse of `changed`."""
    around = Around(rows, config.optimization.lr, config.optimization.betas[0])
    return {name: _value_of(config, NAMES[name], around) for name in names}


def _value_of(config: Config, knob: Knob, around: Around) -> Any:
    value = config.value_of(knob.own)
    if knob.shape == "layer":
        value = sum(config.keep_probs) / len(config.keep_probs) if config.keep_probs else 1.0
    return knob.from_own(value, around) if knob.from_own else value


def _plain(name: str, value: Any) -> Any:
    """Return a value as a config keeps it: 1, 1.0 and numpy's 1 are one value, so they must make one config."""
    if isinstance(value, np.generic):
        value = value.item()
    knob = NAMES[name]
    if knob.kind == "word" or (value is None and knob.optional):
        return value
    several, takes_several = isinstance(value, list | tuple), knob.shape == "several"
    if several != takes_several and not (several and knob.shape == "layer"):
        rule = f"{name} must have {'several numbers' if takes_several else 'one number'} at a time"
        remedy = f"Write {name}=({value!r},)" if takes_several else "Pass one number"
        raise BadInput(rule, found=f"{name}={value!r}", remedy=remedy)
    whole = knob.kind == "whole"
    return tuple(_number(name, one, whole=whole) for one in value) if several else _number(name, value, whole=whole)


def _number(name: str, value: Any, *, whole: bool) -> float:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or (whole and float(value) % 1):
        raise BadInput(
            f"{name} must have {'whole ' if whole else ''}numbers as values",
            found=f"{name}={value!r}",
            remedy="Correct the value",
        )
    return int(float(value)) if whole else float(value)
