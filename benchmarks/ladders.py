"""What the ladders of widths and of rows share: networks judged on rows that did not choose them, and the drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tables import CALIFORNIA, PHONEME
from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.config import Config
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.records.units import Unit
from wellfit.reports.charts.svg import Drawing, Scale, draw_losses, padded

TABLES = (PHONEME, CALIFORNIA)
CHARTS = Path(__file__).parents[1] / "docs" / "images"
SHRINKS, KEEP_PROBS = (0.0, 1e-4, 1e-3), (1.0, 0.6)
"""What a regularized network is chosen from; their first values regularize nothing."""

_PANEL, _HEIGHT, _TOP, _FLOOR = 430.0, 220.0, 56.0, 276.0
_STYLE = (
    "<style>text{font-family:system-ui,sans-serif;fill:#1d2430}.t{font-size:12px}.b{font-size:12px;font-weight:700}"
    ".s{font-size:10.5px}.soft{fill:#5b6472}.grid{stroke:#e3e7ee}.axis{stroke:#5b6472}"
    ".l-train,.l-dev,.l-train-thin,.l-dev-thin{fill:none;stroke-width:2}"
    ".l-train,.l-train-thin{stroke:#2b6cb0}.l-dev,.l-dev-thin{stroke:#c05621}"
    ".l-train-thin,.l-dev-thin{stroke-dasharray:5 4}.m-train{fill:#2b6cb0}.m-dev{fill:#c05621}.paper{fill:#fff}</style>"
)


@dataclass(frozen=True)
class Line:
    """Train and dev loss along a ladder, for one way of making the networks."""

    name: str
    train: Sequence[float]
    dev: Sequence[float]
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """The lines of one table over the same places."""

    title: str
    goal: Goal
    places: Sequence[int]
    lines: Sequence[Line]


def goal_of(data: Prepared) -> Goal:
    """Error of classes, RMSE of numbers."""
    return goal_named("error" if data.preparation.schema.task == "classification" else "rmse")


def thinned(data: Prepared, *, rows: int, seed: int) -> Prepared:
    """At most `rows` training rows, drawn by the seed; the fewer rows are among the more."""
    chosen = np.sort(np.random.default_rng(seed).permutation(data.train.rows)[:rows])
    train = data.train
    return replace(data, train=Arrays(train.numeric[chosen], train.codes[chosen], train.target[chosen]))


def regularized(config: Config, *, rows: int) -> list[Config]:
    """The config itself, and the ways of regularizing it that are tried."""
    boards = [
        replace(
            config.regularization,
            l2=shrink / config.optimization.lr * rows,
            keep_prob=keep_prob,
        )
        for shrink in SHRINKS
        for keep_prob in KEEP_PROBS
    ]
    return [replace(config, regularization=board) for board in boards]


def judged(outcomes: Sequence[Outcome], data: Prepared, *, goal: Goal) -> tuple[Outcome, Floats]:
    """The best on the even dev rows, and its loss on each of the odd ones: no row both chooses and judges."""
    losses = [goal.row_losses(data.dev.target, each.predictions["dev"]) for each in outcomes]
    best = int(np.argmin([each[::2].mean() for each in losses]))
    return outcomes[best], losses[best][1::2]


def draw(panels: Sequence[Panel], path: Path, *, title: str, axis: str) -> None:
    """Write one SVG with a panel for each table."""
    drawing = Drawing(_PANEL * len(panels), key=path.stem, title=title, desc=_description(panels))
    drawing.box((0, 0), (_PANEL * len(panels), _FLOOR + 44), tone="paper")
    for place, panel in enumerate(panels):
        _panel(drawing, panel, left=place * _PANEL, axis=axis)
    finished = drawing.render(_FLOOR + 44)
    at = finished.index("<title")
    path.write_text(finished[:at] + _STYLE + finished[at:] + "\n")


def _panel(drawing: Drawing, panel: Panel, *, left: float, axis: str) -> None:
    unit, pixels = Unit(panel.goal), (left + 62.0, left + _PANEL - 20)
    steps = np.log2(np.asarray(panel.places, dtype=float))
    x = Scale((float(steps[0]), float(steps[-1])), pixels)
    heights = [unit.position(loss) for line in panel.lines for loss in (*line.train, *line.dev)]
    y = Scale(padded(heights), (_FLOOR, _TOP))
    drawing.text((left + 62, 18), f"{panel.title}: {unit.noun} (squares train, circles dev)", style="b")
    draw_losses(drawing, y, unit=unit, pixels=pixels)
    for step, value in zip(steps, panel.places, strict=True):
        drawing.text((x(step), _FLOOR + 17), f"{value:,}", style="s", tone="soft", anchor="middle")
    drawing.text((pixels[1], _FLOOR + 36), axis, style="s", tone="soft", anchor="end")
    for place, line in enumerate(panel.lines):
        _line(drawing, line, at=(x, y), steps=steps, unit=unit)
        _key(drawing, line, corner=(left + 62 + 190 * place, 38))


def _line(drawing: Drawing, line: Line, *, at: tuple[Scale, Scale], steps: Floats, unit: Unit) -> None:
    x, y = at
    for part, losses in _parts(line).items():
        points = [(x(step), y(unit.position(loss))) for step, loss in zip(steps, losses, strict=True)]
        drawing.path(points, tone=f"l-{part}{'-thin' if line.dashed else ''}")
        for point in points:
            drawing.mark(point, part=part, size=3)


def _key(drawing: Drawing, line: Line, *, corner: tuple[float, float]) -> None:
    drawing.text(corner, f"{'dashed' if line.dashed else 'solid'}: {line.name}", style="s", tone="soft")


def _parts(line: Line) -> Mapping[str, Sequence[float]]:
    return {"train": line.train, "dev": line.dev}


def _description(panels: Sequence[Panel]) -> str:
    def told(panel: Panel, line: Line) -> str:
        show = Unit(panel.goal).show
        ends = (f"{part} from {show(losses[0])} to {show(losses[-1])}" for part, losses in _parts(line).items())
        return f"{panel.title}, {line.name}: {', '.join(ends)}"

    return "Squares: train; circles: dev. " + "; ".join(told(panel, line) for panel in panels for line in panel.lines)
