"""Test metric and seconds on five tables: `wellfit.run(..., budget="5m")` against four tuned defaults of pytabkit.

The rivals: RealMLP-TD, TabM-D, XGBoost and CatBoost with pytabkit's defaults, on the same rows of train and dev (which
they stop early on, or pick their epoch by), in their own environment. Test rows are used for the final metric only:
wellfit's are sealed and opened once, the rivals' come without their target. Figures are means over the seeds, each
of which divides the table anew; adult has its official test set.

`--rivals-cache FILE` keeps what the rivals came to, so that they are measured once on one machine: they need hours. Two
processes may fill it at once, each with `--threads 1` and its own `--rivals` or `--seeds`.

`--lay-out FOLDER` writes what the rivals get and stops; rivals/quality_elsewhere.py measures them on another machine;
`--score FOLDER` puts what came back into the cache, with the machine's name: its seconds are not to be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import pyarrow.parquet as pq

import wellfit as wf
from quality_cells import lay_out, metric_of, score
from report import Row, finish, parser_of
from rivals.cache import Cache, Cell, cell_key
from rivals.environment import run_rival
from tables import ADULT, BIKE, CALIFORNIA, CREDIT, PART, PHONEME, Divided, Source, divided, write_parts

OURS = "wellfit"
NETWORKS = {"realmlp": "RealMLP-TD", "tabm": "TabM-D"}
TREES = {"xgboost": "XGBoost", "catboost": "CatBoost"}
RIVALS = NETWORKS | TREES
SOURCES = (PHONEME, CREDIT, CALIFORNIA, ADULT, BIKE)
QUICK_SOURCES = (CREDIT,)
MOST_LOST = 1
"""Tables on which the better of the two networks may be ahead."""
ABSOLUTE = {PHONEME.name: 0.10, CALIFORNIA.name: 46_500.0}

Figures = dict[str, list[Cell]]
"""Side -> what it came to on each seed."""


def main() -> None:
    asked = _asked()
    seeds, budget = (asked.seeds[:1], "30s") if asked.quick else (asked.seeds, "5m")
    usual = QUICK_SOURCES if asked.quick else SOURCES
    sources = [each for each in SOURCES if each.name in asked.tables] or usual
    cache = Cache(asked.rivals_cache)
    if asked.lay_out:
        lay_out(sources, seeds, asked.lay_out, rivals=asked.rivals, known=cache)
        return
    if asked.score:
        score(sources, seeds, asked.score, rivals=asked.rivals, cache=cache)
        return
    rivals = Rivals(() if asked.only_ours else tuple(asked.rivals), cache, asked.threads)
    figures = {
        source.name: figures_of(source, seeds, budget=None if asked.only_rivals else budget, rivals=rivals)
        for source in sources
    }
    finish("quality", rows_of(figures), as_json=asked.json)


def _asked() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--rivals-cache", type=Path, help="JSON file of the rivals' results, read and added to")
    parser.add_argument("--tables", nargs="+", default=[], help="only these tables")
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS), help="only these rivals")
    parser.add_argument("--threads", type=int, default=2, help="threads of each rival (default: 2)")
    parser.add_argument("--only-rivals", action="store_true", help="fill the cache, and leave wellfit out")
    parser.add_argument("--only-ours", action="store_true", help="leave the rivals out")
    parser.add_argument("--lay-out", type=Path, metavar="FOLDER", help="write what the rivals get there, and stop")
    parser.add_argument("--score", type=Path, metavar="FOLDER", help="put what came back into the cache, and stop")
    return parser.parse_args()


@dataclass(frozen=True)
class Rivals:
    """Who is measured, where what is known of them is kept, and on how many threads each runs."""

    names: tuple[str, ...]
    cache: Cache
    threads: int

    def figures(self, rival: str, data: Divided, folder: Path, *, seed: int) -> Cell:
        """Return what one of them came to, from the cache where it is known."""
        key = cell_key(data.source.name, seed, rival)
        if (known := self.cache.get(key)) is None:
            known = theirs(data, folder, rival, seed=seed, threads=self.threads)
            self.cache.put(key, known)
        return known


def figures_of(source: Source, seeds: list[int], *, budget: str | None, rivals: Rivals) -> Figures:
    """Return what every side came to on one table."""
    found: Figures = {side: [] for side in ([OURS] if budget else []) + list(rivals.names)}
    for seed in seeds:
        data = divided(source, seed=seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if budget:
                found[OURS].append(ours(data, folder, seed=seed, budget=budget))
            for rival in rivals.names:
                found[rival].append(rivals.figures(rival, data, folder, seed=seed))
    return found


def ours(data: Divided, folder: Path, *, seed: int, budget: str) -> Cell:
    """Run wellfit on the whole table, told by the column `part` which rows are sealed, and open the seal."""
    # A registry of this benchmark's own: its openings are no openings of the user's.
    os.environ["WELLFIT_HOME"] = str(folder / "registry")
    pq.write_table(data.table, folder / "whole.parquet")
    began = time.monotonic()
    experiment = wf.run(
        folder / "whole.parquet",
        target=data.source.target,
        split_on=PART,
        drop=data.source.drop,
        budget=budget,
        seed=seed,
        out=folder / "ours.wellfit",
    )
    seconds = time.monotonic() - began
    loss = experiment.unseal().error.value
    return Cell(experiment.goal.score_of(loss), seconds)


def theirs(data: Divided, folder: Path, rival: str, *, seed: int, threads: int) -> Cell:
    """Let one rival fit and predict, and measure its predictions."""
    if not (folder / "columns.json").is_file():
        write_parts(data, folder)
    answer = json.loads(run_rival("quality_rival.py", [str(folder), rival, str(seed)], threads=threads))
    return Cell(metric_of(data, np.load(folder / f"{rival}-{seed}.npy")), answer["seconds"])


def rows_of(figures: dict[str, Figures]) -> list[Row]:
    """Return what every side came to, and whether wellfit is as good as the better network on enough tables."""
    rows = []
    for name, sides in figures.items():
        for side, found in sides.items():
            target = ABSOLUTE.get(name) if side == OURS else None
            rows.append(Row(f"{name}: {RIVALS.get(side, side)}", _metric(found), target, note=_told(found)))
    if all({OURS, *NETWORKS} <= sides.keys() for sides in figures.values()):
        best = {name: min(_metric(sides[rival]) for rival in NETWORKS) for name, sides in figures.items()}
        held = [name for name, sides in figures.items() if _metric(sides[OURS]) <= best[name]]
        # A table or two say nothing about five: then the count is only shown.
        target = len(SOURCES) - MOST_LOST if len(figures) == len(SOURCES) else None
        title = f"tables of {len(figures)} where wellfit is at least as good as the better network"
        rows.append(Row(title, len(held), target, at_most=False, note=", ".join(held) or "none"))
    return rows


def _metric(found: list[Cell]) -> float:
    return mean(cell.metric for cell in found)


def _told(found: list[Cell]) -> str:
    here = [cell.seconds for cell in found if cell.machine is None]
    elsewhere = Counter(cell.machine for cell in found if cell.machine)
    told = [f"{mean(here):,.1f} s"] if here else []
    told.append(", ".join(f"{cell.metric:.5g}" for cell in found))
    told += [f"{count} of {len(found)} measured on {machine}" for machine, count in elsewhere.items()]
    return "; ".join(told)


if __name__ == "__main__":
    main()
