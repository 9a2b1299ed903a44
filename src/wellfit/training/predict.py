"""A trained network as a function of prepared rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Preparation
from wellfit.records.config import Config
from wellfit.stats.calibration import tempered
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, network_from, one_thread, outputs_of, predictions_of

_ANY = np.array([-np.inf, np.inf])


@dataclass(frozen=True)
class Part:
    """One network of a model: its share of the average (all add up to 1), and its state as `Outcome.state` has it."""

    weight: float
    config: Config
    state: Mapping[str, Floats]


def predict_average(preparation: Preparation, parts: Sequence[Part]) -> Callable[[Arrays], Floats]:
    """Return the function that averages the networks of an ensemble by their weights; like `predict` of one network."""
    if len(parts) == 1:
        return predict(preparation, parts[0].config, parts[0].state)
    return averaged([(part.weight, predict(preparation, part.config, part.state)) for part in parts])


def averaged(networks: Sequence[tuple[float, Callable[[Arrays], Floats]]]) -> Callable[[Arrays], Floats]:
    """Return the function that averages the predictions of networks by their weights."""
    return lambda arrays: np.asarray(sum(weight * network(arrays).astype(np.float64) for weight, network in networks))


def at_temperature(predict: Callable[[Arrays], Floats], temperature: float) -> Callable[[Arrays], Floats]:
    """Return a function of probabilities at a temperature; at 1 the function itself."""
    return predict if temperature == 1.0 else lambda arrays: tempered(predict(arrays), temperature)


def predict(preparation: Preparation, config: Config, state: Mapping[str, Floats]) -> Callable[[Arrays], Floats]:
    """Return the function of the network that `state` holds, as `Outcome.state` has it.

    It maps arrays of N rows, whose target is not looked at, to probabilities [N, classes], or to values [N] in the
    target's unit, inside the range of the training targets.
    """

    def of(arrays: Arrays) -> Floats:
        with one_thread():
            network = network_from(state, preparation, config.network)
            outputs = outputs_of(network, Inputs.of(arrays))
            return predictions_of(outputs, preparation, output_range=state.get(OUTPUT_RANGE, _ANY))

    return of
