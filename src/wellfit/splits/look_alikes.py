"""Pictures that look like one of train: the same scene scaled, compressed or retouched, found before the seal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from wellfit._typing import Floats, Part
from wellfit.data.pictures.decode import near_copies
from wellfit.data.pictures.listing import LOOK
from wellfit.data.pictures.schema import pixels_of
from wellfit.data.schema import Schema

NEAR = "near_"


def near_copies_of(tables: Mapping[Part, pa.Table], schema: Schema) -> dict[str, int]:
    """Return `near_<part>` -> pictures of a part that look like a picture of train and are no exact copy of it.

    Empty where rows are no pictures.
    """
    if schema.picture is None or any(LOOK not in table.column_names for table in tables.values()):
        return {}
    looks = {part: table.column(LOOK).to_numpy() for part, table in tables.items()}
    grey = {part: _grey(table, schema) for part, table in tables.items()}
    found = {}
    for part in tables:
        if part != "train":
            twins = near_copies((looks[part], looks["train"]), (grey[part], grey["train"]))
            same = (grey[part] == grey["train"][twins]).all(axis=1)
            found[f"{NEAR}{part}"] = int(np.sum((twins >= 0) & ~same))
    return found


def _grey(table: pa.Table, schema: Schema) -> Floats:
    pixels = pixels_of(table.column(schema.compared[0]), schema.picture or (0, 0, 0))
    return np.asarray(pixels.mean(axis=3, dtype=np.float32).reshape(len(pixels), -1))
