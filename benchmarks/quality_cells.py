"""The cells of quality.py as folders, so that rivals can be measured on another machine, and scored on this one.

`lay_out` writes TABLE-SEED/ with train, dev and test (without its target), and cells.json, the order to measure in.
There, rivals/quality_elsewhere.py leaves RIVAL-SEED.npy and RIVAL-SEED.json in those folders, which `score` reads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rivals.cache import Cache, Cell, cell_key
from tables import Divided, Source, divided, write_parts


def lay_out(
    sources: Sequence[Source], seeds: Sequence[int], folder: Path, *, rivals: Sequence[str], known: Cache
) -> None:
    """Write a folder per table and seed; what is not known comes first, then the first rival, then many rows."""
    cells: list[tuple[bool, int, int, dict[str, str | int]]] = []
    for source in sources:
        for seed in seeds:
            data = divided(source, seed=seed)
            place = folder / f"{source.name}-{seed}"
            place.mkdir(parents=True, exist_ok=True)
            write_parts(data, place)
            for order, rival in enumerate(rivals):
                is_known = known.get(cell_key(source.name, seed, rival)) is not None
                cell: dict[str, str | int] = {"folder": place.name, "rival": rival, "seed": seed}
                cells.append((is_known, order, -data.table.num_rows, cell))
    ordered = [cell for *_, cell in sorted(cells, key=lambda each: each[:-1])]
    (folder / "cells.json").write_text(json.dumps(ordered, indent=1))


def score(
    sources: Sequence[Source], seeds: Sequence[int], folder: Path, *, rivals: Sequence[str], cache: Cache
) -> None:
    """Put what came back into the cache. A cell that it knows stays as it is, and both are shown."""
    for source in sources:
        for seed in seeds:
            data = divided(source, seed=seed)
            for rival in rivals:
                if (found := scored(data, folder / f"{source.name}-{seed}", rival, seed=seed)) is None:
                    continue
                key = cell_key(source.name, seed, rival)
                known = cache.get(key)
                if known is None:
                    cache.put(key, found)
                told = f" (known: {known.metric:.5g}, kept)" if known else ""
                print(f"{key}: {found.metric:.5g}{told}", file=sys.stderr)


def scored(data: Divided, place: Path, rival: str, *, seed: int) -> Cell | None:
    """Return what a rival's predictions in a folder come to; None where it left none."""
    told = place / f"{rival}-{seed}.json"
    if not told.is_file():
        return None
    answer = json.loads(told.read_text())
    return Cell(metric_of(data, np.load(place / f"{rival}-{seed}.npy")), answer["seconds"], answer["machine"])


def metric_of(data: Divided, predicted: np.ndarray) -> float:
    """Measure predictions of the test rows: error, or RMSE."""
    truth = data.rows("test")[data.source.target].to_numpy(zero_copy_only=False)
    if data.schema.task == "regression":
        return float(np.sqrt(np.mean((predicted.ravel().astype(float) - truth.astype(float)) ** 2)))
    return float(np.mean(predicted.ravel().astype(str) != truth.astype(str)))
