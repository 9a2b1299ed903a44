"""What only pictures have: near copies, which their looks tell best, and random changes that their labels survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wellfit._typing import Floats
from wellfit.augmentation import Augmentation, asked_for
from wellfit.data.features import Feature, Features
from wellfit.data.schema import Schema
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.splits.look_alikes import NEAR
from wellfit.splits.split import Split

DEFAULT_AUGMENT = "strong"
CODE = "WF205"
MATERIAL = 0.01
"""Near copies of one dev or test picture in a hundred matter."""


def with_look_alikes(findings: Sequence[Finding], split: Split) -> tuple[Finding, ...]:
    """Put the near copies that the split found in place of those among measured columns; tables have none."""
    counts = {part[len(NEAR) :]: count for part, count in split.duplicates.items() if part.startswith(NEAR)}
    if not counts:
        return tuple(findings)
    said = ", ".join(f"{count:,} of {split.rows[part]:,} {part.replace('_', '-')}" for part, count in counts.items())
    fired = any(count > MATERIAL * split.rows[part] for part, count in counts.items())
    evidence = f"Pictures that look like one of train (perceptual hash, confirmed pixel by pixel): {said}."
    found = finding(CODE, fired=fired, evidence=evidence)
    return tuple(found if one.code == CODE else one for one in findings)


def with_channels(part: Rows, seen: Floats) -> Rows:
    """Put what a network sees in each picture, [rows, channels], beside what was measured of it."""
    channels = tuple(Feature(f"channel {place + 1} of the network", "number") for place in range(seen.shape[1]))
    features = part.features
    return replace(part, features=Features((*features.columns, *channels), np.hstack([features.values, seen])))


def augmentation_for(schema: Schema, asked: str | None) -> Augmentation:
    """Return the ranges of the random changes for pictures of these classes.

    Raises:
        BadInput: for an augmentation that is none, or on a table.
    """
    if schema.picture is None:
        if asked is None:
            return Augmentation()
        raise BadInput("augment is for pictures", found=f"augment={asked!r} with a table", remedy="Leave it out")
    colour = schema.picture[2] == 3
    return asked_for(asked or DEFAULT_AUGMENT, classes=schema.classes, colour=colour)
