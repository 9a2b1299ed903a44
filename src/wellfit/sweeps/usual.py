"""The usual ranges of the knobs, and settings that are known to be good: where a search starts.

The figures are those of published searches and tunings of tabular MLPs (training.md, "Search space": Holzmueller et
al., 2024; Gorishniy et al., 2022 and 2025). Decay is in units of shrink, so that its range holds for any number of
rows and any lr. Tuning chose no dropout in 40 % of 17 data sets, no decay in 47 % and neither in 20 %: hence the exact
zeros, and the starts with one of them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellfit.config import ACTIVATIONS, STRENGTHS, Config
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.sweeps.knobs import OFF, Setting, own_value, require_names
from wellfit.sweeps.space import Interval, Space, Values, log_uniform, uniform, useful_shrinks, value_at

TYPICAL_WEIGHT = 0.1
"""Size of a weight in a layer of 64 to 256 units (He et al., 2015): an l1 step that takes off as much of it as a shrink
of l2 does is this much smaller."""
LR_OF_ADAM = (1e-4, 5e-3)
LR_BESIDE = 10.0
"""Other optimizers have no published range here: so many times below and above the config's own lr."""
ZERO_DECAY, ZERO_L1 = 0.15, 0.8
"""Share of members with an exact zero."""
PUBLISHED_SHRINK = 5e-5
PUBLISHED: Mapping[str, Any] = {
    "shrink": PUBLISHED_SHRINK,
    "keep_prob": 0.85,
    "dropout": 0.15,
    "label_smoothing": 0.1,
    "ema": 0.99,
    "l2_schedule": "flat_cos",
    "keep_prob_schedule": "flat_cos",
    "beta2": 0.95,
}

_RANGES: Mapping[str, Values] = {
    "keep_prob": uniform(0.5, 0.98, zero=0.3),
    "dropout": uniform(0.02, 0.5, zero=0.3),
    "label_smoothing": log_uniform(5e-3, 0.2, zero=0.5),
    "input_noise": uniform(0.01, 0.3, zero=0.7),
    "mixup": uniform(0.05, 1.0, zero=0.7),
    "ema": log_uniform(0.9, 0.999, to_one=True),
    "beta2": log_uniform(0.95, 0.995, to_one=True),
    "widths": tuple((width,) * depth for depth in (1, 2, 3, 4) for width in (128, 256, 384, 512)),
    "activation": ACTIVATIONS,
    "l2_schedule": STRENGTHS,
    "keep_prob_schedule": STRENGTHS,
}
_PER_UPDATE = {"l2": "shrink", "weight_decay": "shrink", "shrink": "shrink", "l1": "l1_step", "l1_step": "l1_step"}
"""Knobs whose range is known by what an update takes off, and the name by which they are searched where lr is too."""


def usual_space(names: Sequence[str], config: Config, *, rows: int) -> Space:
    """Return the usual range of each knob.

    lambda and l1 are searched by their own names where lr stays, and as `shrink` and `l1_step` where lr is searched as
    well, since what they do is lr * lambda / m.

    Args:
        names: knobs.
        config: its lr and epochs decide which lambdas are useful.
        rows: m, the training rows.

    Raises:
        BadInput: for an unknown knob, one named twice, or one without a usual range.
    """
    require_names(names)
    moving = "lr" in names
    return dict(_usual(name, config, rows=rows, moving=moving) for name in names)


def known_good(over: Space, config: Config, *, rows: int, goal: Goal) -> list[Setting]:
    """Return settings to begin a search with: all regularizers off, the published ones, decay alone, dropout alone.

    Knobs that are no regularizers keep the config's own value where the space has it. A published value outside a range
    is moved to its nearest end; off is off, whatever the range.
    """
    own = {name: _own(name, values, config) for name, values in over.items() if name not in OFF}
    off = {name: OFF[name] for name in over if name in OFF}
    good = {name: value for name, value in _published(over, config, rows=rows, goal=goal).items() if name in over}
    decay = {name: value for name, value in good.items() if name in _PER_UPDATE}
    dropout = {name: value for name, value in good.items() if name in ("keep_prob", "dropout")}
    settings = [own | off, own | off | good, own | off | decay, own | off | dropout]
    # In the order of the space, and each once.
    ordered = [{name: setting[name] for name in over} for setting in settings]
    return [setting for place, setting in enumerate(ordered) if setting not in ordered[:place]]


def _usual(name: str, config: Config, *, rows: int, moving: bool) -> tuple[str, Values]:
    if name in _PER_UPDATE:
        return _per_update(name, config, rows=rows, moving=moving)
    if name == "lr":
        lr = config.optimization.lr
        ends = LR_OF_ADAM if config.optimization.optimizer == "adam" else (lr / LR_BESIDE, lr * LR_BESIDE)
        return name, log_uniform(*ends)
    if name not in _RANGES:
        raise BadInput(
            f"knobs without a usual range need values; {', '.join(sorted({*_RANGES, *_PER_UPDATE, 'lr'}))} have one",
            found=f"over={name!r}",
            remedy=f"Give {name} a list or a range",
        )
    return name, _RANGES[name]


def _per_update(name: str, config: Config, *, rows: int, moving: bool) -> tuple[str, Interval]:
    searched = _PER_UPDATE[name] if moving else name
    factor = _unit(searched, config, rows=rows) * (TYPICAL_WEIGHT if _PER_UPDATE[name] == "l1_step" else 1.0)
    least, most = useful_shrinks(config, rows=rows)
    zero = ZERO_L1 if _PER_UPDATE[name] == "l1_step" else ZERO_DECAY
    return searched, log_uniform(least * factor, most * factor, zero=zero)


def _unit(name: str, config: Config, *, rows: int) -> float:
    """The value of a knob that takes one unit of shrink per update."""
    lr = config.optimization.lr
    return {"weight_decay": 1 / lr, "l2": rows / lr, "l1": rows / lr}.get(name, 1.0)


def _published(over: Space, config: Config, *, rows: int, goal: Goal) -> dict[str, Any]:
    decay = {name: PUBLISHED_SHRINK * _unit(name, config, rows=rows) for name in ("l2", "weight_decay")}
    found = {**PUBLISHED, **decay}
    if goal.reads != "labels":
        # Smoothed labels cost where probabilities or their order are judged, and values have no classes.
        found["label_smoothing"] = 0.0
    return {name: _nearest(value, over[name]) for name, value in found.items() if name in over}


def _nearest(value: Any, values: Values) -> Any:
    if isinstance(values, Interval):
        return value if value == 0 else min(max(value, values.low), values.high)
    if value in values or isinstance(value, str):
        return value if value in values else values[0]
    numbers = [one for one in values if not isinstance(one, tuple | list)]
    return min(numbers, key=lambda one: abs(one - value)) if numbers else values[0]


def _own(name: str, values: Values, config: Config) -> Any:
    """The config's own value where the space has it, else the middle of the space."""
    own = own_value(config, name)
    if isinstance(values, Interval):
        inside = own is not None and values.low <= own <= values.high
        return own if inside else value_at(name, values, share=0.5)
    return own if own in values else values[len(values) // 2]
