"""A trained model without its experiment: transforms and weights, from rows to predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit._typing import Floats
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Preparation
from wellfit.exceptions import BadInput
from wellfit.experiment.predicting import predicted_batches, write_batches
from wellfit.goals import Goal
from wellfit.training.predict import predict


@dataclass(frozen=True)
class Part:
    """One network of a model, and its share of the average.

    Attributes:
        weight: its share; the shares of all parts add up to 1.
        config: how it was trained.
        state: parameter name -> array, as `Outcome.state`.
    """

    weight: float
    config: Config
    state: Mapping[str, Floats]


@dataclass(frozen=True)
class Model:
    """Everything that prediction needs.

    Attributes:
        goal: what it was chosen by.
        preparation: the transforms that were fit on the training rows.
        parts: one network, or those of an ensemble.
    """

    goal: Goal
    preparation: Preparation
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if any(part.config.network.module for part in self.parts):
            raise BadInput(
                "a model that travels is made of wellfit's own networks",
                found="a module of the user's own",
                remedy="Save its `Outcome.state` beside the code of the module",
            )

    def of_arrays(self, arrays: Arrays) -> Floats:
        """Probabilities [N, classes], or values [N], of prepared rows."""
        total = sum(
            part.weight * predict(self.preparation, part.config, part.state)(arrays).astype(np.float64)
            for part in self.parts
        )
        return np.asarray(total)

    def predict(self, new: Any, *, out: Path | str | None = None) -> pa.Table | int:
        """Predict new rows in their order; a file is streamed in constant memory.

        Args:
            new: file, data frame, or a frame's rows.
            out: a .csv or .parquet file to stream to.

        Returns:
            `prediction` (and `p_<class>`) as an Arrow table; with `out` the number of rows written.

        Raises:
            BadInput: for rows that the transforms cannot take; nothing is written.
        """
        batches = predicted_batches(new, preparation=self.preparation, predict=self.of_arrays)
        return write_batches(batches, Path(out)) if out else pa.concat_tables(batches)
