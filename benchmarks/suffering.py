"""Cases for the recipe: tables with a known optimal error or parts of shared ones, and first networks that suffer.

Each case was made to suffer from one or two causes (too small, too short, too slow, too fast, blind to wiggles; too few
rows, columns of noise, too long), or from none: permuted labels, and networks that are fine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from tables import ADULT, BIKE, CALIFORNIA, CREDIT, PHONEME, Source, divided
from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.goals import Goal, goal_named

ROWS, DEV_ROWS, FRESH_ROWS = 800, 800, 10_000
HEALTHY = Config(
    network=Network(widths=(64, 64), bins=16), optimization=Optimization(lr=2e-3, epochs=30, batch_size=64)
)


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
    goal = goal_named("rmse" if function is friedman else "error")
    return Case(
        name, Prepared(preparation, arrays[0], None, arrays[1]), arrays[2], goal, optimal, suffering.config(seed=seed)
    )


def _of_table(name: str, source: Source, suffering: Suffering, *, seed: int) -> Case:
    whole, rng = divided(source, seed=seed), np.random.default_rng([seed, NAMES.index(name)])

    def drawn(part: str, rows: int) -> pa.Table:
        # By chance: hours and districts lie in an order, and the first rows of a table are unlike the others.
        table = whole.rows(part)
        return table.take(pa.array(rng.permutation(table.num_rows)[:rows]))

    train = drawn("train", suffering.rows)
    preparation = fit_preparation(train, whole.schema)
    arrays = [preparation.transform(part) for part in (train, drawn("dev", DEV_ROWS), drawn("test", FRESH_ROWS))]
    goal = goal_named("error" if whole.schema.task == "classification" else "rmse")
    data = Prepared(preparation, arrays[0], None, arrays[1])
    return Case(name, data, arrays[2], goal, None, suffering.config(seed=seed))
