"""A trained network as a function of prepared rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from wellfit._typing import Floats
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Preparation
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, network_from, outputs_of, predictions_of
from wellfit.training.threads import one_thread

_ANY = np.array([-np.inf, np.inf])


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
