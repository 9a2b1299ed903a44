"""Rows -> what the engine trains on, by transforms that are fit on the training rows alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from wellfit._typing import Floats
from wellfit.data.prepare import Arrays, NumberFit, Preparation, Prepared, fit_preparation
from wellfit.data.schema import Column, Schema
from wellfit.estimators.rows import Rows

MEASURED_ROWS = 256
"""Training rows that stand in for dev where nothing is chosen by it: the engine wants to measure something."""


def prepared(train: Rows, dev: Rows | None, *, columns: tuple[Column, ...], classes: int) -> Prepared:
    """Return the arrays of the training rows and of dev.

    One target keeps its unit, and the preparation its mean and scale. Several are standardized here, each by the
    training rows, so that none outweighs another; `target_moments` leads back.

    Args:
        train: rows to train on.
        dev: rows to measure; None for some of the training rows.
        columns: of both tables, in order.
        classes: C; 0 for a regression.
    """
    # The target is no column of the table, so the transforms are fit as if there were none.
    fitted = _with_an_input(fit_preparation(train.table, Schema(columns, "", "classification")))
    if classes:
        names = tuple(str(code) for code in range(classes))
        preparation = replace(fitted, schema=Schema(columns, "", "classification", names))
    else:
        preparation = replace(fitted, schema=Schema(columns, "", "regression"), targets=train.targets)
        if train.targets == 1:
            mean, scale = target_moments(train)
            preparation = replace(preparation, target_mean=float(mean), target_scale=float(scale))
    dev = train.take(np.arange(min(len(train), MEASURED_ROWS))) if dev is None else dev
    return Prepared(preparation, _arrays(preparation, train, of=train), None, _arrays(preparation, dev, of=train))


def target_moments(train: Rows) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each target over the training rows, 1 where it does not vary.

    Scalars for targets [rows], [targets] for several.
    """
    mean = np.average(train.target, axis=0, weights=train.weights)
    scale = np.sqrt(np.average((train.target - mean) ** 2, axis=0, weights=train.weights))
    # What rounding leaves of a constant is no spread.
    step = 8 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(scale > step, scale, 1.0)


def _with_an_input(fitted: Preparation) -> Preparation:
    """Return the preparation; where no column varies, with one input that is always 0: a network needs one."""
    if fitted.numeric_names or fitted.categories:
        return fitted
    nothing = NumberFit(fitted.schema.columns[0].name, "value", fill=0.0, scale=math.inf, indicator=False)
    return replace(fitted, numbers=(nothing,))


def _arrays(preparation: Preparation, rows: Rows, *, of: Rows) -> Arrays:
    target = rows.target
    if preparation.targets > 1:
        mean, scale = target_moments(of)
        target = (target - mean) / scale
    found = preparation.transform(rows.table, with_target=False)
    return replace(found, target=target, weights=rows.weights, groups=rows.groups)
