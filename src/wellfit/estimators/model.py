"""A trained network as an estimator keeps it: plain values that pickle, and a function of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from scipy.special import softmax

from wellfit._typing import Floats
from wellfit.config import Config
from wellfit.data.prepare import Preparation
from wellfit.data.schema import Column
from wellfit.estimators.preparing import target_moments
from wellfit.estimators.rows import Rows
from wellfit.outcome import Outcome
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, network_from, outputs_of
from wellfit.training.threads import one_thread


@dataclass(frozen=True)
class Model:
    """One network with its transforms.

    Attributes:
        preparation: from a table to arrays.
        config: that it was trained with.
        state: parameter name -> array.
        mean: of the targets, and
        scale: of the targets, by which outputs become predictions; scalars, or [targets].
    """

    preparation: Preparation
    config: Config
    state: Mapping[str, Floats]
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, preparation: Preparation, outcome: Outcome, *, train: Rows) -> Model:
        """Return the model of a finished training on these rows."""
        mean, scale = (np.zeros(()), np.ones(())) if preparation.schema.classes else target_moments(train)
        return cls(preparation, outcome.config, dict(outcome.state), mean, scale)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features, in order."""
        return self.preparation.schema.columns

    def probabilities(self, table: pa.Table) -> Floats:
        """Return the probability of each class [rows, classes]."""
        return np.asarray(softmax(self._outputs(table), axis=1))

    def values(self, table: pa.Table) -> Floats:
        """Return the targets in their own unit [rows] or [rows, targets], inside the range of the training rows."""
        outputs = self._outputs(table)
        outputs = outputs[:, 0] if self.preparation.targets == 1 else outputs
        low, high = self.state[OUTPUT_RANGE]
        if self.preparation.targets > 1:
            # The engine knew several targets as standardized ones.
            low, high = low * self.scale + self.mean, high * self.scale + self.mean
        return np.clip(outputs * self.scale + self.mean, low, high)

    def _outputs(self, table: pa.Table) -> Floats:
        # In float64 a row has the same outputs whatever rows are beside it, to 1e-12.
        arrays = self.preparation.transform(table, with_target=False)
        with one_thread():
            network = network_from(self.state, self.preparation, self.config.network).double()
            return np.asarray(outputs_of(network, Inputs.of(arrays, dtype=torch.float64)).numpy())
