"""Draw docs/images/demo.svg: the errors of the demo's network against lambda, and the lowest that can be reached."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import wellfit as wf
from wellfit.cli.demo import PARTS, PLAIN, SEED, WRONG, noisy_digits
from wellfit.diagnosis.optimal_error import reference
from wellfit.records.units import Unit
from wellfit.reports.charts import lambda_path_chart
from wellfit.reports.sweep_card import lambda_path, sweep_from
from wellfit.stats.intervals import wilson
from wellfit.sweeps.usual import LR

FILE = Path(__file__).parents[1] / "docs" / "images" / "demo.svg"
LAMBDAS = [0.0, 100.0, 300.0, 600.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0]
_COLOURS = re.compile(r"(?::root|@media \(prefers-color-scheme: dark\)) \{.*?\n\}\n", re.S)


def main() -> None:
    """Train the networks and write the picture, with its colours for light and dark pages inside."""
    table, _ = noisy_digits()
    split = wf.split(table, target="digit", split_on="part", seed=SEED)
    network, optimization = PLAIN["network"], PLAIN["optimization"]
    config = wf.Config(
        network=wf.Network(**{**network, "widths": tuple(network["widths"])}),
        optimization=wf.Optimization(lr=LR, **optimization),
        seed=SEED,
    )
    found = wf.sweep(split, config, over={"l2": LAMBDAS})
    rows = PARTS["dev"]
    intervals = {each.identity: wilson(rows * each.losses["dev"], rows) for each in found.members}
    card = sweep_from(found.to_json(), intervals=intervals)
    optimal = reference(goal=found.goal, optimal_error=WRONG)
    drawing = lambda_path_chart(lambda_path(card), Unit(found.goal), key="demo", optimal=optimal)
    page, charts = ((files("wellfit.reports") / name).read_text("utf-8") for name in ("page.css", "charts.css"))
    style = f"<style>{''.join(_COLOURS.findall(page))}{charts}</style>"
    head, rest = drawing.split(">", 1)
    FILE.write_text(f"{head}>{style}{rest}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
