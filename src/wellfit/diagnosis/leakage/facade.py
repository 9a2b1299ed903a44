"""All that is known about leakage, as findings."""

from __future__ import annotations

from collections.abc import Mapping

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.duplicates import duplicates_finding, find_duplicates
from wellfit.diagnosis.leakage.groups import group_finding, group_leakage, time_finding, time_leakage
from wellfit.diagnosis.leakage.near_duplicates import near_duplicates, near_duplicates_finding
from wellfit.diagnosis.leakage.target_leakage import target_finding, target_leakage
from wellfit.diagnosis.rows import Rows
from wellfit.goals import Goal


def leakage_findings(
    train: Rows,
    dev: Rows,
    *,
    goal: Goal,
    train_dev: Rows | None = None,
    test: Mapping[str, tuple[int, int]] | None = None,
    seed: int = 0,
) -> tuple[Finding, ...]:
    """WF203 and WF205 to WF208.

    Args:
        train: rows that are trained on.
        dev: rows of the distribution that matters.
        goal: of the rows' losses, where they have some.
        train_dev: rows of the training distribution that are not trained on.
        test: name of a comparison ("test", "test_in_dev") -> (exact copies, rows), by the split's stored hashes alone.
        seed: of every subsample.
    """
    parts = {"train": train, "dev": dev} | ({} if train_dev is None else {"train_dev": train_dev})
    return (
        duplicates_finding(find_duplicates(parts), test=test, goal=goal),
        near_duplicates_finding(near_duplicates(train, dev, seed=seed), goal=goal),
        target_finding(target_leakage(train, seed=seed)),
        group_finding(group_leakage(train, dev), goal=goal),
        time_finding(time_leakage(train, dev), goal=goal),
    )
