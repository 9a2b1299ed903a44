"""A skorch callback that says at the end of fit where the error comes from, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.dataset import unpack_data

from wellfit.base.typing import Floats
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.exceptions import BadInput
from wellfit.loops.mc_dropout import joined, predictions_of


class DiagnosisCallback(Callback):  # type: ignore[misc] # skorch has no types
    """Prints the ladder and the prescription when `fit` ends.

        NeuralNetClassifier(Net, callbacks=[DiagnosisCallback(human_error=.01)]).fit(X, y)

    Train and dev are the two parts that the net's own `train_split` made.

    Args:
        goal: as in `wellfit.diagnose_predictions`, and so are the next four.
        human_error: error of people.
        human_rows: on how many rows it was measured.
        optimal_error: known range of the lowest reachable error.
        tolerance: gap that does not matter.
        write: receives the text.

    Attributes:
        diagnosis_: of the last fit.
    """

    def __init__(
        self,
        *,
        goal: str | None = None,
        human_error: float | None = None,
        human_rows: int | None = None,
        optimal_error: tuple[float, float] | float | None = None,
        tolerance: float | None = None,
        write: Callable[[str], object] = print,
    ) -> None:
        # skorch clones a net by these names.
        self.goal = goal
        self.human_error = human_error
        self.human_rows = human_rows
        self.optimal_error = optimal_error
        self.tolerance = tolerance
        self.write = write

    def initialize(self) -> DiagnosisCallback:
        """Forget the parts of an earlier fit."""
        self.diagnosis_: Diagnosis | None = None
        self._parts: dict[str, Any] = {}
        return self

    def on_epoch_begin(self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Keep the two parts; refuse a fit without dev rows before it costs anything."""
        if dataset_valid is None:
            raise BadInput(
                "a diagnosis needs dev rows beside the training rows",
                found="train_split=None",
                remedy="Give the net a train_split, for example skorch.dataset.ValidSplit(5)",
            )
        self._parts = {"train": dataset_train, "dev": dataset_valid}

    def on_train_end(self, net: NeuralNet, **_: Any) -> None:
        """Predict train and dev, diagnose, and write it."""
        if not self._parts:
            return
        pairs = {part: _pair(net, dataset, part=part) for part, dataset in self._parts.items()}
        self.diagnosis_ = diagnose_predictions(
            train=pairs["train"],
            dev=pairs["dev"],
            goal=self.goal,
            human_error=self.human_error,
            human_rows=self.human_rows,
            optimal_error=self.optimal_error,
            tolerance=self.tolerance,
        )
        self.write(str(self.diagnosis_))


def _pair(net: NeuralNet, dataset: Any, *, part: str) -> tuple[Floats, Floats]:
    def of(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        _, target = unpack_data(batch)
        outputs = net.evaluation_step(batch, training=False)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        return target, predictions_of(outputs, target)

    return joined((of(batch) for batch in net.get_iterator(dataset, training=False)), part=part)
