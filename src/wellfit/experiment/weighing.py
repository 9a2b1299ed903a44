"""The importance of an experiment's training rows: measured once, and kept beside its models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from safetensors.numpy import save

from wellfit._files import write_whole
from wellfit._typing import Floats
from wellfit.data.features import features_of
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import OF_TRAIN
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.mismatch.attribution import importance_of
from wellfit.experiment.about_data import OpenRows
from wellfit.experiment.added_rows import kept_rows
from wellfit.experiment.folder import Folder
from wellfit.journal.outcomes import load_arrays
from wellfit.splits.split import Split

FILE = "importance.safetensors"
_TRAIN = "train"
"""What the file calls train's own rows, whose name is empty."""


def known_importance(folder: Folder) -> dict[str, Floats]:
    """Name -> importance of rows, as it was measured before."""
    stored = load_arrays(folder.models / FILE) or {}
    return {OF_TRAIN if name == _TRAIN else name: weights for name, weights in stored.items()}


def with_importance(
    data: Prepared, *, folder: Folder, split: Split, rows: OpenRows, findings: Iterable[Finding]
) -> Prepared:
    """The same data with the importance of all rows that may be trained on, where dev is surely unlike train.

    Without train-dev rows nobody can tell mismatch from variance, so nothing is measured; of pictures there is
    augmentation toward dev.

    Raises:
        NoRoom: when the disk is full.
    """
    told_apart = any(found.code == "WF302" and found.status == "fired" for found in findings)
    missing = {OF_TRAIN, *data.more} - data.importance.keys()
    if split.train_dev is None or split.schema.picture is not None or not told_apart or not missing:
        return data
    measured = _measured(folder, split, rows)
    if not measured:
        return data
    # What networks were trained with stays as it is.
    found = {**measured, **data.importance}
    content = save({name or _TRAIN: np.ascontiguousarray(weights) for name, weights in found.items()})
    write_whole(folder.models / FILE, lambda file: file.write(content))
    return replace(data, importance=found)


def _measured(folder: Folder, split: Split, rows: OpenRows) -> dict[str, Floats]:
    more = kept_rows(folder)
    features = features_of({"train": split.train, "dev": split.dev, **more}, split.schema)
    train, dev = (replace(part, features=features[name]) for name, part in (("train", rows.train), ("dev", rows.dev)))
    found = importance_of(train, dev, others={name: features[name] for name in more}, seed=split.seed)
    return {} if found is None else {OF_TRAIN: found[0], **found[1]}
