"""Prediction by Monte-Carlo dropout: the mean of several passes with dropout, for one network or an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wellfit._typing import Floats
from wellfit.data.prepare import Arrays, Preparation
from wellfit.exceptions import BadInput
from wellfit.training.monte_carlo import predict_often
from wellfit.training.predict import Part, predict, predict_average


def require_passes(passes: int, parts: Sequence[Part]) -> None:
    """Refuse a number of passes that is none, and several passes that would all be the same.

    Raises:
        BadInput: for fewer than one pass, or several passes of networks without dropout.
    """
    if passes < 1:
        raise BadInput("passes are 1 or more", found=f"{passes}", remedy="Give another number, such as 30")
    if passes > 1 and not any(_drops(part) for part in parts):
        raise BadInput(
            "several passes need a network that was trained with dropout",
            found=f"{passes} passes, and keep_prob 1 in every layer",
            remedy="Leave passes out, or train with keep_prob below 1",
        )


def average_often(preparation: Preparation, parts: Sequence[Part], *, passes: int) -> Callable[[Arrays], Floats]:
    """Return the function that averages `passes` passes with dropout of each network, and those by their weights.

    One pass is the usual one, without dropout; so is that of a network in an ensemble that was trained without.

    Raises:
        BadInput: as `require_passes`.
    """
    require_passes(passes, parts)
    if passes == 1:
        return predict_average(preparation, parts)
    networks = [(part.weight, _mean_of(preparation, part, passes=passes)) for part in parts]

    def of(arrays: Arrays) -> Floats:
        return np.asarray(sum(weight * network(arrays).astype(np.float64) for weight, network in networks))

    return of


def _drops(part: Part) -> bool:
    return min(part.config.keep_probs, default=1.0) < 1


def _mean_of(preparation: Preparation, part: Part, *, passes: int) -> Callable[[Arrays], Floats]:
    if not _drops(part):
        return predict(preparation, part.config, part.state)
    several = predict_often(preparation, part.config, part.state, passes=passes)
    return lambda arrays: several(arrays)[0]
