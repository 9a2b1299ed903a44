"""Near copies: dev rows that are closer to a training row than training rows are to each other (docs/methods.md)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special
from sklearn.neighbors import NearestNeighbors

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Features
from wellfit.data.prepare import Copies
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.duplicates import WithAndWithout, among, compared_columns, keys_of, with_and_without
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.stats.differences import difference
from wellfit.stats.intervals import LEVEL, Estimate, wilson

QUANTILE = 0.005  # docs/methods.md, "Leakage"
SURE = 0.99  # of the lower limit: the better of two comparisons is reported, and comes before all else
MATERIAL = 0.01  # an excess of one dev row in a hundred matters
CLOSE = 0.1  # a tenth of that distance: chance falls at least as fast, so a few such rows suffice in a small dev set
DECIDING_ROWS = 2_000  # of each part, with which clean data pass nine times in ten (simulated)
QUERIES = 2_000  # rows of each part whose neighbours are searched
MANY_ROWS = 200_000  # above it fewer queries keep the search within seconds
FEW_QUERIES = 1_000
DIMENSIONS = 32  # of the space that wide rows are projected to at random
TREE_DIMENSIONS = 8  # up to this many, a k-d tree is faster than comparing all pairs
FEWEST_ROWS = 20  # of each part
_CLIPPED = 0.005  # share on either side whose extremes do not set a column's scale
_GLANCE = 20_000  # rows that set the scale
_MISSING = 3.0  # standard deviations from the mean: a place of their own for missing values
_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class NearDuplicates:
    """Dev rows that are suspiciously close to training rows."""

    queried: int  # dev rows that were searched for
    suspects: tuple[int, ...]  # places in dev, nearest first
    twins: tuple[int, ...]  # place of each suspect's nearest row in train
    threshold: float  # distance below which a row is suspect
    excess: Estimate  # share of suspects among the queried rows - the share expected by chance
    errors: WithAndWithout | None  # over the queried rows


def near_copies(*, rows: OpenRows) -> Finding:
    """WF205: pictures that look alike if the split counted them, and otherwise near copies among the features."""
    if not rows.look_alikes:
        return _among_features(rows)
    counts = rows.look_alikes.items()
    said = ", ".join(f"{count:,} of {of:,} {part.replace('_', '-')}" for part, (count, of) in counts)
    fired = any(count > MATERIAL * of for _, (count, of) in counts)
    evidence = f"Pictures that look like a training picture (perceptual hash, confirmed pixel by pixel): {said}."
    return finding("WF205", fired=fired, evidence=evidence)


def near_duplicates(train: Rows, dev: Rows, *, seed: int = 0) -> NearDuplicates | None:
    """Search dev for near copies of training rows; None if either part has fewer than 20 distinct rows.

    The distances from dev to train are compared with those from train to the rest of train. If dev is drawn in the same
    way as train, both have the same distribution, for any kind of distance. A row is suspect if its distance is below
    the .5 % quantile of the distances within train. The verdict is on the excess over the share that this quantile
    catches by chance. Exact copies are left out on both sides. Copies made before a random split are as close within
    train as across the splits, so no such comparison can detect them.
    """
    rng = np.random.default_rng(seed)
    keys, places = np.unique(keys_of(train.features), return_index=True)
    dev_keys, fresh = np.unique(keys_of(dev.features), return_index=True)
    fresh = fresh[~among(dev_keys, keys)]
    if min(len(places), len(fresh)) < FEWEST_ROWS:
        return None
    queries = QUERIES if len(places) <= MANY_ROWS else FEW_QUERIES
    asked = np.sort(rng.permutation(fresh)[:queries])
    own = np.sort(rng.permutation(len(places))[:queries])
    space = _Space.of(train.features, seed=seed)
    known = space.points(train.features, places)
    within, distances, twins = _searched(known, own, space.points(dev.features, asked))
    rank = max(1, math.floor(QUANTILE * len(within)))
    threshold = float(np.partition(within, rank - 1)[rank - 1])
    excess = _excess(distances < threshold, rank=rank, rows=len(within))
    closer = _excess(distances < CLOSE * threshold, rank=rank, rows=len(within), scale=CLOSE)
    if closer.low > max(excess.low, MATERIAL):
        threshold, excess = CLOSE * threshold, closer
    near = distances < threshold
    order = np.flatnonzero(near)[np.argsort(distances[near], kind="stable")]
    return NearDuplicates(
        queried=len(asked),
        suspects=tuple(int(row) for row in asked[order]),
        twins=tuple(int(row) for row in places[twins[order]]),
        threshold=threshold,
        excess=excess,
        errors=with_and_without(None if dev.losses is None else dev.losses[asked], near),
    )


def _among_features(rows: OpenRows) -> Finding:
    """WF205 on features: fires if the excess is significantly above one row in a hundred, and passes if it is below."""
    found = near_duplicates(rows.train, rows.dev, seed=rows.seed)
    if found is None:
        evidence = f"There are too few rows: train and dev must each have {FEWEST_ROWS} distinct rows."
        return finding("WF205", fired=None, evidence=evidence)
    low, high = (100 * limit for limit in (found.excess.low, found.excess.high))
    said = (
        f"{len(found.suspects):,} of {found.queried:,} dev rows are closer to a training row than training rows are "
        f"to each other (their {100 * QUANTILE:g} % quantile): {max(low, 0.0):.1f} to {max(high, 0.0):.1f} % of dev "
        "more than by chance"
    )
    if found.excess.low > MATERIAL:
        shown = zip(found.suspects[:_NAMED_AT_MOST], found.twins, strict=False)
        pairs = ", ".join(f"{row + 1} (train {twin + 1})" for row, twin in shown)
        evidence = f"{said}. The nearest are dev rows {pairs}.{found.errors.text(rows.goal) if found.errors else ''}"
        return finding("WF205", fired=True, evidence=evidence)
    if found.excess.high <= MATERIAL:
        return finding("WF205", fired=False, evidence=f"{said}.")
    evidence = f"Cannot tell: {said}; about {DECIDING_ROWS:,} rows of each part would decide."
    return finding("WF205", fired=None, evidence=evidence)


@dataclass(frozen=True)
class _Space:
    """The space in which rows are points.

    Numbers are in standard deviations of train, and each level of a category has its own direction. Each of up to 32
    numbers is a dimension of its own; wider rows, and rows with categories, are projected to 32 dimensions.
    """

    middle: Floats
    scale: Floats
    directions: Floats | None
    levels: Mapping[int, Floats]

    @classmethod
    def of(cls, features: Features, *, seed: int) -> _Space:
        rng = np.random.default_rng(seed)
        glance = features.values[rng.permutation(features.rows)[:_GLANCE]]
        known = np.where(np.isnan(glance).all(axis=0), 0.0, glance)
        low, high = np.nanquantile(known, (_CLIPPED, 1 - _CLIPPED), axis=0)
        clipped = np.clip(known, low, high)
        scale = np.nanstd(clipped, axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        categories = [place for place, column in enumerate(features.columns) if column.kind == "category"]
        levels = {
            place: (rng.standard_normal((len(features.columns[place].levels) + 1, DIMENSIONS)) / math.sqrt(DIMENSIONS))
            for place in categories
        }
        wide = bool(categories) or len(scale) > DIMENSIONS
        directions = rng.standard_normal((len(scale), DIMENSIONS)) / math.sqrt(DIMENSIONS) if wide else None
        if directions is not None:
            directions[categories] = 0.0
        return cls(np.nanmean(clipped, axis=0), scale, directions, levels)

    def points(self, features: Features, rows: Integers) -> Floats:
        """Return the points [rows, dimensions] as float32, block by block, so that the whole table is never copied."""
        blocks = [self._block(features.values[rows[start : start + _GLANCE]]) for start in range(0, len(rows), _GLANCE)]
        return np.concatenate(blocks)

    def _block(self, values: Floats) -> Floats:
        numbers = np.nan_to_num((values - self.middle) / self.scale, nan=_MISSING)
        points = numbers if self.directions is None else numbers @ self.directions
        for place, vectors in self.levels.items():
            points += vectors[np.nan_to_num(values[:, place], nan=len(vectors) - 1).astype(np.int64)]
        return np.asarray(points, dtype=np.float32)


def _searched(known: Floats, own: Integers, asked: Floats) -> tuple[Floats, Floats, Integers]:
    """Return distances of known rows to their nearest neighbour, of others to the nearest known row, and its index."""
    if known.shape[1] > TREE_DIMENSIONS:
        return (nearest_rows(known, known[own], own=own)[0], *nearest_rows(known, asked))
    search = NearestNeighbors(algorithm="kd_tree").fit(known)
    distances, twins = (found[:, 0] for found in search.kneighbors(asked, n_neighbors=1))
    return search.kneighbors(known[own], n_neighbors=2)[0][:, 1], distances, twins


def _excess(near: Booleans, *, rank: int, rows: int, scale: float = 1.0) -> Estimate:
    """Return the share of near rows in excess of chance, with the lower limit at 99 % and the upper limit at 95 %."""
    wide, usual = (
        difference(wilson(float(near.sum()), len(near), level=level), _by_chance(rank, rows, level=level, scale=scale))
        for level in (SURE, LEVEL)
    )
    return replace(usual, low=wide.low)


def _by_chance(rank: int, rows: int, *, level: float, scale: float) -> Estimate:
    """Return the scaled share of new rows below the rank-th of `rows` distances: Beta(rank, rows + 1 - rank).

    The closest pairs count twice, once from each end, so only half of the distances are independent.
    """
    first, second = max(rank / 2, 0.5), (rows + 1 - rank) / 2
    tail = (1 - level) / 2
    value = rank / (rows + 1)
    low, high = (float(special.betaincinv(first, second, x)) for x in (tail, 1 - tail))
    return Estimate(scale * value, scale * min(low, value), scale * max(high, value), rows)


EXACT, NEAR = "WF203", "WF205"


def copied_rows(train: Rows, dev: Rows, *, findings: Iterable[Finding], seed: int = 0) -> Copies | None:
    """Return both rows of each copy: exact copies if WF203 fired on these rows, near copies if WF205 did.

    The result is None if neither fired or no row of dev has a copy (the rows of test are sealed). `seed` is the seed of
    the finding.
    """
    fired = {found.code for found in findings if found.status == "fired"}
    of_train, of_dev = np.zeros(train.rows, dtype=bool), np.zeros(dev.rows, dtype=bool)
    if EXACT in fired:
        columns = compared_columns(train, dev)
        keys = keys_of(train.features, columns), keys_of(dev.features, columns)
        of_train |= among(keys[0], np.unique(keys[1]))
        of_dev |= among(keys[1], np.unique(keys[0]))
    if NEAR in fired and (found := near_duplicates(train, dev, seed=seed)) is not None:
        of_train[list(found.twins)] = True
        of_dev[list(found.suspects)] = True
    return Copies(of_train, of_dev) if of_dev.any() else None


_QUERIES = 512
_ROWS = 8_192  # with this many queries a block of products stays in cache


def nearest_rows(known: Floats, queries: Floats, *, own: Integers | None = None) -> tuple[Floats, Integers]:
    """Return the distance [queries] to the nearest known row and its index; rows [rows, dimensions] are centred.

    |q - k|^2 = |q|^2 - 2 q k + |k|^2 is one product in float32, and the smallest value is measured again in float64. If
    two rows are equally near to seven digits, either may be returned. In 32 dimensions this is three times as fast as
    scikit-learn's search of all pairs. If the queries are known rows, `own` [queries] gives their indices, because no
    row is its own neighbour.
    """
    longer = np.column_stack([known, (known**2).sum(axis=1)]).astype(np.float32)
    asked = np.column_stack([-2 * queries, np.ones(len(queries))]).astype(np.float32)
    places = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _QUERIES):
        rows = slice(start, start + _QUERIES)
        places[rows] = _nearest(longer, asked[rows], None if own is None else own[rows])
    apart = queries.astype(np.float64) - known[places]
    return np.sqrt((apart**2).sum(axis=1)), places


def _nearest(longer: Floats, asked: Floats, own: Integers | None) -> Integers:
    best, places = np.full(len(asked), np.inf, np.float32), np.zeros(len(asked), np.int64)
    each = np.arange(len(asked))
    for start in range(0, len(longer), _ROWS):
        far = asked @ longer[start : start + _ROWS].T
        if own is not None:
            inside = (own >= start) & (own < start + far.shape[1])
            far[each[inside], own[inside] - start] = np.inf
        least = far.argmin(axis=1)
        nearer = far[each, least] < best
        best[nearer], places[nearer] = far[each, least][nearer], start + least[nearer]
    return places
