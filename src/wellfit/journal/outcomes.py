"""Outcomes kept on disk: the scalars in the journal, and the arrays next to it as safetensors (never pickle)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from wellfit.base.files import write_whole
from wellfit.base.typing import Floats, Json
from wellfit.journal.store import Entry, Journal
from wellfit.records.outcome import Outcome, Status

KIND = "training"
ENSEMBLE = "ensemble"
SNAPSHOT = "snapshot"
TEMPERATURE = "temperature"
_KINDS = (KIND, ENSEMBLE, SNAPSHOT)


class OutcomeStore:
    """Outcomes by identity: each is an `<identity>.safetensors` in the folder, and then an entry in the journal."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    def get(self, identity: str) -> Outcome | None:
        """Return the outcome with this identity; None if it was never finished."""
        entry = self._entry(identity)
        arrays = load_arrays(self._path(identity)) if entry else None
        if not entry or not arrays:
            return None
        found = Outcome.from_json(entry.body, arrays=arrays)
        return found if found.status is Status.DIVERGED or _are_numbers(found.state) else None

    def has(self, identity: str) -> bool:
        """Return True if `get` would find this outcome; its arrays are not read."""
        return self._entry(identity) is not None and _is_whole(self._path(identity))

    def predictions(self, identity: str, *, part: str) -> Floats | None:
        """Return an outcome's predictions on a part, without its other arrays; None if `get` would find none."""
        if not self.has(identity):
            return None
        with safe_open(self._path(identity), framework="numpy") as file:
            found: Floats = file.get_tensor(f"predictions/{part}")
        return found

    def put(self, outcome: Outcome, *, details: Json) -> None:
        """Keep an outcome; `details` are additional scalars for its journal entry.

        Raises:
            NoRoom: when the disk is full; nothing half-written remains.
        """
        identity = outcome.identity
        write_whole(self._path(identity), lambda file: file.write(_saved(outcome)))
        kind = ENSEMBLE if outcome.members else SNAPSHOT if outcome.is_snapshot else KIND
        self._journal.append(kind, {**outcome.to_json(), **details}, key=identity)

    def temper(self, outcome: Outcome, *, details: Json) -> None:
        """Keep an outcome at its temperature, next to the one without a temperature; the weights are the same.

        Raises:
            NoRoom: when the disk is full; nothing half-written remains.
        """
        if outcome.temperature != 1.0:
            write_whole(self._path(_tempered(outcome)), lambda file: file.write(_saved(replace(outcome, state={}))))
        body = {"identity": outcome.identity, "losses": dict(outcome.losses), "temperature": outcome.temperature}
        self._journal.append(TEMPERATURE, {**body, **details}, key=outcome.identity)

    def tempered(self, outcome: Outcome) -> Outcome | None:
        """Return an outcome at the temperature kept for it, or as it is without one; None if it is damaged."""
        entry = self._journal.find(TEMPERATURE, outcome.identity)
        if entry is None or entry.body["temperature"] == 1.0:
            return outcome
        arrays = load_arrays(self._path(_tempered(outcome)))
        if arrays is None:
            return None
        kept = Outcome.from_json({**outcome.to_json(), **entry.body}, arrays=arrays)
        return replace(kept, state=outcome.state)

    def _entry(self, identity: str) -> Entry | None:
        return next((found for kind in _KINDS if (found := self._journal.find(kind, identity))), None)

    def _path(self, identity: str) -> Path:
        # The identity may come from a stranger's journal: a path in it must not lead out of the folder.
        return self._folder / f"{Path(identity).name}.safetensors"


def _saved(outcome: Outcome) -> bytes:
    arrays = {name: np.ascontiguousarray(array) for name, array in outcome.arrays.items()}
    return bytes(save(arrays))


def _tempered(outcome: Outcome) -> str:
    return f"{outcome.identity}-tempered"


def load_arrays(path: Path) -> dict[str, Floats] | None:
    """Read a safetensors file; None if it is missing or damaged, so that its content is computed again."""
    try:
        arrays: dict[str, Floats] = load_file(path)
    except (OSError, SafetensorError):
        return None
    return arrays


def _are_numbers(state: Mapping[str, Floats]) -> bool:
    # Ends of bins and the range of outputs may be NaN or infinite: unused.
    return all(np.isfinite(array).all() for name, array in state.items() if name.endswith(("weight", "bias")))


def _is_whole(path: Path) -> bool:
    """Return True if a safetensors file is complete, judged by its header and its size."""
    try:
        with safe_open(path, framework="numpy"):
            return True
    except (OSError, SafetensorError):
        return False
