"""`wf.Study` against Optuna's TPE and random search: fits until dev is within one standard error of the best known.

All three tune the same training functions (benchmarks/study_functions.py) over the same ranges, and begin with the same
first fit, which the rivals get enqueued. The best known dev error of a function is the lowest that any of the three
has found on its rows; whoever never gets there is counted with one fit more than its budget.
"""

from __future__ import annotations

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
from report import Row, arguments, finish, markdown, share_row
from study_functions import CASES, Case, Rows

BUDGET = 30
MOST_FINE = 3
Measure = Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class Found:
    """The dev errors of one method on one function, in the order of its fits; and the first board it turned."""

    dev: list[float]
    board: str = ""


def told(case: Case, rows: Rows, knobs: dict[str, Any]) -> wf.Fit:
    """Train once."""
    train, dev = case.train(knobs, rows)
    return wf.Fit(train=(rows.y, train), dev=(rows.y_dev, dev))


def error(fit: wf.Fit) -> float:
    """Dev error; 1 where the fit diverged."""
    y, p = fit.dev
    return float((p.argmax(1) != y).mean()) if np.isfinite(p).all() else 1.0


def by_study(case: Case, rows: Rows, folder: Path) -> Found:
    """Ask and tell until the study stops."""
    study = wf.Study(folder / "s.wellfit", knobs=case.knobs, optimal_error=rows.optimal, budget=f"{BUDGET}fits")
    found = []
    while trial := study.ask():
        fit = told(case, rows, dict(trial.knobs))
        found.append(error(fit))
        study.tell(trial, fit)
    steps = study.to_json()["steps"]
    return Found(found, steps[0]["board"] if steps else "none")


def by_optuna(case: Case, rows: Rows, sampler: optuna.samplers.BaseSampler) -> Found:
    """Enqueue the first fit, and optimize dev."""
    found = []

    def objective(trial: optuna.Trial) -> float:
        knobs = {name: _suggested(trial, name, knob) for name, knob in case.knobs.items()}
        found.append(error(told(case, rows, knobs)))
        return found[-1]

    study = optuna.create_study(sampler=sampler)
    # A search on a logarithm has no 0: its smallest decay stands for none.
    first = {name: knob.low if knob.role == "decay" else knob.first for name, knob in case.knobs.items()}
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


def main() -> None:
    """Tune, and count fits."""
    asked = arguments(__doc__)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    cases = CASES[::4] if asked.quick else CASES
    seeds = asked.seeds[:1] if asked.quick else asked.seeds[:5]
    ratios, named, fine, lines = [], [], [], []
    for case in cases:
        counts: dict[str, list[int]] = {"study": [], "TPE": [], "random": []}
        for seed in seeds:
            began, rows = time.perf_counter(), case.rows(seed)
            with tempfile.TemporaryDirectory() as folder:
                ours = by_study(case, rows, Path(folder))
            found = {
                "study": ours,
                "TPE": by_optuna(case, rows, optuna.samplers.TPESampler(seed=seed)),
                "random": by_optuna(case, rows, optuna.samplers.RandomSampler(seed=seed)),
            }
            best = min(min(each.dev) for each in found.values())
            goal = best + math.sqrt(max(best * (1 - best), 1e-4) / len(rows.y_dev))
            for name, each in found.items():
                counts[name].append(fits_until(each.dev, goal))
            named.append(ours.board == case.cause)
            if case.cause == "none":
                fine.append(len(ours.dev) <= MOST_FINE)
            said = {name: (counts[name][-1], len(each.dev), min(each.dev)) for name, each in found.items()}
            print(case.name, seed, ours.board, said, f"{time.perf_counter() - began:.1f} s", file=sys.stderr)
        medians = {name: float(np.median(each)) for name, each in counts.items()}
        ratios.append(medians["study"] / medians["TPE"])
        lines.append((case.name, *(f"{value:g}" for value in medians.values())))
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
