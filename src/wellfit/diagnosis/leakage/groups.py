"""Leakage by groups (the same person or device in train and in dev) and in time (dev rows from before train's last)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from wellfit.base.typing import Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.duplicates import with_and_without
from wellfit.diagnosis.rows import OpenRows
from wellfit.exceptions import BadInput
from wellfit.stats.differences import resampled_difference
from wellfit.stats.intervals import Estimate, has_groups

Score: TypeAlias = Callable[[Integers, Integers, int], float]
"""(rows to train on, rows to score, seed) -> mean loss on the latter."""

REPEATS = 10
HELD_OUT = 0.2  # share of the rows, and of the groups, that is scored
FEWEST_GROUPS = 10


def shared_groups(*, rows: OpenRows) -> Finding:
    """WF207: fired for groups of dev that train has too; not applicable where every group is one row."""
    train, dev = rows.train.groups, rows.dev.groups
    if train is None or dev is None or not has_groups(np.concatenate([train, dev])):
        return finding("WF207", fired=None, evidence="There are no groups of several rows (--group-on).")
    distinct, shared = np.unique(dev), np.isin(dev, train)
    if not shared.any():
        return finding("WF207", fired=False, evidence=f"None of the {len(distinct):,} groups of dev is in train.")
    errors = with_and_without(rows.dev.losses, shared)
    said = (
        f"{np.isin(distinct, train).sum():,} of {len(distinct):,} groups of dev are in train too, with "
        f"{shared.sum():,} of {len(dev):,} dev rows.{errors.text(rows.goal) if errors else ''}"
    )
    return finding("WF207", fired=True, evidence=said)


def hidden_error(groups: Integers, score: Score, *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Loss under a group split minus loss under a random split of the same rows, by refitting.

    The interval is Student's with Nadeau and Bengio's variance s^2 (1/J + n_test/n_train): the training sets of
    several splits overlap, so that the plain variance of J differences is too small.

    Args:
        groups: [rows] code of each row's group.
        score: trains and scores.
        repeats: how many pairs of splits, two refits each.
        seed: decides the splits.

    Raises:
        BadInput: for fewer than ten groups, or fewer than two repeats.
    """
    names = np.unique(groups)
    if len(names) < FEWEST_GROUPS or repeats < 2:
        raise BadInput(
            f"splitting by group must have {FEWEST_GROUPS} groups and 2 repeats",
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
    """WF208: fired for dev rows from before the last training row; times are days since 1970."""
    train, dev = rows.train.times, rows.dev.times
    if train is None or dev is None or not (np.isfinite(train).any() and np.isfinite(dev).any()):
        return finding("WF208", fired=None, evidence="Rows have no time (--time-on).")
    last, first = float(np.nanmax(train)), float(np.nanmin(dev))
    before = dev < last
    if not before.any():
        said = f"The last training row is from {_moment(last)}, the first of dev from {_moment(first)}."
        return finding("WF208", fired=False, evidence=said)
    errors = with_and_without(rows.dev.losses, before)
    said = (
        f"{before.sum():,} of {np.isfinite(dev).sum():,} dev rows are from before the last training row "
        f"({_moment(last)}), and {(train > first).sum():,} training rows from after the first of dev "
        f"({_moment(first)}).{errors.text(rows.goal) if errors else ''}"
    )
    return finding("WF208", fired=True, evidence=said)


def _moment(days: float) -> str:
    moment = np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s")
    return str(moment).replace("T00:00:00", "").replace("T", " ")
