"""Trainings kept on disk: the scalars in the journal, the arrays beside it as safetensors (never pickle)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from wellfit._typing import Floats, Json
from wellfit.config import Config
from wellfit.exceptions import NoRoom
from wellfit.journal.store import Journal
from wellfit.outcome import CurvePoint, Outcome, Status

KIND = "training"


class OutcomeStore:
    """Outcomes by the identity of their config: `get` what `put` has kept.

    Args:
        folder: holds one `<identity>.safetensors` a training.
        journal: receives one "training" entry each, after its arrays are safe on disk.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    def get(self, identity: str) -> Outcome | None:
        """Return the outcome of the config with this identity, or None when it was never finished."""
        entry = self._journal.find(KIND, identity)
        path = self._folder / f"{identity}.safetensors"
        return _outcome(entry.body, load_file(path)) if entry and path.is_file() else None

    def put(self, outcome: Outcome, *, details: Json) -> None:
        """Keep an outcome; `details` are further scalars for its journal entry.

        Raises:
            NoRoom: when the disk is full; nothing half-written remains.
        """
        identity = outcome.config.identity
        write_atomically(self._folder / f"{identity}.safetensors", save(_arrays(outcome)))
        self._journal.append(KIND, {**outcome.to_json(), **details}, key=identity)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or nothing.

    Raises:
        NoRoom: when the disk is full or cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise NoRoom(
            "the experiment's folder must have room and be writable",
            found=f"{error.strerror} at {path}",
            remedy="Free some space or choose another --out, then give the same command again: it continues",
        ) from error


def _arrays(outcome: Outcome) -> dict[str, Floats]:
    groups: dict[str, Mapping[str, Floats]] = {
        "state": outcome.state,
        "predictions": outcome.predictions,
        "train": {"losses": outcome.train_losses},
    }
    return {
        f"{group}/{name}": np.ascontiguousarray(array)
        for group, arrays in groups.items()
        for name, array in arrays.items()
    }


def _outcome(body: Json, arrays: Mapping[str, Floats]) -> Outcome:
    def group(name: str) -> dict[str, Floats]:
        return {key.split("/", 1)[1]: array for key, array in arrays.items() if key.startswith(f"{name}/")}

    return Outcome(
        config=Config.from_json(body["config"]),
        status=Status(body["status"]),
        updates=body["updates"],
        seconds=body["seconds"],
        losses=body["losses"],
        curve=tuple(CurvePoint(update, train, dev) for update, train, dev in body["curve"]),
        weight_norms=tuple(body["weight_norms"]),
        predictions=group("predictions"),
        train_losses=group("train")["losses"],
        state=group("state"),
    )
