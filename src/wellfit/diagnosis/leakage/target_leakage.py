"""Target leakage: one column that gives the target away, or a few whose weighted sum is the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Floats, Integers
from wellfit.data.features import Feature
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.groups import group_column
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate

GIVEN_AWAY = 0.99  # AUC or R2 above which no honest column is expected
CERTAIN = 0.85  # and the lower limit of its 95 % interval: about 22 rows of the rarest class
IDENTITY = 0.999  # R2 of a sum of columns that is the target
TOGETHER = 3  # largest number of columns in such a sum
SAMPLED = 10_000
FEWEST_ROWS = 30
CLASS_ROWS = 10  # a class with fewer sampled rows is left out
MOST_CLASSES = 20  # the commonest ones
FOLDS = 5
_BINS = 128
_BIN_ROWS = 4


@dataclass(frozen=True)
class TargetLeakage:
    """The columns that give the target away."""

    measure: str  # "AUC" or "R2"
    rows: int  # that were looked at
    alone: tuple[tuple[str, Estimate], ...]  # columns above .99 and their AUC or R2 alone, best first
    together: tuple[str, ...]  # columns whose weighted sum is the target
    best: tuple[str, float]  # name and score of the best column, suspicious or not


def target_leakage(train: Rows, *, seed: int = 0) -> TargetLeakage | None:
    """Find columns of train that give its target away; None if there are too few rows or there is nothing to predict.

    Each column alone predicts the target, with cross-fitting. Classes are predicted by their shares in the bins of the
    column (or the levels of a category), judged by the AUC (of one class against the rest, averaged over the classes).
    Values are predicted by the mean rank of the target, linearly interpolated between the bins, judged by R2 on ranks,
    so that a log or a square of the target is found as well.
    """
    rng = np.random.default_rng(seed)
    rows: Integers = np.sort(rng.permutation(train.rows)[:SAMPLED])
    target = train.target[rows]
    if train.classes:
        rows, target = _usual_classes(rows, target)
    if len(rows) < FEWEST_ROWS or len(np.unique(target)) < 2 or not train.features.columns:
        return None
    folds = rng.permutation(np.arange(len(rows)) % FOLDS)
    goal = goal_named("auc" if train.classes else "r2")
    wanted = target.astype(np.int64) if train.classes else _ranks(target)
    found = []
    for place, column in enumerate(train.features.columns):
        prediction = _cross_fitted(
            column, train.features.values[rows, place], wanted, folds=folds, classes=train.classes
        )
        found.append((1 - goal.loss(wanted, prediction), column.name, prediction))
    alone = []
    for score, name, prediction in found:
        if score > GIVEN_AWAY:
            loss = goal.estimate(wanted, prediction)
            alone.append((name, Estimate(1 - loss.value, 1 - loss.high, 1 - loss.low, loss.rows)))
    best = max(found, key=lambda each: each[0])
    return TargetLeakage(
        measure="AUC" if train.classes else "R2",
        rows=len(rows),
        alone=tuple(sorted(alone, key=lambda each: -each[1].value)),
        together=() if train.classes or alone else _sum_of(train, rows, folds),
        best=(best[1], float(best[0])),
    )


def giveaways(*, rows: OpenRows) -> Finding:
    """WF206: fires for columns that give the target away, unless one only marks groups of rows (see WF207)."""
    found = target_leakage(rows.train, seed=rows.seed)
    if found is None:
        return finding(
            "WF206",
            fired=None,
            evidence=f"There are too few rows, or there is no column: at least {FEWEST_ROWS} rows and one column are "
            "needed.",
        )
    certain = [(name, score) for name, score in found.alone if score.low > CERTAIN]
    place = group_column(rows.train) if certain else None
    group = None if place is None else rows.train.features.columns[place].name
    if [name for name, _ in certain] == [group]:
        said = f"{group} ({found.measure} {certain[0][1].value:.4f} alone) marks groups of rows; see WF207"
        return finding("WF206", fired=None, evidence=f"{said} before you use --drop {group}.")
    if certain:
        said = ", ".join(f"{name} ({found.measure} {score.value:.4f} alone)" for name, score in certain)
        return finding("WF206", fired=True, evidence=f"{said}.")
    if found.together:
        evidence = f"A weighted sum of {', '.join(found.together)} is the target."
        return finding("WF206", fired=True, evidence=evidence)
    if found.alone:
        said = ", ".join(f"{name} ({score.value:.3f}, lower limit {score.low:.3f})" for name, score in found.alone)
        evidence = f"Cannot tell with {found.rows:,} rows. {found.measure} of single columns: {said}."
        return finding("WF206", fired=None, evidence=evidence)
    name, score = found.best
    evidence = f"The best single column, {name}, reaches {found.measure} {max(score, 0.0):.3f}."
    return finding("WF206", fired=False, evidence=evidence)


def _usual_classes(rows: Integers, target: Integers | Floats) -> tuple[Integers, Integers]:
    """Return the rows whose classes are frequent enough, and their new class codes."""
    classes, counts = np.unique(target, return_counts=True)
    kept = classes[np.argsort(-counts, kind="stable")[:MOST_CLASSES]]
    kept = np.sort(kept[np.isin(kept, classes[counts >= CLASS_ROWS])])
    inside = np.isin(target, kept)
    return rows[inside], np.searchsorted(kept, target[inside])


def _ranks(values: Integers | Floats) -> Floats:
    """Return ranks [rows] in (0, 1); equal values get their mean rank."""
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles = (ends - counts / 2) / len(values)
    return np.asarray(middles[codes]) if len(distinct) else np.empty(0)


def _cross_fitted(
    column: Feature, values: Floats, target: Integers | Floats, *, folds: Integers, classes: int
) -> Floats:
    """Return predictions for each row from the other folds; the bins are made from all rows, without their targets."""
    width = int(target.max()) + 1 if classes else 1
    predicted = np.empty((len(values), width))
    edges = _edges(column, values)
    # Missing values get the last bin.
    bins = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    for fold in range(FOLDS):
        held, fit = folds == fold, folds != fold
        before, after = bins[fit], bins[held]
        if classes:
            predicted[held] = _shares(before, target[fit], width=width, bins=len(edges) + 2)[after]
        elif column.kind == "category":
            predicted[held, 0] = _means(before, target[fit], bins=len(edges) + 2)[after]
        else:
            predicted[held, 0] = _joined(values[fit], before, target[fit], at=values[held])
    return predicted if classes else predicted[:, 0]


def _edges(column: Feature, values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    if column.kind == "category" or not len(known):
        return np.unique(known)
    bins = int(np.clip(len(known) // _BIN_ROWS, 2, _BINS))
    return np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)))


def _shares(bins_of: Integers, target: Integers | Floats, *, width: int, bins: int) -> Floats:
    """Return shares [bins, classes], shrunk towards the shares of all rows by the weight of one row."""
    counts = np.bincount(bins_of * width + target.astype(np.int64), minlength=bins * width).reshape(bins, width)
    prior = counts.sum(axis=0) / counts.sum()
    return np.asarray((counts + prior) / (counts.sum(axis=1, keepdims=True) + 1))


def _means(bins_of: Integers, target: Integers | Floats, *, bins: int) -> Floats:
    counts = np.bincount(bins_of, minlength=bins)
    sums = np.bincount(bins_of, weights=target, minlength=bins)
    return np.asarray((sums + target.mean()) / (counts + 1))


def _joined(values: Floats, bins_of: Integers, target: Integers | Floats, *, at: Floats) -> Floats:
    """Interpolate linearly between the means of the bins; missing values get the mean of the missing ones."""
    known = ~np.isnan(values)
    unknown = float(target[~known].mean()) if (~known).any() else float(target.mean())
    if not known.any():
        return np.full(len(at), unknown)
    counts = np.bincount(bins_of[known])
    used = counts > 0
    x, y = (np.bincount(bins_of[known], weights=each[known])[used] / counts[used] for each in (values, target))
    return np.where(np.isnan(at), unknown, np.interp(np.nan_to_num(at), x, y))


def _sum_of(train: Rows, rows: Integers, folds: Integers) -> tuple[str, ...]:
    """Return up to three numeric columns whose weighted sum is the target, added greedily; () if there are none."""
    columns = train.features.columns
    places = [place for place, column in enumerate(columns) if column.kind == "number"]
    values = train.features.values[rows][:, places]
    filled = np.where(np.isnan(values), 0.0, values)
    spread = filled.std(axis=0)
    centred = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    target = np.asarray(train.target[rows], dtype=np.float64)
    target = (target - target.mean()) / target.std()
    chosen: list[int] = []
    left = target
    for _ in range(min(TOGETHER, len(places))):
        pull = np.abs(centred.T @ left)
        pull[chosen] = -1.0
        chosen.append(int(np.argmax(pull)))
        design = centred[:, chosen]
        left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        if 1 - np.mean(_held_out_residuals(design, target, folds) ** 2) > IDENTITY:
            return tuple(columns[places[each]].name for each in chosen)
    return ()


def _held_out_residuals(design: Floats, target: Floats, folds: Integers) -> Floats:
    left = np.empty(len(target))
    for held in (folds == fold for fold in range(FOLDS)):
        weights = np.linalg.lstsq(design[~held], target[~held], rcond=None)[0]
        left[held] = target[held] - design[held] @ weights
    return left
