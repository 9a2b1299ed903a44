"""Monte-Carlo dropout (Gal and Ghahramani, 2016): dropout stays on at prediction, and several passes are averaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.training.learning_curve import some_rows
from wellfit.training.network import Dropout
from wellfit.training.schedules import Update
from wellfit.training.tensors import (
    ANY,
    OUTPUT_RANGE,
    Inputs,
    Part,
    averaged,
    network_from,
    one_thread,
    predict,
    predict_average,
    predictions_of,
    rows_at_once,
)

PASSES = 30
"""Default number of passes, at 30 times the cost (docs/methods.md, "Monte-Carlo dropout")."""
_TIMES = 3
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class MonteCarlo(Record):
    """The result of several passes with dropout on dev, compared with a single pass without.

    `mean` has probabilities [rows, classes], or values [rows] in the target's unit, and `spread` their standard
    deviation over the passes. The goal's loss is lower by `gain`; the passes take `cost` times as long.
    """

    passes: int
    mean: Floats = field(metadata=OMITTED)
    spread: Floats = field(metadata=OMITTED)
    gain: Estimate
    cost: float


def monte_carlo(
    data: Prepared, outcome: Outcome, *, goal: Goal, passes: int = PASSES, most: int | None = None
) -> MonteCarlo:
    """Measure the gain of at least two passes with dropout over one without, in the goal's loss, and their cost.

    About `most` dev rows, drawn by the config's seed, are measured; all of them if it is None.
    """
    rows = data.dev
    if most is not None:
        rows = some_rows(rows, seed=outcome.config.seed, stream="monte carlo", most=most)
    single, one_pass = _timed(predict(data.preparation, outcome.config, outcome.state), rows, times=_TIMES)
    several = predict_often(data.preparation, outcome.config, outcome.state, passes=passes)
    (mean, spread), all_passes = _timed(several, rows, times=1)
    losses = (goal.row_losses(rows.target, predictions) for predictions in (single, mean))
    return MonteCarlo(
        passes=passes, mean=mean, spread=spread, gain=paired_difference(*losses), cost=all_passes / one_pass
    )


def predict_often(
    preparation: Preparation, config: Config, state: Mapping[str, Floats], *, passes: int = PASSES
) -> Callable[[Arrays], tuple[Floats, Floats]]:
    """Return a function for the network in `state` with dropout on: rows -> mean and spread of `passes` passes.

    Dropout has the full rate of the config, even if its schedule ended without it. The same rows get the same masks.
    """
    if passes < 2:
        raise BadInput(
            "Monte-Carlo dropout must have at least 2 passes", found=f"passes={passes}", remedy="Pass 2 or more"
        )

    steady = replace(config, regularization=replace(config.regularization, keep_prob_schedule="constant"))

    def of(arrays: Arrays) -> tuple[Floats, Floats]:
        with one_thread(), torch.no_grad():
            network, inputs = network_from(state, preparation, config.network), Inputs.of(arrays)
            most, found = rows_at_once(network), []
            for batch, start in enumerate(range(0, max(len(inputs), 1), most)):
                some = inputs[start : start + most]
                # Dropout comes after a layer's activation: what enters the first layer is the same in every pass.
                encoded = network.encode(some.numeric, some.codes)
                at = [
                    Update(config=steady, stream=f"monte carlo/{n}", update=batch, updates=batch + 1)
                    for n in range(passes)
                ]
                outputs = (network.from_encoded(encoded, Dropout(each)) for each in at)
                found.append(_moments(predictions_of(each, preparation, output_range=ANY) for each in outputs))
        mean, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return (mean.clip(*state[OUTPUT_RANGE]) if OUTPUT_RANGE in state else mean), spread

    return of


def _moments(passes: Iterable[Floats]) -> tuple[Floats, Floats]:
    """Return mean and standard deviation over at least two passes, without keeping them (Welford, 1962)."""
    mean, squares, count = np.zeros(1), np.zeros(1), 0
    for count, each in enumerate(passes, start=1):
        step = each - mean
        mean = mean + step / count
        squares = squares + step * (each - mean)
    return mean, np.sqrt(squares / (count - 1))


def _timed(of: Callable[[Arrays], _T], arrays: Arrays, *, times: int) -> tuple[_T, float]:
    """Return the result of `of`, and its shortest running time in seconds."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        found = of(arrays)
        seconds.append(time.monotonic() - began)
    return found, min(seconds)


def average_often(preparation: Preparation, parts: Sequence[Part], *, passes: int) -> Callable[[Arrays], Floats]:
    """Return a function that averages `passes` passes with dropout of each network, then the networks by weight.

    A single pass is the usual one, without dropout; a network in an ensemble that was trained without dropout also
    makes only the usual one. Fewer than one pass is refused, and so are several passes that would all be the same.
    """
    if passes < 1:
        raise BadInput("passes must be 1 or more", found=f"{passes}", remedy="Pass another number, such as 30")
    if passes == 1:
        return predict_average(preparation, parts)
    if not any(_has_dropout(part) for part in parts):
        raise BadInput(
            "several passes must use a network that was trained with dropout",
            found=f"{passes} passes, but keep_prob 1 in every layer",
            remedy="Remove passes, or train with keep_prob below 1",
        )
    return averaged([(part.weight, _mean_of(preparation, part, passes=passes)) for part in parts])


def _has_dropout(part: Part) -> bool:
    return min(part.config.keep_probs, default=1.0) < 1


def _mean_of(preparation: Preparation, part: Part, *, passes: int) -> Callable[[Arrays], Floats]:
    if not _has_dropout(part):
        return predict(preparation, part.config, part.state)
    several = predict_often(preparation, part.config, part.state, passes=passes)
    return lambda arrays: several(arrays)[0]
