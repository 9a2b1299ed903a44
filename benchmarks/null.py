"""False alarms: every test and every finding on data where nothing is wrong, at three sizes.

Each repetition draws train, train-dev, dev and test from one distribution (five numbers, a category, groups that do not
cross the parts, times that go on from train to dev) whose classes overlap, so that the best rule errs on 17.9 % of the
rows; the models are that rule and two that are a little worse and equally good, none trained on the rows. Whatever
fires is a false alarm. A cell (a test or a finding at one size) fails when its alarms would come up by chance, at the
stated level, with less than .05 / cells. The learning curve takes seconds: it is drawn in every fifth repetition.

`--repetitions`, `--sizes` and `--seeds` (the first one) draw fresh data. The table that is printed is Markdown.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import integrate, special, stats

from report import Row, finish, markdown, parser_of
from wellfit.base.typing import Floats
from wellfit.diagnosis.diagnosis import diagnose_losses
from wellfit.diagnosis.facts import Facts, Training
from wellfit.diagnosis.leakage.target_leakage import target_leakage
from wellfit.diagnosis.mismatch.columns import column_shifts, label_shift
from wellfit.diagnosis.mismatch.domain_classifier import domain_shift
from wellfit.diagnosis.more_data import MoreData, measure_anchors, more_data
from wellfit.diagnosis.optimal_error import reference
from wellfit.diagnosis.predictions import facts_on_rows
from wellfit.diagnosis.regions import find_regions
from wellfit.diagnosis.rows import Predicted
from wellfit.records.goals import goal_named
from wellfit.stats.differences import difference, holm, paired_difference, resampled_difference, worse_p
from wellfit.stats.intervals import Estimate, grouped_rate, wilson

GOAL = goal_named("error")
STEEP = 2.4  # of the logistic rule
SPREAD = math.sqrt(1 + 0.5**2)  # of x0 + x1 / 2
BAYES = 2 * integrate.quad(lambda z: special.expit(-STEEP * SPREAD * z) * stats.norm.pdf(z), 0, 10)[0]
"""Error of the best rule, by integration."""
TOLERANCE = 0.02
NOT_ALARMS = frozenset({"WF104", "WF402", "WF211"})
"""They say what is missing (a reference, rows), not that something is wrong; WF211 is right about most columns here."""
DRAWN_EVERY = 5  # repetitions: the learning curve
LEVEL = 0.05
ONE_SIDED = 0.025
LEVELS: dict[str, float] = defaultdict(lambda: LEVEL)
"""Name of a test -> how often it may reject at most."""
LEVELS |= {"paired test, one-sided (worse_p)": LEVEL, "Holm over three gaps, one-sided": ONE_SIDED}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="file of what is done; a run that was cut goes on from it")
    asked = parser.parse_args()
    repetitions, sizes = (60, asked.sizes[:2]) if asked.quick else (asked.repetitions, asked.sizes)
    os.environ["OMP_NUM_THREADS"] = "1"
    # Every size in turn, so that a run that was cut is a smaller table (`--repetitions` with the same --keep).
    cells = [(rows, 1_000_003 * asked.seeds[0] + repeat) for repeat in range(repetitions) for rows in sizes]
    done = {} if asked.keep is None or not asked.keep.exists() else kept(asked.keep)
    left = [cell for cell in cells if cell not in done]
    with ProcessPoolExecutor(asked.workers) as pool, Path(asked.keep or os.devnull).open("a") as file:
        for cell, alarms in zip(left, pool.map(alarms_of, *zip(*left, strict=True)) if left else [], strict=True):
            done[cell] = alarms
            print(json.dumps([*cell, alarms]), file=file, flush=True)
    counts: dict[str, dict[int, list[bool]]] = defaultdict(lambda: {rows: [] for rows in sizes})
    for rows, seed in cells:
        for name, alarm in done[rows, seed].items():
            counts[name][rows].append(alarm)
    cells = cells_of(counts, cells=len(counts) * len(sizes))
    missed = sum(not cell.holds for cell in cells)
    total = Row("cells above their level", missed, 0, note=f"of {len(cells)}, {repetitions} repetitions each")
    finish("null", [total], as_json=asked.json, cells=cells, table=table_of(cells))


def kept(file: Path) -> dict[tuple[int, int], dict[str, bool]]:
    """(rows, seed) -> alarms of an earlier run; a last line that was cut is done again."""
    lines = [line for line in file.read_text().splitlines() if line.endswith("}]")]
    return {(rows, seed): alarms for rows, seed, alarms in map(json.loads, lines)}


def cells_of(counts: Mapping[str, Mapping[int, list[bool]]], *, cells: int) -> list[Row]:
    """Return a row for each test and size: the share of alarms, and the highest that its level explains."""
    return [
        Row(f"{name}, n = {rows:,}", sum(each) / len(each), most_alarms(len(each), LEVELS[name], cells=cells))
        for name, by_size in counts.items()
        for rows, each in by_size.items()
    ]


def most_alarms(repetitions: int, level: float, *, cells: int) -> float:
    """Largest share of alarms that a level explains: more have a chance below .05, over all cells (Bonferroni)."""
    alarms = np.arange(repetitions + 1)
    explained = stats.binom.sf(alarms - 1, repetitions, level) >= 0.05 / cells
    return float(alarms[explained].max() / repetitions)


def table_of(cells: Sequence[Row]) -> str:
    """Return the shares as a Markdown table: a line for each test, a column for each size."""
    lines: dict[str, list[Row]] = defaultdict(list)
    for cell in cells:
        lines[cell.case.rsplit(", ", 1)[0]].append(cell)
    sizes = dict.fromkeys(cell.case.rsplit(", ", 1)[1] for cell in cells)
    told = [
        [
            name,
            f"{LEVELS[name]:g}",
            *(f"{each.measured:.3f}".removeprefix("0") for each in rows),
            "holds" if all(each.holds for each in rows) else "MISSED",
        ]
        for name, rows in lines.items()
    ]
    return markdown(["test or finding", "level", *sizes, ""], told)


def alarms_of(rows: int, seed: int) -> dict[str, bool]:
    """Every test and finding once, on rows drawn with this seed."""
    rng = np.random.default_rng([rows, seed])
    world = World(rows, rng)
    facts = _facts(world, seed=seed)
    return {**tests(world, facts, rng=rng), **findings(world, facts, rng=rng)}


class World:
    """Four parts of one distribution, and the losses of models that were trained on none of them."""

    def __init__(self, rows: int, rng: np.random.Generator) -> None:
        self.rows = rows
        sizes = {"train": rows, "train_dev": rows, "dev": rows, "test": rows}
        self.features = {part: _features(count, rng) for part, count in sizes.items()}
        logits = {part: STEEP * (each[:, 0] + 0.5 * each[:, 1]) for part, each in self.features.items()}
        self.target = {
            part: (rng.random(len(each)) < special.expit(each)).astype(np.int64) for part, each in logits.items()
        }
        self.told = {part: _probabilities(each) for part, each in logits.items()}
        # Two more models, equally good, that err on some rows of their own.
        self.others = [_probabilities(logits["dev"] + rng.normal(0, 1, rows)) for _ in range(2)]
        self.groups = _groups(sizes, rng)

    def losses(self, part: str) -> Floats:
        """[rows] 0 or 1 of the best rule."""
        return (self.told[part].argmax(axis=1) != self.target[part]).astype(float)

    def rivals(self) -> list[Floats]:
        """[dev rows] 0 or 1 of two models that are equally good."""
        return [(told.argmax(axis=1) != self.target["dev"]).astype(float) for told in self.others]


def _probabilities(logits: Floats) -> Floats:
    """Return [rows, 2]."""
    sure = special.expit(logits)
    return np.column_stack([1 - sure, sure])


def _features(rows: int, rng: np.random.Generator) -> Floats:
    return np.column_stack([rng.normal(size=(rows, 5)), rng.integers(0, 4, rows)])


def _groups(sizes: dict[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    found, start = {}, 0
    for part, rows in sizes.items():
        found[part] = start + rng.integers(0, max(rows // 4, 2), rows)
        start = int(found[part].max()) + 1
    return found


def tests(world: World, facts: Facts, *, rng: np.random.Generator) -> dict[str, bool]:
    """Each test at its own level, where there is no effect at all."""
    dev, test = world.losses("dev"), world.losses("test")
    first, second = world.rivals()
    assert facts.rows is not None
    rows = facts.rows.parts
    split = difference(wilson(dev.sum(), len(dev)), wilson(test.sum(), len(test)))
    paired = paired_difference(first, second)
    shared = int((first > second).sum()), int((second > first).sum())
    gaps = [_limit(dev, test), _limit(test, world.losses("train_dev")), _limit(world.losses("train_dev"), dev)]
    folds = _fold_differences(world, rng)
    grouped = grouped_rate(world.losses("dev"), world.groups["dev"])
    domain = domain_shift(rows["train"], rows["dev"], tau=0.0, seed=int(rng.integers(1 << 30)))
    columns = column_shifts(rows["train"], rows["dev"], tau=0.0)
    labels = label_shift(rows["train"], rows["dev"], tau=0.0)
    regions = find_regions(rows["dev"], rows["train_dev"], tolerance=0.0)
    leak = target_leakage(rows["train"])
    return {
        "difference of two rates, 95 % interval (MOVER)": not split.low <= 0 <= split.high,
        "paired difference, 95 % interval": not paired.low <= 0 <= paired.high,
        "McNemar, mid-p": _mcnemar_midp(*shared) < LEVEL,
        "paired test, one-sided (worse_p)": worse_p(first, second) < LEVEL,
        "Holm over three gaps, one-sided": any(holm(gaps, above=0.0)),
        "Nadeau-Bengio t over 15 splits": not folds.low <= 0 <= folds.high,
        "rate over groups, 95 % interval": not grouped.low <= BAYES <= grouped.high,
        "total variation of the inputs above 0": domain is not None and domain.bound.low > 0,
        "total variation of a column above 0 (Bonferroni)": columns is not None
        and any(each.bound.low > 0 for each in columns.columns),
        "total variation of the target above 0": labels is not None and labels.bound.low > 0,
        "regions with any excess (Holm)": regions is not None and any(each.certain for each in regions),
        "a column gives the target away": leak is not None and bool(leak.alone or leak.together),
    }


def _mcnemar_midp(b: int, c: int) -> float:
    """Two models on the same rows, b rows wrong only for one and c only for the other (Fagerland et al. 2013)."""
    least = min(b, c)
    return min(1.0, float(stats.binom.cdf([least - 1, least], b + c, 0.5).sum())) if b + c else 1.0


def findings(world: World, facts: Facts, *, rng: np.random.Generator) -> dict[str, bool]:
    """Every finding of the catalogue that can be wrong, with the defaults of `wellfit diagnose`."""
    assert facts.rows is not None
    timed = {part: replace(each, times=_times(part, each.rows)) for part, each in facts.rows.parts.items()}
    measured = {part: wilson(world.losses(part).sum(), world.rows) for part in ("train_dev", "dev", "test")}
    losses = [world.losses("dev"), *world.rivals()]
    lead = {"trees": paired_difference(losses[1], losses[2])}
    optimal = reference(goal=GOAL, human_error=BAYES)
    drawn = facts.rows.seed % DRAWN_EVERY == 0
    found = diagnose_losses(
        goal=GOAL,
        optimal=optimal,
        train=Estimate.fixed(float(world.losses("train").mean()), rows=world.rows),
        **measured,
        tolerance=TOLERANCE,
        facts=replace(
            facts,
            rows=replace(facts.rows, train=timed["train"], dev=timed["dev"], train_dev=timed["train_dev"]),
            training=Training(status="finished", references={"trees": measured["dev"]}, ahead=lead),
            predicted=Predicted.over(
                {part: (world.target[part], world.told[part]) for part in ("train", "dev")},
                goal=GOAL,
                train=world.target["train"],
            ),
            candidates=np.array([losses[0], losses[0]]),
            curve=_more_data(world.rows, rng) if drawn else None,
        ),
    )
    left_out = NOT_ALARMS | (set() if drawn else {"WF210"})
    return {f"{each.code} {each.title}": each.status == "fired" for each in found.findings if each.code not in left_out}


def _more_data(rows: int, rng: np.random.Generator) -> MoreData:
    """A learner that is as good on any number of rows as it will ever be."""

    def refit(kept: np.ndarray, seed: int) -> tuple[float, Floats]:
        told = np.random.default_rng(seed)
        return float(told.binomial(len(kept), BAYES) / len(kept)), (told.random(rows) < BAYES).astype(float)

    anchors = measure_anchors(refit, rows=rows, refits=20, seed=int(rng.integers(1 << 30)))
    return more_data(anchors, delta=TOLERANCE)


def _facts(world: World, *, seed: int) -> Facts:
    names = [*(f"x{place}" for place in range(5)), "kind"]
    tables = {
        part: pa.table(
            {
                name: (each[:, place] if name != "kind" else pa.array(["abcd"[int(x)] for x in each[:, place]]))
                for place, name in enumerate(names)
            }
        )
        for part, each in world.features.items()
        if part != "test"
    }
    ready = {part: (world.target[part], world.told[part]) for part in tables}
    return facts_on_rows(tables, ready, goal=GOAL, groups=world.groups, seed=seed)


def _times(part: str, rows: int) -> Floats:
    start = {"train": 0.0, "train_dev": 1.0, "dev": 2.0}[part]
    return start + np.linspace(0, 0.9, rows)


def _limit(first: Floats, second: Floats) -> Callable[[float], float]:
    a, b = (wilson(each.sum(), len(each)) for each in (first, second))
    return lambda level: difference(a.at_level(level), b.at_level(level)).low


def _fold_differences(world: World, rng: np.random.Generator) -> Estimate:
    """Two learners that estimate a mean, from one half of the training rows each."""
    values, count = world.features["train"][:, 0], world.rows
    held = count // 5

    def differences() -> Iterator[float]:
        for _ in range(15):
            order = rng.permutation(count)
            train, test = order[held:], order[:held]
            one, two = np.array_split(train, 2)
            far = [(values[test] - values[half].mean()) ** 2 for half in (one, two)]
            yield float(np.mean(far[0] - far[1]))

    return resampled_difference(np.array(list(differences())), ratio=held / (count - held))


if __name__ == "__main__":
    main()
