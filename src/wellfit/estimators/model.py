"""Trained networks as an estimator keeps them: plain values that pickle, and a function of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from scipy.special import softmax

from wellfit.base.typing import Floats
from wellfit.data.prepare import Preparation
from wellfit.data.schema import Column
from wellfit.estimators.inputs import Rows, target_moments
from wellfit.records.outcome import Outcome
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, Part, network_from, one_thread, outputs_of


@dataclass(frozen=True)
class Model:
    """One network, or the average of several, with the transforms; outputs become predictions by `mean` and `scale`.

    These are moments of the targets: scalars, or [targets].
    """

    preparation: Preparation
    parts: tuple[Part, ...]
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, preparation: Preparation, outcomes: Sequence[Outcome], *, train: Rows) -> Model:
        """Return the average of trainings on these rows."""
        mean, scale = (np.zeros(()), np.ones(())) if preparation.schema.classes else target_moments(train)
        parts = tuple(Part(1 / len(outcomes), each.config, dict(each.state)) for each in outcomes)
        return cls(preparation, parts, mean, scale)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features, in order."""
        return self.preparation.schema.columns

    def probabilities(self, table: pa.Table) -> Floats:
        """Return the probability of each class [rows, classes]."""
        return self._average(table, lambda _part, outputs: np.asarray(softmax(outputs, axis=1)))

    def values(self, table: pa.Table) -> Floats:
        """Return the targets in their own unit [rows] or [rows, targets], inside the range of the training rows."""
        return self._average(table, self._values)

    def _values(self, part: Part, outputs: Floats) -> Floats:
        outputs = outputs[:, 0] if self.preparation.targets == 1 else outputs
        low, high = part.state[OUTPUT_RANGE]
        if self.preparation.targets > 1:
            # The engine knew several targets as standardized ones.
            low, high = low * self.scale + self.mean, high * self.scale + self.mean
        return np.clip(outputs * self.scale + self.mean, low, high)

    def _average(self, table: pa.Table, predicted: Callable[[Part, Floats], Floats]) -> Floats:
        # In float64 a row has the same outputs whatever rows are beside it, to 1e-12.
        inputs = Inputs.of(self.preparation.transform(table, with_target=False), dtype=torch.float64)
        return np.asarray(sum(part.weight * predicted(part, self._outputs(part, inputs)) for part in self.parts))

    def _outputs(self, part: Part, inputs: Inputs) -> Floats:
        with one_thread():
            network = network_from(part.state, self.preparation, part.config.network).double()
            return np.asarray(outputs_of(network, inputs).numpy())
