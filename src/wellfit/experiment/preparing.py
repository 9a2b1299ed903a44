"""The transforms of an experiment: fit on train once, and kept with its models as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from wellfit._files import write_whole
from wellfit.data.prepare import Preparation, Prepared
from wellfit.exceptions import Refusal
from wellfit.experiment.added_rows import kept_rows
from wellfit.experiment.copies import known_copies
from wellfit.experiment.folder import Folder
from wellfit.experiment.weighing import known_importance
from wellfit.splits.split import Split

FILE = "preparation.json"


def prepared_in(folder: Folder, split: Split) -> Prepared:
    """Return train, train-dev, dev and what was added to train as arrays, by the transforms beside the models.

    Raises:
        Refusal: when they are damaged: networks were trained behind them.
        NoRoom: when they are not there yet and cannot be written.
    """
    path = folder.models / FILE
    prepared = split.prepared(_kept(path) if path.is_file() else None)
    if not path.is_file():
        text = json.dumps(prepared.preparation.to_json(), ensure_ascii=False)
        write_whole(path, lambda file: file.write(text.encode()))
    more = {name: prepared.preparation.transform(rows) for name, rows in kept_rows(folder).items()}
    return replace(prepared, more=more, importance=known_importance(folder), copies=known_copies(folder))


def _kept(path: Path) -> Preparation:
    try:
        return Preparation.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refusal(
            "an experiment's transforms are written by wellfit alone",
            found=f"{path}, which cannot be read ({error!r})",
            remedy="Restore the folder from a copy",
        ) from error
