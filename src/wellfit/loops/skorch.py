"""A skorch callback that shows at the end of a fit where the error comes from, and what to do about it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import Tensor, nn

from wellfit.base.generators import kept_generators
from wellfit.checking.before import warn_of_batches
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.exceptions import BadInput
from wellfit.loops.batches import as_written, evaluating, first_batch, rows_of
from wellfit.loops.outputs import (
    LossSpy,
    OutputKind,
    Pair,
    Reading,
    Teller,
    Trial,
    check_options,
    decide,
    second_softmax,
)
from wellfit.records.goals import goal_named

_EVEN = 0.5
_SLACK = 1e-6


class DiagnosisCallback(Callback):  # type: ignore[misc] # skorch has no types
    """Prints the ladder and the prescription when `fit` ends.

        NeuralNetClassifier(Net, callbacks=[DiagnosisCallback(human_error=.01)]).fit(X, y)

    Train and dev are the two parts that the net's own `train_split` makes. The net that `fit` returns is judged:
    wherever this callback is in the list, it acts after those that load the best weights. The kinds of outputs and
    targets are inferred from the criterion, and the classes are those of `net.predict`. A fit that cannot be diagnosed
    is refused before the first update.

    Args:
        goal: as in `wellfit.diagnose_predictions`, like the next four arguments.
        human_error: a person's error.
        human_rows: number of rows on which it was measured.
        optimal_error: the known range of the lowest reachable error.
        tolerance: the largest gap that does not matter.
        outputs: what the module returns, if the criterion is not one of torch: "logits", "probabilities" or "values".
        write: a function that receives the text.
        trial: what `wellfit.Study.ask` returned: the predictions are told to the study.

    Attributes:
        diagnosis_: the diagnosis of the last fit.
    """

    def __init__(
        self,
        *,
        goal: str | None = None,
        human_error: float | None = None,
        human_rows: int | None = None,
        optimal_error: tuple[float, float] | float | None = None,
        tolerance: float | None = None,
        outputs: OutputKind | None = None,
        write: Callable[[str], object] = print,
        trial: Teller | None = None,
    ) -> None:
        # skorch clones a net by these names.
        self.goal = goal
        self.human_error = human_error
        self.human_rows = human_rows
        self.optimal_error = optimal_error
        self.tolerance = tolerance
        self.outputs = outputs
        self.write = write
        self.trial = trial

    def initialize(self) -> DiagnosisCallback:
        """Forget the parts of an earlier fit."""
        self.diagnosis_: Diagnosis | None = None
        self._parts: dict[str, Any] = {}
        self._reading: Reading | None = None
        self._notes: tuple[str, ...] = ()
        return self

    def on_train_begin(self, net: NeuralNet, **_: Any) -> None:
        """Move behind the other callbacks, which may load different weights at the end of training."""
        check_options(self._options())
        self._parts, self._reading = {}, None
        others = [each for each in net.callbacks_ if each[1] is not self]
        # A new list: skorch is going through the old one.
        net.callbacks_ = [*others, *(each for each in net.callbacks_ if each[1] is self)]

    def on_epoch_begin(self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **_: Any) -> None:
        """Store the two parts, and refuse a fit that cannot be diagnosed before the first update."""
        if dataset_valid is None:
            raise BadInput(
                "a diagnosis must have dev rows in addition to the training rows",
                found="train_split=None",
                remedy="Give the net a train_split, for example skorch.dataset.ValidSplit(5)",
            )
        self._parts = {"train": dataset_train, "dev": dataset_valid}
        if self._reading is None:
            self._reading = self._decided(net)
            _warn(net, dataset_train)

    def on_train_end(self, net: NeuralNet, **_: Any) -> None:
        """Predict train and dev, diagnose, and write the result."""
        if self._reading is None:
            return
        try:
            self.diagnosis_ = self._diagnosed(net)
        except BadInput as error:
            if self.trial is not None:
                raise  # a study that is not told would ask for the same fit again
            # The fit is done and must not be lost: what could be known of this was refused before it.
            self.write(f"No diagnosis: {error}")
        else:
            self.write(str(self.diagnosis_))

    def _diagnosed(self, net: NeuralNet) -> Diagnosis:
        with kept_generators(), evaluating(net.module_):
            pairs = {part: self._pair(net, dataset, part=part) for part, dataset in self._parts.items()}
        if self.trial is not None:
            self.trial.tell(**pairs)
        options = self._options()
        if self._reading is not None and self._reading.loss.compares == "values" and self.goal is None:
            options["goal"] = "rmse"
        found = diagnose_predictions(train=pairs["train"], dev=pairs["dev"], **options)
        return replace(found, notes=(*found.notes, *self._notes, *_recorded_otherwise(net, found)))

    def _options(self) -> dict[str, Any]:
        names = ("goal", "human_error", "human_rows", "optimal_error", "tolerance")
        return {name: getattr(self, name) for name in names}

    def _decided(self, net: NeuralNet) -> Reading:
        """Return how to interpret outputs and targets, from one batch of each part and the net's own loss."""
        spy, trials = LossSpy(), []
        with kept_generators(), evaluating(net.module_):
            for part, dataset in self._parts.items():
                batch = first_batch(_iterator(net, dataset, part=part), part=part)
                inputs, target = unpack_data(batch)
                with as_written(net.module_), spy, torch.no_grad():
                    returned = net.evaluation_step(batch, training=False)
                    net.get_loss(returned, target, X=inputs, training=False)
                    trials.append(Trial(target, _predicted(net, returned), spy.end_of))
        told = _told_by_net(net)
        kind = self.outputs or told
        reading = decide(trials[0], losses=spy.losses, kind=kind, goal=self.goal, certain=kind == told == "logits")
        for trial in trials:
            reading.check(trial)
        self._notes = second_softmax(spy)
        return reading

    def _pair(self, net: NeuralNet, dataset: Any, *, part: str) -> Pair:
        assert self._reading is not None
        targets, outputs = [], []
        for batch in rows_of(_iterator(net, dataset, part=part)):
            targets.append(unpack_data(batch)[1])
            outputs.append(self._reading.outputs(_predicted(net, net.evaluation_step(batch, training=False))))
        target, prediction = self._reading.pair(targets, outputs, part=part)
        if isinstance(net, NeuralNetBinaryClassifier) and net.threshold != _EVEN and not self._needs_probabilities:
            return target, (prediction[:, 1] > net.threshold).astype(np.int64)
        return target, prediction

    @property
    def _needs_probabilities(self) -> bool:
        return self.goal is not None and goal_named(self.goal).needs_probabilities


def _warn(net: NeuralNet, dataset: Any) -> None:
    """Check the module on its first two batches, and warn of anything that would keep it from learning."""
    with kept_generators():
        batches = itertools.islice(_iterator(net, dataset, part="train"), 2)
        pairs = [unpack_data(batch) for batch in batches]

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        found: Tensor = net.get_loss(outputs, target, training=True)
        return found

    with as_written(net.module_):
        warn_of_batches(net.module_, pairs, loss=loss, optimizer=getattr(net, "optimizer_", None))


def _iterator(net: NeuralNet, dataset: Any, *, part: str) -> Any:
    """Return the iterator of a part, or that of training if samplers choose the rows."""
    chosen = {"sampler", "batch_sampler"} & {
        *net.get_params_for("iterator_train"),
        *net.get_params_for("iterator_valid"),
    }
    return net.get_iterator(dataset, training=part == "train" and bool(chosen))


def _predicted(net: NeuralNet, returned: Any) -> Tensor:
    """Return the tensor from which skorch predicts: the first output, after the user's own nonlinearity."""
    found: Tensor = returned[0] if isinstance(returned, tuple) else returned
    own = net.predict_nonlinearity
    return own(found) if callable(own) else found


def _told_by_net(net: NeuralNet) -> OutputKind | None:
    """Return the kind of outputs that a skorch classifier assumes in `predict_proba`; None if it assumes none."""
    if not isinstance(net, NeuralNetClassifier | NeuralNetBinaryClassifier):
        return None
    criterion = getattr(net.criterion_, "_orig_mod", net.criterion_)
    before_logarithm = isinstance(net, NeuralNetClassifier) and isinstance(criterion, nn.NLLLoss)
    if before_logarithm or callable(net.predict_nonlinearity):
        return "probabilities"
    by_criterion = isinstance(criterion, nn.CrossEntropyLoss | nn.BCEWithLogitsLoss)
    return "logits" if by_criterion and net.predict_nonlinearity == "auto" else None


def _recorded_otherwise(net: NeuralNet, found: Diagnosis) -> tuple[str, ...]:
    """Return a note if skorch's own accuracy on dev differs for the weights that `fit` returns."""
    accuracies = [row.get("valid_acc") for row in net.history]
    if not found.goal.counts_rows or not accuracies or accuracies[-1] is None:
        return ()
    error = found.errors.dev.value
    if any(abs(1 - accuracy - error) <= _SLACK for accuracy in accuracies if accuracy is not None):
        return ()
    return (
        (
            f"The last value that skorch recorded is valid_acc = {accuracies[-1]:.4g}; the error measured on dev is "
            f"{error:.4g}."
        ),
    )
