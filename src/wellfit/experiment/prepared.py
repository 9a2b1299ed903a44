"""The data of an experiment, prepared for training: transforms, reference models, importance and copies of rows.

All are fit once and kept next to the models, so that a continued run works with the same ones. The rows of
`--more-data` are kept too, so that an experiment can continue without their file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from wellfit.base.files import write_whole
from wellfit.base.plain_files import read_json
from wellfit.base.typing import Floats, Notify
from wellfit.data.dialect import CsvFormat
from wellfit.data.features import features_of
from wellfit.data.prepare import Copies, Preparation, Prepared
from wellfit.data.read import read_table
from wellfit.data.training_rows import OF_TRAIN
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.near_duplicates import copied_rows
from wellfit.diagnosis.mismatch.attribution import importance_of
from wellfit.diagnosis.rows import OpenRows
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.folder import Folder
from wellfit.journal.outcomes import load_arrays
from wellfit.journal.store import Entry, Journal
from wellfit.opening import Predict
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.splits.more_rows import NAME, MoreRows, more_rows_for
from wellfit.splits.split import Split
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.training.references import fit_references

FILE = "preparation.json"


def prepared_in(folder: Folder, split: Split) -> Prepared:
    """Return train, train-dev, dev and the rows added to train as arrays, by the transforms saved with the models.

    Damaged transforms are refused, because networks were trained on their output.
    """
    path = folder.models / FILE
    prepared = split.prepared(_kept(path) if path.is_file() else None)
    if not path.is_file():
        text = json.dumps(prepared.preparation.to_json(), ensure_ascii=False)
        write_whole(path, lambda file: file.write(text.encode()))
    more = {name: prepared.preparation.transform(rows) for name, rows in kept_rows(folder).items()}
    weights = load_arrays(folder.models / IMPORTANCE_FILE) or {}
    importance = {OF_TRAIN if name == _TRAIN else name: rows for name, rows in weights.items()}
    stored = load_arrays(folder.models / COPIES_FILE)
    copies = None if stored is None else Copies(stored["train"].astype(bool), stored["dev"].astype(bool))
    return replace(prepared, more=more, importance=importance, copies=copies)


def _write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    content = save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()})
    write_whole(path, lambda file: file.write(content))


def _kept(path: Path) -> Preparation:
    try:
        return Preparation.from_json(read_json(path))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refusal(
            "an experiment's transforms must be as wellfit wrote them",
            found=f"the unreadable file {path} ({error!r})",
            remedy="Restore the folder from a copy",
        ) from error


REFERENCES_FILE = "references.safetensors"
REFERENCES = ("dummy", "linear", "trees")


@dataclass(frozen=True)
class ReferenceModels:
    """The reference models on dev: their estimates, and the loss of each row."""

    dev: Mapping[str, Estimate]
    dev_losses: Mapping[str, Floats]

    def ahead_of(self, outcome: Outcome, *, data: Prepared, goal: Goal) -> dict[str, Estimate]:
        """Return the dev loss of a network minus that of each reference, paired on the same rows.

        The references were fit on all training rows, so a network trained without copies of dev rows is compared with
        them on the dev rows without copies.
        """
        own = goal.row_losses(data.dev.target, outcome.predictions["dev"])
        fair = np.ones(len(own), dtype=bool)
        if outcome.config.data.drop_rows and data.copies is not None:
            fair = ~data.copies.dev
        return {name: paired_difference(own[fair], losses[fair]) for name, losses in self.dev_losses.items()}


def known_references(folder: Path, journal: Journal) -> ReferenceModels:
    """Return the reference models in the journal; none before a run."""
    entries = {entry.body["name"]: entry.body for entry in journal.entries("reference")}
    losses = load_arrays(folder / REFERENCES_FILE) or {}
    dev = {name: Estimate.from_json(entries[name]["errors"]["dev"]) for name in losses if name in entries}
    return ReferenceModels(dev, losses)


def fitted_references(
    data: Prepared, *, goal: Goal, seed: int, folder: Path, journal: Journal, effort: float, notify: Notify
) -> ReferenceModels:
    """Return the reference models from the journal, or fit them with this effort and write them to the journal."""
    known = known_references(folder, journal)
    if known.dev and known.dev.keys() == known.dev_losses.keys():
        return known
    notify({"event": "references", "rows": data.train.rows})
    if effort < 1:
        notify({"event": "shortened", "what": f"the reference models, to {100 * effort:.0f} % of their iterations"})
    references = fit_references(data, goal=goal, seed=seed, effort=effort)
    losses = {each.name: goal.row_losses(data.dev.target, each.predictions["dev"]) for each in references}
    _write_arrays(folder / REFERENCES_FILE, losses)
    for reference in references:
        if reference.name not in known.dev:
            train = Estimate.fixed(reference.losses["train"], rows=data.train.rows)
            dev = goal.estimate(data.dev.target, reference.predictions["dev"], groups=data.dev.groups)
            errors = {"train": train.to_json(), "dev": dev.to_json()}
            body = {"name": reference.name, "errors": errors, "seconds": reference.seconds, "note": reference.note}
            body |= {"effort": effort} if effort < 1 else {}
            journal.append("reference", body, key=reference.name)
    return known_references(folder, journal)


def refitted_references(data: Prepared, *, goal: Goal, seed: int, entries: Sequence[Entry]) -> dict[str, Predict]:
    """Return the reference models by name, refit on train when the first of them predicts the test table.

    `entries` are the journal's entries that record with how much effort the models were fit.
    """
    effort = min((float(entry.body.get("effort", 1.0)) for entry in entries), default=1.0)
    predictions: dict[str, Floats] = {}

    def predicted(name: str, test: pa.Table) -> Floats:
        if not predictions:
            extra = {"test": data.preparation.transform(test)}
            references = fit_references(data, goal=goal, seed=seed, extra=extra, effort=effort)
            predictions.update({reference.name: reference.predictions["test"] for reference in references})
        return predictions[name]

    return {name: partial(predicted, name) for name in REFERENCES}


IMPORTANCE_FILE = "importance.safetensors"
_TRAIN = "train"
"""Name of train's own rows in the file; elsewhere, their name is empty."""


def with_importance(
    data: Prepared, *, folder: Folder, split: Split, rows: OpenRows, findings: Iterable[Finding]
) -> Prepared:
    """Return the data with the importance of all rows for training, if dev differs significantly from train.

    Without train-dev rows, mismatch cannot be distinguished from variance, so nothing is measured; for pictures there
    is augmentation toward dev.
    """
    told_apart = any(found.code == "WF302" and found.status == "fired" for found in findings)
    missing = {OF_TRAIN, *data.more} - data.importance.keys()
    if split.train_dev is None or split.schema.picture is not None or not told_apart or not missing:
        return data
    more = kept_rows(folder)
    features = features_of({"train": split.train, "dev": split.dev, **more}, split.schema)
    train, dev = replace(rows.train, features=features["train"]), replace(rows.dev, features=features["dev"])
    measured = importance_of(train, dev, others={name: features[name] for name in more}, seed=split.seed)
    if measured is None:
        return data
    # Weights with which networks were trained stay as they are.
    found = {OF_TRAIN: measured[0], **measured[1], **data.importance}
    _write_arrays(folder.models / IMPORTANCE_FILE, {name or _TRAIN: weights for name, weights in found.items()})
    return replace(data, importance=found)


COPIES_FILE = "copies.safetensors"


def with_copies(data: Prepared, *, folder: Folder, rows: OpenRows, findings: Iterable[Finding]) -> Prepared:
    """Return the data with the copies across train and dev, if a finding on the rows fired."""
    if data.copies is not None:
        return data
    found = copied_rows(rows.train, rows.dev, findings=findings, seed=rows.seed)
    if found is None:
        return data
    marks = {"train": found.train.astype(np.uint8), "dev": found.dev.astype(np.uint8)}
    _write_arrays(folder.models / COPIES_FILE, marks)
    return replace(data, copies=found)


ADDED_ROWS = "added rows"
ADDED_FOLDER = "more_data"


def added_to(split: Split, source: Any, entries: Sequence[Entry] = (), *, csv_format: CsvFormat) -> MoreRows:
    """Read and check the rows of `--more-data`; the journal's entries show whether the file was used before.

    A file that is gone or whose rows have changed is refused.
    """
    path = str(Path(source).resolve()) if isinstance(source, str | Path) else None
    bodies = [entry.body for entry in entries if entry.kind == ADDED_ROWS and path and entry.body["path"] == path]
    known = bodies[-1] if bodies else None
    if known and not Path(source).exists():
        raise BadInput(
            f"the file of {NAME} must still exist when the command is repeated",
            found=f"no file {source}; {known['read']:,} rows were read from it before",
            remedy="Restore it, or pass EXPERIMENT in place of DATA, without --more-data: it has kept the rows",
        )
    dropped = [column.name for column in split.schema.dropped]
    rows = read_table(source, name=NAME, csv_format=csv_format, drop=dropped, schema=split.schema)
    more = more_rows_for(split, rows)
    if known and known["sha256"] != more.sha256:
        raise Refusal(
            f"the rows of {NAME} must not change while an experiment continues",
            found=f"{source} with {more.read:,} rows (SHA-256 {more.sha256[:12]}...); before, it had {known['read']:,} "
            f"({known['sha256'][:12]}...)",
            remedy="Restore it, or pass the new rows in a file with another name",
        )
    return more


def keep_rows(more: MoreRows, *, folder: Folder, journal: Journal) -> None:
    """Write rows into the experiment, once, and record in the journal where they came from."""
    path = _place_of(folder, more.name)
    if not path.is_file():
        write_whole(path, lambda file: pq.write_table(more.table, file))
    key = f"{more.name}/{more.path}"
    if journal.find(ADDED_ROWS, key) is None:
        journal.append(ADDED_ROWS, more.to_json(), key=key)


def require_kept(name: str | None, kept: Collection[str], *, folder: Folder) -> None:
    """Refuse to continue without the rows that a run added."""
    if name is not None and name not in kept:
        raise Refusal(
            "the rows that were added to train must be in the experiment",
            found=f"no {_place_of(folder, name)}",
            remedy=f"Pass their file again with {NAME}, or restore the folder from a copy",
        )


def kept_rows(folder: Folder) -> dict[str, pa.Table]:
    """Return all rows that were ever added to this experiment, by name; refuse a damaged file."""
    return {path.stem: _read_added(path) for path in sorted((folder.path / ADDED_FOLDER).glob("*.parquet"))}


def _place_of(folder: Folder, name: str) -> Path:
    return folder.path / ADDED_FOLDER / f"{name}.parquet"


def _read_added(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise Refusal(
            "an experiment's added rows must be as wellfit wrote them",
            found=f"the unreadable file {path} ({error})",
            remedy="Restore the folder from a copy",
        ) from error
