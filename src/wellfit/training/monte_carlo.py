"""Monte-Carlo dropout (Gal and Ghahramani, 2016): dropout stays on at prediction, and several passes are averaged.

The mean over the passes takes the place of one pass without dropout; their spread says how sure the network is. It
costs as many passes, so `monte_carlo` measures on dev whether they buy anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from wellfit._typing import Floats, Json
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.outcome import Outcome
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.stats.scores import row_losses
from wellfit.training.dropout import Dropout
from wellfit.training.learning_curve import some_rows
from wellfit.training.module import AnyNetwork
from wellfit.training.moment import Moment
from wellfit.training.predict import predict
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, network_from, predictions_of, rows_at_once
from wellfit.training.threads import one_thread

PASSES = 30
"""As in the comparison of training.md: 30 passes, and 30 times the cost."""
_ANY = np.array([-np.inf, np.inf])
_TIMES = 3
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class MonteCarlo:
    """What several passes with dropout came to on dev.

    Attributes:
        passes: how many.
        mean: probabilities [rows, classes], or values [rows] in the target's unit.
        spread: their standard deviation over the passes, of the same shape.
        gain: what they take off the goal's loss of a single pass without dropout, over the same rows.
        cost: seconds of all passes, in multiples of that single pass.
    """

    passes: int
    mean: Floats
    spread: Floats
    gain: Estimate
    cost: float

    def to_json(self) -> Json:
        """The scalars, for the journal."""
        return {"passes": self.passes, "gain": self.gain.to_json(), "cost": self.cost}


def monte_carlo(
    data: Prepared, outcome: Outcome, *, goal: Goal, passes: int = PASSES, most: int | None = None
) -> MonteCarlo:
    """Measure on dev what `passes` passes with dropout gain over one without, and what they cost.

    Args:
        data: with the dev rows.
        outcome: the network.
        goal: in whose loss the gain is measured.
        passes: how many passes are averaged.
        most: about so many dev rows are measured, drawn by the config's seed; all when None.

    Raises:
        BadInput: for fewer than two passes.
    """
    rows = data.dev if most is None else _thinned(data.dev, seed=outcome.config.seed, most=most)
    single, one_pass = _timed(predict(data.preparation, outcome.config, outcome.state), rows, times=_TIMES)
    several = predict_often(data.preparation, outcome.config, outcome.state, passes=passes)
    (mean, spread), all_passes = _timed(several, rows, times=1)
    losses = (row_losses(goal, rows.target, predictions) for predictions in (single, mean))
    return MonteCarlo(
        passes=passes, mean=mean, spread=spread, gain=paired_difference(*losses), cost=all_passes / one_pass
    )


def predict_often(
    preparation: Preparation, config: Config, state: Mapping[str, Floats], *, passes: int = PASSES
) -> Callable[[Arrays], tuple[Floats, Floats]]:
    """Return the function of the network that `state` holds, with dropout on: the mean of `passes` passes, and spread.

    Dropout has the full rate of the config, also where its schedule ended at none. The same rows get the same masks.

    Raises:
        BadInput: for fewer than two passes.
    """
    if passes < 2:
        raise BadInput("Monte-Carlo dropout takes at least 2 passes", found=f"passes={passes}", remedy="Give 2 or more")

    def of(arrays: Arrays) -> tuple[Floats, Floats]:
        with one_thread(), torch.no_grad():
            network, inputs = network_from(state, preparation, config.network), Inputs.of(arrays)
            most, found = rows_at_once(network), []
            for batch, start in enumerate(range(0, max(len(inputs), 1), most)):
                drops = _drops(config, batch=batch, passes=passes)
                outputs = _outputs(network, inputs[start : start + most], drops)
                found.append(_moments(predictions_of(each, preparation, output_range=_ANY) for each in outputs))
        mean, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return (mean.clip(*state[OUTPUT_RANGE]) if OUTPUT_RANGE in state else mean), spread

    return of


def _thinned(arrays: Arrays, *, seed: int, most: int) -> Arrays:
    chosen = some_rows(arrays, seed=seed, stream="monte carlo", most=most)
    return Arrays(arrays.numeric[chosen], arrays.codes[chosen], arrays.target[chosen])


def _drops(config: Config, *, batch: int, passes: int) -> Iterator[Dropout]:
    """Dropout of every pass, with noise at an address of its own."""
    steady = replace(config, regularization=replace(config.regularization, keep_prob_schedule="constant"))
    for number in range(passes):
        yield Dropout(Moment(config=steady, stream=f"monte carlo/{number}", update=batch, updates=batch + 1))


def _outputs(network: AnyNetwork, inputs: Inputs, drops: Iterable[Dropout]) -> Iterator[Tensor]:
    # Dropout comes after a layer's activation: what enters the first layer is the same in every pass.
    encoded = network.encode(inputs.numeric, inputs.codes)
    return (network.from_encoded(encoded, drop) for drop in drops)


def _moments(passes: Iterable[Floats]) -> tuple[Floats, Floats]:
    """Mean and standard deviation over at least two passes, without keeping them (Welford, 1962)."""
    mean, squares, count = np.zeros(1), np.zeros(1), 0
    for count, each in enumerate(passes, start=1):
        step = each - mean
        mean = mean + step / count
        squares = squares + step * (each - mean)
    return mean, np.sqrt(squares / (count - 1))


def _timed(of: Callable[[Arrays], _T], arrays: Arrays, *, times: int) -> tuple[_T, float]:
    """What `of` returns, and the seconds that it takes at best."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        found = of(arrays)
        seconds.append(time.monotonic() - began)
    return found, min(seconds)
