"""Leakage by groups (the same person or device in train and in dev) and in time (dev rows from before train's last)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from wellfit.base.typing import Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.duplicates import WithAndWithout, with_and_without, without_text
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.stats.differences import resampled_difference
from wellfit.stats.intervals import Estimate

Score: TypeAlias = Callable[[Integers, Integers, int], float]
"""(rows to train on, rows to score, seed) -> mean loss on the latter."""

REPEATS = 10
HELD_OUT = 0.2  # share of the rows, and of the groups, that is scored
FEWEST_GROUPS = 10


@dataclass(frozen=True)
class GroupLeakage:
    """Groups and rows of dev, how many of them train shares, and the dev error with and without those rows."""

    groups: int
    shared: int
    rows: int
    shared_rows: int
    errors: WithAndWithout | None


def shared_groups(*, rows: OpenRows) -> Finding:
    """WF207."""
    return group_finding(group_leakage(rows.train, rows.dev), goal=rows.goal)


def group_leakage(train: Rows, dev: Rows) -> GroupLeakage | None:
    """Count shared groups; None where rows have no groups, or every group is one row."""
    if train.groups is None or dev.groups is None:
        return None
    distinct = np.unique(dev.groups)
    every = np.concatenate([train.groups, dev.groups])
    if len(np.unique(every)) == len(every):
        return None
    shared = np.isin(dev.groups, train.groups)
    return GroupLeakage(
        groups=len(distinct),
        shared=int(np.isin(distinct, train.groups).sum()),
        rows=dev.rows,
        shared_rows=int(shared.sum()),
        errors=with_and_without(dev.losses, shared),
    )


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
            f"splitting by group needs {FEWEST_GROUPS} groups and 2 repeats",
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


def group_finding(found: GroupLeakage | None, *, goal: Goal | None = None) -> Finding:
    """WF207: fired for shared groups."""
    if found is None:
        return finding("WF207", fired=None, evidence="There are no groups of several rows (--group-on).")
    if not found.shared:
        return finding("WF207", fired=False, evidence=f"None of the {found.groups:,} groups of dev is in train.")
    counted = (
        f"{found.shared:,} of {found.groups:,} groups of dev are in train too, with {found.shared_rows:,} of "
        f"{found.rows:,} dev rows.{without_text(found.errors, goal)}"
    )
    return finding("WF207", fired=True, evidence=counted)


@dataclass(frozen=True)
class TimeLeakage:
    """Position of dev in time relative to train, in days since 1970."""

    rows: int  # of dev, whose time is known
    before: int  # of them, from before the last training row
    train_after: int  # training rows from after the first dev row
    last_train: float
    first_dev: float
    errors: WithAndWithout | None  # with and without the dev rows from before


def rows_from_before(*, rows: OpenRows) -> Finding:
    """WF208."""
    return time_finding(time_leakage(rows.train, rows.dev), goal=rows.goal)


def time_leakage(train: Rows, dev: Rows) -> TimeLeakage | None:
    """Compare the moments of two parts; None where either has none."""
    if train.times is None or dev.times is None:
        return None
    if not (np.isfinite(train.times).any() and np.isfinite(dev.times).any()):
        return None
    last, first = float(np.nanmax(train.times)), float(np.nanmin(dev.times))
    before = dev.times < last
    return TimeLeakage(
        rows=int(np.isfinite(dev.times).sum()),
        before=int(before.sum()),
        train_after=int((train.times > first).sum()),
        last_train=last,
        first_dev=first,
        errors=with_and_without(dev.losses, before),
    )


def time_finding(found: TimeLeakage | None, *, goal: Goal | None = None) -> Finding:
    """WF208."""
    if found is None:
        return finding("WF208", fired=None, evidence="Rows have no time (--time-on).")
    last, first = (_moment(days) for days in (found.last_train, found.first_dev))
    if not found.before:
        return finding(
            "WF208", fired=False, evidence=f"The last training row is from {last}, the first of dev from {first}."
        )
    evidence = (
        f"{found.before:,} of {found.rows:,} dev rows are from before the last training row ({last}), and "
        f"{found.train_after:,} training rows from after the first of dev ({first}).{without_text(found.errors, goal)}"
    )
    return finding("WF208", fired=True, evidence=evidence)


def _moment(days: float) -> str:
    return (
        str(np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s"))
        .replace("T00:00:00", "")
        .replace("T", " ")
    )
