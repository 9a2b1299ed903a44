"""Training functions that are not wellfit's: errors by formula, rows that are wrong in a fixed order.

A row is wrong where its hardness is below the error, so that two fits differ on the rows between their errors, as two
networks do that learned the same thing better or worse.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wellfit as wf

TRAIN, DEV = 1_000, 2_000
_rng = np.random.default_rng(0)
HARD_TRAIN, HARD_DEV = _rng.random(TRAIN), _rng.random(DEV)
Y_TRAIN, Y_DEV = _rng.integers(0, 2, TRAIN), _rng.integers(0, 2, DEV)
HUMAN = 0.02

KNOBS = {
    "width": wf.size(4, 256),
    "epochs": wf.epochs(5, 80),
    "lr": wf.learning_rate(1e-5, 1e-1),
    "l2": wf.decay(1e-2, 1e3),
    "keep_prob": wf.keep_prob(0.3),
}


def told(train: float, dev: float) -> dict[str, Any]:
    """What a fit with these errors tells."""
    return {
        "train": (Y_TRAIN, np.where(train > HARD_TRAIN, 1 - Y_TRAIN, Y_TRAIN)),
        "dev": (Y_DEV, np.where(dev > HARD_DEV, 1 - Y_DEV, Y_DEV)),
    }


def small(knobs: Any) -> dict[str, Any]:
    """A network that is far too small: width alone helps, and nothing overfits."""
    train = HUMAN + 0.3 * max(0.0, 1 - np.log2(knobs["width"] / 4) / 5)
    return told(train, train + 0.005)


def overfit(knobs: Any) -> dict[str, Any]:
    """A network that fits all of train: decay brings dev down, best in the middle of its range."""
    place = np.log10(max(knobs["l2"], 1e-3) / 1e-3) / 6
    variance = 0.15 - 0.13 * max(0.0, 1 - abs(place - 0.8) / 0.4)
    return told(HUMAN, HUMAN + variance)


def fine(_knobs: Any) -> dict[str, Any]:
    """A network that needs nothing."""
    return told(HUMAN, HUMAN + 0.004)


def followed(study: wf.Study, fit: Any) -> list[wf.Trial]:
    """Ask and tell until the study ends; return the trials."""
    trials = []
    while trial := study.ask():
        trials.append(trial)
        study.tell(trial, **fit(trial.knobs))
    return trials
