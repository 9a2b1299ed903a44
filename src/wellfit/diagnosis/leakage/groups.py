"""Leakage by groups (a person or device in both train and dev) and in time (dev rows before the last training row)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from wellfit.base.arguments import named
from wellfit.base.typing import Floats, Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.duplicates import with_and_without
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.stats.differences import resampled_difference
from wellfit.stats.intervals import Estimate, has_groups

Score: TypeAlias = Callable[[Integers, Integers, int], float]
"""Function of (rows to train on, rows to score, seed) that returns the mean loss on the rows to score."""

REPEATS = 10
HELD_OUT = 0.2  # share of the rows, and of the groups, that is scored
FEWEST_GROUPS = 10


TOGETHER = 0.5  # share of the rows that are followed by one of their group, from which a column marks runs
ALIKE = 0.5  # share of a column's variance that lies between groups, adjusted for their number
_NAMED_AT_MOST = 3


def shared_groups(*, rows: OpenRows) -> Finding:
    """WF207: fires for groups of dev that are in train too; not applicable if every group is a single row.

    If no groups are named, the check looks for a column that marks groups.
    """
    train, dev = rows.train.groups, rows.dev.groups
    if train is None and dev is None and (place := group_column(rows.train)) is not None:
        return _unnamed_groups(rows, place)
    if train is None or dev is None or not has_groups(np.concatenate([train, dev])):
        return finding(
            "WF207", fired=None, evidence="No group has more than one row, or no group column was named (--group-on)."
        )
    distinct, shared = np.unique(dev), np.isin(dev, train)
    if not shared.any():
        return finding("WF207", fired=False, evidence=f"None of the {len(distinct):,} groups of dev is in train.")
    errors = with_and_without(rows.dev.losses, shared)
    said = (
        f"{np.isin(distinct, train).sum():,} of {len(distinct):,} groups of dev are in train too, with "
        f"{shared.sum():,} of {len(dev):,} dev rows.{errors.text(rows.goal) if errors else ''}"
    )
    return finding("WF207", fired=True, evidence=said)


def group_column(train: Rows) -> int | None:
    """Return the index of the column that marks groups best; None if no column marks any.

    Rows with the same value (level of a category, or whole number) are adjacent. There are at least ten values with an
    average of two or more rows each, and at least half of the numeric columns vary mostly between them.
    """
    columns, values = train.features.columns, train.features.values
    found: dict[int, float] = {}
    for place, column in enumerate(columns):
        own = values[:, place]
        if column.kind == "date" or np.isnan(own).any() or (own != np.round(own)).any():
            continue
        codes = np.unique(own, return_inverse=True)[1]
        groups = int(codes.max(initial=-1)) + 1
        if not FEWEST_GROUPS <= groups <= len(own) / 2 or (codes[1:] == codes[:-1]).mean() < TOGETHER:
            continue
        shares = _shares(train, place, codes)
        if shares and np.median(list(shares.values())) >= ALIKE:
            found[place] = float(np.mean(list(shares.values())))
    return max(found, key=lambda place: found[place], default=None)


def _shares(train: Rows, place: int, codes: Integers) -> dict[str, float]:
    """Return each other numeric column's share of variance between the groups of one column."""
    shares = {
        column.name: _between(train.features.values[:, other], codes)
        for other, column in enumerate(train.features.columns)
        if column.kind == "number" and other != place
    }
    return {name: share for name, share in shares.items() if share is not None}


def _between(values: Floats, codes: Integers) -> float | None:
    """Return the between-group share of the variance, about 0 for random groups; None if nothing varies."""
    known = ~np.isnan(values)
    values, codes = values[known], np.unique(codes[known], return_inverse=True)[1]
    rows, groups = len(values), int(codes.max(initial=-1)) + 1
    if rows <= groups or not np.ptp(values):
        return None
    means = np.bincount(codes, weights=values) / np.bincount(codes)
    within = float(((values - means[codes]) ** 2).sum()) / (rows - groups)
    return 1 - within / float(values.var(ddof=1))


def _unnamed_groups(rows: OpenRows, place: int) -> Finding:
    """Return WF207 for a column that marks groups, with its name and the number of groups that train and dev share."""
    column, train, dev = rows.train.features.columns[place], rows.train.features.values, rows.dev.features.values
    codes = np.unique(train[:, place], return_inverse=True)[1]
    shares = {name: share for name, share in _shares(rows.train, place, codes).items() if share >= ALIKE}
    names = ", ".join(list(shares)[:_NAMED_AT_MOST])
    more = f" and {len(shares) - _NAMED_AT_MOST} more" if len(shares) > _NAMED_AT_MOST else ""
    distinct, shared = np.unique(dev[:, place]), np.isin(dev[:, place], train[:, place])
    errors = with_and_without(rows.dev.losses, shared)
    said = (
        f"{column.name} marks groups: {codes.max() + 1:,} of about {len(codes) / (codes.max() + 1):.0f} adjacent and "
        f"similar training rows (at least {100 * min(shares.values()):.0f} % of the variance of {names}{more} lies "
        f"between the groups); {np.isin(distinct, train[:, place]).sum():,} of the {len(distinct):,} groups in dev "
        "are in train too. Split with --group-on "
        f"{column.name}.{errors.text(rows.goal) if errors and shared.any() else ''}"
    )
    return finding("WF207", fired=bool(shared.any()), evidence=said)


@named
def hidden_error(groups: Integers, score: Score, *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Return the loss under a group split minus that under a random split of the same rows, by retraining.

    The interval is Student's with Nadeau and Bengio's variance s^2 (1/J + n_test/n_train), because the training sets of
    several splits overlap and the plain variance of J differences is too small.

    Args:
        groups: [rows] the code of each row's group.
        score: the function that trains and scores.
        repeats: number of pairs of splits, with two training runs each.
        seed: seed of the splits.

    Raises:
        BadInput: for fewer than ten groups, or fewer than two repeats.
    """
    names = np.unique(groups)
    if len(names) < FEWEST_GROUPS or repeats < 2:
        raise BadInput(
            f"a split by group must have at least {FEWEST_GROUPS} groups and 2 repeats",
            found=f"{len(names)} groups, {repeats} repeats",
            remedy="Bring more groups",
        )
    rng = np.random.default_rng(seed)
    differences, ratios = np.empty((2, repeats))
    for repeat in range(repeats):
        chosen = rng.choice(names, size=max(1, round(HELD_OUT * len(names))), replace=False)
        whole = np.isin(groups, chosen)
        mixed = rng.permutation(whole)
        run = int(rng.integers(2**31))
        by_group, at_random = (score(np.flatnonzero(~held), np.flatnonzero(held), run) for held in (whole, mixed))
        differences[repeat] = by_group - at_random
        ratios[repeat] = whole.sum() / (~whole).sum()
    return resampled_difference(differences, ratio=float(ratios.mean()))


def rows_from_before(*, rows: OpenRows) -> Finding:
    """WF208: fires for dev rows that precede the last training row; times are days since 1970."""
    train, dev = rows.train.times, rows.dev.times
    if train is None or dev is None or not (np.isfinite(train).any() and np.isfinite(dev).any()):
        return finding("WF208", fired=None, evidence="No time column was named (--time-on).")
    last, first = float(np.nanmax(train)), float(np.nanmin(dev))
    before = dev < last
    if not before.any():
        said = f"The last training row is from {_moment(last)}, and the first dev row is from {_moment(first)}."
        return finding("WF208", fired=False, evidence=said)
    errors = with_and_without(rows.dev.losses, before)
    said = (
        f"{before.sum():,} of {np.isfinite(dev).sum():,} dev rows are earlier than the last training row "
        f"({_moment(last)}), and {(train > first).sum():,} training rows are later than the first dev row "
        f"({_moment(first)}).{errors.text(rows.goal) if errors else ''}"
    )
    return finding("WF208", fired=True, evidence=said)


def _moment(days: float) -> str:
    moment = np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s")
    return str(moment).replace("T00:00:00", "").replace("T", " ")
