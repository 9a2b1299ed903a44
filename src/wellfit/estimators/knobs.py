"""The arguments of an estimator -> a config: two names for one knob, and what the number of rows decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from wellfit.config import Config, Network, Optimization, updates_per_epoch
from wellfit.estimators.inputs import Rows
from wellfit.exceptions import BadInput
from wellfit.recipe.defaults import (
    ENOUGH_UPDATES,
    FEWEST_BINS,
    FEWEST_EPOCHS,
    LR,
    MOST_EPOCHS,
    batch_size_for,
    bins_for,
)
from wellfit.sweeps.setting import changed

KNOBS = (
    *("widths", "activation", "embedding", "bins"),
    *("optimizer", "lr", "epochs", "batch_size", "schedule", "momentum", "betas", "clip_norm"),
    *("l2", "l1", "keep_prob", "label_smoothing", "input_noise", "mixup", "ema", "l2_schedule", "keep_prob_schedule"),
)
"""Arguments that are knobs of a config by the same name; None leaves the choice to the number of rows."""
SECOND_NAMES: Mapping[str, tuple[str, float]] = {"weight_decay": ("l2", 0.0), "dropout": ("keep_prob", 1.0)}
"""Another name for a knob -> the knob, and its value where nothing is regularized."""

ROWS_PER_BIN, ROWS_PER_INPUT = 50, 4
"""Training rows that a bin of one column needs, and one bin among those of all columns."""


def store(estimator: Any, arguments: Mapping[str, Any]) -> None:
    """Keep the arguments of `__init__` (its `locals()`) as they are, under their own names, and do nothing else."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def config_of(arguments: Mapping[str, Any], *, rows: Rows, columns: int, seed: int) -> Config:
    """Return the config that the arguments of an estimator mean for these rows.

    Args:
        arguments: as `get_params` has them.
        rows: the training rows: their number decides batch size and epochs, their total weight m converts
            weight_decay to lambda.
        columns: features that are numbers; they decide the number of bins.
        seed: of weights, noise and batch order.

    Raises:
        BadInput: for two names of one knob, or a value that is out of range or of another kind.
    """
    _require_one_name(arguments)
    size = arguments["batch_size"] or batch_size_for(len(rows))
    base = Config(
        network=Network(bins=bins_of(len(rows), columns=columns)),
        optimization=Optimization(lr=LR, batch_size=batch_size_for(len(rows))),
        seed=seed,
    )
    setting = {name: arguments[name] for name in KNOBS if arguments.get(name) is not None}
    for second, (knob, _) in SECOND_NAMES.items():
        if arguments[second] is not None:
            setting[second] = arguments[second]
            del setting[knob]
    config = changed(base, setting, rows=rows.total)
    if arguments["epochs"] is not None:
        return config
    return changed(config, {"epochs": epochs_of(rows, batch_size=size)}, rows=rows.total)


def epochs_of(rows: Rows, *, batch_size: int) -> int:
    """Return epochs that make enough updates, within bounds."""
    updates = updates_per_epoch(rows=len(rows), batch_size=batch_size)
    # A thousand rows of which fifty are distinct are gone through as often as a thousand rows.
    counted = not (rows.weights % 1).any()
    most = MOST_EPOCHS * max(1, math.ceil(rows.total / len(rows)) if counted else 1)
    return min(max(math.ceil(ENOUGH_UPDATES / updates), FEWEST_EPOCHS), most)


def bins_of(rows: int, *, columns: int) -> int:
    """Return the bins of each of so many numbers, on so many rows."""
    # Measured on the tables that scikit-learn ships: a small one is learnt by heart bin by bin, and takes longer.
    fitting = min(rows // ROWS_PER_BIN, rows // (ROWS_PER_INPUT * max(columns, 1)))
    return min(bins_for(columns, rows=rows), max(fitting, FEWEST_BINS))


def _require_one_name(arguments: Mapping[str, Any]) -> None:
    for second, (knob, off) in SECOND_NAMES.items():
        if arguments[second] is not None and arguments[knob] != off:
            raise BadInput(
                f"{knob} and {second} are two names of one knob",
                found=f"{knob}={arguments[knob]!r} and {second}={arguments[second]!r}",
                remedy="Give one of them",
            )
