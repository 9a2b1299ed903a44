"""WF505 and WF506: rows that change each other's outputs, and one row alone."""

from __future__ import annotations

import torch
from torch import Tensor

from wellfit.checking.keeping import wake
from wellfit.checking.trial import FAILURES, Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 12
TOLERANCE = 1e-3
"""Fraction of the outputs' standard deviation; a different order of summation changes them by about a millionth."""


def mixed_rows(trial: Trial) -> Finding:
    """WF505: fires if, in evaluation, replacing one row changes the outputs of others (d output_i / d input_j != 0)."""
    rows, _ = trial.batch(ROWS)
    wake(trial.module)
    with torch.no_grad():
        before = trial.run(rows, training=False)
        if before.dim() == 0 or len(before) != len(rows):
            told = f"{len(rows)} rows give outputs of shape {list(before.shape)}, whose first axis is not the rows."
            return finding("WF505", fired=True, evidence=told)
        scale = float(before.std()) + 1e-12
        changes = {}
        for place in (0, len(rows) - 1):
            other = rows.clone()
            other[place] = rows[len(rows) // 2]
            change = (trial.run(other, training=False) - before).abs().reshape(len(rows), -1).amax(1)
            change[place] = 0
            changes[place] = float(change.max()) / scale
    place, worst = max(changes.items(), key=lambda item: item[1])
    told = f"Replacing row {place} changes the outputs of other rows by {worst:.2g} of their standard deviation."
    return finding("WF505", fired=not worst <= TOLERANCE, evidence=told)


def row_alone(trial: Trial) -> Finding:
    """WF506: fires unless one row alone is predicted as among others; norms over a batch need two in training."""
    rows, _ = trial.batch(ROWS)
    wake(trial.module)
    with torch.no_grad():
        among = trial.run(rows, training=False)
        if among.dim() == 0 or len(among) != len(rows):
            return finding("WF506", fired=None, evidence="Rows are no longer the first axis of the outputs (WF505).")
        try:
            alone = trial.run(rows[:1], training=False)
        except FAILURES as error:
            return finding("WF506", fired=True, evidence=f"One row alone fails: {type(error).__name__}: {error}.")
        if alone.shape != among[:1].shape:
            told = (
                f"One row alone gives outputs of shape {list(alone.shape)} instead of {list(among[:1].shape)}, as if "
                "a squeeze removed an axis."
            )
            return finding("WF506", fired=True, evidence=told)
        change = float((alone - among[:1]).abs().max()) / (float(among.std()) + 1e-12)
    told = (
        f"The outputs of a row alone differ by {change:.2g} of the standard deviation from its outputs among "
        f"{len(rows)} rows."
    )
    return finding("WF506", fired=not change <= TOLERANCE, evidence=told + _in_training(trial, rows))


def _in_training(trial: Trial, rows: Tensor) -> str:
    try:
        with torch.no_grad():
            trial.run(rows[:1], training=True)
    except FAILURES:
        return (
            " In training, a batch of one row fails (because of a norm over the batch), so leave out a last batch of "
            "one row."
        )
    return ""
