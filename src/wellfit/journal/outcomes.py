"""Trainings kept on disk: the scalars in the journal, the arrays beside it as safetensors (never pickle)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from wellfit._files import write_whole
from wellfit._typing import Json
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome

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
        return Outcome.from_json(entry.body, arrays=load_file(path)) if entry and path.is_file() else None

    def put(self, outcome: Outcome, *, details: Json) -> None:
        """Keep an outcome; `details` are further scalars for its journal entry.

        Raises:
            NoRoom: when the disk is full; nothing half-written remains.
        """
        identity = outcome.config.identity
        arrays = {name: np.ascontiguousarray(array) for name, array in outcome.arrays.items()}
        write_whole(self._folder / f"{identity}.safetensors", lambda file: file.write(save(arrays)))
        self._journal.append(KIND, {**outcome.to_json(), **details}, key=identity)
