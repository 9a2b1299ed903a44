"""Training rows with a copy in dev, as an experiment keeps them for the networks that were trained without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from safetensors.numpy import save

from wellfit._files import write_whole
from wellfit.data.prepare import Copies, Prepared
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.near_duplicates import copied_rows
from wellfit.experiment.about_data import OpenRows
from wellfit.experiment.folder import Folder
from wellfit.journal.outcomes import load_arrays

FILE = "copies.safetensors"


def known_copies(folder: Folder) -> Copies | None:
    """The copies that were found before."""
    stored = load_arrays(folder.models / FILE)
    return None if stored is None else Copies(stored["train"].astype(bool), stored["dev"].astype(bool))


def with_copies(data: Prepared, *, folder: Folder, rows: OpenRows, findings: Iterable[Finding]) -> Prepared:
    """The same data with the copies across train and dev, where a finding on the rows fired.

    Raises:
        NoRoom: when the disk is full.
    """
    if data.copies is not None:
        return data
    found = copied_rows(rows.train, rows.dev, findings=findings, seed=rows.seed)
    if found is None:
        return data
    content = save({"train": found.train.astype(np.uint8), "dev": found.dev.astype(np.uint8)})
    write_whole(folder.models / FILE, lambda file: file.write(content))
    return replace(data, copies=found)
