"""Journals as data: what `summarize` is given, from a bare split to an opened seal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wellfit.journal.history import History
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.reports.records import Summary
from wellfit.reports.summary import summarize as summarize_history

ROWS = {"train": 22_541, "train_dev": None, "dev": 5_000, "test": 5_000}


@dataclass(frozen=True)
class Line:
    """A journal entry, as far as a report looks at it."""

    kind: str
    body: dict[str, Any]


def summarize(lines: list[Line]) -> Summary:
    return summarize_history(History(lines))


def estimate(value: float, rows: int | None = None, half: float = 0.0) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "rows": rows}


def in_unit(body: dict[str, Any], unit: Callable[[float], float]) -> dict[str, Any]:
    """Errors of a diagnosis are in the goal's own unit."""
    return {name: unit(value) if name != "rows" else value for name, value in body.items()}


def split(**changes: Any) -> Line:
    columns = [
        {"name": name, "kind": "number", "role": "feature", "note": ""}
        for name in ("age", "hours_per_week", "capital_gain")
    ]
    columns += [
        {"name": "fnlwgt", "kind": "number", "role": "dropped", "note": "id-like: 99 % distinct"},
        {"name": "income", "kind": "category", "role": "target", "note": ""},
    ]
    body = {
        "rows": ROWS,
        "policy": "69/15/15: 5,000 rows each are enough for dev and test.",
        "precision": {
            "dev_detects": 0.0104,
            "test_margin": 0.0138,
            "sentence": "5,000 dev rows distinguish two models that differ by 1.04 points (power 80 %)",
        },
        "seal": {"sha256": "9f2c" * 16, "rows": 5000, "sealed_at": "2026-11-22T20:00:00Z"},
        "duplicates": {"dev": 24, "test": 21, "test_in_dev": 3},
        "unlabelled": 7,
        "schema": {
            "target": "income",
            "task": "classification",
            "classes": ["<=50K", ">50K"],
            "columns": columns,
        },
        "source": {"path": "data/adult_train.csv", "bytes": 3_800_000, "modified": "2026-11-01T00:00:00Z"},
        "seed": 0,
    }
    return Line("split", body | changes)


def references(unit: float = 1.0) -> list[Line]:
    values = {"dummy": (0.2408, 0.2410), "linear": (0.1502, 0.1498), "trees": (0.1105, 0.1289)}
    return [
        Line(
            "reference",
            {
                "name": name,
                "errors": {
                    "train": estimate(train * unit, 22_541),
                    "dev": estimate(dev * unit, 5000, half=0.0095 * unit),
                },
                "seconds": seconds,
                "note": "",
            },
        )
        for (name, (train, dev)), seconds in zip(values.items(), (0.01, 1.4, 2.2), strict=True)
    ]


def config(
    widths: tuple[int, ...] = (64, 64), l2: float = 0.0, keep_prob: float = 1.0, lr: float = 1e-3
) -> dict[str, Any]:
    return Config(
        network=Network(widths=widths),
        optimization=Optimization(lr=lr, epochs=32, batch_size=256),
        regularization=Regularization(l2=l2, keep_prob=keep_prob),
    ).to_json()


def curve(train: float, dev: float, *, start: float, updates: int = 2816, points: int = 64) -> list[list[float]]:
    rows = []
    for index in range(points + 1):
        share = math.exp(-6 * index / points)
        wiggle = 0.004 * start * math.sin(2.1 * index) * share
        early = dev - 0.04 * start + 0.04 * start * index / points
        rows.append(
            [index * updates // points, train + (start - train) * share + wiggle, early + (start - early) * share**2]
        )
    return rows


def training(
    identity: str, train: float, dev: float, *, settings: dict, start: float = 0.27, half: float = 0.0098
) -> Line:
    l2 = settings["regularization"]["l2"]
    body = {
        "identity": identity,
        "config": settings,
        "status": "finished",
        "updates": 2816,
        "seconds": 11.4,
        "losses": {"train": train, "dev": dev},
        "curve": curve(train, dev, start=start),
        "weight_norms": [12.0, 9.0, 3.5],
        "errors": {"train": estimate(train, 22_541), "train_dev": None, "dev": estimate(dev, 5000, half)},
        "weight_decay": l2 / 22_541,
        "shrink": l2 * settings["optimization"]["lr"] / 22_541,
    }
    return Line("training", body)


def diagnosis(
    step: int,
    identity: str,
    *,
    train: float,
    dev: float,
    train_dev: float | None = None,
    optimal: tuple[float, float, str] = (0.11, 0.11, "human"),
    verdicts: tuple[str, str] = ("no", "yes"),
    goal: str = "error",
    half: float = 0.0098,
    tolerance: float = 0.02,
) -> Line:
    low, high, source = optimal
    bias = train - (low + high) / 2
    held_out = dev if train_dev is None else train_dev
    gaps: dict[str, Any] = {
        "avoidable_bias": {
            **estimate(max(bias, 0.0)),
            "verdict": verdicts[0],
            "rows_needed": None,
            "below_reference": train < low,
        },
        "variance": {
            **estimate(held_out - train, None, half),
            "verdict": verdicts[1],
            "rows_needed": 40_300 if verdicts[1] == "cannot tell" else None,
            "includes_mismatch": train_dev is None,
        },
        "mismatch": None,
        "dev_overfit": None,
    }
    if train_dev is not None:
        gaps["mismatch"] = {**estimate(dev - train_dev, None, 1.4 * half), "verdict": "no", "rows_needed": None}
    findings = [
        {
            "code": "WF102",
            "title": "high variance",
            "status": "fired" if verdicts[1] == "yes" else "passed",
            "evidence": f"dev is {100 * (dev - train):.1f} points above train.",
            "remedy": "Regularize, or collect more rows.",
        },
        {
            "code": "WF101",
            "title": "high bias",
            "status": "passed",
            "evidence": "train is at the reference.",
            "remedy": "Fit the training set.",
        },
        {
            "code": "WF103",
            "title": "mismatch",
            "status": "not applicable",
            "evidence": "there is no train-dev part.",
            "remedy": "Give --deployment-data.",
        },
    ]
    remedies = [
        {"kind": "more_data", "board": "data", "because": "variance", "ceiling": 0.016, "why": "More rows help."}
    ]
    unit = math.sqrt if goal == "rmse" else float
    body = {
        "step": step,
        "identity": identity,
        "goal": goal,
        "tolerance": tolerance,
        "errors": {
            "optimal": {"low": unit(low), "high": unit(high), "source": source, "upper_bound": source == "human"},
            "train": in_unit(estimate(train, 22_541), unit),
            "train_dev": None if train_dev is None else in_unit(estimate(train_dev, 2500, half), unit),
            "dev": in_unit(estimate(dev, 5000, half), unit),
            "test": None,
        },
        "gaps": gaps,
        "findings": findings,
        "prescription": remedies,
    }
    return Line("diagnosis", body)


def step(number: int, board: str, *, errors: tuple[float, float, float, float], kept: bool = True) -> Line:
    before = {"train": errors[0], "dev": errors[1]}
    after = {"train": errors[2], "dev": errors[3]}

    def gaps(pair: dict[str, float]) -> dict[str, Any]:
        return {
            "avoidable_bias": {**estimate(max(pair["train"] - 0.11, 0.0)), "verdict": "no", "rows_needed": None},
            "variance": {**estimate(pair["dev"] - pair["train"]), "verdict": "yes", "rows_needed": None},
        }

    did = {
        "optimization": "bigger network: widths 64x64 -> 128x128",
        "regularization": "regularize: lambda 0 -> 191, keep_prob 1 -> 0.8",
    }
    body = {
        "step": number,
        "board": board,
        "did": did[board],
        "because": "variance: yes" if board == "regularization" else "bias: cannot tell",
        "expected": 0.04,
        "got": errors[1] - errors[3],
        "kept": kept,
        "idea": "",
        "config_before": "first",
        "config_after": "best",
        "errors_before": before,
        "errors_after": after,
        "gaps_before": gaps(before),
        "gaps_after": gaps(after),
        "seconds": 41.0,
        "updates": 180_000,
    }
    return Line("step", body)


def _member(rows: list[dict[str, Any]], l2: float, keep_prob: float) -> dict[str, Any]:
    return min(rows, key=lambda row: (abs(row["keep_prob"] - keep_prob), abs(row["l2"] - l2)))


def sweep(*, grid: bool = True, members: int = 65, base: float = 0.142, unit: float = 1.0) -> Line:
    keeps = (1.0, 0.9, 0.8, 0.65, 0.5)
    l2s = [0.0] + [round(10 ** (-1 + 0.41 * index), 4) for index in range(members // len(keeps) - 1)]
    pairs = [(l2, keep) for keep in keeps for l2 in l2s]
    if not grid:
        pairs = [(l2, round(0.5 + 0.5 * ((0.618 * index) % 1), 3)) for index, (l2, _) in enumerate(pairs)]
    rows = []
    for index, (l2, keep) in enumerate(pairs):
        power = math.log10(l2 + 0.05)
        noise = 0.0015 * math.sin(7.3 * index)
        dev = base + 0.003 * (power - 2.2) ** 2 + 0.05 * (keep - 0.8) ** 2 + noise
        train = 0.05 + 0.02 * (power + 1.4) + 0.09 * (1 - keep)
        rows.append(
            {
                "identity": f"m{index}",
                "l2": l2,
                "keep_prob": keep,
                "weight_decay": l2 / 22_541,
                "shrink": 1e-3 * l2 / 22_541,
                "train": train * unit,
                "dev": dev * unit,
                "norm": 40 / (1 + l2 / 50) + 2,
                "status": "finished",
                "effects": {},
                "knobs": {},
            }
        )
    ranked = sorted(rows, key=lambda row: row["dev"])
    tied = [row for row in ranked if row["dev"] < ranked[0]["dev"] + 0.003 * unit]
    chosen = max(tied, key=lambda row: (row["l2"], -row["keep_prob"])) if not grid else _member(rows, 191, 0.8)
    body = {
        "over": {"l2": "log_uniform", "keep_prob": "uniform"},
        "members": rows,
        "best": ranked[0]["identity"],
        "chosen": chosen["identity"],
        "tied": [row["identity"] for row in tied],
        "warnings": ["The best λ lies at the edge of the space: widen it upwards."],
        "seconds": 96.3,
    }
    return Line("sweep", body)


def with_effects(line: Line) -> Line:
    """The sweep with everything measured of its members, as effects of their lambda and keep_prob."""
    members = []
    for row in line.body["members"]:
        size, kept = row["norm"], row["keep_prob"]
        effects = {
            "input_gradient": 0.11 * size * kept,
            "linear_r2": 1 - 0.006 * size * kept,
            "tanh_linear": 1 / (1 + 0.05 * size),
            "unit_reliance": 0.0004 * size * kept**2,
            "zeros": 0.0,
            "exported_bytes": 58_112.0,
        }
        members.append(row | {"norms": [0.8 * size, 0.5 * size, 0.2 * size], "effects": effects, "knobs": {}})
    return Line("sweep", line.body | {"members": members})


def with_others(line: Line) -> Line:
    """The sweep, with members that L1 made sparse and members that early stopping ended."""
    like = next(row for row in line.body["members"] if row["identity"] == line.body["chosen"])
    sparse = [
        like
        | {"identity": f"sparse{l1:g}", "knobs": {"l1": l1}, "dev": 0.14 + 2e-5 * l1**2}
        | {"effects": like["effects"] | {"zeros": 1 - 1 / (1 + l1), "exported_bytes": 900 + 57_000 / (1 + l1)}}
        for l1 in (0.3, 1.0, 3.0, 10.0, 30.0)
    ]
    early = [
        like
        | {"identity": f"early{patience}", "l2": 0.0, "keep_prob": 1.0, "knobs": {"early_stopping": patience}}
        | {"status": "stopped early", "norm": 9.0 + patience, "dev": 0.149 + 0.002 * patience}
        for patience in (1, 2, 4)
    ]
    monte_carlo = {"passes": 30, "gain": {"value": 0.0021, "low": 0.0004, "high": 0.0038, "rows": 5000}, "cost": 27.4}
    more = {"members": [*line.body["members"], *sparse, *early], "monte_carlo": monte_carlo}
    more["tied"] = [*line.body["tied"], *(row["identity"] for row in sparse[:3])]
    return Line("sweep", line.body | more)


def finish(best: str = "best") -> Line:
    body = {
        "reason": "nothing left",
        "sentence": "No remedy that a network can carry out is left: collect more rows.",
        "best": best,
        "seconds": 151.0,
        "updates": 204_000,
    }
    return Line("finish", body)


def opening(number: int = 1, *, certified: bool = True, of: str = "best") -> Line:
    body = {
        "identity": of,
        "opening": number,
        "certified": certified,
        "error": estimate(0.1462, 5000, 0.0098 * number),
        "dev_optimism": 0.0034,
        "receipt": "wellfit-1-9f2c9f2c-5000",
        "at": "2026-11-22T21:30:00+00:00",
        "references": {
            name: estimate(loss) for name, loss in (("dummy", 0.2392), ("linear", 0.1511), ("trees", 0.1302))
        },
    }
    return Line("opening", body)


def diagnosed() -> list[Line]:
    settings = config()
    return [
        split(),
        *references(),
        training("first", 0.0631, 0.1695, settings=settings),
        diagnosis(0, "first", train=0.0631, dev=0.1695),
    ]


def finished() -> list[Line]:
    best = config(l2=190.5461, keep_prob=0.8)
    return [
        *diagnosed(),
        sweep(),
        training("best", 0.1242, 0.1428, settings=best),
        step(1, "regularization", errors=(0.0631, 0.1695, 0.1242, 0.1428)),
        diagnosis(1, "best", train=0.1242, dev=0.1428, verdicts=("no", "no")),
        finish(),
    ]


def regularized(make: Callable[[Line], Line]) -> list[Line]:
    """`finished`, with another sweep."""
    return [make(line) if line.kind == "sweep" else line for line in finished()]


def stopped_early() -> list[Line]:
    """The chosen network stopped early, and has every other regularizer on."""
    best = config(l2=190.5461, keep_prob=0.8)
    best["optimization"] |= {"early_stopping": 4, "clip_norm": 1.0}
    best["regularization"] |= {"l1": 3.0, "ema": 0.99, "mixup": 0.2, "l2_schedule": "flat_cos"}
    last = training("best", 0.1242, 0.1428, settings=best)
    last.body["status"] = "stopped early"
    return [last if line.kind == "training" and line.body["identity"] == "best" else line for line in finished()]


def regression() -> list[Line]:
    schema = {"target": "median_house_value", "task": "regression", "classes": [], "columns": []}
    numbers = {"train": 48_100.0**2, "dev": 54_300.0**2}
    small = {"train": 49_900.0**2, "dev": 51_200.0**2}
    scale = 1.9e10
    first = training("first", numbers["train"], numbers["dev"], settings=config(), start=9e9, half=2.2e8)
    best = training("best", small["train"], small["dev"], settings=config((128, 128), l2=30.0), start=9e9, half=2e8)
    return [
        split(schema=schema, source={"path": "california_housing.csv"}),
        *references(scale),
        first,
        diagnosis(
            0,
            "first",
            **numbers,
            goal="rmse",
            half=2.2e8,
            tolerance=2.9e8,
            optimal=(0.0, 3.1e9, "none"),
            verdicts=("cannot tell", "yes"),
        ),
        step(
            1, "optimization", errors=(numbers["train"], numbers["dev"], numbers["train"], numbers["dev"]), kept=False
        ),
        best,
        sweep(unit=scale, grid=False),
        step(2, "regularization", errors=(numbers["train"], numbers["dev"], small["train"], small["dev"])),
        diagnosis(
            1,
            "best",
            **small,
            goal="rmse",
            half=2e8,
            tolerance=2.9e8,
            optimal=(0.0, 2.8e9, "none"),
            verdicts=("cannot tell", "no"),
        ),
        finish(),
    ]


def with_train_dev() -> list[Line]:
    return [
        split(rows=ROWS | {"train_dev": 2500}),
        training("first", 0.10, 0.20, settings=config()),
        diagnosis(0, "first", train=0.10, train_dev=0.11, dev=0.20, optimal=(0, 0, "human"), verdicts=("yes", "no")),
    ]


def many_classes() -> list[Line]:
    classes = [f"class number {index}" for index in range(300)]
    return [split(schema={"target": "species", "task": "classification", "classes": classes, "columns": []})]


def below_reference() -> list[Line]:
    return [
        split(),
        training("first", 0.12, 0.13, settings=config()),
        diagnosis(0, "first", train=0.12, dev=0.13, optimal=(0.16, 0.16, "human"), verdicts=("no", "no")),
    ]


def unsure() -> list[Line]:
    return [
        split(),
        training("first", 0.15, 0.20, settings=config()),
        diagnosis(
            0, "first", train=0.15, dev=0.20, half=0.11, optimal=(0, 0, "given"), verdicts=("yes", "cannot tell")
        ),
    ]


def unknown_reference() -> list[Line]:
    verdicts = ("cannot tell", "yes")
    return [
        split(),
        training("first", 0.07, 0.235, settings=config()),
        diagnosis(0, "first", train=0.07, dev=0.235, half=0.06, optimal=(0, 0.288, "none"), verdicts=verdicts),
    ]


def diverged() -> list[Line]:
    body = {
        "identity": "bad",
        "config": config(lr=10.0),
        "status": "diverged",
        "updates": 10,
        "seconds": 0.1,
        "losses": {"train": float("nan"), "dev": float("nan")},
        "curve": [[0, 0.3, 0.3], [10, float("nan"), float("nan")]],
        "weight_norms": [float("nan")],
        "errors": {part: estimate(float("nan")) for part in ("train", "dev")},
    }
    return [split(), Line("training", body)]


HOSTILE = "</script><img src=x onerror=alert(1)>"


def hostile() -> list[Line]:
    columns = [
        {"name": HOSTILE, "kind": "number", "role": "dropped", "note": HOSTILE},
        {"name": "b", "kind": "number", "role": "feature", "note": ""},
    ]
    schema = {"target": HOSTILE, "task": "classification", "classes": [HOSTILE, "\"'&<b>"], "columns": columns}
    poisoned = [split(schema=schema, source={"path": HOSTILE}, policy=HOSTILE, duplicates={HOSTILE: 3})]
    errors = {"train": estimate(0.1, 50), "dev": estimate(0.2, 50, 0.1)}
    reference = {"name": HOSTILE, "errors": errors, "seconds": 1.0, "note": HOSTILE}
    return [*poisoned, Line("reference", reference), *finished()[4:]]


CASES: dict[str, list[Line]] = {
    "nothing": [],
    "split only": [split()],
    "split and training": [split(), training("first", 0.0631, 0.1695, settings=config())],
    "diagnosed": diagnosed(),
    "killed in the sweep": finished()[:-4],
    "killed before the finish": finished()[:-1],
    "finished": finished(),
    "with effects": regularized(with_effects),
    "with L1 and early stopping": regularized(lambda line: with_others(with_effects(line))),
    "random sweep with effects": [*finished()[:-1], with_effects(sweep(grid=False)), finish()],
    "stopped early": stopped_early(),
    "random sweep": [*finished()[:-1], sweep(grid=False), finish()],
    "unsealed": [*finished(), opening()],
    "unsealed twice": [*finished(), opening(), opening(2, certified=False)],
    "regression": regression(),
    "train-dev": with_train_dev(),
    "300 classes": many_classes(),
    "below reference": below_reference(),
    "cannot tell": unsure(),
    "unknown reference": unknown_reference(),
    "diverged": diverged(),
    "hostile": hostile(),
}
