"""Data and outcomes between processes: arrays as .npy files, scalars as JSON, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wellfit.base.typing import Json
from wellfit.data.prepare import Arrays, Copies, Preparation, Prepared
from wellfit.exceptions import NoRoom
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome

PARTS = ("train", "train_dev", "dev")
FIELDS = ("numeric", "codes", "target")
COPIES = ("train", "dev")


def write_data(folder: Path, data: Prepared, *, goal: Goal) -> None:
    """Write the prepared parts to a folder, once for all workers; raise `NoRoom` where it cannot take them."""
    try:
        names = {"more": list(data.more), "importance": list(data.importance)}
        (folder / "data.json").write_text(
            json.dumps({"preparation": data.preparation.to_json(), "goal": goal.name, **names}), encoding="utf-8"
        )
        for name, array in _named_arrays(data):
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
    except OSError as error:
        raise NoRoom(
            "the temporary folder must hold a copy of the prepared data for the workers",
            found=f"{folder}: {error.strerror}",
            remedy="Free space there, or set TMPDIR to a larger disk",
        ) from error


def read_data(folder: Path) -> tuple[Prepared, Goal]:
    """Map the parts into memory: all workers share the same pages."""
    described = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    parts = {part: _mapped(folder, part) for part in PARTS}
    train, dev = parts["train"], parts["dev"]
    if train is None or dev is None:
        raise FileNotFoundError(folder / "train.numeric.npy")
    copies = [folder / f"copies.{side}.npy" for side in COPIES]
    data = Prepared(
        Preparation.from_json(described["preparation"]),
        train,
        parts["train_dev"],
        dev,
        more={name: rows for at, name in enumerate(described["more"]) if (rows := _mapped(folder, f"more{at}"))},
        importance={name: np.load(folder / f"importance{at}.npy") for at, name in enumerate(described["importance"])},
        copies=Copies(*map(np.load, copies)) if copies[0].is_file() else None,
    )
    return data, goal_named(described["goal"])


def _named_arrays(data: Prepared) -> Iterator[tuple[str, Any]]:
    """Every array by the name of its file; what has a name of its own is numbered."""
    more = {f"more{at}": rows for at, rows in enumerate(data.more.values())}
    for part, arrays in ({name: getattr(data, name) for name in PARTS} | more).items():
        if arrays is not None:
            yield from ((f"{part}.{field}", getattr(arrays, field)) for field in FIELDS)
    yield from ((f"importance{at}", weights) for at, weights in enumerate(data.importance.values()))
    if data.copies is not None:
        yield from ((f"copies.{side}", getattr(data.copies, side)) for side in COPIES)


def _mapped(folder: Path, part: str) -> Arrays | None:
    if not (folder / f"{part}.numeric.npy").is_file():
        return None
    # "c" maps privately: torch asks for writable memory, though nothing writes.
    return Arrays(*(np.load(folder / f"{part}.{field}.npy", mmap_mode="c") for field in FIELDS))


def write_outcome(path: Path, outcome: Outcome) -> Json:
    """Write an outcome's arrays to `path` (.npz), and return its scalars."""
    np.savez(path, allow_pickle=False, **outcome.arrays)
    return outcome.to_json()


def read_outcome(path: Path, body: Json) -> Outcome:
    """Rebuild an outcome from its scalars and the arrays at `path`, and delete the file."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    path.unlink()
    return Outcome.from_json(body, arrays=arrays)
