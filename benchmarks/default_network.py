"""What each piece of the default network buys, measured before it becomes one: paired on the same rows.

For every table some networks with seeds of their own are trained alike, with one piece changed at a time; the figures
are their mean loss alone, and the loss of their average. The rows that measure are never test rows of the divisions by
which quality is told (`quality.py`, seeds 0 to 2): those are trained on here, and of the others 36 of 100 rows of the
table measure. Of adult, the official test file is not read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np
import pyarrow as pa

from report import Row, finish, parser_of
from tables import (
    ADULT,
    BIKE,
    CALIFORNIA,
    CAR,
    CPU,
    CREDIT,
    DATA,
    MAGIC,
    PHONEME,
    SEGMENT,
    TRAIN,
    Source,
    divided,
)
from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.goals import default_goal
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.space import changed
from wellfit.sweeps.usual import batch_size_for, bins_for, epochs_for

SOURCES = (PHONEME, CREDIT, CALIFORNIA, BIKE, ADULT)
MORE_SOURCES = (SEGMENT, CAR, MAGIC, CPU)
"""Measured only if `--tables` names them."""
QUICK_SOURCES = (CREDIT, PHONEME)
TOLD_BY = (0, 1, 2)
"""Seeds of the divisions whose test rows are left alone."""
NETWORKS = 8
BASE: Mapping[str, Any] = {"widths": (128, 128), "lr": 2e-3, "shrink": 5e-5, "keep_prob": 0.85}
OFF: Mapping[str, Any] = {"shrink": 0.0, "keep_prob": 1.0}
DEEP: Mapping[str, Any] = {"widths": (256, 256, 256), "activation": "gelu"}
PIECES: Mapping[str, Mapping[str, Any]] = {
    "as they are": {},
    "first of a run": {"widths": (64, 64), "activation": "gelu", **OFF},
    "first of a run, regularized": {"widths": (64, 64), "activation": "gelu"},
    "3 x 256, gelu, no regularizer": {**DEEP, **OFF},
    "3 x 256, gelu": DEEP,
    "3 x 256, gelu, no bins": {**DEEP, "embedding": "none"},
    "3 x 256, gelu, periodic": {**DEEP, "embedding": "periodic"},
    "3 x 256, gelu, 2 times, no bins": {**DEEP, "embedding": "none", "times": 2},
    "3 x 256, gelu, beta2 .95": {**DEEP, "beta2": 0.95},
    "3 x 256, gelu, coslog4": {**DEEP, "schedule": "coslog4"},
    "3 x 256, gelu, label smoothing .1": {**DEEP, "label_smoothing": 0.1},
    "gelu": {"activation": "gelu"},
    "256 wide, gelu": {"widths": (256, 256), "activation": "gelu"},
    "tanh": {"activation": "tanh"},
    "no bins": {"embedding": "none"},
    "16 bins": {"bins": 16},
    "32 bins": {"bins": 32},
    "64 bins": {"bins": 64},
    "128 bins": {"bins": 128},
    "256 wide": {"widths": (256, 256)},
    "3 layers": {"widths": (128, 128, 128)},
    "3 x 256": {"widths": (256, 256, 256)},
    "twice as long": {"times": 2},
    "3 x 256, 2 times": {"widths": (256, 256, 256), "times": 2},
    "3 x 256, no regularizer": {"widths": (256, 256, 256), "shrink": 0.0, "keep_prob": 1.0},
    "3 x 256, keep .7": {"widths": (256, 256, 256), "keep_prob": 0.7},
    "3 x 256, 2 times, gelu": {"widths": (256, 256, 256), "times": 2, "activation": "gelu"},
    "3 x 512": {"widths": (512, 512, 512)},
    "4 times as long": {"times": 4},
    "lr 1e-3": {"lr": 1e-3},
    "lr 4e-3": {"lr": 4e-3},
    "beta2 .95": {"beta2": 0.95},
    "coslog4": {"schedule": "coslog4"},
    "ema .99": {"ema": 0.99},
    "no regularizer": {"shrink": 0.0, "keep_prob": 1.0},
    "keep .7": {"keep_prob": 0.7},
    "shrink 2e-4": {"shrink": 2e-4},
    "shrink 2e-3": {"shrink": 2e-3},
    "shrink 1e-2": {"shrink": 1e-2},
    "shrink 1e-2, keep .7": {"shrink": 1e-2, "keep_prob": 0.7},
    "half as long": {"times": 0.5},
    "8 bins": {"bins": 8},
    "dropout flat_cos": {"keep_prob_schedule": "flat_cos"},
    "both flat_cos": {"keep_prob_schedule": "flat_cos", "l2_schedule": "flat_cos"},
    "label smoothing .1": {"label_smoothing": 0.1},
    "input noise .1": {"input_noise": 0.1},
    "mixup .2": {"mixup": 0.2},
}


@dataclass(frozen=True)
class Figures:
    """Losses of the goal, in its own unit: of one network in the mean, and of the average of all.

    `smooth` is the log-loss of the average, which a few rows move less than the error; for values the RMSE again.
    """

    alone: float
    together: float
    smooth: float
    seconds: float
    """Of a core, for one network."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tables", nargs="+", default=[], help="only these tables")
    parser.add_argument("--pieces", nargs="+", default=[], help="only these pieces, and the networks as they are")
    parser.add_argument("--share", type=float, default=TRAIN, help=f"of the rows that train (default: {TRAIN})")
    parser.add_argument("--networks", type=int, default=NETWORKS, help=f"trained alike (default: {NETWORKS})")
    parser.set_defaults(seeds=[10, 11, 12])
    asked = parser.parse_args()
    usual = QUICK_SOURCES if asked.quick else SOURCES
    sources = [each for each in (*SOURCES, *MORE_SOURCES) if each.name in asked.tables] or usual
    names = [name for name in PIECES if not asked.pieces or name in asked.pieces or not PIECES[name]]
    rows = [
        row
        for source in sources
        for row in rows_of(
            [held_out(source, seed=seed, share=asked.share) for seed in asked.seeds],
            source.name,
            names,
            networks=asked.networks,
        )
    ]
    finish("default_network", rows, as_json=asked.json)


def rows_of(parts: Sequence[Prepared], table: str, names: Sequence[str], *, networks: int) -> list[Row]:
    """Return a line for each piece on the divisions of one table: the loss of the average, and how both change."""
    rows, base = [], []
    for name in names:
        figures = [figures_of(data, PIECES[name], networks=networks) for data in parts]
        base = base or figures
        pairs = list(zip(figures, base, strict=True))
        together = [one.together - other.together for one, other in pairs]
        alone = [one.alone - other.alone for one, other in pairs]
        smooth = [one.smooth - other.smooth for one, other in pairs]
        note = (
            f"together {_told(together)}, alone {mean(one.alone for one in figures):.5g} {_told(alone)}, "
            f"smooth {mean(one.smooth for one in figures):.5g} {_told(smooth)}, "
            f"{mean(one.seconds for one in figures):.2g} s of a core"
        )
        rows.append(Row(f"{table}: {name}", mean(one.together for one in figures), note=note))
        print(rows[-1].case, f"{rows[-1].measured:.5g}", note, flush=True, file=sys.stderr)
    return rows


def _told(differences: Sequence[float]) -> str:
    error = stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return f"{mean(differences):+.4g} (+-{error:.2g})"


def held_out(source: Source, *, seed: int, share: float = TRAIN) -> Prepared:
    """Return train, and in place of dev rows that no test set of `TOLD_BY` has."""
    table = read_table(DATA / source.file).frame
    told = np.zeros(table.num_rows, bool)
    for other in () if source.test else TOLD_BY:
        told |= divided(source, seed=other).table["part"].to_numpy(zero_copy_only=False) == "test"
    free = np.random.default_rng(seed).permutation(np.flatnonzero(~told))
    measured = free[: round((1 - share) * table.num_rows)]
    train = np.setdiff1d(np.arange(table.num_rows), measured)
    schema = infer_schema(table, target=source.target, drop=source.drop)
    columns = [*schema.feature_names, schema.target]
    fit, rest = (table.select(columns).take(pa.array(rows)) for rows in (train, measured))
    preparation = fit_preparation(fit, schema)
    return Prepared(preparation, preparation.transform(fit), None, preparation.transform(rest))


def config_of(data: Prepared, piece: Mapping[str, Any]) -> Config:
    """Return the network as it is, with one piece changed."""
    rows, knobs = data.train.rows, {**BASE, **piece}
    batch = knobs.get("batch_size", batch_size_for(rows))
    epochs = round(epochs_for(rows, batch_size=batch) * knobs.pop("times", 1))
    usual = Config(
        network=Network(bins=bins_for(data.train.numeric.shape[1], rows=rows)),
        optimization=Optimization(epochs=epochs, batch_size=batch),
    )
    return changed(usual, knobs, rows=rows)


def figures_of(data: Prepared, piece: Mapping[str, Any], *, networks: int) -> Figures:
    """Train networks with seeds of their own."""
    goal, config = default_goal(data.preparation.schema.task), config_of(data, piece)
    began = time.process_time()
    with InProcess(data, goal=goal, effects=False) as executor:
        outcomes = executor.train([replace(config, seed=seed) for seed in range(networks)])
    alone = mean(outcome.losses["dev"] for outcome in outcomes)
    average = np.mean([outcome.predictions["dev"].astype(np.float64) for outcome in outcomes], axis=0)
    return Figures(
        goal.score_of(alone),
        goal.score_of(goal.loss(data.dev.target, average)),
        goal.smooth.score_of(goal.smooth.loss(data.dev.target, average)),
        (time.process_time() - began) / networks,
    )


if __name__ == "__main__":
    main()
