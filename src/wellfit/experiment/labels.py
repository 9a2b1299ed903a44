"""People and pictures: the error of those who label dev pictures, and a sheet to check if labels survive augmentation.

Dev rows are shown in one random order, so that any number of them is a fair sample, and without their own labels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from wellfit.base.serialize import Record
from wellfit.base.typing import Floats, Json
from wellfit.data.pictures.schema import pixels_of
from wellfit.data.prepare import Prepared
from wellfit.data.schema import Schema
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.exceptions import BadInput
from wellfit.journal.store import Entry
from wellfit.records.augmentation import NOTHING, OPERATIONS, Augmentation
from wellfit.splits.split import Split
from wellfit.stats.intervals import Estimate, wilson
from wellfit.training.noise import SHARED, Address, batch_order
from wellfit.training.pictures import changed

if TYPE_CHECKING:
    from PIL import Image

KIND = "label"
STREAM = "labelling"
BATCH = 50
SHOWN_SIDE = 320
"""Side to which a small picture is enlarged on the screen, without smoothing."""


def require_labels(schema: Schema) -> None:
    """Refuse data that nobody can label picture by picture; BadInput for a table, or for a number as the target."""
    if schema.picture is None or not schema.classes:
        what = "a table" if schema.picture is None else "a number as the target"
        raise BadInput(
            "only pictures with classes can be labelled",
            found=what,
            remedy="Pass the error of people with --human-error, or several labels per row with --labels-per-row",
        )


def labels_of(entries: Iterable[Entry]) -> dict[int, str]:
    """Return the last label that a person gave to each dev row."""
    return {int(entry.body["row"]): str(entry.body["label"]) for entry in entries if entry.kind == KIND}


def waiting(labels: Mapping[int, str], split: Split) -> list[int]:
    """Return the dev rows that nobody has labelled yet, in the order in which they are shown."""
    order = batch_order(seed=split.seed, stream=STREAM, epoch=0, rows=split.dev.num_rows)
    return [int(row) for row in order if int(row) not in labels]


@dataclass(frozen=True, kw_only=True)
class HumanError(Record):
    """The error of people on dev."""

    error: Estimate | None
    """The share of wrong labels with its Wilson interval; None until something is labelled."""
    rows: int
    """Number of dev pictures."""
    more: int | None
    """How many more labels would settle the verdict on bias at this error; 0 if it is settled, None if labels cannot
    settle it or nothing has been trained yet."""

    @property
    def sentence(self) -> str:
        """The result in words."""
        if self.error is None:
            return f"None of the {self.rows:,} dev pictures has been labelled by hand yet."
        found, labelled = self.error, self.error.rows
        said = f"Human error {100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f} %)"
        settles = "More labels do not settle" if self.more is None else f"About {self.more:,} more would settle"
        settles = "That settles" if self.more == 0 else settles
        return f"{said} on {labelled:,} of {self.rows:,} dev pictures. {settles} whether the bias is high."

    def to_json(self) -> Json:
        """Return plain values."""
        return {**super().to_json(), "sentence": self.sentence}


def human_error(labels: Mapping[int, str], split: Split, *, diagnosis: Diagnosis | None) -> HumanError:
    """Compare people's labels (dev row -> label) with those of the data; `diagnosis` is that of the network, if any."""
    rows = split.dev.num_rows
    if not labels:
        return HumanError(error=None, rows=rows, more=None)
    given = split.dev.column(split.schema.target).cast("string").to_pylist()
    wrong = sum(given[row] != label for row, label in labels.items())
    error = wilson(wrong, len(labels))
    limit = None if diagnosis is None else diagnosis.errors.train.value - diagnosis.tolerance
    return HumanError(error=error, rows=rows, more=None if limit is None else rows_to_settle(error, limit, most=rows))


def rows_to_settle(error: Estimate, limit: float, *, most: int) -> int | None:
    """Return how many more rows, in whole batches, make the interval exclude `limit` (train error less tolerance).

    An interval below the limit means a high bias, one above it no high bias; None if `most` rows are not enough.
    """
    done = error.rows or 0
    for rows in range(done, most + BATCH, BATCH):
        found = wilson(error.value * min(rows, most), min(rows, most))
        if found.high < limit or found.low >= limit:
            return min(rows, most) - done
    return None


def png_of(split: Split, row: int) -> str:
    """Return one dev picture as a PNG in base64; small ones are enlarged."""
    from PIL import Image

    (column,) = (one.name for one in split.schema.columns if one.role == "picture")
    shape = split.schema.shape
    pixels = pixels_of(split.dev.column(column).slice(row, 1), shape)[0]
    image = Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if shape[2] == 1 else pixels))
    factor = max(1, SHOWN_SIDE // max(image.size))
    return _in_base64(image.resize((factor * image.width, factor * image.height), Image.Resampling.NEAREST))


def _in_base64(image: Image.Image, **options: bool) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return base64.b64encode(buffer.getvalue()).decode()


SAMPLES = "pictures"
MOST_PICTURES = 8
CHANGES = 6
MOST_SIDE = 48
"""Largest side of a picture on the sheet, which keeps the page under a million bytes."""
GAP = 2


def sample_sheet(data: Prepared, augmentation: Augmentation, *, seed: int) -> Json:
    """Return the journal's entry: a PNG with one row per picture, the original first, and the ranges.

    The changes are those of the first batches of a training run at strength 1.
    """
    shape, classes = data.preparation.schema.shape, data.preparation.schema.classes
    chosen = np.arange(min(MOST_PICTURES, data.train.rows))
    if classes:
        # The first picture of each class.
        chosen = np.sort(np.unique(data.train.target, return_index=True)[1][:MOST_PICTURES])
    values = torch.from_numpy(data.train.numeric[chosen])
    columns = [values] + [
        changed(values, [(augmentation, 1.0)], at=Address(seed, SHARED, update), shape=shape)[0]
        for update in range(CHANGES)
    ]
    grid = torch.stack(columns, dim=1).numpy().reshape(len(chosen), len(columns), shape[2], *shape[:2])
    target = data.train.target[chosen]
    return {
        "png": _png(grid.clip(0, 1)),
        "labels": [classes[int(each)] if classes else f"{each:g}" for each in target],
        "changes": CHANGES if augmentation != NOTHING else 0,
        "ranges": {name: getattr(augmentation, name) for name in OPERATIONS if getattr(augmentation, name)},
    }


def _png(grid: Floats) -> str:
    """Return pictures [rows, columns, C, H, W] in [0, 1] as one PNG with narrow gaps, in base64."""
    from PIL import Image

    rows, columns, channels, height, width = grid.shape
    whole = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + GAP), column * (width + GAP)
            pixels = (grid[row, column].transpose(1, 2, 0) * 255).round()
            whole[top : top + height, left : left + width] = pixels
    image = Image.fromarray(whole.squeeze(2) if channels == 1 else whole)
    share = min(1.0, MOST_SIDE / max(height, width))
    if share < 1:
        image = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BILINEAR)
    return _in_base64(image, optimize=True)
