"""What the temperature buys on rows that nobody trained or chose on: log-loss with and without it, by split.

python benchmarks/temperature.py --splits 5
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

import wellfit as wf
from report import Row, finish, parser_of
from wellfit.experiment.experiment import Experiment
from wellfit.records.goals import goal_named
from wellfit.travel.export import model_of

BUDGET = "3000updates"
NEW_SHARE = 0.4
HEADER = f"{'data':15} {'network':8} {'split':>5} {'T':>6} {'dev':>8} {'honest':>8} {'new, T=1':>9} {'new':>8}"


def single(path: Path, seed: int) -> Experiment:
    """One network of the usual size, unregularized."""
    experiment = wf.open_experiment(path)
    wf.train(experiment, wf.Config(seed=seed))
    return experiment


def whole_run(path: Path, seed: int) -> Experiment:
    """What `wellfit run` ends with."""
    return wf.run(path, budget=BUDGET, seed=seed)


METHODS: dict[str, Callable[[Path, int], Experiment]] = {"single": single, "run": whole_run}
DATA: dict[str, Callable[[], Any]] = {"breast_cancer": load_breast_cancer, "digits": load_digits}


def table(inputs: Any, target: Any) -> pa.Table:
    """The rows as wellfit reads them."""
    columns = {f"x{place}": inputs[:, place] for place in range(inputs.shape[1])}
    return pa.table({**columns, "y": [f"c{code}" for code in target]})


def measured(name: str, method: str, split: int, *, folder: Path) -> tuple[float, float]:
    """Print one line; the log-losses on new rows without and with the temperature."""
    bunch = DATA[name]()
    old, new, of_old, of_new = train_test_split(
        bunch.data, bunch.target, test_size=NEW_SHARE, random_state=split, stratify=bunch.target
    )
    path = folder / f"{name}-{method}-{split}.wellfit"
    wf.split(table(old, of_old), target="y", seed=split, out=path)
    experiment = METHODS[method](path, split)
    model, said = model_of(experiment), experiment.to_json()["temperature"]
    arrays = model.preparation.transform(table(new, of_new))
    plain, tempered = (
        goal_named("log_loss").loss(arrays.target, each.of_arrays(arrays))
        for each in (replace(model, temperature=1.0), model)
    )
    dev, honest = (said["log_loss_before"], said["log_loss_honest"]) if said else (np.nan, np.nan)
    losses = f"{dev:8.4f} {honest:8.4f} {plain:9.4f} {tempered:8.4f}"
    print(f"{name:15} {method:8} {split:5d} {model.temperature:6.3f} {losses}", flush=True, file=sys.stderr)
    return plain, tempered


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--splits", type=int, default=5, help="divisions of each data set (default: 5)")
    asked = parser.parse_args()
    splits = 1 if asked.quick else asked.splits
    print(HEADER, file=sys.stderr)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in DATA:
            for method in METHODS:
                pairs = np.array([measured(name, method, split, folder=Path(folder)) for split in range(splits)])
                plain, tempered = pairs.mean(axis=0)
                gains = pairs[:, 0] - pairs[:, 1]
                note = f"{plain:.4f} without; used in {(gains != 0).sum()} of {splits}, worse in {(gains < 0).sum()}"
                rows.append(Row(f"{name}, {method}: log-loss with the temperature", float(tempered), note=note))
    finish("temperature", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
