"""How many rows each part gets: by the policy of methods.md (a), by shares, or as asked."""

from __future__ import annotations

import re

from wellfit._typing import Part, Task
from wellfit.exceptions import BadInput
from wellfit.stats.sizes import plan_sizes

MOST_TRAIN_DEV = 0.2  # train-dev never takes more than this share of the training rows


def three_counts(sizes: str | None, *, rows: int, task: Task) -> tuple[int, int, int, str]:
    """(train, dev, test) rows, and where they come from in words.

    Args:
        sizes: "60/20/20" (shares that add up to 100 or 1), "1000/500/500" (rows), or None for the policy.
        rows: rows to divide.
        task: the policy's precision depends on it.

    Raises:
        BadInput: for anything else, or more rows than there are.
    """
    if sizes is None:
        plan = plan_sizes(rows, task=task)
        return plan.train, plan.dev, plan.test, "60/20/20" if plan.capped else "sized for the precision below"
    if not re.fullmatch(r"\s*[\d.]+\s*/\s*[\d.]+\s*/\s*[\d.]+\s*", sizes):
        raise _unreadable(sizes)
    try:
        train, dev, test = (float(part) for part in sizes.split("/"))
    except ValueError as error:
        raise _unreadable(sizes) from error
    total = train + dev + test
    if abs(total - 100) < 1e-6 or abs(total - 1) < 1e-6:
        dev_rows, test_rows = round(rows * dev / total), round(rows * test / total)
        counts = rows - dev_rows - test_rows, dev_rows, test_rows
    else:
        counts = int(train), int(dev), int(test)
    if min(counts) < 1 or sum(counts) > rows:
        raise BadInput(
            "every part needs a row, and the parts must not need more rows than there are",
            found=f"--sizes {sizes} of {rows} rows is {counts[0]} / {counts[1]} / {counts[2]}",
            remedy="Give smaller sizes, such as 60/20/20",
        )
    unused = rows - sum(counts)
    return *counts, f"{sizes.replace(' ', '')} as asked" + (f", {unused} rows unused" if unused else "")


def train_dev_rows(*, train: int, dev: int) -> int:
    """As many rows as dev, but at most a fifth of the training rows."""
    return max(1, min(dev, int(MOST_TRAIN_DEV * train)))


def described(rows: dict[Part, int]) -> str:
    """`600 train, 200 dev, 200 test`."""
    return ", ".join(f"{count:,} {part.replace('_', '-')}" for part, count in rows.items())


def _unreadable(sizes: str) -> BadInput:
    return BadInput(
        "sizes are train/dev/test, as shares or rows",
        found=f"--sizes {sizes!r}",
        remedy="Write 60/20/20 or 1000/500/500",
    )
