"""Test-time augmentation: a picture is predicted as it is and as a few changed views, and the predictions are averaged.

A view is the same change for every picture, so that a prediction depends neither on the others nor on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from wellfit._typing import Floats
from wellfit.augment.apply import DRAWN
from wellfit.augment.fast import changed_fast
from wellfit.augmentation import Augmentation, asked_for
from wellfit.data.prepare import Arrays, Preparation
from wellfit.exceptions import BadInput
from wellfit.training.noise import picture_draws
from wellfit.training.pictures import Member
from wellfit.training.predict import Part

STREAM = "test time"
MOST_VIEWS = 256
_SPOILS = ("erase", "noise", "cutmix")
"""Changes that only take away: they help to learn, and not to see."""


def require_views(views: int, preparation: Preparation) -> None:
    """Refuse a number of views that is none.

    Raises:
        BadInput: out of range, or several views of the rows of a table.
    """
    if not 1 <= views <= MOST_VIEWS:
        raise BadInput(f"views are 1 to {MOST_VIEWS}", found=f"{views}", remedy="Give another number, such as 8")
    if views > 1 and preparation.schema.picture is None:
        raise BadInput("several views are for pictures", found=f"{views} views of a table", remedy="Leave views out")


def view_of(parts: Sequence[Part], preparation: Preparation) -> Member:
    """Return the changes of the views: those that the heaviest network was trained with, or light ones."""
    config = max(parts, key=lambda part: part.weight).config
    strength = config.regularization.augment
    shape = preparation.schema.picture or (0, 0, 0)
    light = asked_for("light", classes=preparation.schema.classes, colour=shape[2] == 3)
    ranges: Augmentation = config.augmentation if strength else light
    return replace(ranges, **dict.fromkeys(_SPOILS, 0.0)), strength or 1.0


def averaged_views(
    predict: Callable[[Arrays], Floats], member: Member, *, shape: tuple[int, int, int], views: int
) -> Callable[[Arrays], Floats]:
    """Return `predict` averaged over the picture itself and `views` - 1 changed views of it."""
    height, width, channels = shape
    # Philox gives the first rows whatever follows: more views keep the earlier ones.
    draws = picture_draws(seed=0, stream=STREAM, update=0, rows=views, width=DRAWN)

    def of(arrays: Arrays) -> Floats:
        pictures = arrays.numeric.reshape(-1, channels, height, width)
        total = predict(arrays).astype(np.float64)
        for view in draws[1:]:
            uniform = np.broadcast_to(view, (len(pictures), DRAWN))
            seen = changed_fast(pictures, [member], uniform=np.ascontiguousarray(uniform), normal=None)[0]
            total += predict(replace(arrays, numeric=seen.reshape(len(pictures), -1)))
        return np.asarray(total / views)

    return of
