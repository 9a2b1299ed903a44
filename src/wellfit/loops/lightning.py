"""A Lightning callback that shows at the end of a fit where the error comes from, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from wellfit.base.generators import kept_generators
from wellfit.checking.before import warn_of_batches
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.exceptions import BadInput
from wellfit.loops.batches import as_written, evaluating, first_batch, rows_of, split_batch
from wellfit.loops.outputs import (
    LossSpy,
    OutputKind,
    Pair,
    Reading,
    Teller,
    Trial,
    check_options,
    decide,
    given_pairs,
    second_softmax,
)

Predict = Callable[[pl.LightningModule, Any], tuple[Tensor, Tensor]]
Name = int | str
_SLACK = 1e-4
"""Largest difference from a logged number that is ignored, since Lightning computes it in float32."""


@dataclass(frozen=True)
class _Loader:
    """A loader, and its place among the loaders over which Lightning iterates."""

    loader: Any
    place: int = 0


class DiagnosisCallback(pl.Callback):
    """Prints the ladder and the prescription when `Trainer.fit` ends.

        trainer = pl.Trainer(callbacks=[DiagnosisCallback(human_error=.01)])

    The rows that the loaders' own samplers yield are read once more as in Lightning's validation, in its state and
    precision and without dropout. The kinds of outputs and targets are inferred from the loss (a function or module of
    torch) in the training step. A fit that cannot be diagnosed is refused before the first update.

    Args:
        predict: a function of (module, batch) that returns (y, prediction), if batches are not (x, y) or forward needs
            more than x. Predictions are labels, values or probabilities, as in `wellfit.diagnose_predictions`.
        outputs: what forward returns, if no loss of torch shows it: "logits", "probabilities" or "values".
        dev: the place or the key of the validation loader that is dev, if there are several.
        train_dev: the place or the key of the one with rows of the training distribution that were not trained on.
        write: a function that receives the text.
        trial: what `wellfit.Study.ask` returned: the predictions are told to the study.
        **options: as for `wellfit.diagnose_predictions`: goal, human_error, human_rows, optimal_error, tolerance.

    Attributes:
        diagnosis: the diagnosis of the last fit; None before the first one.
    """

    def __init__(
        self,
        *,
        predict: Predict | None = None,
        outputs: OutputKind | None = None,
        dev: Name | None = None,
        train_dev: Name | None = None,
        write: Callable[[str], object] = print,
        trial: Teller | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(options)
        self.diagnosis: Diagnosis | None = None
        self._predict = predict
        self._outputs = outputs
        self._named = {"train_dev": train_dev, "dev": dev}
        self._write = write
        self._trial = trial
        self._options = options
        self._forget()

    def _forget(self) -> None:
        self._trials: dict[str, Trial] = {}
        self._reading: Reading | None = None
        self._spy: LossSpy | None = None
        self._notes: tuple[str, ...] = ()

    def on_fit_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Refuse a fit without dev rows, or in several processes, before it costs anything."""
        self._forget()
        if not trainer.enable_validation:
            raise BadInput(
                "a diagnosis must have dev rows in addition to the training rows",
                found="no validation loader",
                remedy="Pass val_dataloaders to Trainer.fit, and define validation_step in the module",
            )
        if trainer.world_size > 1:
            raise BadInput(
                "a diagnosis must see all rows of train and dev in one process",
                found=f"{trainer.world_size} processes, each with its share of the rows",
                remedy="Fit with devices=1, or without this callback; then predict all rows in one process, and pass "
                "them to wellfit.diagnose_predictions",
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Predict one batch of each loader, so that failures are reported before the first update."""
        for part, each in self._loaders(trainer).items():
            spy = LossSpy()
            with kept_generators():
                batch = first_batch(each.loader, part=part)
            with _validating(trainer, pl_module), as_written(pl_module), spy:
                batch = _prepared(trainer, batch, place=each.place)
                if self._predict is None:
                    inputs, target = split_batch(batch)
                    self._trials[part] = Trial(target, _tried(pl_module, inputs), spy.end_of)
                else:
                    given_pairs([self._predict(pl_module, batch)], part=part)
            if part == "train" and self._predict is None:
                with _validating(trainer, pl_module), as_written(pl_module):
                    warn_of_batches(pl_module, [batch], optimizer=trainer.optimizers[0] if trainer.optimizers else None)

    def on_train_batch_start(self, *given: Any, **_: Any) -> None:
        """Watch for the loss that the first training step computes."""
        if self._trials and self._reading is None and self._spy is None:
            batch = given[2]
            self._target = split_batch(batch)[1] if isinstance(batch, list | tuple) and len(batch) == 2 else None
            self._spy = LossSpy()
            self._spy.enter()

    def on_before_backward(self, *_: Any, **__: Any) -> None:
        """Determine the kinds of outputs and targets before the first update, or refuse the fit."""
        self._leave()

    def on_before_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Determine the kinds if the loss went backward without Lightning's help."""
        self._leave()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Determine the kinds if no other hook was called."""
        self._leave()

    def on_exception(self, *_: Any, **__: Any) -> None:
        """Stop watching for the loss."""
        self._stop_watching()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Predict train and dev, diagnose, and write the result."""
        if not trainer.is_global_zero or (self._predict is None and self._reading is None):
            return
        try:
            self.diagnosis = self._diagnosed(trainer, pl_module)
        except BadInput as error:
            if self._trial is not None:
                raise  # a study that is not told would ask for the same fit again
            # The fit is done and must not be lost: what could be known of this was refused before it.
            self._write(f"No diagnosis: {error}")
        else:
            self._write(str(self.diagnosis))

    def _diagnosed(self, trainer: pl.Trainer, module: pl.LightningModule) -> Diagnosis:
        pairs: dict[str, Any] = {}
        with _validating(trainer, module):
            for part, each in self._loaders(trainer).items():
                pairs[part] = self._pair(trainer, module, each, part=part)
        if self._trial is not None:
            self._trial.tell(**pairs)
        options = dict(self._options)
        if self._reading is not None and self._reading.loss.compares == "values" and options.get("goal") is None:
            options["goal"] = "rmse"
        found = diagnose_predictions(**pairs, **options)
        notes = (*found.notes, *self._notes, *_shortened(trainer), *_logged_otherwise(trainer, found))
        return replace(found, notes=notes)

    def _pair(self, trainer: pl.Trainer, module: pl.LightningModule, each: _Loader, *, part: str) -> Pair:
        batches = (_prepared(trainer, batch, place=each.place) for batch in rows_of(each.loader))
        if self._predict is not None:
            return given_pairs((self._predict(module, batch) for batch in batches), part=part)
        assert self._reading is not None
        targets, outputs = [], []
        for batch in batches:
            inputs, target = split_batch(batch)
            targets.append(target)
            outputs.append(self._reading.outputs(module(inputs)))
        return self._reading.pair(targets, outputs, part=part)

    def _loaders(self, trainer: pl.Trainer) -> Mapping[str, _Loader]:
        """Return the loaders of train, train-dev and dev."""
        train, several = trainer.train_dataloader, trainer.val_dataloaders
        if isinstance(train, Mapping | list | tuple):
            raise BadInput(
                "a diagnosis must have a single training loader",
                found=f"{len(train)} loaders",
                remedy="Give one loader",
            )
        if isinstance(several, Mapping):
            known: dict[Name, Any] = dict(several)
        else:
            known = dict(enumerate(several if isinstance(several, list | tuple) else [several]))
        named = {part: name for part, name in self._named.items() if name is not None}
        if "dev" not in named and len(known) - len(named) == 1:
            named["dev"] = next(name for name in known if name not in named.values())
        if "dev" not in named or not set(named.values()) <= set(known):
            raise BadInput(
                "dev and train_dev must each name one of the validation loaders",
                found=f"{', '.join((f'{part}={name!r}' for part, name in named.items())) or 'neither'} for the "
                f"loaders {', '.join(map(repr, known))}",
                remedy=f"Give the callback an argument such as dev={next(iter(known))!r}",
            )
        places = list(known)
        found = {part: _Loader(known[name], places.index(name)) for part, name in named.items()}
        return {"train": _Loader(train), **found}

    def _leave(self) -> None:
        spy = self._stop_watching()
        if spy is None or self._reading is not None or not self._trials:
            return
        train = self._trials["train"]
        self._reading = decide(
            train, losses=spy.losses, target=self._target, kind=self._outputs, goal=self._options.get("goal")
        )
        for trial in self._trials.values():
            self._reading.check(trial)
        self._notes = second_softmax(spy)
        self._trials = {}

    def _stop_watching(self) -> LossSpy | None:
        """Leave the mode, and return it; None if there is none, or if another one was entered after it."""
        spy = self._spy
        if spy is None or not spy.is_innermost:
            return None
        spy.leave()
        self._spy = None
        return spy


@contextmanager
def _validating(trainer: pl.Trainer, module: pl.LightningModule) -> Iterator[None]:
    """Enter the state in which Lightning validates (module, stage and precision), and restore it afterwards."""
    stage = trainer.state.stage
    with kept_generators(), evaluating(module), torch.no_grad(), trainer.precision_plugin.val_step_context():
        trainer.validating = True
        try:
            yield
        finally:
            trainer.state.stage = stage


def _prepared(trainer: pl.Trainer, batch: Any, *, place: int) -> Any:
    """Prepare a batch as for `validation_step`: in the trainer's precision, through the hooks, on the device."""
    batch = trainer.precision_plugin.convert_input(batch)
    batch = trainer.lightning_module._on_before_batch_transfer(batch, dataloader_idx=place)
    return trainer.strategy.batch_to_device(batch, dataloader_idx=place)


def _tried(module: pl.LightningModule, inputs: Any) -> Any:
    try:
        return module(inputs)
    except Exception as error:
        raise BadInput(
            "a module must predict from the inputs of a batch (x, y) alone",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            remedy="Define forward(x), or give the callback predict=lambda module, batch: (y, prediction)",
        ) from error


def _shortened(trainer: pl.Trainer) -> tuple[str, ...]:
    """Return a note if an epoch covers only part of the training rows."""
    loader: Any = trainer.train_dataloader
    try:
        whole = len(loader)
    except TypeError:
        return ()
    used = trainer.num_training_batches
    if used >= whole:
        return ()
    return (
        f"Lightning trained on {int(used)} of {whole} batches in each epoch; the train error is measured on all rows.",
    )


def _logged_otherwise(trainer: pl.Trainer, found: Diagnosis) -> tuple[str, ...]:
    """Return a note for each accuracy or error logged in validation that differs from the dev error."""
    if not found.goal.counts_rows:
        return ()
    notes = []
    for name, value in trainer.callback_metrics.items():
        words = name.lower().replace("/", "_").split("_")
        kind = next((word for word in ("acc", "accuracy", "err", "error") if word in words), "")
        if not kind or "train" in words or value.numel() != 1:
            continue
        error = 1 - float(value) if kind.startswith("acc") else float(value)
        if abs(error - found.errors.dev.value) > _SLACK:
            notes.append(
                f"The last value that Lightning logged is {name} = {float(value):.4g}; the error measured on dev is "
                f"{found.errors.dev.value:.4g}."
            )
    return tuple(notes)
