"""`wf.Study` against Optuna's TPE and random search: fits until dev is within one standard error of the best known.

All three tune the same training functions (benchmarks/study_functions.py) over the same ranges, and begin with the same
first fit, which the rivals get enqueued. The best known dev error of a function is the lowest that any of the three
has found on its rows; whoever never gets there is counted with one fit more than its budget. With `--keep` every fit is
kept in a folder, so that a run that was cut goes on from there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

import wellfit as wf
from report import Row, finish, markdown, parser_of, share_row
from study_functions import CASES, Case, Rows

BUDGET = 30
MOST_FINE = 3
Measure = Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class Found:
    """The dev errors of one method on one function, in the order of its fits; and the first board it turned."""

    dev: list[float]
    board: str = ""


@dataclass(frozen=True)
class Fits:
    """The fits of one function on its rows, each made once where a folder keeps them."""

    case: Case
    seed: int
    rows: Rows
    folder: Path | None = None

    def told(self, knobs: dict[str, Any]) -> wf.Fit:
        """Return the fit of some knobs."""
        train, dev = self._kept(knobs)
        return wf.Fit(train=(self.rows.y, train), dev=(self.rows.y_dev, dev))

    def _kept(self, knobs: dict[str, Any]) -> tuple[Any, Any]:
        if self.folder is None:
            return self.case.train(knobs, self.rows)
        key = json.dumps([self.case.name, self.seed, {name: float(value) for name, value in knobs.items()}])
        file = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            half = file.with_suffix(".half.npy")
            np.save(half, np.concatenate(self.case.train(knobs, self.rows)))
            half.rename(file)
        return tuple(np.split(np.load(file), [len(self.rows.y)]))


def error(fit: wf.Fit) -> float:
    """Dev error; 1 where the fit diverged."""
    y, p = fit.dev
    return float((p.argmax(1) != y).mean()) if np.isfinite(p).all() else 1.0


def by_study(fits: Fits, folder: Path) -> Found:
    """Ask and tell until the study stops."""
    optimal, knobs = fits.rows.optimal, fits.case.knobs
    study = wf.Study(folder / "s.wellfit", knobs=knobs, optimal_error=optimal, budget=f"{BUDGET}fits")
    found = []
    while trial := study.ask():
        fit = fits.told(dict(trial.knobs))
        found.append(error(fit))
        study.tell(trial, fit)
    steps = study.to_json()["steps"]
    return Found(found, steps[0]["board"] if steps else "none")


def by_optuna(fits: Fits, sampler: optuna.samplers.BaseSampler) -> Found:
    """Enqueue the first fit, and optimize dev."""
    found, own = [], fits.case.knobs

    def objective(trial: optuna.Trial) -> float:
        knobs = {name: _suggested(trial, name, knob) for name, knob in own.items()}
        found.append(error(fits.told(knobs)))
        return found[-1]

    study = optuna.create_study(sampler=sampler)
    # A search on a logarithm has no 0: its smallest decay stands for none.
    first = {name: knob.low if knob.role == "decay" else knob.first for name, knob in own.items()}
    study.enqueue_trial(first)
    study.optimize(objective, n_trials=BUDGET)
    return Found(found)


def _suggested(trial: optuna.Trial, name: str, knob: Any) -> Any:
    if knob.role in ("size", "epochs"):
        return trial.suggest_int(name, int(knob.low), int(knob.high), log=True)
    return trial.suggest_float(name, knob.low, knob.high, log=knob.role != "keep_prob")


def fits_until(dev: list[float], goal: float) -> int:
    """Return the number of fits until dev is at most `goal`."""
    return next((place for place, value in enumerate(dev, start=1) if value <= goal), BUDGET + 1)


def raced(fits: Fits) -> dict[str, Found]:
    """Let all three tune one function."""
    with tempfile.TemporaryDirectory() as folder:
        ours = by_study(fits, Path(folder))
    samplers = {
        "TPE": optuna.samplers.TPESampler(seed=fits.seed),
        "random": optuna.samplers.RandomSampler(seed=fits.seed),
    }
    return {"study": ours, **{name: by_optuna(fits, sampler) for name, sampler in samplers.items()}}


def main() -> None:
    """Tune, and count fits."""
    parser = parser_of(__doc__)
    parser.add_argument("--keep", type=Path, help="folder of the fits; a run that was cut goes on from it")
    parser.set_defaults(seeds=[0, 1, 2, 3, 4])
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    cases = CASES[::4] if asked.quick else CASES
    seeds = asked.seeds[:1] if asked.quick else asked.seeds
    counts: dict[str, dict[str, list[int]]] = {case.name: {} for case in cases}
    named, fine = [], []
    # Every seed in turn, so that a run that was cut has a table of fewer seeds.
    for seed, case in itertools.product(seeds, cases):
        began, fits = time.perf_counter(), Fits(case, seed, case.rows(seed), folder=asked.keep)
        found = raced(fits)
        best = min(min(each.dev) for each in found.values())
        goal = best + math.sqrt(max(best * (1 - best), 1e-4) / len(fits.rows.y_dev))
        needed = {name: fits_until(each.dev, goal) for name, each in found.items()}
        for name, count in needed.items():
            counts[case.name].setdefault(name, []).append(count)
        ours = found["study"]
        named.append(ours.board == case.cause)
        if case.cause == "none":
            fine.append(len(ours.dev) <= MOST_FINE)
        said = {name: (needed[name], len(each.dev), min(each.dev)) for name, each in found.items()}
        print(case.name, seed, ours.board, said, f"{time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    medians = {name: {who: float(np.median(each)) for who, each in of_case.items()} for name, of_case in counts.items()}
    ratios = [each["study"] / each["TPE"] for each in medians.values()]
    lines = [(name, *(f"{value:g}" for value in each.values())) for name, each in medians.items()]
    rows_of = [
        Row("fits over TPE's, median over functions", float(np.median(ratios)), 0.5),
        Row("fits over TPE's, the worst function", max(ratios), 1.5),
        share_row("planted cause named by the first step", named, 14 / 16, quick=asked.quick),
        share_row(f"fine already: at most {MOST_FINE} fits", fine, 1.0, quick=asked.quick),
    ]
    shown = markdown(("function", "study", "TPE", "random"), lines)
    finish("study", rows_of, as_json=asked.json, table=shown)


if __name__ == "__main__":
    main()
