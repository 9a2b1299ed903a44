"""Which textbook claims about regularization hold on the shared tables, in figures.

For every table and seed, one network of (64, 64) hidden units is trained with one knob turned at a time, and what
training/effects.py measures is correlated with the knob (Spearman). A claim is said to hold for a (table, seed) where
the correlation has the claimed sign and at least .5. Tables are thinned to 3,000 training rows and 1,500 dev rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr, t

from report import Row, arguments, finish
from tables import ADULT, BIKE, CALIFORNIA, CREDIT, PHONEME, Source, divided
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.config import Config, Network, Optimization, Regularization, updates_per_epoch
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import wilson
from wellfit.sweeps.executor import InProcess
from wellfit.training.monte_carlo import monte_carlo

TABLES = (PHONEME, CREDIT, CALIFORNIA, ADULT, BIKE)
QUICK = (PHONEME, CREDIT)
MOST_TRAIN, MOST_DEV = 3_000, 1_500
UPDATES, QUICK_UPDATES = 1_000, 400
LR, BATCH = 2e-3, 128
CORRELATION = "rank correlation"
HOLDS = 0.5
"""Rank correlation from which a claim holds: over seven values, 1 in 8 random orders get there."""
SHRINKS = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
L1_STEPS = (0.0, 3e-5, 1e-4, 3e-4, 6e-4, 1e-3, 2e-3)
DROPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
NOISES = (0.0, 0.05, 0.1, 0.2, 0.4)
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2)
MIXUPS = (0.0, 0.1, 0.3, 1.0)
EMAS = (0.0, 0.99)
PATIENCE = 3

Path = Mapping[float, Outcome]
"""Value of the knob -> outcome, by rising strength."""


@dataclass(frozen=True)
class Case:
    """One table and seed: everything that was trained on it."""

    data: Prepared
    goal: Goal
    paths: Mapping[str, Path]
    stopped: Outcome

    @property
    def plain(self) -> Outcome:
        """The network without any regularization."""
        return self.paths["l2"][0.0]

    def gain(self, outcome: Outcome) -> float:
        """What it takes off the dev loss of the plain network, in shares of that loss."""
        return 1 - outcome.losses["dev"] / self.plain.losses["dev"]

    def tied(self, outcome: Outcome) -> bool:
        """Whether dev does not show that it is worse than the plain network (paired, 95 %)."""
        losses = (self.goal.row_losses(self.data.dev.target, one.predictions["dev"]) for one in (outcome, self.plain))
        return paired_difference(*losses).low <= 0


def trained(source: Source, *, seed: int, updates: int) -> Case:
    """Train every path on one table with one seed."""
    data = thinned(divided(source, seed=seed).prepared(), seed=seed)
    classify = data.preparation.schema.task == "classification"
    goal = goal_named("log_loss" if classify else "rmse")
    epochs = -(-updates // updates_per_epoch(rows=data.train.rows, batch_size=BATCH))
    base = Config(
        network=Network(widths=(64, 64)),
        optimization=Optimization(lr=LR, epochs=epochs, batch_size=BATCH),
        seed=seed,
    )
    tanh = replace(base, network=replace(base.network, activation="tanh"))
    unit = data.train.rows / LR
    wanted = {
        "l2": along(base, "l2", {step: step * unit for step in SHRINKS}),
        "l2, tanh": along(tanh, "l2", {step: step * unit for step in SHRINKS}),
        "l1": along(base, "l1", {step: step * unit for step in L1_STEPS}),
        "dropout": along(base, "keep_prob", {drop: 1 - drop for drop in DROPS}),
        "input noise": along(base, "input_noise", {noise: noise for noise in NOISES}),
        "label smoothing": along(base, "label_smoothing", {each: each for each in (SMOOTHINGS if classify else ())}),
        "mixup": along(base, "mixup", {alpha: alpha for alpha in MIXUPS}),
        "ema": along(base, "ema", {decay: decay for decay in EMAS}),
    }
    stopping = replace(base, optimization=replace(base.optimization, early_stopping=PATIENCE))
    configs = {config.identity: config for path in wanted.values() for config in path.values()}
    with InProcess(data, goal=goal) as executor:
        outcomes = executor.train([*configs.values(), stopping])
    known = {outcome.config.identity: outcome for outcome in outcomes}
    paths = {name: {value: known[config.identity] for value, config in path.items()} for name, path in wanted.items()}
    return Case(data, goal, paths, known[stopping.identity])


def along(base: Config, knob: str, values: Mapping[float, float]) -> dict[float, Config]:
    """Return `base` with one knob of the regularization board at each value."""
    board = base.regularization
    boards = {place: Regularization(**{**asdict(board), knob: value}) for place, value in values.items()}
    return {place: replace(base, regularization=one) for place, one in boards.items()}


def thinned(data: Prepared, *, seed: int) -> Prepared:
    """Return at most `MOST_TRAIN` and `MOST_DEV` rows, drawn by the seed."""
    source = np.random.default_rng(seed)

    def some(part: Arrays, most: int) -> Arrays:
        chosen = np.sort(source.permutation(part.rows)[:most])
        return Arrays(part.numeric[chosen], part.codes[chosen], part.target[chosen])

    return replace(data, train=some(data.train, MOST_TRAIN), dev=some(data.dev, MOST_DEV))


Measure = Callable[[Outcome], float | None]


def effect(name: str) -> Measure:
    """One of the measures of training/effects.py."""
    return lambda outcome: outcome.effects.get(name)


def norm(outcome: Outcome) -> float:
    """||W||."""
    return outcome.weight_norm


def train_loss(outcome: Outcome) -> float:
    """Loss on all training rows, without dropout."""
    return outcome.losses["train"]


def gap(outcome: Outcome) -> float:
    """Dev less train."""
    return outcome.losses["dev"] - outcome.losses["train"]


TRENDS: Sequence[tuple[str, str, Measure, int]] = (
    ("larger lambda: smaller ||W||", "l2", norm, -1),
    ("larger lambda: smaller gradient by the input", "l2", effect("input_gradient"), -1),
    ("larger lambda: nearer to linear (R2, ReLU)", "l2", effect("linear_r2"), 1),
    ("larger lambda: nearer to linear (R2, tanh)", "l2, tanh", effect("linear_r2"), 1),
    ("larger lambda: tanh units move into their linear zone", "l2, tanh", effect("tanh_linear"), 1),
    ("larger lambda: higher train loss", "l2", train_loss, 1),
    ("larger lambda: smaller gap between dev and train", "l2", gap, -1),
    ("larger lambda: less reliance on single units", "l2", effect("unit_reliance"), -1),
    ("more dropout: less reliance on single units", "dropout", effect("unit_reliance"), -1),
    ("more dropout: smaller ||W||", "dropout", norm, -1),
    ("more dropout: smaller gradient by the input", "dropout", effect("input_gradient"), -1),
    ("more dropout: nearer to linear (R2)", "dropout", effect("linear_r2"), 1),
    ("more dropout: higher train loss", "dropout", train_loss, 1),
    ("more dropout: smaller gap between dev and train", "dropout", gap, -1),
    ("larger L1: more exact zeros", "l1", effect("zeros"), 1),
    ("larger L1: smaller ||W||", "l1", norm, -1),
    ("more input noise: smaller gradient by the input", "input noise", effect("input_gradient"), -1),
    ("more input noise: smaller ||W||, as lambda does", "input noise", norm, -1),
    ("more label smoothing: smaller gradient by the input", "label smoothing", effect("input_gradient"), -1),
    ("more mixup: nearer to linear (R2)", "mixup", effect("linear_r2"), 1),
    ("more mixup: smaller gradient by the input", "mixup", effect("input_gradient"), -1),
)


def trend_row(cases: Mapping[tuple[str, int], Case], trend: tuple[str, str, Measure, int]) -> Row:
    """One claim about a trend: the mean rank correlation, and where it holds."""
    claim, path, measure, sign = trend
    found: dict[tuple[str, int], float] = {}
    for place, case in cases.items():
        pairs = [(value, measure(outcome)) for value, outcome in case.paths[path].items()]
        known = [(value, measured) for value, measured in pairs if measured is not None]
        if len(known) == len(pairs) > 2:
            found[place] = correlation(known)
    holds = [sign * value >= HOLDS for value in found.values()]
    return Row(claim, *summary(found, holds, unit=CORRELATION))


def correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's; 0 where nothing varies."""
    values = [measured for _, measured in pairs]
    if max(values) == min(values):
        return 0.0
    return float(spearmanr([value for value, _ in pairs], values).statistic)


def summary(found: Mapping[tuple[str, int], float], holds: Sequence[bool], *, unit: str) -> tuple[Any, ...]:
    """Mean over all, with the t-interval over the tables' means, and the share that holds with Wilson's."""
    by_table: dict[str, list[float]] = {}
    for (table, _), value in found.items():
        by_table.setdefault(table, []).append(value)
    means = [float(np.mean(values)) for values in by_table.values()]
    interval = t_interval(means)
    if unit == CORRELATION:
        interval = max(interval[0], -1.0), min(interval[1], 1.0)
    share = wilson(sum(holds), len(holds))
    note = (
        f"{unit}, tables {interval[0]:.2f} to {interval[1]:.2f}; "
        f"holds in {sum(holds)} of {len(holds)} ({share.low:.2f} to {share.high:.2f})"
    )
    return float(np.mean(means)), None, True, note


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's interval of the mean: the seeds of one table are no independent tables."""
    if len(values) < 2:
        return values[0], values[0]
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def reliance(outcome: Outcome) -> float:
    """Rise of the training loss when one unit is removed."""
    return outcome.effects["unit_reliance"]


def best(path: Path) -> Outcome:
    """The member of a path with the lowest dev loss."""
    return min(path.values(), key=lambda outcome: outcome.losses["dev"])


def sparsest(case: Case) -> Outcome:
    """The smallest network of the L1 path that dev does not show to be worse than the one without L1."""
    tied = [outcome for outcome in case.paths["l1"].values() if case.tied(outcome)]
    return min([*tied, case.plain], key=lambda outcome: outcome.effects["exported_bytes"])


def same_norm(case: Case) -> float:
    """What early stopping loses in dev loss against the lambda path at the same ||W||, in shares of the plain loss."""
    path = sorted(case.paths["l2"].values(), key=norm)
    at = np.interp(norm(case.stopped), [norm(one) for one in path], [one.losses["dev"] for one in path])
    return float(case.stopped.losses["dev"] - at) / case.plain.losses["dev"]


COMPARISONS: Sequence[tuple[str, str, Callable[[Case], float], Callable[[Case], bool]]] = (
    (
        "lambda makes no exact zeros (under 1 % of W at the largest lambda)",
        "share of zeros",
        lambda case: case.paths["l2"][SHRINKS[-1]].effects["zeros"],
        lambda case: case.paths["l2"][SHRINKS[-1]].effects["zeros"] < 0.01,
    ),
    (
        "L1 gives exact zeros at an equal dev loss (half of W or more)",
        "share of zeros",
        lambda case: sparsest(case).effects["zeros"],
        lambda case: sparsest(case).effects["zeros"] >= 0.5,
    ),
    (
        "L1 halves the exported bytes at an equal dev loss",
        "bytes in shares of dense",
        lambda case: sparsest(case).effects["exported_bytes"] / case.plain.effects["exported_bytes"],
        lambda case: sparsest(case).effects["exported_bytes"] <= 0.5 * case.plain.effects["exported_bytes"],
    ),
    (
        "early stopping stops at a smaller ||W||",
        "||W|| in shares of the whole training's",
        lambda case: norm(case.stopped) / norm(case.plain),
        lambda case: norm(case.stopped) < norm(case.plain),
    ),
    (
        "early stopping leaves J less small: higher train loss",
        "train loss in shares of the whole training's (log)",
        lambda case: float(np.log(train_loss(case.stopped) / train_loss(case.plain))),
        lambda case: train_loss(case.stopped) > train_loss(case.plain),
    ),
    (
        "the best lambda beats early stopping on dev",
        "dev loss of stopping less that of lambda, in shares",
        lambda case: case.gain(best(case.paths["l2"])) - case.gain(case.stopped),
        lambda case: best(case.paths["l2"]).losses["dev"] < case.stopped.losses["dev"],
    ),
    (
        "at the same ||W||, lambda is better on dev than early stopping",
        "dev loss of stopping less that of lambda, in shares",
        same_norm,
        lambda case: same_norm(case) > 0,
    ),
    (
        "dropout of .2: less reliance on single units than without",
        "reliance in shares of that without",
        lambda case: reliance(case.paths["dropout"][0.2]) / reliance(case.plain),
        lambda case: reliance(case.paths["dropout"][0.2]) < reliance(case.plain),
    ),
    (
        "the best dropout beats the best lambda on dev",
        "dev loss of lambda less that of dropout, in shares",
        lambda case: case.gain(best(case.paths["dropout"])) - case.gain(best(case.paths["l2"])),
        lambda case: best(case.paths["dropout"]).losses["dev"] < best(case.paths["l2"]).losses["dev"],
    ),
    (
        "a moving average of the weights (.99) lowers the dev loss",
        "gain in shares",
        lambda case: case.gain(case.paths["ema"][0.99]),
        lambda case: case.gain(case.paths["ema"][0.99]) > 0,
    ),
)


def comparison_row(
    cases: Mapping[tuple[str, int], Case],
    comparison: tuple[str, str, Callable[[Case], float], Callable[[Case], bool]],
) -> Row:
    """One claim about a pair of networks."""
    claim, unit, measure, holds = comparison
    found = {place: measure(case) for place, case in cases.items()}
    return Row(claim, *summary(found, [holds(case) for case in cases.values()], unit=unit))


def monte_carlo_rows(cases: Mapping[tuple[str, int], Case]) -> Iterable[Row]:
    """What 30 passes with dropout gain over one without, for the best dropout network, and their cost."""
    gains, costs, sure = {}, {}, []
    for place, case in cases.items():
        dropped = {drop: outcome for drop, outcome in case.paths["dropout"].items() if drop}
        chosen = best(dropped)
        found = monte_carlo(case.data, chosen, goal=case.goal)
        gains[place], costs[place] = found.gain.value / chosen.losses["dev"], found.cost
        sure.append(found.gain.low > 0)
    yield Row("Monte-Carlo dropout beats one pass (30 passes)", *summary(gains, sure, unit="gain in shares"))
    yield Row("its cost in multiples of one pass", float(np.mean(list(costs.values()))))


def main() -> None:
    asked = arguments(__doc__)
    sources, seeds = (QUICK, asked.seeds[:1]) if asked.quick else (TABLES, asked.seeds)
    updates = QUICK_UPDATES if asked.quick else UPDATES
    cases = {(source.name, seed): trained(source, seed=seed, updates=updates) for source in sources for seed in seeds}
    rows = [trend_row(cases, trend) for trend in TRENDS]
    rows += [comparison_row(cases, comparison) for comparison in COMPARISONS]
    rows += monte_carlo_rows(cases)
    finish("textbook_claims", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
