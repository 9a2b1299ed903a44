"""The transforms of an experiment: fit on train once, and kept with its models as JSON."""

from __future__ import annotations

import json

from wellfit._files import write_whole
from wellfit.data.prepare import Preparation, Prepared
from wellfit.experiment.folder import Folder
from wellfit.splits.split import Split

FILE = "preparation.json"


def prepared_in(folder: Folder, split: Split) -> Prepared:
    """Return train, train-dev and dev as arrays, by the transforms that stand beside the models.

    Raises:
        NoRoom: when they are not there yet and cannot be written.
    """
    path = folder.models / FILE
    if path.is_file():
        return split.prepared(Preparation.from_json(json.loads(path.read_text(encoding="utf-8"))))
    prepared = split.prepared()
    text = json.dumps(prepared.preparation.to_json(), ensure_ascii=False)
    write_whole(path, lambda file: file.write(text.encode()))
    return prepared
