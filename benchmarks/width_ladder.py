"""Does a bigger network hurt? Train and dev error from width 16 to 1024, with and without regularization.

Two hidden layers of each width, at the usual rate of Adam for that width and the same number of updates. "Regularized"
is the best of a few values of lambda and keep_prob (nothing among them) on one half of the dev rows; every dev figure
is that of the other half. Draws docs/images/width-ladder.svg.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ladders import CHARTS, TABLES, Line, Panel, draw, goal_of, judged, regularized, thinned
from report import Row, finish, parser_of
from tables import Source, divided
from wellfit.base.typing import Floats
from wellfit.data.prepare import Prepared
from wellfit.records.config import Config, Network, Optimization, updates_per_epoch
from wellfit.records.goals import Goal
from wellfit.sweeps.executor import InProcess

WIDTHS, QUICK_WIDTHS = (16, 32, 64, 128, 256, 512, 1024), (16, 64, 256)
MOST_ROWS, BATCH, UPDATES = 4_000, 128, 1_000
USUAL_LR, USUAL_WIDTH = 2e-3, 64
"""The rate goes with 1 / width from the usual width on (recipe/remedies/trials.py)."""

Rung = dict[str, tuple[float, Floats]]
"""Way of making the network -> (train loss, [dev rows that judge] loss)."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--charts", type=Path, default=CHARTS, help="folder of the drawing")
    asked = parser.parse_args()
    seeds, widths = (asked.seeds[:1], QUICK_WIDTHS) if asked.quick else (asked.seeds, WIDTHS)
    rows, panels = [], []
    for source in TABLES:
        climbed = [[climb(source, width=width, seed=seed) for seed in seeds] for width in widths]
        rows += [row for place in range(len(widths)) for row in rows_of(source, widths, climbed, place=place)]
        panels.append(panel_of(source, widths, climbed))
    if not asked.quick:
        draw(panels, asked.charts / "width-ladder.svg", title="Bigger networks", axis="units in each hidden layer")
    finish("width_ladder", rows, as_json=asked.json)


def climb(source: Source, *, width: int, seed: int) -> tuple[Goal, Rung]:
    """Train one width with and without regularization."""
    data = thinned(divided(source, seed=seed).prepared(), rows=MOST_ROWS, seed=seed)
    goal, plain = goal_of(data), config_of(data, width=width, seed=seed)
    with InProcess(data, goal=goal, effects=False) as executor:
        outcomes = executor.train(regularized(plain, rows=data.train.rows))
    found = {"not regularized": outcomes[:1], "regularized": outcomes}
    picked = {name: judged(each, data, goal=goal) for name, each in found.items()}
    return goal, {name: (outcome.losses["train"], losses) for name, (outcome, losses) in picked.items()}


def config_of(data: Prepared, *, width: int, seed: int) -> Config:
    """Two hidden layers, every regularizer at zero."""
    epochs = -(-UPDATES // updates_per_epoch(rows=data.train.rows, batch_size=BATCH))
    rate = USUAL_LR * min(1.0, USUAL_WIDTH / width)
    usual = Config(network=Network(widths=(width, width)), seed=seed)
    return replace(usual, optimization=Optimization(lr=rate, epochs=epochs, batch_size=BATCH))


def rows_of(
    source: Source, widths: tuple[int, ...], climbed: list[list[tuple[Goal, Rung]]], *, place: int
) -> list[Row]:
    """Dev error at one width, and what changed from the width before."""
    goal, rows = climbed[place][0][0], []
    for way in climbed[place][0][1]:
        dev, train = _dev(climbed[place], way), _train(climbed[place], way)
        told = f"train {goal.score_of(train):.5g}"
        if place:
            change = dev - _dev(climbed[place - 1], way)
            told += f"; loss against the width before {change.mean():+.3g} (se {_error(change):.2g})"
        rows.append(Row(f"{source.name}: dev at width {widths[place]}, {way}", goal.score_of(dev.mean()), note=told))
    return rows


def panel_of(source: Source, widths: tuple[int, ...], climbed: list[list[tuple[Goal, Rung]]]) -> Panel:
    """The lines of one table."""
    lines = [
        Line(
            way,
            [_train(each, way) for each in climbed],
            [float(_dev(each, way).mean()) for each in climbed],
            dashed=way == "not regularized",
        )
        for way in climbed[0][0][1]
    ]
    return Panel(source.name, climbed[0][0][0], widths, lines)


def _dev(seeds: list[tuple[Goal, Rung]], way: str) -> Floats:
    return np.concatenate([rung[way][1] for _, rung in seeds])


def _train(seeds: list[tuple[Goal, Rung]], way: str) -> float:
    return float(np.mean([rung[way][0] for _, rung in seeds]))


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
