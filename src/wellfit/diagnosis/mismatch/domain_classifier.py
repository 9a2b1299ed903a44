"""Differences between the inputs of two parts, measured by how well boosted trees distinguish them.

The trees are fitted on one half of the rows and judged on the other: J = TPR + TNR - 1 <= TV(P, Q), so J is an effect
size (Lopez-Paz and Oquab 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Feature, Features
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.mismatch.columns import MATERIAL, TvBound, bound_from_counts, time_columns
from wellfit.diagnosis.rows import OpenRows, Rows

SIDE_ROWS = 20_000  # of each side at most: the limits are then .012 from the value
FEWEST_ROWS = 30
EVEN = 0.5  # both sides weigh alike
PERMUTED_ROWS = 4_000  # rows on which a column's role in telling the sides apart is measured
_NAMED = 4


@dataclass(frozen=True)
class DomainShift:
    """The result of a classifier that tells dev from train."""

    bound: TvBound  # J on the held-out half, with its one-sided 95 % limits
    importance: tuple[tuple[str, float], ...]  # (column, loss of J with its values shuffled), most first; for an alarm
    time: tuple[str, ...]  # columns that only count time; the classifier does not see them
    tau: float  # total variation that is material


@dataclass(frozen=True)
class Halves:
    """Rows of both sides: `values` [rows, columns], `is_dev` [rows], and the rows on which the classifier is fitted."""

    values: Floats
    is_dev: Booleans
    fit: Booleans


def with_channels(part: Rows, seen: Floats) -> Rows:
    """Add a network's channels for each picture [rows, channels] to the measured values."""
    channels = tuple(Feature(f"channel {place + 1} of the network", "number") for place in range(seen.shape[1]))
    features = part.features
    return replace(part, features=Features((*features.columns, *channels), np.hstack([features.values, seen])))


def domain_shift(train: Rows, dev: Rows, *, tau: float = MATERIAL, seed: int = 0) -> DomainShift | None:
    """Compute limits for the total variation between the inputs of two parts.

    The result is None if a side has fewer than 30 rows, or if every column merely counts time.
    """
    time = time_columns(train, dev)
    kept = np.array([i for i, c in enumerate(train.features.columns) if c.name not in time], np.int64)
    if min(train.rows, dev.rows) < FEWEST_ROWS or not len(kept):
        return None
    rng = np.random.default_rng(seed)
    halves = halved([train, dev], kept, rng=rng)
    columns = [train.features.columns[i] for i in kept]
    model = DomainTrees.fit(halves.values[halves.fit], halves.is_dev[halves.fit], columns, seed=seed)
    said, actual = model.from_dev(halves.values[~halves.fit]) > EVEN, halves.is_dev[~halves.fit]
    in_dev, in_train = ((int(said[actual == side].sum()), int((actual == side).sum())) for side in (True, False))
    bound = bound_from_counts(in_dev, in_train)
    alarm = bound.verdict(tau) == "yes"
    importance = _importance(model, halves, columns, rng=rng) if alarm else ()
    return DomainShift(bound, importance, time, tau)


def halved(parts: Sequence[Rows], kept: Integers, *, rng: np.random.Generator) -> Halves:
    """Draw at most `SIDE_ROWS` rows of each part; half of them, in whole groups, are used for fitting."""
    drawn = [np.sort(rng.permutation(part.rows)[:SIDE_ROWS]) for part in parts]
    values = [part.features.values[rows][:, kept] for part, rows in zip(parts, drawn, strict=True)]
    is_dev = np.repeat([False, True], [len(rows) for rows in drawn])
    groups = [part.groups[rows] for part, rows in zip(parts, drawn, strict=True) if part.groups is not None]
    if len(groups) == len(parts):
        codes = np.unique(np.concatenate(groups), return_inverse=True)[1]
        return Halves(np.concatenate(values), is_dev, (rng.random(int(codes.max()) + 1) < 0.5)[codes])
    fit = np.concatenate([rng.permutation(np.arange(len(rows)) % 2 == 0) for rows in drawn])
    return Halves(np.concatenate(values), is_dev, fit)


def different_inputs(*, rows: OpenRows, seen: Mapping[str, Floats] | None = None) -> Finding:
    """WF302: fires if inputs differ; pictures are compared by a network's channels and by their measured values."""
    first, dev = rows.train, rows.dev
    if seen is not None:
        (held_out,) = seen.keys() - {"dev"}
        first, dev = (with_channels(rows.parts[name], seen[name]) for name in (held_out, "dev"))
    found = domain_shift(first, dev, seed=rows.seed)
    if found is None:
        why = f"This check needs at least {FEWEST_ROWS} rows on each side and a column that does not merely count time."
        return finding("WF302", fired=None, evidence=why)
    bound, verdict = found.bound, found.bound.verdict(found.tau)
    apart = f" Columns that merely count time were left out: {', '.join(found.time)}." if found.time else ""
    if verdict == "yes":
        by = ", ".join(name for name, _ in found.importance[:_NAMED])
        told = f", mostly by {by}" if by else ""
        said = f"A classifier tells dev from train{told}: the total variation is at least {bound.low:.2f}"
        return finding("WF302", fired=True, evidence=f"{said} (above {found.tau:.2f}).{apart}")
    if verdict == "no":
        said = f"This classifier finds no material mismatch: the total variation is at most {bound.high:.2f}."
        return finding("WF302", fired=False, evidence=said + apart)
    needed = bound.rows_to_decide(found.tau)
    decides = f" About {2 * needed:,} rows on each side would decide." if needed else ""
    said = f"Cannot tell: a classifier finds a total variation of {max(bound.low, 0):.2f} to {bound.high:.2f}.{decides}"
    return finding("WF302", fired=None, evidence=said + apart)


def _importance(
    model: DomainTrees, halves: Halves, columns: Sequence[Feature], *, rng: np.random.Generator
) -> tuple[tuple[str, float], ...]:
    held = np.flatnonzero(~halves.fit)
    rows = rng.permutation(held)[:PERMUTED_ROWS]
    values, actual = halves.values[rows], halves.is_dev[rows]
    full = _separation(model, values, actual)
    drops = []
    for place, column in enumerate(columns):
        kept = values[:, place].copy()
        values[:, place] = rng.permutation(kept)
        drops.append((column.name, full - _separation(model, values, actual)))
        values[:, place] = kept
    return tuple(sorted((each for each in drops if each[1] > 0), key=lambda each: -each[1]))


def _separation(model: DomainTrees, values: Floats, actual: Booleans) -> float:
    said = model.from_dev(values) > EVEN
    return float(said[actual].mean() - said[~actual].mean())


_MOST_LEVELS = 255  # of a category, in scikit-learn's boosting
_BINS = 128  # of a number: a shift that hides in less than 1 % of the rows is below every threshold


@dataclass(frozen=True)
class DomainTrees:
    """Fitted trees that give both sides the same weight."""

    edges: tuple[Floats | None, ...]  # of each column, the ends of its bins; None where values are taken as they are
    model: Any  # scikit-learn's

    @classmethod
    def fit(cls, values: Floats, is_dev: Booleans, columns: Sequence[Feature], *, seed: int) -> DomainTrees:
        """Fit the trees to values [rows, columns], NaN where missing, and to a mask [rows] of the rows from dev.

        Numbers are binned here, because scikit-learn computes the bins of weighted rows one weighted percentile at a
        time, which takes ten times as long as fitting all its trees.
        """
        categories = [column.kind == "category" and 0 < len(column.levels) <= _MOST_LEVELS for column in columns]
        edges = tuple(None if c else _edges(values[:, place]) for place, c in enumerate(categories))
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=10,
            l2_regularization=1.0,
            early_stopping=False,
            class_weight="balanced",
            categorical_features=categories if any(categories) else None,
            random_state=seed,
        )
        with threadpool_limits(limits=1):  # two threads stall next to a busy process
            return cls(edges, model.fit(_binned(values, edges), is_dev))

    def from_dev(self, values: Floats) -> Floats:
        """Return each row's probability of coming from dev [rows] if both sides are equally likely."""
        with threadpool_limits(limits=1):
            return np.asarray(self.model.predict_proba(_binned(values, self.edges))[:, 1])


def _edges(values: Floats) -> Floats | None:
    """Return the inner edges of `_BINS` bins with equally many rows; None unless there are more distinct values."""
    known = np.sort(values[~np.isnan(values)])
    if np.count_nonzero(np.diff(known)) < _BINS:
        return None
    inner = np.arange(1, _BINS) * len(known) // _BINS
    return np.unique(known[inner - 1] + (known[inner] - known[inner - 1]) / 2)


def _binned(values: Floats, edges: Sequence[Floats | None]) -> Floats:
    """Return the index of each value's bin [rows, columns]; missing values stay missing."""
    found = values.copy()
    for place, ends in enumerate(edges):
        if ends is not None:
            known = ~np.isnan(values[:, place])
            found[known, place] = np.searchsorted(ends, values[known, place])
    return found
