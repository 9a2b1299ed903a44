"""Is the recipe's first choice the right one? Cases made to suffer from planted causes, every remedy carried out.

Each case is a generated table with a known optimal error, or a part of a shared table, with a first network that was
made to suffer from one or two causes (too small, too short, too slow, too fast, blind to wiggles; too few rows, columns
of noise, too long), or from none: permuted labels, and networks that are fine. Every applicable remedy gets the same
budget in updates, and its gain is measured on fresh rows, paired. The rivals: a random applicable remedy, always the
bigger network, and always one search over the knobs of both boards.

    python benchmarks/recipe_cases.py --seeds 0 1          two draws of every case
    python benchmarks/recipe_cases.py --cases few_rows     only cases whose name has this part
    python benchmarks/recipe_cases.py --list               the names of the cases
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from report import Row, finish, parser_of
from tables import ADULT, BIKE, CALIFORNIA, CREDIT, PHONEME, Source, divided
from wellfit._typing import Floats, Json
from wellfit.config import Config, Network, Optimization
from wellfit.data.prepare import Arrays, Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.recipe.bench import Bench
from wellfit.recipe.budget import Budget
from wellfit.recipe.follow import first_turn, follow
from wellfit.recipe.pick import next_remedy
from wellfit.recipe.purse import Purse
from wellfit.recipe.remedies.catalogue import REMEDIES
from wellfit.recipe.rules import Rules
from wellfit.recipe.turn import GAP_OF, Turn, Work
from wellfit.stats.intervals import wilson
from wellfit.stats.scores import row_losses
from wellfit.sweeps.executor import InProcess, OnOutcome, ignore_outcome
from wellfit.sweeps.joining import parts_of
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import sweep
from wellfit.sweeps.space import log_uniform, uniform
from wellfit.training.predict import predict_average

ROWS, DEV_ROWS, FRESH_ROWS = 800, 800, 10_000
NETWORKS = 24
"""Budget of a remedy: so many trainings of a healthy network."""
HEALTHY = Config(
    network=Network(widths=(64, 64), bins=16), optimization=Optimization(lr=2e-3, epochs=30, batch_size=64)
)
BEST, HARMFUL, INSIDE = 0.80, 0.03, 0.80
NOTHING, SEARCH = "nothing", "search everything"
QUICK = ("product/small", "rings/few_rows", "linear/noise_columns", "waves/short", "friedman/few_rows", "rings/fine")


# What is learned: features, and the chance of the label "yes" (or the mean of the target).


def product(x: Floats) -> Floats:
    """The sign of a product of two numbers."""
    return np.asarray(x[:, 0] * x[:, 1] > 0, dtype=float)


def rings(x: Floats) -> Floats:
    """Inside a sphere or not."""
    return np.asarray((x[:, :3] ** 2).sum(axis=1) < 2.366, dtype=float)


def linear(x: Floats) -> Floats:
    """One side of a plane."""
    return np.asarray(x[:, :4].sum(axis=1) > 0, dtype=float)


def waves(x: Floats) -> Floats:
    """Above a sine."""
    return np.asarray(np.sin(4 * x[:, 0]) > x[:, 1], dtype=float)


def friedman(x: Floats) -> Floats:
    """Friedman's first function, of uniform numbers (here of normals, by their ranks)."""
    u = 1 / (1 + np.exp(-1.7 * x))
    return np.asarray(10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4])


FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    each.__name__: each for each in (product, rings, linear, waves, friedman)
}
FLIPPED, NOISE_SD = 0.05, 1.0


@dataclass(frozen=True, kw_only=True)
class Suffering:
    """What a cause changes: rows, columns of noise, permuted labels, and the first network."""

    rows: int = ROWS
    noise_columns: int = 0
    permuted: bool = False
    network: Mapping[str, Any] | None = None
    optimization: Mapping[str, Any] | None = None

    def config(self, *, seed: int) -> Config:
        """The first network."""
        return replace(
            HEALTHY,
            network=replace(HEALTHY.network, **(self.network or {})),
            optimization=replace(HEALTHY.optimization, **(self.optimization or {})),
            seed=seed,
        )


SMALL, SHORT, SLOW = {"widths": (2,), "embedding": "none"}, {"epochs": 1}, {"lr": 2e-5}
CAUSES: Mapping[str, Suffering] = {
    "small": Suffering(network=SMALL),
    "short": Suffering(optimization=SHORT),
    "slow": Suffering(optimization=SLOW),
    "fast": Suffering(optimization={"lr": 0.1}),
    "blind": Suffering(network={"embedding": "none", "widths": (8,)}),
    "few_rows": Suffering(rows=150),
    "noise_columns": Suffering(noise_columns=40),
    "long": Suffering(rows=300, optimization={"epochs": 120}),
    "small+few_rows": Suffering(rows=200, network=SMALL),
    "short+noise_columns": Suffering(noise_columns=30, optimization=SHORT),
    "slow+few_rows": Suffering(rows=200, optimization=SLOW),
    "permuted": Suffering(permuted=True),
    "fine": Suffering(rows=6_000, optimization={"epochs": 15}),
}
TABLES: tuple[Source, ...] = (PHONEME, CREDIT, CALIFORNIA, ADULT, BIKE)
TABLE_CAUSES = ("small", "short", "few_rows")
NAMES = (
    *(f"{function}/{cause}" for function in FUNCTIONS for cause in CAUSES),
    *(f"{source.name}/{cause}" for source in TABLES for cause in TABLE_CAUSES),
)


@dataclass(frozen=True)
class Case:
    """One draw of a case: train and dev, fresh rows, the reference (None: unknown) and the first network."""

    name: str
    data: Prepared
    fresh: Arrays
    goal: Goal
    optimal: float | None
    start: Config


def case_of(name: str, *, seed: int) -> Case:
    """Draw a case."""
    what, cause = name.split("/")
    suffering = CAUSES[cause]
    if what in FUNCTIONS:
        return _generated(name, FUNCTIONS[what], suffering, seed=seed)
    return _of_table(name, next(each for each in TABLES if each.name == what), suffering, seed=seed)


def _generated(name: str, function: Callable[[Floats], Floats], suffering: Suffering, *, seed: int) -> Case:
    rng = np.random.default_rng([seed, NAMES.index(name)])
    train, total = suffering.rows, suffering.rows + DEV_ROWS + FRESH_ROWS
    x = rng.normal(size=(total, 6 + suffering.noise_columns))
    truth = function(x)
    columns = {f"x{place}": column for place, column in enumerate(x.T)}
    if function is friedman:
        y = truth + NOISE_SD * rng.normal(size=total)
        optimal = float(np.var(truth)) + NOISE_SD**2 if suffering.permuted else NOISE_SD**2
    else:
        y = (truth > 0) ^ (rng.random(total) < FLIPPED)
        optimal = float(min(y.mean(), 1 - y.mean())) if suffering.permuted else FLIPPED
    y = rng.permutation(y) if suffering.permuted else y
    table = pa.table({**columns, "y": y if function is friedman else np.where(y, "yes", "no")})
    schema = infer_schema(table, target="y")
    preparation = fit_preparation(table.slice(0, train), schema)
    parts = (table.slice(0, train), table.slice(train, DEV_ROWS), table.slice(train + DEV_ROWS))
    arrays = [preparation.transform(part) for part in parts]
    goal = Goal("rmse" if function is friedman else "error")
    return Case(
        name, Prepared(preparation, arrays[0], None, arrays[1]), arrays[2], goal, optimal, suffering.config(seed=seed)
    )


def _of_table(name: str, source: Source, suffering: Suffering, *, seed: int) -> Case:
    whole = divided(source, seed=seed)
    train, dev = whole.rows("train").slice(0, suffering.rows), whole.rows("dev").slice(0, DEV_ROWS)
    preparation = fit_preparation(train, whole.schema)
    arrays = [preparation.transform(part) for part in (train, dev, whole.rows("test").slice(0, FRESH_ROWS))]
    goal = Goal("error" if whole.schema.task == "classification" else "rmse")
    data = Prepared(preparation, arrays[0], None, arrays[1])
    return Case(name, data, arrays[2], goal, None, suffering.config(seed=seed))


class Remembering(InProcess):
    """Trains no config twice: remedies share the first network and more."""

    def __init__(self, data: Prepared, *, goal: Goal) -> None:
        super().__init__(data, goal=goal)
        self.known: dict[str, Outcome] = {}

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train what is new."""
        missing = [config for config in configs if config.identity not in self.known]
        for outcome in super().train(missing, deadline=deadline, rungs=rungs, on_outcome=on_outcome):
            self.known[outcome.config.identity] = outcome
        return [self.known[config.identity] for config in configs]


class _Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Json] = {}

    def __call__(self, kind: str, key: str, compute: Callable[[], Json]) -> Json:
        if (kind, key) not in self.entries:
            self.entries[kind, key] = compute()
        return self.entries[kind, key]

    def known(self, kind: str, key: str) -> Json | None:
        return self.entries.get((kind, key))


def bench_of(case: Case, executor: Remembering, notes: _Notes) -> Bench:
    """A bench with the budget of one remedy."""

    def diagnose(errors: Mapping[str, Any], *, outcome: Outcome, best_dev_high: float) -> Diagnosis:  # noqa: ARG001
        known = case.optimal is not None
        reference = Optimal(case.optimal, case.optimal, source="given", upper_bound=False) if known else None
        return diagnose_losses(
            goal=case.goal,
            optimal=reference,
            train=errors["train"],
            dev=errors["dev"],
            best_dev_high=best_dev_high,
        )

    data = case.data
    healthy = Purse(Budget(seconds=None, updates=1), data=data, workers=1).cost(HEALTHY)
    first = Purse(Budget(seconds=None, updates=1), data=data, workers=1).cost(case.start)
    budget = Budget(seconds=None, updates=math.ceil(first + NETWORKS * max(healthy, first)))
    return Bench(
        data=data,
        goal=case.goal,
        executor=executor,
        purse=Purse(budget, data=data, workers=1),
        recall=notes,
        diagnose=diagnose,
        best_dev_high=math.inf,
        notify=lambda _event: None,
    )


@dataclass(frozen=True)
class Measured:
    """What one case came to: per remedy the loss of every fresh row, and its step's journal entry."""

    name: str
    choice: str
    losses: Mapping[str, Floats]
    steps: Mapping[str, Json]
    seconds: float

    def to_json(self) -> Json:
        """What is kept of it: enough to try another way of choosing."""
        kinds = list(self.losses)
        return {
            "case": self.name,
            "choice": self.choice,
            "gains": {kind: self.gain(kind) for kind in kinds},
            "behind": {kind: self.behind(kind) for kind in kinds},
            "steps": dict(self.steps),
        }

    def gain(self, kind: str) -> tuple[float, float]:
        """Gain on fresh rows over doing nothing, and its standard error."""
        return _mean(self.losses[NOTHING] - self.losses[kind])

    def behind(self, kind: str) -> tuple[float, float]:
        """By how much a remedy is behind the best one, and the standard error of that."""
        best = min((each for each in self.losses if each != SEARCH), key=lambda each: self.losses[each].mean())
        return _mean(self.losses[kind] - self.losses[best])

    def is_best(self, kind: str) -> bool:
        """Whether it is the best remedy, or within one standard error of it."""
        value, error = self.behind(kind)
        return value <= error

    def is_harmful(self, kind: str) -> bool:
        """Whether it is worse than doing nothing by more than two standard errors."""
        value, error = self.gain(kind)
        return value < -2 * error


def _mean(rows: Floats) -> tuple[float, float]:
    return float(rows.mean()), float(rows.std(ddof=1) / np.sqrt(len(rows)))


def measured(case: Case, *, others: bool) -> Measured:
    """Carry out every applicable remedy of a case."""
    began, executor = time.monotonic(), Remembering(case.data, goal=case.goal)
    bench = bench_of(case, executor, _Notes())
    turn = first_turn(bench, case.start)
    picked = next_remedy(Work(bench=bench, turn=turn, rules=Rules()))
    choice = picked.kind if picked else NOTHING
    losses, steps = {NOTHING: _fresh(case, turn.outcome, executor)}, {}
    for kind, remedy in REMEDIES.items():
        if remedy.coupled or (kind != choice and not others):
            continue
        notes = _Notes()
        try:
            after = follow(bench_of(case, executor, notes), case.start, Rules(only=kind))
        except BadInput:
            continue  # nothing to try here: not applicable
        losses[kind], steps[kind] = _fresh(case, after.outcome, executor), notes.entries["step", "1"]
    if others:
        losses[SEARCH] = _fresh(case, _search(case, turn, executor), executor)
    return Measured(case.name, choice, losses, steps, time.monotonic() - began)


def _fresh(case: Case, outcome: Outcome, executor: Remembering) -> Floats:
    """[rows] the loss of every fresh row."""
    members = [executor.known[identity] for identity in outcome.members] or [outcome]
    average = predict_average(case.data.preparation, parts_of(members, outcome.members or {outcome.identity: 1.0}))
    return row_losses(case.goal, case.fresh.target, average(case.fresh))


def _search(case: Case, turn: Turn, executor: Remembering) -> Outcome:
    """One search over the knobs of both boards, at the same budget."""
    epochs = HEALTHY.optimization.epochs
    over: dict[str, Any] = {
        "widths": [(16,), (64, 64), (128, 128), (256, 256)],
        "lr": log_uniform(1e-4, 1e-2),
        "epochs": [epochs // 2, epochs, 2 * epochs],
        "shrink": log_uniform(1e-6, 3e-3, zero=0.15),
        "keep_prob": uniform(0.5, 1.0, zero=0.3),
    }
    members = round(NETWORKS / 1.17)  # the mean of the epochs above
    found = sweep(case.data, case.start, executor=executor, goal=case.goal, over=over, members=members)
    return min(
        (*(each for each in found.members if each.status is Status.FINISHED), turn.outcome),
        key=lambda outcome: outcome.losses["dev"],
    )


def rows_of(found: Sequence[Measured], *, quick: bool, seed: int) -> list[Row]:
    """The table: the recipe against its rivals, and the score of its expectations."""
    rng = np.random.default_rng(seed)
    random = {each.name: str(rng.choice([kind for kind in each.losses if kind != SEARCH])) for each in found}
    policies: dict[str, Callable[[Measured], str]] = {
        "the recipe's first choice": lambda each: each.choice,
        "a random applicable remedy": lambda each: random[each.name],
        "always the bigger network": lambda each: "bigger_network" if "bigger_network" in each.losses else NOTHING,
        "always search everything": lambda _each: SEARCH,
    }
    rows = []
    for place, (name, policy) in enumerate(policies.items()):
        best = [each.is_best(policy(each)) for each in found]
        harmful = [each.is_harmful(policy(each)) for each in found]
        targets = (BEST, HARMFUL) if place == 0 else (None, None)
        rows.append(_share(f"{name}: best, or within one standard error", best, targets[0], quick=quick))
        rows.append(_share(f"{name}: harmful", harmful, targets[1], quick=quick, at_most=True))
    chosen = [each.steps[each.choice]["as_expected"] for each in found if each.choice in each.steps]
    every = [step["as_expected"] for each in found for step in each.steps.values()]
    rows.append(_share("outcomes inside their 90 % interval, first choices", chosen, INSIDE, quick=quick))
    rows.append(_share("outcomes inside their 90 % interval, all remedies", every, None, quick=quick))
    return rows


def _share(name: str, hits: Sequence[bool], target: float | None, *, quick: bool, at_most: bool = False) -> Row:
    if not hits:
        return Row(name, math.nan, None, note="no case")
    share = wilson(float(sum(hits)), len(hits))
    note = f"{sum(hits)} of {len(hits)}, 95 % interval {share.low:.2f} to {share.high:.2f}"
    if target is not None and quick:
        # Few cases: the target is missed only where the interval excludes it.
        shown = min(share.value, max(share.low, target)) if at_most else max(share.value, min(share.high, target))
        return Row(name, shown, target, at_most=at_most, note=note)
    return Row(name, share.value, target, at_most=at_most, note=note)


def prior_rows(found: Sequence[Measured]) -> list[Row]:
    """What share of its ceiling each remedy won where its gap called for it: the prior of recipe/remedies."""
    rows = []
    for kind, remedy in REMEDIES.items():
        gap = GAP_OF[remedy.board]
        steps = [each.steps[kind] for each in found if kind in each.steps]
        called = [step for step in steps if step["ceiling"] > 0 and step["gaps_before"][gap]["verdict"] != "no"]
        shares = [step["got"] / step["ceiling"] for step in called]
        if shares:
            low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
            note = f"5 % {low:.3g}, 95 % {high:.3g}, mean {np.mean(shares):.3g}, {len(shares)} cases"
            rows.append(Row(f"share of its ceiling: {kind}", float(middle), note=note))
    return rows


def _told(each: Measured) -> str:
    """One line for a case."""
    gains = {kind: each.gain(kind) for kind in each.losses if kind != NOTHING}
    ranked = sorted(gains, key=lambda kind: -gains[kind][0])
    shown = ", ".join(f"{kind} {gains[kind][0]:+.4g} ({gains[kind][1]:.2g})" for kind in ranked)
    mark = "best" if each.is_best(each.choice) else "HARM" if each.is_harmful(each.choice) else "    "
    missing = (
        ""
        if each.is_best(each.choice)
        else f" behind by {each.behind(each.choice)[0]:.4g} ({each.behind(each.choice)[1]:.2g})"
    )
    return f"{each.name:32} {mark} chose {each.choice}{missing}; {shown} [{each.seconds:.0f} s]"


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(seeds=[0])
    parser.add_argument("--cases", nargs="+", default=[], help="only cases whose name has one of these parts")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--only-choice", action="store_true", help="leave the other remedies and the search out")
    parser.add_argument("--keep", type=Path, help="JSON-lines file of what each case came to, for the prior")
    asked = parser.parse_args()
    if asked.list:
        sys.exit("\n".join(NAMES))
    names = [name for name in NAMES if any(part in name for part in asked.cases)] if asked.cases else list(NAMES)
    names = [name for name in names if name in QUICK] if asked.quick and not asked.cases else names
    found = []
    for seed in asked.seeds[:1] if asked.quick else asked.seeds:
        for name in names:
            found.append(measured(case_of(name, seed=seed), others=not asked.only_choice))
            print(_told(found[-1]), file=sys.stderr, flush=True)
            if asked.keep:
                with asked.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"seed": seed, **found[-1].to_json()}) + "\n")
    rows = [*rows_of(found, quick=asked.quick or bool(asked.cases), seed=asked.seeds[0]), *prior_rows(found)]
    finish("recipe_cases", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
