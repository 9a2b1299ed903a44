"""Assignment of rows to parts (stratified, by group, by time, or by a column), and the number of rows of each part.

The result is deterministic for a seed. The numbers of rows follow a policy (docs/methods.md, "Split sizes"), or the
shares or numbers that the user passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Floats, Integers, Part, Task
from wellfit.data.columns import missing_in, moments_of, numbers_of, texts_of
from wellfit.data.schema import Schema, did_you_mean, target_values
from wellfit.exceptions import BadInput
from wellfit.stats.sizes import plan_sizes

Counts = Mapping[Part, int]
Rows = dict[Part, Integers]

PARTS: tuple[Part, ...] = ("train", "train_dev", "dev", "test")
QUANTILES = 10  # strata of a regression target
TIE_SLACK = 0.5  # a part may change by this share so that equal times are not divided


def assign_stratified(strata: Integers, counts: Counts, *, seed: int) -> Rows:
    """Return the rows of each part, where each stratum's count is within one row of its share of the whole.

    This is systematic sampling (Cochran, Sampling Techniques, ch. 8): the rows of each stratum are shuffled and spread
    evenly over [0, 1) from a random start; any stretch of the line is then stratified.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(strata.size)
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    _, starts, sizes = np.unique(strata[by_stratum], return_index=True, return_counts=True)
    rank = np.arange(strata.size) - np.repeat(starts, sizes)
    place = (rank + np.repeat(rng.random(sizes.size), sizes)) / np.repeat(sizes, sizes)
    return _cut(by_stratum[np.argsort(place, kind="stable")], counts)


def assign_groups(groups: Integers, counts: Counts, *, seed: int) -> Rows:
    """Return the rows of each part; whole groups in random order each go to the part that lacks the most rows."""
    names, group_of = np.unique(groups, return_inverse=True)
    wanted = [part for part in PARTS if counts.get(part)]
    if names.size < len(wanted):
        raise BadInput(
            "every part must have at least one group",
            found=f"only {names.size} groups for {len(wanted)} parts",
            remedy="Collect rows from more groups, or choose another --group-on",
        )
    sizes = np.bincount(group_of)
    lacking = np.array([counts[part] for part in wanted], dtype=np.int64)
    empty = np.ones(len(wanted), dtype=bool)
    part_of_group = np.empty(names.size, dtype=np.int64)
    for place, group in enumerate(np.random.default_rng(seed).permutation(names.size)):
        must_fill = names.size - place <= empty.sum()
        chosen = int(np.argmax(np.where(empty, lacking, np.iinfo(np.int64).min) if must_fill else lacking))
        part_of_group[group] = chosen
        lacking[chosen] -= sizes[group]
        empty[chosen] = False
    parts = part_of_group[group_of]
    return {part: np.flatnonzero(parts == number) for number, part in enumerate(wanted)}


def assign_by_time(moments: Integers | Floats, counts: Counts, *, seed: int) -> Rows:
    """Put the latest rows in test and those before them in dev; draw train-dev at random from the training period.

    Rows with equal times stay on one side of a cut if that changes the part by at most half its size.
    """
    order = np.argsort(moments, kind="stable")
    rows: Rows = {}
    end = order.size
    for part in ("test", "dev"):
        wanted = counts.get(part, 0)
        start = _between_ties(moments[order[:end]], end - wanted, wanted=wanted)
        rows[part] = np.sort(order[start:end])
        end = start
    period = np.random.default_rng(seed).permutation(order[:end])
    rows["train_dev"] = np.sort(period[: counts.get("train_dev", 0)])
    rows["train"] = np.sort(period[counts.get("train_dev", 0) :])
    return {part: rows[part] for part in PARTS if counts.get(part)}


def assign_by_column(column: pa.ChunkedArray, *, name: str) -> Rows:
    """Return the rows of each part according to the column; BadInput for an unknown part or a part without rows."""
    texts = pc.replace_substring(pc.utf8_lower(texts_of(column)), "-", "_")
    wrong = ~pc.is_in(texts, value_set=pa.array(PARTS)).to_numpy(zero_copy_only=False).astype(bool)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(
            f"the split column must contain {', '.join(PARTS)}",
            found=f"{column[row].as_py()!r} in column {name!r}, row {row + 1}",
            remedy=did_you_mean(texts[row].as_py() or "", PARTS),
        )
    rows: Rows = {part: np.flatnonzero(pc.equal(texts, part).to_numpy(zero_copy_only=False)) for part in PARTS}
    lacking = [part for part in PARTS if part != "train_dev" and not rows[part].size]
    if lacking:
        raise BadInput(
            "the split column must mark rows for train, dev and test",
            found=f"no row marked {' or '.join(lacking)} in column {name!r}",
            remedy="Mark rows for every part, or omit --split-on to let wellfit split the rows",
        )
    return {part: found for part, found in rows.items() if found.size}


def strata_of(table: pa.Table, schema: Schema, *, stratify_on: str | None = None) -> Integers:
    """Return the stratum of each row [rows]: its class or the tenth of its target, and its level of `stratify_on`."""
    target = target_values(table, schema)
    if schema.task == "regression":
        ranks = np.empty(target.size, dtype=np.int64)
        ranks[np.argsort(target, kind="stable")] = np.arange(target.size)
        target = ranks * QUANTILES // max(target.size, 1)
    if stratify_on is None:
        return np.asarray(target, dtype=np.int64)
    levels = codes_of(table.column(stratify_on))
    return np.asarray(levels * (int(target.max(initial=0)) + 1) + target, dtype=np.int64)


def codes_of(column: pa.ChunkedArray) -> Integers:
    """Return one integer per distinct value [rows]; missing counts as a value of its own."""
    texts = pc.fill_null(texts_of(column), "\0missing")
    _, codes = np.unique(
        texts.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False), return_inverse=True
    )
    return np.asarray(codes, dtype=np.int64)


def times_of(column: pa.ChunkedArray, *, name: str, kind: str) -> Integers | Floats:
    """Return numbers [rows] that order rows in time; BadInput for a missing time, or for text that is not a date."""
    unknown = missing_in(column)
    if unknown.any():
        raise BadInput(
            "every row must have a time",
            found=f"no value in column {name!r}, row {int(np.argmax(unknown)) + 1}",
            remedy="Fill in the time, or remove the row",
        )
    if kind == "number":
        return numbers_of(column, name=name)
    return np.asarray(moments_of(column, name=name).cast(pa.int64()).to_numpy(zero_copy_only=False))


def _cut(order: Integers, counts: Counts) -> Rows:
    rows: Rows = {}
    end = 0
    for part in ("test", "dev", "train_dev", "train"):
        wanted = counts.get(part, 0)
        if wanted:
            rows[part] = np.sort(order[end : end + wanted])
        end += wanted
    return rows


def _between_ties(times: Integers | Floats, cut: int, *, wanted: int) -> int:
    """Return the position nearest to `cut` where the time changes, if it is near enough; otherwise `cut`."""
    if wanted == 0 or cut <= 0:
        return cut
    changes = np.flatnonzero(np.diff(times)) + 1
    if not changes.size:
        return cut
    nearest = int(changes[np.argmin(np.abs(changes - cut))])
    return nearest if abs(nearest - cut) <= TIE_SLACK * wanted else cut


MOST_TRAIN_DEV = 0.2  # train-dev never takes more than this share of the training rows


def three_counts(sizes: str | None, *, rows: int, task: Task) -> tuple[int, int, int, str]:
    """Return the numbers of (train, dev, test) rows, and their origin in words.

    `sizes` is "60/20/20" (shares that add up to 100 or 1), "1000/500/500" (rows), or None for the policy.
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
            "every part must have at least one row, and the parts together no more rows than the data",
            found=f"--sizes {sizes}: {counts[0]} / {counts[1]} / {counts[2]} of {rows} rows",
            remedy="Pass smaller sizes, such as 60/20/20",
        )
    unused = rows - sum(counts)
    return *counts, f"{sizes.replace(' ', '')} as requested" + (f", {unused} rows unused" if unused else "")


def train_dev_rows(*, train: int, dev: int) -> int:
    """Return the number of train-dev rows: as many as dev has, but at most a fifth of the training rows."""
    return max(1, min(dev, int(MOST_TRAIN_DEV * train)))


def described(rows: dict[Part, int]) -> str:
    """Describe the parts in words, such as `600 train, 200 dev, 200 test`."""
    return ", ".join(f"{count:,} {part.replace('_', '-')}" for part, count in rows.items())


def _unreadable(sizes: str) -> BadInput:
    return BadInput(
        "sizes must be train/dev/test, as shares or rows",
        found=f"--sizes {sizes!r}",
        remedy="Write 60/20/20 or 1000/500/500",
    )
