"""Keep what this version saves in tests/older/schema_<N>, for every later version to open.

    python scripts/keep_schema.py

Two saved models (classes, with missing numbers, categories and dates; numbers, an average of two networks), a finished
experiment without its data, the rows to predict, and what this version made of them. A folder that exists is never
written again: what lies there is what people have on their disks.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

import wellfit as wf
from wellfit.experiment.folder import SCHEMA
from wellfit.records.goals import goal_named
from wellfit.training.tensors import Part
from wellfit.travel.export import export_model

PLACE = Path(__file__).parents[1] / "tests" / "older" / f"schema_{SCHEMA}"
ROWS, NEW_ROWS, SMALL = 240, 20, 8
"""Rows to train on, rows to predict, and units of a layer: a few kilobytes in all."""
NOT_KEPT = ("report.html", "*.lock", "*-wal", "*-shm")
"""What a later version makes anew."""


def main() -> None:
    """Make everything in a folder that goes away, and keep it when it is whole."""
    if PLACE.exists():
        sys.exit(f"{PLACE} is kept as it is. Raise the schema first, or remove the folder if it was never released.")
    with tempfile.TemporaryDirectory() as name:
        os.environ["WELLFIT_HOME"] = str(Path(name) / "registry")
        folder = Path(name) / PLACE.name
        folder.mkdir()
        new = table(NEW_ROWS, seed=1).drop_columns(["size", "kind"])
        pa.csv.write_csv(new, folder / "new.csv")
        saved = {each.name: each.predict(new) for each in (Saved(folder, "size"), Saved(folder, "kind"))}
        told, saved["experiment"] = experiment(folder, Path(name) / "town.csv")
        predicted = {key: found.to_pydict() for key, found in saved.items()}
        for file, body in (("predicted.json", predicted), ("told.json", told)):
            (folder / file).write_text(json.dumps(body, indent=1) + "\n")
        shutil.copytree(folder, PLACE, ignore=shutil.ignore_patterns(*NOT_KEPT))


def table(rows: int, *, seed: int) -> pa.Table:
    """Rows with everything that a table brings, a target of numbers and one of classes."""
    source = np.random.default_rng(seed)
    age, town = source.normal(40, 12, rows), source.choice(["Bonn", "Kiel", "Ulm"], rows)
    size = age / 12 + 2 * (town == "Kiel") + source.normal(0, 0.3, rows)
    columns = {
        "age": pa.array(np.where(source.random(rows) < 0.1, np.nan, age).round(2), from_pandas=True),
        "town": town,
        "joined": np.datetime64("2024-01-01") + source.integers(0, 700, rows),
        "size": size.round(3),
        "kind": np.where(size > np.median(size), "large", "small"),
    }
    return pa.table(columns)


class Saved:
    """A model of one of the targets, saved beside its predictions."""

    def __init__(self, folder: Path, target: str) -> None:
        self.name = f"model_{target}"
        self._path, self._target = folder / self.name, target
        other = "kind" if target == "size" else "size"
        split = wf.split(table(ROWS, seed=0), target=target, drop=(other,), seed=0)
        parts = [self._part(split, seed=seed, share=share) for seed, share in enumerate((0.75, 0.25))]
        goal = goal_named("rmse" if target == "size" else "error")
        chosen = tuple(parts) if target == "size" else (self._part(split, seed=0, share=1.0),)
        export_model(wf.Model(goal, split.prepared().preparation, chosen), self._path, format="folder", card="# kept\n")

    def predict(self, new: pa.Table) -> pa.Table:
        """Return what the saved model says about the rows."""
        found = wf.load_model(self._path).predict(new)
        assert isinstance(found, pa.Table)
        return found

    def _part(self, split: wf.Split, *, seed: int, share: float) -> Part:
        network = wf.Network(widths=(SMALL,), bins=4)
        config = wf.Config(network=network, optimization=wf.Optimization(epochs=8), seed=seed)
        outcome = wf.train(split, config)
        return Part(share, outcome.config, outcome.state)


def experiment(folder: Path, data: Path) -> tuple[dict[str, Any], pa.Table]:
    """Run an experiment and open its test set; return what it tells (and how to run it again), and what it predicts."""
    pa.csv.write_csv(table(ROWS, seed=0).drop_columns(["size"]), data)
    fixed = {"network": {"widths": [SMALL], "bins": 4}}
    made = wf.run(data, target="kind", budget="600updates", seed=0, out=folder / "experiment", fixed=fixed)
    made.unseal()
    found = wf.predict(made, folder / "new.csv")
    assert isinstance(found, pa.Table)
    return {"fixed": fixed, "told": made.to_json()}, found


if __name__ == "__main__":
    main()
