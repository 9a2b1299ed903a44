"""The transforms of an experiment: fit on train once, and kept with its models as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from wellfit._files import write_whole
from wellfit.data.prepare import Preparation, Prepared
from wellfit.exceptions import Refusal
from wellfit.experiment.folder import Folder
from wellfit.splits.split import Split

FILE = "preparation.json"


def prepared_in(folder: Folder, split: Split) -> Prepared:
    """Return train, train-dev and dev as arrays, by the transforms that stand beside the models.

    Raises:
        Refusal: when they are damaged: networks were trained behind them.
        NoRoom: when they are not there yet and cannot be written.
    """
    path = folder.models / FILE
    if path.is_file():
        return split.prepared(_kept(path))
    prepared = split.prepared()
    text = json.dumps(prepared.preparation.to_json(), ensure_ascii=False)
    write_whole(path, lambda file: file.write(text.encode()))
    return prepared


def _kept(path: Path) -> Preparation:
    try:
        return Preparation.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refusal(
            "an experiment's transforms are written by wellfit alone",
            found=f"{path}, which cannot be read ({error!r})",
            remedy="Restore the folder from a copy",
        ) from error
