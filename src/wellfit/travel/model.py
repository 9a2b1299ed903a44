"""A trained model without its experiment: transforms and weights, from rows to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit._typing import Floats
from wellfit.data.prepare import Arrays, Preparation
from wellfit.exceptions import BadInput
from wellfit.experiment.predicting import predicted_batches, with_views, write_batches
from wellfit.goals import Goal
from wellfit.training.predict import Part, at_temperature, predict_average


@dataclass(frozen=True)
class Model:
    """Everything that prediction needs.

    Attributes:
        goal: what it was chosen by.
        preparation: the transforms that were fit on the training rows.
        parts: one network, or those of an ensemble.
        temperature: of their average (stats/calibration.py); 1 leaves it as it is.
    """

    goal: Goal
    preparation: Preparation
    parts: tuple[Part, ...]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if any(part.config.network.module for part in self.parts):
            raise BadInput(
                "a model that travels is made of wellfit's own networks",
                found="a module of the user's own",
                remedy="Save its `Outcome.state` beside the code of the module",
            )

    def of_arrays(self, arrays: Arrays) -> Floats:
        """Probabilities [N, classes], or values [N], of prepared rows."""
        network = at_temperature(predict_average(self.preparation, self.parts), self.temperature)
        return np.asarray(network(arrays), dtype=np.float64)

    def predict(self, new: Any, *, out: Path | str | None = None, views: int = 1, passes: int = 1) -> pa.Table | int:
        """Predict new rows in their order; a file is streamed in constant memory.

        Args:
            new: file, data frame, or a frame's rows.
            out: a .csv or .parquet file to stream to.
            views: of each picture, over which predictions are averaged; they take so many times as long.
            passes: with dropout on, over which predictions are averaged (Monte-Carlo dropout); 1 is without dropout.

        Returns:
            `prediction` (and `p_<class>`) as an Arrow table; with `out` the number of rows written.

        Raises:
            BadInput: for rows that the transforms cannot take, views of a table, and passes of a network that was
                trained without dropout; nothing is written.
        """
        predict = with_views(self.parts, self.preparation, views=views, passes=passes, temperature=self.temperature)
        batches = predicted_batches(new, preparation=self.preparation, predict=predict)
        return write_batches(batches, Path(out)) if out else pa.concat_tables(batches)
