"""A Lightning callback that says at the end of fit where the error comes from, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.exceptions import BadInput
from wellfit.loops.mc_dropout import in_order, joined, predictions_of, split_batch

Predict = Callable[[pl.LightningModule, Any], tuple[Tensor, Tensor]]


def predict_pair(module: pl.LightningModule, batch: Any) -> tuple[Tensor, Tensor]:
    """(y, prediction) of a batch (x, y): what the module returns for x, as probabilities or values."""
    inputs, target = split_batch(batch)
    return target, predictions_of(module(inputs), target)


class DiagnosisCallback(pl.Callback):
    """Prints the ladder and the prescription when `Trainer.fit` ends.

        trainer = pl.Trainer(callbacks=[DiagnosisCallback(human_error=.01)])

    The training rows are gone through once more, in order and without dropout; the validation rows are dev.

    Args:
        predict: (module, batch) -> (y, prediction), where batches are not (x, y) or the module returns more.
        write: receives the text.
        **options: as `wellfit.diagnose_predictions`: goal, human_error, human_rows, optimal_error, tolerance.

    Attributes:
        diagnosis: of the last fit; None before.
    """

    def __init__(
        self, *, predict: Predict = predict_pair, write: Callable[[str], object] = print, **options: Any
    ) -> None:
        super().__init__()
        self.diagnosis: Diagnosis | None = None
        self._predict = predict
        self._write = write
        self._options = options

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Refuse a fit without dev rows before it costs anything."""
        if not trainer.enable_validation:
            raise BadInput(
                "a diagnosis needs dev rows beside the training rows",
                found="no validation loader",
                remedy="Give Trainer.fit a val_dataloaders, and the module a validation_step",
            )

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Predict train and dev, diagnose, and write it."""
        validation = trainer.val_dataloaders
        several = list(validation) if isinstance(validation, list | tuple) else [validation]
        loaders = {"train": [trainer.train_dataloader], "dev": several}

        def predicted(loaders: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor]]:
            for loader in loaders:
                for batch in in_order(loader):
                    yield self._predict(pl_module, trainer.strategy.batch_to_device(batch))

        training = pl_module.training
        pl_module.eval()
        try:
            with torch.no_grad():
                pairs = {part: joined(predicted(each), part=part) for part, each in loaders.items()}
        finally:
            pl_module.train(training)
        self.diagnosis = diagnose_predictions(train=pairs["train"], dev=pairs["dev"], **self._options)
        self._write(str(self.diagnosis))
