"""The usual values of the knobs: ranges for a search, known-good settings, and defaults by the number of rows.

The figures come from published searches and tunings of tabular MLPs (docs/methods.md, "Search space": Holzmueller
et al., 2024; Gorishniy et al., 2022 and 2025). Decay is in units of shrink, so that its range holds for any number of
rows and any lr. Tuning chose no dropout in 40 % of 17 data sets, no decay in 47 % and neither in 20 %; hence the exact
zeros and the starting settings with only one of the two.

The defaults were measured on dev rows (docs/benchmarks.md): piecewise-linear encoding with 32 bins lowers the dev
error of adult and california_housing more than any other knob, and 16 bins give half of that; 128 give 1 to 2 % more
with 10,000 rows or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellfit.exceptions import BadInput
from wellfit.records.config import Config, updates_per_epoch
from wellfit.records.goals import Goal
from wellfit.records.knobs import NAMES, OFF, Usual, own_name
from wellfit.sweeps.space import Interval, Setting, Space, Values, require_names, setting_of, useful_shrinks, value_at

TYPICAL_WEIGHT = 0.1
"""Size of a weight in a layer of 64 to 256 units (He et al., 2015): an l1 step must be smaller by this factor to reduce
it by as much as an l2 shrink does."""
LR_OF_ADAM = (1e-4, 5e-3)
LR_BESIDE = 10.0
"""For optimizers without a published range, the range is the config's own lr, divided and multiplied by this."""
ZERO_DECAY, ZERO_L1 = 0.15, 0.8
"""Share of members with an exact zero."""
PUBLISHED_SHRINK = 5e-5

BATCH_SIZES: Mapping[int, int] = {1_000: 64, 8_000: 128, 30_000: 256, 100_000: 512}
"""Batch sizes, each up to a number of training rows (the rule of pytabkit); above the last, LARGEST_BATCH."""
LARGEST_BATCH = 1_024
ENOUGH_UPDATES = 2_500
"""Number of updates until which a small table gets more epochs, up to MOST_EPOCHS."""
FEWEST_EPOCHS, MOST_EPOCHS = 16, 128
MOST_INPUTS = 1_024
"""Maximum number of bins of all numeric columns together; a table with many columns gets fewer bins per column."""
BINS: Mapping[int, int] = {5_000: 32, 10_000: 64}
"""Bins up to each number of training rows; above the last, MOST_BINS, which hurt on 3,500 rows and help on 11,000."""
MOST_BINS, FEWEST_BINS = 128, 4
LR = 2e-3


def usual_space(names: Sequence[str], config: Config, *, rows: int) -> Space:
    """Return the usual range of each knob; the lr and epochs of `config` decide which lambdas are useful.

    lambda and l1 are searched under their own names if lr is not searched, and as `shrink` and `l1_step` if it is,
    because their effect is lr * lambda / m. Refused are unknown knobs, knobs named twice, and knobs without a usual
    range.
    """
    require_names(names)
    return dict(_usual(name, config, rows=rows, moving="lr" in names) for name in names)


def known_good(over: Space, config: Config, *, rows: int, goal: Goal) -> list[Setting]:
    """Return settings to begin a search with: all regularizers off, the published ones, decay alone, dropout alone.

    Knobs that are not regularizers keep the config's own value if the space has it. A published value outside a range
    is moved to the nearest end; off is off, whatever the range is.
    """
    own = {name: _own(name, values, config) for name, values in over.items() if name not in OFF}
    off = {name: OFF[name] for name in over if name in OFF}
    good = {name: value for name, value in _published(over, config, rows=rows, goal=goal).items() if name in over}
    decay = {name: value for name, value in good.items() if NAMES[name].unit}
    dropout = {name: value for name, value in good.items() if own_name(name) == "keep_prob"}
    settings = [own | off, own | off | good, own | off | decay, own | off | dropout]
    # In the order of the space, and each once.
    ordered = [{name: setting[name] for name in over} for setting in settings]
    return [setting for place, setting in enumerate(ordered) if setting not in ordered[:place]]


def _usual(name: str, config: Config, *, rows: int, moving: bool) -> tuple[str, Values]:
    usual = NAMES[name].usual
    if NAMES[name].unit:
        return _decay(name, config, rows=rows, moving=moving)
    if name == "lr":
        lr = config.optimization.lr
        ends = LR_OF_ADAM if config.optimization.optimizer == "adam" else (lr / LR_BESIDE, lr * LR_BESIDE)
        return name, Interval(*ends, log=True)
    if usual is None:
        known = sorted(name for name, knob in NAMES.items() if knob.usual or knob.unit or name == "lr")
        raise BadInput(
            f"a knob without a usual range must have values (knobs with a range are {', '.join(known)})",
            found=f"over={name!r}",
            remedy=f"Pass a list or a range for {name}",
        )
    if isinstance(usual, Usual):
        log, to_one = usual.scale != "linear", usual.scale == "log to one"
        return name, Interval(usual.low, usual.high, log=log, zero=usual.off, to_one=to_one)
    return name, usual


def _decay(name: str, config: Config, *, rows: int, moving: bool) -> tuple[str, Interval]:
    """Return the name under which lambda or l1 is searched, and its range, which is known per update."""
    own = own_name(name)
    by_update = next(each for each, knob in NAMES.items() if knob.own == own and knob.unit == "update")
    searched = by_update if moving else name
    typical, zero = (TYPICAL_WEIGHT, ZERO_L1) if own == "l1" else (1.0, ZERO_DECAY)
    factor = _one_shrink(searched, config, rows=rows) * typical
    least, most = useful_shrinks(config, rows=rows)
    return searched, Interval(least * factor, most * factor, log=True, zero=zero)


def _one_shrink(name: str, config: Config, *, rows: int) -> float:
    """Return the value of a decay that takes one unit of shrink per update."""
    lr = config.optimization.lr
    return {"cost": rows / lr, "row": 1 / lr, "update": 1.0}[NAMES[name].unit]


def _published(over: Space, config: Config, *, rows: int, goal: Goal) -> dict[str, Any]:
    found = {name: NAMES[name].published for name in over if NAMES[name].published is not None}
    # In the unit of its name: the published values are those that an update takes off.
    for name in over:
        if own_name(name) == "l2":
            found[name] = PUBLISHED_SHRINK * _one_shrink(name, config, rows=rows)
        elif NAMES[name].needs == "classes" and goal.reads != "labels":
            # Smoothed labels cost where probabilities or their order are judged, and values have no classes.
            found[name] = 0.0
    return {name: _nearest(value, over[name]) for name, value in found.items()}


def _nearest(value: Any, values: Values) -> Any:
    if isinstance(values, Interval):
        return value if value == 0 else min(max(value, values.low), values.high)
    if value in values or isinstance(value, str):
        return value if value in values else values[0]
    numbers = [one for one in values if not isinstance(one, tuple | list)]
    return min(numbers, key=lambda one: abs(one - value)) if numbers else values[0]


def _own(name: str, values: Values, config: Config) -> Any:
    """Return the config's own value if the space has it, otherwise the middle of the space."""
    own = setting_of(config, [name], rows=1)[name]
    if isinstance(values, Interval):
        inside = own is not None and values.low <= own <= values.high
        return own if inside else value_at(name, values, share=0.5)
    return own if own in values else values[len(values) // 2]


def batch_size_for(rows: int) -> int:
    """Return the batch size for this number of training rows."""
    return next((size for most, size in BATCH_SIZES.items() if rows <= most), LARGEST_BATCH)


def epochs_for(rows: int, *, batch_size: int) -> int:
    """Return the number of epochs that gives enough updates, within bounds."""
    enough = -(-ENOUGH_UPDATES // updates_per_epoch(rows=rows, batch_size=batch_size))
    return min(max(enough, FEWEST_EPOCHS), MOST_EPOCHS)


def bins_for(columns: int, *, rows: int) -> int:
    """Return the number of bins for each of `columns` numeric columns, with `rows` training rows."""
    usual = next((bins for most, bins in BINS.items() if rows <= most), MOST_BINS)
    return min(max(MOST_INPUTS // max(columns, 1), FEWEST_BINS), usual)
