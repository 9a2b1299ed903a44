"""What several views of each picture buy on dev, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wellfit._typing import Floats, Json
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.diagnosis.words import error_text, gap_text
from wellfit.goals import Goal
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.stats.scores import row_losses
from wellfit.training.passes import average_often
from wellfit.training.predict import Part, at_temperature
from wellfit.training.test_time import averaged_views, require_views, view_of

_THOUSAND = 1_000


@dataclass(frozen=True, kw_only=True)
class Views:
    """Test-time augmentation on dev.

    Attributes:
        goal: in whose loss the numbers are.
        views: of each picture, the picture itself among them.
        without: dev loss of the pictures as they are.
        averaged: dev loss of the averaged views.
        gain: without - averaged, paired, with its 95 % interval.
        seconds: for a thousand pictures, as they are and with all views.
    """

    goal: Goal
    views: int
    without: float
    averaged: float
    gain: Estimate
    seconds: tuple[float, float]

    @property
    def sentence(self) -> str:
        """What they buy and cost, as a person says it."""
        before, after = (error_text(self.goal, each) for each in (self.without, self.averaged))
        low, high = (gap_text(self.goal, each) for each in (self.gain.low, self.gain.high))
        one, many = self.seconds
        return (
            f"With {self.views} views of each picture dev is at {after}, without at {before} (a gain of {low} to "
            f"{high}); a thousand pictures take {many:.2g} s instead of {one:.2g} s, {many / one:.1f} times as long."
        )

    def to_json(self) -> Json:
        """Plain values."""
        return {
            "views": self.views,
            "without": self.without,
            "averaged": self.averaged,
            "gain": self.gain.to_json(),
            "seconds_per_thousand": {"without": self.seconds[0], "averaged": self.seconds[1]},
            "sentence": self.sentence,
        }


def with_views(
    parts: Sequence[Part], preparation: Preparation, *, views: int, passes: int = 1, temperature: float = 1.0
) -> Callable[[Arrays], Floats]:
    """Return the function that predicts by the average of so many views of a picture, in so many passes with dropout.

    The temperature is that of the average, as it was fitted.

    Raises:
        BadInput: for a number out of range, views of a table, or passes of networks without dropout.
    """
    require_views(views, preparation)
    alone = average_often(preparation, parts, passes=passes)
    if views == 1 or preparation.schema.picture is None:
        return at_temperature(alone, temperature)
    several = averaged_views(alone, view_of(parts, preparation), shape=preparation.schema.picture, views=views)
    return at_temperature(several, temperature)


def views_on_dev(parts: Sequence[Part], data: Prepared, *, goal: Goal, views: int, temperature: float = 1.0) -> Views:
    """Measure what several views of each dev picture buy and cost.

    Raises:
        BadInput: as `with_views`.
    """
    several = [with_views(parts, data.preparation, views=each, temperature=temperature) for each in (1, views)]
    losses, seconds = [], []
    for predict in several:
        began = time.perf_counter()
        found = predict(data.dev)
        seconds.append((time.perf_counter() - began) * _THOUSAND / data.dev.rows)
        losses.append(row_losses(goal, data.dev.target, found))
    return Views(
        goal=goal,
        views=views,
        without=float(losses[0].mean()),
        averaged=float(losses[1].mean()),
        gain=paired_difference(*losses),
        seconds=(seconds[0], seconds[1]),
    )
