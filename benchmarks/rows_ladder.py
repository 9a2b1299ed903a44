"""Does more data cure bias? Train and dev error against training rows, for a network that is too small and a large one.

The small network has one hidden layer of four units and sees the numbers as they are; the large one is as large as the
usual ones, and regularized by the choice of one half of the dev rows. Dev figures are those of the other half. The same
number of updates at every number of rows. Draws docs/images/rows-ladder.svg.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ladders import CHARTS, TABLES, Line, Panel, draw, goal_of, judged, regularized, thinned
from report import Row, finish, parser_of
from tables import Source, divided
from wellfit.data.prepare import Prepared
from wellfit.records.config import Config, Network, Optimization, updates_per_epoch
from wellfit.records.goals import Goal
from wellfit.sweeps.executor import InProcess

ROWS, QUICK_ROWS = (100, 200, 400, 800, 1_600, 3_200), (100, 400, 1_600)
BATCH, UPDATES = 64, 2_000
SMALL, LARGE = Network(widths=(4,), embedding="none"), Network(widths=(128, 128))
RATES = {"too small (bias)": 1e-2, "large, regularized": 1e-3}
NETWORKS = {"too small (bias)": SMALL, "large, regularized": LARGE}

Rung = dict[str, tuple[float, float]]
"""Name of the network -> (train loss, dev loss on the rows that judge)."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--charts", type=Path, default=CHARTS, help="folder of the drawing")
    asked = parser.parse_args()
    seeds, ladder = (asked.seeds[:1], QUICK_ROWS) if asked.quick else (asked.seeds, ROWS)
    rows, panels = [], []
    for source in TABLES:
        climbed = [[climb(source, rows=count, seed=seed) for seed in seeds] for count in ladder]
        panels.append(panel_of(source, ladder, climbed))
        rows += rows_of(panels[-1])
    if not asked.quick:
        draw(panels, asked.charts / "rows-ladder.svg", title="More data", axis="training rows")
    finish("rows_ladder", rows, as_json=asked.json)


def climb(source: Source, *, rows: int, seed: int) -> tuple[Goal, Rung]:
    """Train both networks on so many rows."""
    data = thinned(divided(source, seed=seed).prepared(), rows=rows, seed=seed)
    goal, rung = goal_of(data), Rung()
    with InProcess(data, goal=goal, effects=False) as executor:
        for name, network in NETWORKS.items():
            plain = config_of(data, network, lr=RATES[name], seed=seed)
            tried = [plain] if network is SMALL else regularized(plain, rows=data.train.rows)
            outcome, losses = judged(executor.train(tried), data, goal=goal)
            rung[name] = outcome.losses["train"], float(losses.mean())
    return goal, rung


def config_of(data: Prepared, network: Network, *, lr: float, seed: int) -> Config:
    """Every regularizer at zero."""
    epochs = -(-UPDATES // updates_per_epoch(rows=data.train.rows, batch_size=BATCH))
    return replace(
        Config(network=network, seed=seed), optimization=Optimization(lr=lr, epochs=epochs, batch_size=BATCH)
    )


def panel_of(source: Source, ladder: tuple[int, ...], climbed: list[list[tuple[Goal, Rung]]]) -> Panel:
    """The lines of one table: means over the seeds."""

    def means(name: str, place: int) -> list[float]:
        return [float(np.mean([rung[name][place] for _, rung in seeds])) for seeds in climbed]

    lines = [Line(name, means(name, 0), means(name, 1), dashed=name == "too small (bias)") for name in NETWORKS]
    return Panel(source.name, climbed[0][0][0], ladder, lines)


def rows_of(panel: Panel) -> list[Row]:
    """Dev of every rung, train beside it."""
    score = panel.goal.score_of
    return [
        Row(
            f"{panel.title}: dev with {count:,} rows, {line.name}",
            score(line.dev[place]),
            note=f"train {score(line.train[place]):.5g}",
        )
        for line in panel.lines
        for place, count in enumerate(panel.places)
    ]


if __name__ == "__main__":
    main()
