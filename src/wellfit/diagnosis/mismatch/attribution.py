"""Causes of a gap between two parts: different inputs (covariate), or different targets for the same inputs (concept).

This file also computes the importance of training rows: how much more frequent such rows are in deployment than in
train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Feature, Features
from wellfit.diagnosis.findings import UNCHECKED, Finding, finding
from wellfit.diagnosis.mismatch.columns import time_columns
from wellfit.diagnosis.mismatch.domain_classifier import DomainTrees
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.stats.intervals import Estimate

FEWEST_SHARED = 50.0  # effective rows (sum w)^2 / sum w^2 on either side: docs/methods.md, "Mismatch"
FEWEST_ROWS = 100
FOLDS = 5
DRAWS = 1_000
SIDE_ROWS = 20_000
_EVEN = 2.0  # weights of rows that are equally likely to come from either part are 1/2


@dataclass(frozen=True)
class Attribution:
    """A gap between mean losses, split by cause, with 95 % bootstrap intervals."""

    gap: float  # dev loss - source loss
    covariate: Estimate  # the part that different inputs explain
    concept: Estimate  # the part at inputs that both share, where the target itself differs
    shared: float  # effective rows at the shared inputs, of the smaller side


@dataclass(frozen=True)
class Side:
    """One part: losses [rows], and the probability [rows] that a row is from dev if both parts are equally likely."""

    losses: Floats
    from_dev: Floats


def attribute_gap(source: Rows, dev: Rows, *, seed: int = 0) -> Attribution | None:
    """Split the gap between the losses of two parts that were not trained on (the source is train-dev).

    The result is None if a part has no losses or fewer than 100 rows, if every column merely counts time, or if the
    inputs that both parts share amount to fewer than 50 effective rows.
    """
    time = time_columns(source, dev)
    kept = [place for place, column in enumerate(source.features.columns) if column.name not in time]
    if source.losses is None or dev.losses is None or min(source.rows, dev.rows) < FEWEST_ROWS or not kept:
        return None
    rng = np.random.default_rng(seed)
    drawn = [np.sort(rng.permutation(part.rows)[:SIDE_ROWS]) for part in (source, dev)]
    values = [part.features.values[rows][:, kept] for part, rows in zip((source, dev), drawn, strict=True)]
    columns = [source.features.columns[place] for place in kept]
    from_dev = _cross_fitted(
        np.concatenate(values), np.repeat([False, True], list(map(len, values))), columns, seed=seed
    )
    sides = (
        Side(source.losses[drawn[0]], from_dev[: len(drawn[0])]),
        Side(dev.losses[drawn[1]], from_dev[len(drawn[0]) :]),
    )
    return split_gap(*sides, rng=rng)


def split_gap(source: Side, dev: Side, *, rng: np.random.Generator) -> Attribution | None:
    """Split the gap, given each row's probability of coming from dev; None if there are too few shared rows.

    Weights from a domain classifier carry both losses to the inputs that the parts share, s ~ p q / (p + q) (DISDE;
    Cai, Namkoong and Yadlowsky). The gap is the sum of three steps: from the source to the shared inputs, from the
    source's target to that of dev, and from the shared inputs to dev.
    """
    weights = source.from_dev, 1 - dev.from_dev
    # Effective rows, at most those that both parts share: tiny weights that are all alike count for nothing.
    shared = min(float(min(each.sum() ** 2 / (each**2).sum(), _EVEN * each.sum())) for each in weights)
    if shared < FEWEST_SHARED:
        return None
    drawn = np.array([_parts(_resampled(source, rng), _resampled(dev, rng)) for _ in range(DRAWS)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    rows = len(dev.losses)
    ends = zip(_parts(source, dev), low, high, strict=True)
    parts = [Estimate(value, float(least), float(most), rows) for value, least, most in ends]
    gap = float(dev.losses.mean() - source.losses.mean())
    return Attribution(gap, parts[0], parts[1], shared)


def parts_of_mismatch(*, tolerance: float, rows: OpenRows, network: NetworkOnRows | None = None) -> Finding:
    """WF305: fires if a cause accounts for significantly more of the mismatch than the tolerance.

    Only train-dev, which was not trained on, separates mismatch from variance.
    """
    if network is None:
        return finding("WF305", fired=None, evidence=UNCHECKED)
    found, measured = None, rows.under(network)
    if measured.train_dev is not None:
        found = attribute_gap(measured.train_dev, measured.dev, seed=rows.seed)
    if found is None:
        why = (
            f"This check needs losses on train-dev and dev, {FEWEST_ROWS} rows of each, and inputs that both share "
            f"(at least {FEWEST_SHARED:.0f} effective rows)."
        )
        return finding("WF305", fired=None, evidence=why)
    shares = {"different inputs": found.covariate, "a different target for the same inputs": found.concept}
    told = "; ".join(f"{name} {each.value:+.3g} ({each.low:+.3g} to {each.high:+.3g})" for name, each in shares.items())
    said = f"The gap in the loss is {found.gap:+.3g}, which splits into {told}."
    if any(each.low > tolerance for each in shares.values()):
        return finding("WF305", fired=True, evidence=said)
    passed = all(each.high < tolerance for each in shares.values())
    return finding("WF305", fired=False if passed else None, evidence=said if passed else f"Cannot tell. {said}")


def _parts(source: Side, dev: Side) -> tuple[float, float]:
    """Return the covariate and the concept share, by self-normalised weights."""
    at_source = float(np.average(source.losses, weights=source.from_dev))
    at_dev = float(np.average(dev.losses, weights=1 - dev.from_dev))
    concept = at_dev - at_source
    return float(dev.losses.mean() - source.losses.mean()) - concept, concept


def _cross_fitted(values: Floats, is_dev: Booleans, columns: Sequence[Feature], *, seed: int) -> Floats:
    found = np.empty(len(values))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fit, held in folds.split(values, is_dev):
        found[held] = DomainTrees.fit(values[fit], is_dev[fit], columns, seed=seed).from_dev(values[held])
    return found


def _resampled(side: Side, rng: np.random.Generator) -> Side:
    rows = rng.integers(0, len(side.losses), len(side.losses))
    return Side(side.losses[rows], side.from_dev[rows])


MOST_TIMES = 20.0
"""The largest factor by which a row's weight is raised or lowered."""


def importance_of(
    train: Rows, dev: Rows, *, others: Mapping[str, Features] | None = None, seed: int = 0
) -> tuple[Floats, dict[str, Floats]] | None:
    """Return the density ratio of deployment to train [train rows], and the same for further training rows, by name.

    The targets of dev are not used. The result is None if a side has fewer than 100 rows, or if every column merely
    counts time.
    """
    time = time_columns(train, dev)
    kept = np.array([i for i, column in enumerate(train.features.columns) if column.name not in time], np.int64)
    if min(train.rows, dev.rows) < FEWEST_ROWS or not len(kept):
        return None
    rng = np.random.default_rng(seed)
    fold_of = [_folds(part, rng=rng) for part in (train, dev)]
    columns = [train.features.columns[i] for i in kept]
    own: Floats = np.empty(train.rows)
    sums: dict[str, Floats] = {name: np.zeros(rows.rows) for name, rows in (others or {}).items()}
    for fold in range(FOLDS):
        fit = (np.flatnonzero(folds != fold) for folds in fold_of)
        sides = [np.sort(rng.permutation(rows)[:SIDE_ROWS]) for rows in fit]
        values = [part.features.values[rows][:, kept] for part, rows in zip((train, dev), sides, strict=True)]
        is_dev = np.repeat([False, True], list(map(len, sides)))
        model = DomainTrees.fit(np.concatenate(values), is_dev, columns, seed=seed)
        held = fold_of[0] == fold
        own[held] = _ratio(model.from_dev(train.features.values[held][:, kept]))
        for name, rows in (others or {}).items():
            sums[name] = sums[name] + _ratio(model.from_dev(rows.values[:, kept])) / FOLDS
    return own, sums


def _folds(part: Rows, *, rng: np.random.Generator) -> Integers:
    """Return the fold of each row [rows]; all rows of a group are in the same fold."""
    if part.groups is None:
        return rng.permutation(np.arange(part.rows) % FOLDS)
    codes = np.unique(part.groups, return_inverse=True)[1]
    return np.asarray(rng.permutation(np.arange(int(codes.max()) + 1) % FOLDS)[codes])


def _ratio(from_dev: Floats) -> Floats:
    odds = from_dev / np.maximum(1 - from_dev, np.finfo(np.float64).tiny)
    return np.clip(odds, 1 / MOST_TIMES, MOST_TIMES)
